"""The start of a guest in two steps, each of which may lose its answer: it comes up paused, and
is let run once all guests were looked at again.

A guest is never left paused without a word, and never ended once somebody has let it run.
"""

from __future__ import annotations

from collections.abc import Callable

import libvirt

from tui.host import HostError, Unsettled
from tui.host.libvirt.operation import AnswerLost, DomainOperation, DomainStatus, Timeouts


class PausedStart:
    """The start of one guest."""

    def __init__(self, guest: DomainOperation, patience: Timeouts) -> None:
        self._guest, self._patience = guest, patience
        self._run = -1
        """libvirt's id of the run that was begun."""

    def create(self) -> None:
        """Have it come up paused. Raises ``HostError`` where it is off."""

        def deed(domain: libvirt.virDomain) -> int:
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            return int(domain.ID())

        guest = self._guest
        try:
            self._run = guest.ask(deed, self._patience.start)
        except libvirt.libvirtError as error:
            raise guest.refused(error) from error
        except AnswerLost:
            seen = guest.settled(guest.seen, lambda seen: not seen.off and not seen.busy)
            if seen is None:
                raise Unsettled(
                    "libvirt's answer was lost, and it does not answer now: it is not known yet "
                    f"whether “{guest.shown}” was started, and it may be left paused"
                ) from None
            if seen.off:
                raise HostError(
                    f"“{guest.shown}” was not started: libvirt's answer was lost, and {seen.words}"
                ) from None
            self._run = seen.run

    def undo(self, reason: str) -> None:
        """End it for ``reason``: it has not run yet. Raises ``Unsettled`` where it is not off
        then."""
        guest = self._guest
        seen = self._now()
        if seen is None:
            raise Unsettled(
                f"{reason}. “{guest.shown}” was started paused, and libvirt does not answer "
                "now: it may be left paused"
            )
        if seen.off:
            return
        if seen.state != "paused" or seen.run != self._run:
            raise Unsettled(
                f"{reason}. “{guest.shown}” was not ended for that, because somebody else has "
                f"acted on it meanwhile: it is {seen.state}",
                seen.state,
            )
        why = "libvirt's answer was lost"
        try:
            guest.ask(lambda domain: domain.destroy())
        except AnswerLost:
            seen = guest.settled(guest.seen, _off)
        except libvirt.libvirtError as error:
            why, seen = str(guest.refused(error)), self._now()
        else:
            return
        if seen is None or not seen.off:
            raise self._half_way(f"{reason}. It could not be ended: {why}", seen)

    def resume(self) -> None:
        """Let it run. Raises ``HostError`` where it is off then, ``Unsettled`` where it is
        anything else but running."""
        guest = self._guest
        why = "libvirt's answer was lost"
        try:
            guest.ask(lambda domain: domain.resume())
        except AnswerLost:
            seen = guest.settled(guest.seen, _runs)
        except libvirt.libvirtError as error:
            why, seen = str(guest.refused(error)), self._now()
        else:
            return
        if seen is not None and seen.runs:
            return
        if seen is not None and seen.off:
            raise HostError(f"“{guest.shown}” was started and has ended: {why}, and {seen.words}")
        raise self._half_way(why, seen)

    def _now(self) -> DomainStatus | None:
        any_will_do: Callable[[DomainStatus], bool] = lambda _: True  # noqa: E731
        return self._guest.settled(self._guest.seen, any_will_do)

    def _half_way(self, why: str, seen: DomainStatus | None) -> Unsettled:
        name = self._guest.shown
        if seen is None:
            return Unsettled(
                f"“{name}” was started paused, and libvirt does not answer now: it may be left "
                f"paused ({why})"
            )
        return Unsettled(f"“{name}” was started and is left {seen.state}: {why}", seen.state)


def _off(seen: DomainStatus) -> bool:
    return seen.off


def _runs(seen: DomainStatus) -> bool:
    return seen.runs
