"""Starts, stops and defines domains through libvirt.

Each deed has a connection of its own, so that one which hangs in a deed takes no reading
with it. libvirt never moves a card here: what it is asked to start has its card on vfio-pci.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import libvirt

from tui.host import Forbids, HostError
from tui.host.guests import GuestsSource
from tui.host.libvirt_connection import Connection
from tui.host.libvirt_words import (
    AGENT_FAILED,
    NO_DOMAIN,
    why_not_done,
    why_not_open,
)
from tui.model import GuestAction
from tui.swap.journal import Journal, JournalError
from tui.swap.machine import alive

LOCK_S = 5.0
"""Seconds that a start waits for a swap to end."""

VERBS: dict[GuestAction, str] = {
    "start": "start", "stop": "shut down", "reboot": "reboot", "pause": "pause",
    "resume": "resume", "force-off": "force off",
}  # fmt: skip


class LibvirtControl:
    """The domains of a libvirt URI, for whoever may act through it."""

    forbidden: str | None = None

    def __init__(self, uri: str, journal: Journal | None = None) -> None:
        self._uri = uri
        self._journal = journal or Journal()

    def act(self, action: GuestAction, uuid: str) -> None:
        with self._asked(VERBS[action], uuid) as domain:
            try:
                _DEEDS[action](domain)
            except libvirt.libvirtError as error:
                if action not in ("stop", "force-off") or not _is_off(error, domain):
                    raise

    def start(self, uuid: str, forbids: Forbids) -> None:
        with self._no_swap(), self._asked("start", uuid) as domain:
            self._look(forbids)
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            # Somebody else may have started one between the look and the start. Ours has not
            # run yet: nothing is lost when it is ended.
            try:
                self._look(forbids)
            except HostError:
                domain.destroy()
                raise
            domain.resume()

    def definition(self, uuid: str) -> str:
        with self._asked("read", uuid) as domain:
            return str(domain.XMLDesc(_INACTIVE))

    def define(self, uuid: str, before: str, after: str) -> None:
        with self._asked("change", uuid) as domain:
            if str(domain.XMLDesc(_INACTIVE)) != before:
                raise HostError("somebody has changed the guest meanwhile: look at it again")
            domain.connect().defineXML(after)

    # --- what each needs ---

    @contextmanager
    def _asked(self, what: str, uuid: str) -> Iterator[libvirt.virDomain]:
        """The domain, through a connection that may write. Raises what goes wrong as
        ``HostError``."""
        try:
            connection = Connection(self._uri, readonly=False, changed=lambda _: None)
        except libvirt.libvirtError as error:
            raise HostError(why_not_open(error, self._uri)) from error
        name = uuid
        try:
            if connection.readonly:
                raise HostError(f"{self._uri} lets you only look: join the group libvirt, or run "
                                "this as root")  # fmt: skip
            domain = connection.domain(uuid)
            name = domain.name()
            yield domain
        except libvirt.libvirtError as error:
            raise HostError(why_not_done(error, what, name)) from error
        finally:
            connection.close()

    def _look(self, forbids: Forbids) -> None:
        source = GuestsSource(self._uri)
        try:
            reason = forbids(source.read())
        finally:
            source.close()
        if reason is not None:
            raise HostError(reason)

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
            state = "under way" if alive(entry.runner) else "interrupted: `vfiotop recover`"
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


def _is_off(error: libvirt.libvirtError, domain: libvirt.virDomain) -> bool:
    """Whether it failed because there is nothing left to stop."""
    if error.get_error_code() == NO_DOMAIN:
        return True
    try:
        return not domain.isActive()
    except libvirt.libvirtError as gone:
        return bool(gone.get_error_code() == NO_DOMAIN)
