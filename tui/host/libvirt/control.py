"""Starts, stops and defines domains through libvirt, and lends them USB devices.

Each action uses a connection of its own, so that one that hangs does not block the readings. If
the reply to a request is lost, the request may still have been carried out: the domain is polled
until its state shows the outcome. libvirt never moves a card here: a guest is only started when
its card is on vfio-pci.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import libvirt

from tui.host import Forbids, HostError, Objection, Unsettled
from tui.host.journal.entry import JournalError
from tui.host.journal.file import Journal
from tui.host.libvirt import usb_lending
from tui.host.libvirt.domain_xml import DefinitionError, definition
from tui.host.libvirt.errors import AGENT_FAILED
from tui.host.libvirt.operation import DomainOperation, DomainStatus, ReplyLost, Timeouts
from tui.host.libvirt.source import GuestsSource
from tui.host.libvirt.start import PausedStart
from tui.host.proc.process import is_alive
from tui.host.timeout import within
from tui.model import GuestAction, Guests, HostDev, UsbHostDev

LOCK_S = 5.0
"""Seconds that a start waits for the lock of a swap."""

VERBS = {"stop": "shut down", "force-off": "force off"}
"""Actions whose verb differs from their name."""


class LibvirtControl:
    """Acts on the domains of a libvirt URI."""

    unavailable_reason: str | None = None

    def __init__(
        self, uri: str, journal: Journal | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self._uri = uri
        self._journal = journal or Journal()
        self._timeouts = timeouts or Timeouts()

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        with self._guest(action, uuid, name) as guest:
            try:
                guest.request(_REQUESTS[action])
            except ReplyLost:
                _resolve_lost_answer(action, guest)
            except libvirt.libvirtError as error:
                if action not in ("stop", "force-off") or not _is_off(guest):
                    raise guest.refusal(error) from error

    def start(self, uuid: str, forbids: Forbids, name: str | None = None) -> None:
        with self._no_swap(), self._guest("start", uuid, name) as guest:
            reason = forbids(self._all_guests())
            if reason is not None:
                raise HostError(reason)
            start = PausedStart(guest, self._timeouts)
            start.create()
            # Somebody else may have started a guest since the first check. Ours has not executed
            # an instruction yet, so ending it loses nothing.
            reason = self._reason_not_to_run(forbids)
            if reason is not None:
                start.undo(reason)
                raise HostError(reason)
            start.resume()

    def lend_usb(
        self,
        uuid: str,
        device: UsbHostDev,
        stale: Sequence[UsbHostDev],
        objection: Objection,
        name: str | None = None,
    ) -> None:
        with self._guest("lend a USB device to", uuid, name) as guest:
            usb_lending.lend(guest, device, stale, objection)

    def return_usb(self, uuid: str, device: UsbHostDev, name: str | None = None) -> None:
        with self._guest("take a USB device from", uuid, name) as guest:
            usb_lending.take_back(guest, device)

    def definition(self, uuid: str) -> str:
        with self._guest("read", uuid) as guest:
            return _read_definition(guest)

    def define(self, uuid: str, before: str, after: str) -> None:
        with self._guest("change", uuid) as guest:
            if _read_definition(guest) != before:
                raise HostError("somebody else has changed the guest: review it and try again")
            try:
                guest.request(lambda domain: domain.connect().defineXML(after))
            except ReplyLost:
                _resolve_lost_define(guest, before, after)
            except libvirt.libvirtError as error:
                raise guest.refusal(error) from error

    # --- shared by the actions ---

    @contextmanager
    def _guest(self, what: str, uuid: str, name: str | None = None) -> Iterator[DomainOperation]:
        guest = DomainOperation(self._uri, uuid, VERBS.get(what, what), name, self._timeouts)
        try:
            yield guest
        finally:
            guest.close()

    def _reason_not_to_run(self, forbids: Forbids) -> str | None:
        """Return why a guest that was started paused must not run, or ``None``.

        If the guests cannot be read for ``settle`` seconds, that is the reason. A bug in vfiotop
        counts as one, too: it must not leave the guest paused.
        """
        end = time.monotonic() + self._timeouts.settle
        while True:
            try:
                return forbids(self._all_guests())
            except HostError as error:
                if time.monotonic() > end:
                    return f"the guests could not be checked again: {error}"
            except Exception as error:
                return f"vfiotop failed here ({error!r}); please report it"
            time.sleep(self._timeouts.poll)

    def _all_guests(self) -> Guests:
        """Read every domain now. Raises ``HostError``."""

        def read() -> Guests:
            source = GuestsSource(self._uri)
            try:
                return source.read()
            finally:
                source.close()

        try:
            return within(self._timeouts.read_all, read)
        except TimeoutError as error:
            raise HostError(f"libvirt does not answer: {error}") from error

    @contextmanager
    def _no_swap(self) -> Iterator[None]:
        """Keep cards from moving while a guest starts.

        Root takes the lock, so that no swap can begin. An ordinary user cannot, and only checks
        that none is under way: the kernel does not take a group from a guest that has it.
        """
        if os.geteuid() != 0:
            self._refuse_during_swap()
            yield
            return
        try:
            with self._journal.locked(LOCK_S):
                self._refuse_during_swap()
                yield
        except JournalError as error:
            raise HostError(str(error)) from error

    def _refuse_during_swap(self) -> None:
        try:
            entry = self._journal.read()
        except JournalError as error:
            raise HostError(str(error)) from error
        if entry is not None and not entry.ended:
            state = "under way" if is_alive(entry.runner) else "interrupted: `vfiotop recover`"
            raise HostError(f"a swap of {entry.address} is {state}")


_INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
"""The persistent definition, with the passwords that would be lost when it is redefined."""


def _stop(domain: libvirt.virDomain) -> None:
    """Shut down through the agent if it is connected, else through ACPI.

    If the agent fails, fall back to the ACPI power button.
    """
    try:
        domain.shutdown()
    except libvirt.libvirtError as error:
        if error.get_error_code() not in AGENT_FAILED:
            raise
        domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)


def _reboot(domain: libvirt.virDomain) -> None:
    try:
        domain.reboot(0)
    except libvirt.libvirtError as error:
        if error.get_error_code() not in AGENT_FAILED:
            raise
        domain.reboot(libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN)


_REQUESTS: dict[GuestAction, Callable[[libvirt.virDomain], object]] = {
    "stop": _stop, "reboot": _reboot, "pause": lambda domain: domain.suspend(),
    "resume": lambda domain: domain.resume(), "force-off": lambda domain: domain.destroy(),
}  # fmt: skip


_OUTCOMES: dict[GuestAction, tuple[str, Callable[[DomainStatus], bool]]] = {
    "pause": ("paused", lambda seen: seen.state == "paused"),
    "resume": ("resumed", lambda seen: seen.running),
    "force-off": ("forced off", lambda seen: seen.off),
}
"""The state that an action leads to, in words, and the test for it."""


def _resolve_lost_answer(action: GuestAction, guest: DomainOperation) -> None:
    """Find out the outcome of a request whose reply was lost.

    The caller waits for the end of a stop anyway.
    """
    if action == "stop":
        return
    if action == "reboot":
        raise Unsettled(
            f"libvirt's reply was lost: cannot tell whether “{guest.display_name}” is rebooting. "
            "Check the guest, or try again"
        )
    word, wanted = _OUTCOMES[action]
    seen = guest.poll_until(guest.status, wanted)
    if seen is None:
        raise Unsettled(
            "libvirt's reply was lost, and it does not respond now: cannot tell yet whether "
            f"“{guest.display_name}” was {word}"
        )
    if not wanted(seen):
        raise HostError(
            f"“{guest.display_name}” was not {word}: libvirt's reply was lost, and {seen.sentence}"
        )


def _is_off(guest: DomainOperation) -> bool:
    """Whether a stop failed because the guest is off already."""
    try:
        return guest.status().off
    except (libvirt.libvirtError, ReplyLost):
        return False


def _read_definition(guest: DomainOperation) -> str:
    try:
        return guest.request(_inactive_xml)
    except libvirt.libvirtError as error:
        raise guest.refusal(error) from error
    except ReplyLost as error:
        raise HostError(
            f"libvirt did not respond: “{guest.display_name}” was left alone"
        ) from error


def _inactive_xml(domain: libvirt.virDomain) -> str:
    return str(domain.XMLDesc(_INACTIVE))


def _resolve_lost_define(guest: DomainOperation, before: str, after: str) -> None:
    """Find out whether a definition was changed when libvirt's reply was lost.

    libvirt reformats the XML, so the hostdevs are compared and not the text.
    """
    xml = guest.poll_until(lambda: guest.request(_inactive_xml), lambda xml: xml != before)
    if xml is None:
        raise Unsettled(
            "libvirt's reply was lost, and it does not respond now: cannot tell yet whether "
            f"the definition of “{guest.display_name}” was changed"
        )
    if xml == before:
        raise HostError(
            f"the definition of “{guest.display_name}” was not changed: libvirt's reply was lost"
        )
    if _hostdevs(xml) != _hostdevs(after):
        raise Unsettled(
            "libvirt's reply was lost, and somebody else has changed the definition of "
            f"“{guest.display_name}”: check it"
        )


def _hostdevs(xml: str) -> tuple[HostDev, ...] | None:
    try:
        return definition(xml).hostdevs
    except DefinitionError:
        return None
