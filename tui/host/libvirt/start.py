"""Starts a guest in two steps: created paused, then resumed once all guests were checked again.

Either step may lose libvirt's reply. A guest is never left paused without an error that says so,
and never destroyed once somebody has resumed it.
"""

from __future__ import annotations

from collections.abc import Callable

import libvirt

from tui.host import HostError, Unsettled
from tui.host.libvirt.operation import DomainOperation, DomainStatus, ReplyLost, Timeouts


class PausedStart:
    """The start of one guest."""

    def __init__(self, guest: DomainOperation, timeouts: Timeouts) -> None:
        self._guest, self._timeouts = guest, timeouts
        self._domain_id = -1
        """libvirt's id of the run that ``create`` began."""

    def create(self) -> None:
        """Create the guest paused. Raises ``HostError`` if it is off afterwards."""

        def create_paused(domain: libvirt.virDomain) -> int:
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            return int(domain.ID())

        guest = self._guest
        try:
            self._domain_id = guest.request(create_paused, self._timeouts.start)
        except libvirt.libvirtError as error:
            raise guest.refusal(error) from error
        except ReplyLost:
            seen = guest.poll_until(guest.status, lambda seen: not seen.off and not seen.busy)
            if seen is None:
                raise Unsettled(
                    "libvirt's reply was lost, and it does not respond now: cannot tell yet "
                    f"whether “{guest.display_name}” was started; it may be left paused"
                ) from None
            if seen.off:
                raise HostError(
                    f"“{guest.display_name}” was not started: libvirt's reply was lost, "
                    f"and {seen.sentence}"
                ) from None
            self._domain_id = seen.domain_id

    def undo(self, reason: str) -> None:
        """Destroy the guest, which has not run yet, for ``reason``.

        Raises ``Unsettled`` if it is not off afterwards.
        """
        guest = self._guest
        seen = self._current_status()
        if seen is None:
            raise Unsettled(
                f"{reason}. “{guest.display_name}” was started paused, and libvirt does not "
                "respond now: it may be left paused"
            )
        if seen.off:
            return
        if seen.state != "paused" or seen.domain_id != self._domain_id:
            raise Unsettled(
                f"{reason}. “{guest.display_name}” was not ended, because somebody else has "
                f"changed its state: it is {seen.state}",
                seen.state,
            )
        why = "libvirt's reply was lost"
        try:
            guest.request(lambda domain: domain.destroy())
        except ReplyLost:
            seen = guest.poll_until(guest.status, _is_off)
        except libvirt.libvirtError as error:
            why, seen = str(guest.refusal(error)), self._current_status()
        else:
            return
        if seen is None or not seen.off:
            raise self._unsettled(f"{reason}. It could not be ended: {why}", seen)

    def resume(self) -> None:
        """Resume the guest.

        Raises ``HostError`` if it is off afterwards, and ``Unsettled`` if it is in any other
        state than running.
        """
        guest = self._guest
        why = "libvirt's reply was lost"
        try:
            guest.request(lambda domain: domain.resume())
        except ReplyLost:
            seen = guest.poll_until(guest.status, _is_running)
        except libvirt.libvirtError as error:
            why, seen = str(guest.refusal(error)), self._current_status()
        else:
            return
        if seen is not None and seen.running:
            return
        if seen is not None and seen.off:
            raise HostError(
                f"“{guest.display_name}” was started and has ended: {why}, and {seen.sentence}"
            )
        raise self._unsettled(why, seen)

    def _current_status(self) -> DomainStatus | None:
        any_will_do: Callable[[DomainStatus], bool] = lambda _: True  # noqa: E731
        return self._guest.poll_until(self._guest.status, any_will_do)

    def _unsettled(self, why: str, seen: DomainStatus | None) -> Unsettled:
        name = self._guest.display_name
        if seen is None:
            return Unsettled(
                f"“{name}” was started paused, and libvirt does not respond now: it may be left "
                f"paused ({why})"
            )
        return Unsettled(f"“{name}” was started and is left {seen.state}: {why}", seen.state)


def _is_off(seen: DomainStatus) -> bool:
    return seen.off


def _is_running(seen: DomainStatus) -> bool:
    return seen.running
