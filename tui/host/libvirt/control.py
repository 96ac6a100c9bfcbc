"""Starts, stops and defines domains through libvirt.

Each deed has a connection of its own, so that one which hangs in a deed takes no reading
with it. A deed whose answer is lost has not failed: the domain is looked at until it tells
what became of it. libvirt never moves a card here: what it is asked to start has its card on
vfio-pci.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import libvirt

from tui.host import Forbids, HostError, Unsettled
from tui.host.journal.entry import JournalError
from tui.host.journal.file import Journal
from tui.host.libvirt.domain_xml import DefinitionError, definition
from tui.host.libvirt.errors import AGENT_FAILED
from tui.host.libvirt.operation import AnswerLost, DomainOperation, DomainStatus, Timeouts
from tui.host.libvirt.source import GuestsSource
from tui.host.libvirt.start import PausedStart
from tui.host.proc.process import is_alive
from tui.host.timeout import within
from tui.model import GuestAction, Guests, HostDev

LOCK_S = 5.0
"""Seconds that a start waits for a swap to end."""

VERBS = {"stop": "shut down", "force-off": "force off"}
"""Actions whose verb is another word."""


class LibvirtControl:
    """The domains of a libvirt URI, for whoever may act through it."""

    unavailable_reason: str | None = None

    def __init__(
        self, uri: str, journal: Journal | None = None, patience: Timeouts | None = None
    ) -> None:
        self._uri = uri
        self._journal = journal or Journal()
        self._patience = patience or Timeouts()

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        with self._guest(action, uuid, name) as guest:
            try:
                guest.ask(_DEEDS[action])
            except AnswerLost:
                _unanswered(action, guest)
            except libvirt.libvirtError as error:
                if action not in ("stop", "force-off") or not _is_off(guest):
                    raise guest.refused(error) from error

    def start(self, uuid: str, forbids: Forbids, name: str | None = None) -> None:
        with self._no_swap(), self._guest("start", uuid, name) as guest:
            reason = forbids(self._all_guests())
            if reason is not None:
                raise HostError(reason)
            begun = PausedStart(guest, self._patience)
            begun.create()
            # Somebody else may have started one between the look and the start. Ours has not
            # run yet: nothing is lost when it is ended.
            reason = self._why_not_run(forbids)
            if reason is not None:
                begun.undo(reason)
                raise HostError(reason)
            begun.resume()

    def definition(self, uuid: str) -> str:
        with self._guest("read", uuid) as guest:
            return _read(guest)

    def define(self, uuid: str, before: str, after: str) -> None:
        with self._guest("change", uuid) as guest:
            if _read(guest) != before:
                raise HostError("somebody has changed the guest meanwhile: look at it again")
            try:
                guest.ask(lambda domain: domain.connect().defineXML(after))
            except AnswerLost:
                _redefined(guest, before, after)
            except libvirt.libvirtError as error:
                raise guest.refused(error) from error

    # --- what each needs ---

    @contextmanager
    def _guest(self, what: str, uuid: str, name: str | None = None) -> Iterator[DomainOperation]:
        guest = DomainOperation(self._uri, uuid, VERBS.get(what, what), name, self._patience)
        try:
            yield guest
        finally:
            guest.close()

    def _why_not_run(self, forbids: Forbids) -> str | None:
        """What speaks against a guest that was started paused. Where it cannot be known for a
        while, that does; nor may a defect of ours leave it paused."""
        end = time.monotonic() + self._patience.settle
        while True:
            try:
                return forbids(self._all_guests())
            except HostError as error:
                if time.monotonic() > end:
                    return f"the guests could not be looked at once more: {error}"
            except Exception as error:  # it is told in its place
                return f"vfiotop failed here ({error!r}); please report it"
            time.sleep(self._patience.pause)

    def _all_guests(self) -> Guests:
        """Every domain, read now. Raises ``HostError``."""

        def read() -> Guests:
            source = GuestsSource(self._uri)
            try:
                return source.read()
            finally:
                source.close()

        try:
            return within(self._patience.look, read)
        except TimeoutError as error:
            raise HostError(f"libvirt does not answer: {error}") from error

    @contextmanager
    def _no_swap(self) -> Iterator[None]:
        """No card moves while a guest is started. Root keeps others from beginning a swap;
        an ordinary user cannot, and sees only whether one is under way: the kernel does not
        take a group from a guest that has it."""
        if os.geteuid() != 0:
            self._look_for_swap()
            yield
            return
        try:
            with self._journal.locked(LOCK_S):
                self._look_for_swap()
                yield
        except JournalError as error:
            raise HostError(str(error)) from error

    def _look_for_swap(self) -> None:
        try:
            entry = self._journal.read()
        except JournalError as error:
            raise HostError(str(error)) from error
        if entry is not None and not entry.ended:
            state = "under way" if is_alive(entry.runner) else "interrupted: `vfiotop recover`"
            raise HostError(f"a swap of {entry.address} is {state}")


_INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
"""As it is defined, with the passwords that would be lost when it is defined again."""


def _stop(domain: libvirt.virDomain) -> None:
    """The agent is asked where it listens, else the firmware; where the agent fails, the
    firmware after it."""
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


_DEEDS: dict[GuestAction, Callable[[libvirt.virDomain], object]] = {
    "stop": _stop, "reboot": _reboot, "pause": lambda domain: domain.suspend(),
    "resume": lambda domain: domain.resume(), "force-off": lambda domain: domain.destroy(),
}  # fmt: skip


_WANTED: dict[GuestAction, tuple[str, Callable[[DomainStatus], bool]]] = {
    "pause": ("paused", lambda seen: seen.state == "paused"),
    "resume": ("resumed", lambda seen: seen.runs),
    "force-off": ("forced off", lambda seen: seen.off),
}
"""What becomes of a domain, and whether it has."""


def _unanswered(action: GuestAction, guest: DomainOperation) -> None:
    """Find out what became of a request. Of a stop that is for whoever waits for its end."""
    if action == "stop":
        return
    if action == "reboot":
        raise Unsettled(
            f"libvirt's answer was lost: it is not known whether “{guest.shown}” is rebooting. "
            "Look into the guest, or ask again"
        )
    word, wanted = _WANTED[action]
    seen = guest.settled(guest.seen, wanted)
    if seen is None:
        raise Unsettled(
            f"libvirt's answer was lost, and it does not answer now: it is not known yet "
            f"whether “{guest.shown}” was {word}"
        )
    if not wanted(seen):
        raise HostError(
            f"“{guest.shown}” was not {word}: libvirt's answer was lost, and {seen.words}"
        )


def _is_off(guest: DomainOperation) -> bool:
    """Whether a deed failed because there is nothing left to stop."""
    try:
        return guest.seen().off
    except (libvirt.libvirtError, AnswerLost):
        return False


def _read(guest: DomainOperation) -> str:
    try:
        return guest.ask(_inactive_xml)
    except libvirt.libvirtError as error:
        raise guest.refused(error) from error
    except AnswerLost as error:
        raise HostError(f"libvirt did not answer: “{guest.shown}” was left alone") from error


def _inactive_xml(domain: libvirt.virDomain) -> str:
    return str(domain.XMLDesc(_INACTIVE))


def _redefined(guest: DomainOperation, before: str, after: str) -> None:
    """Find out what became of a definition whose answer was lost. libvirt writes it in its
    own way, so it is what it says that is compared."""
    xml = guest.settled(lambda: guest.ask(_inactive_xml), lambda xml: xml != before)
    if xml is None:
        raise Unsettled(
            "libvirt's answer was lost, and it does not answer now: it is not known yet whether "
            f"the definition of “{guest.shown}” was changed"
        )
    if xml == before:
        raise HostError(
            f"the definition of “{guest.shown}” was not changed: libvirt's answer was lost"
        )
    if _hostdevs(xml) != _hostdevs(after):
        raise Unsettled(
            "libvirt's answer was lost, and somebody has changed the definition of "
            f"“{guest.shown}” meanwhile: look at it"
        )


def _hostdevs(xml: str) -> tuple[HostDev, ...] | None:
    try:
        return definition(xml).hostdevs
    except DefinitionError:
        return None
