"""One domain of libvirt for one deed, and what became of it when libvirt's answer was lost.

A connection may break, or stay silent, after a request was sent and before its answer came:
that tells nothing of whether it was done. Then another connection is opened and the domain
looked at, until its state says so or patience is at its end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import libvirt

from tui.host import HostError
from tui.host.libvirt.abandonable import AbandonableConnection
from tui.host.libvirt.connection import Connection
from tui.host.libvirt.errors import NO_DOMAIN, is_lost, why_not_done, why_not_open
from tui.host.libvirt.source import STATES
from tui.host.timeout import within
from tui.host.untrusted import visible
from tui.model import DomainState

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: ``open`` that libvirt gets to accept a connection, ``answer`` and ``start`` to
    answer a request and the one that starts a guest, which may wait for much memory; ``look``
    to tell of all domains. After a lost answer the domain is looked at for ``settle``; where
    it shows for ``steady`` that nothing was done, nothing was. ``pause`` is between two
    looks."""

    open: float = 10.0
    look: float = 30.0
    answer: float = 90.0
    start: float = 600.0
    settle: float = 40.0
    steady: float = 3.0
    pause: float = 0.25


class AnswerLost(Exception):
    """libvirt's answer to a request never came."""


@dataclass(frozen=True, slots=True)
class DomainStatus:
    """A domain at one time. ``state`` is ``None`` where it is gone; ``busy``: libvirt is at
    work on it, be it that its QEMU comes up or that a request is not done yet; ``run`` is
    libvirt's id of the run that it is in, -1 while it is off."""

    state: DomainState | None
    busy: bool = False
    run: int = -1

    @property
    def off(self) -> bool:
        return self.state in (None, "shut off", "crashed")

    @property
    def runs(self) -> bool:
        return self.state in ("running", "blocked")

    @property
    def words(self) -> str:
        return "it is not defined any more" if self.state is None else f"it is {self.state}"


class DomainOperation:
    """A domain by UUID, called ``name`` where that is not ``None``, to do ``what`` to it.
    Raises ``HostError`` where it cannot be reached, or is called otherwise."""

    def __init__(
        self, uri: str, uuid: str, what: str, name: str | None, patience: Timeouts
    ) -> None:
        self._uri, self._uuid, self._what, self._patience = uri, uuid, what, patience
        self._line = self._connected()
        self.shown = visible(name or uuid)
        try:
            self._domain = self._ask(self._looked_up)
            self.name = self._domain.name()
        except libvirt.libvirtError as error:
            self.close()
            raise HostError(why_not_done(error, what, name or uuid)) from error
        except AnswerLost as error:
            self.close()
            raise HostError(_silent(uri)) from error
        if name is not None and self.name != name:
            self.close()
            raise HostError(
                f"the domain with the UUID of “{self.shown}” is called “{visible(self.name)}” "
                "now: look at it again"
            )
        self.shown = visible(self.name)

    def close(self) -> None:
        """Returns at once."""
        self._line.close()

    # --- a deed -------------------------------------------------------------------

    def ask(self, deed: Callable[[libvirt.virDomain], T], seconds: float | None = None) -> T:
        """The answer to a request. Raises ``Lost`` where none came, and ``libvirtError``
        where libvirt refused."""
        domain = self._domain
        return self._ask(lambda _: deed(domain), seconds)

    def _ask(self, call: Callable[[Connection], T], seconds: float | None = None) -> T:
        """A connection that has lost an answer is not used again: a second call beside one
        that never returned has libvirt's client crash (9.0)."""
        line = self._line
        try:
            return within(seconds or self._patience.answer, lambda: line.used(call))
        except TimeoutError as error:
            line.close()
            raise AnswerLost from error
        except libvirt.libvirtError as error:
            if is_lost(error) or not line.alive:
                line.close()
                raise AnswerLost from error
            raise

    def _looked_up(self, connection: Connection) -> libvirt.virDomain:
        return connection.domain(self._uuid)

    def refused(self, error: libvirt.libvirtError) -> HostError:
        """libvirt's refusal in a sentence."""
        return HostError(why_not_done(error, self._what, self.name))

    def seen(self) -> DomainStatus:
        """The domain as it is now. Raises ``Lost`` and ``libvirtError``."""
        try:
            domain = self._ask(self._looked_up)
            if domain.name() != self.name:
                return DomainStatus(None)
            self._domain = domain
            state, reason = self.ask(lambda domain: domain.state())
        except libvirt.libvirtError as error:
            if error.get_error_code() != NO_DOMAIN:
                raise
            return DomainStatus(None)
        busy = (state, reason) == _STARTING or (domain.ID() >= 0 and self._at_work())
        return DomainStatus(STATES.get(state, "unknown"), busy, domain.ID())

    def _at_work(self) -> bool:
        """virDomainGetControlInfo: whether a request on the running domain is not done yet."""
        try:
            state, *_ = self.ask(lambda domain: domain.controlInfo(0))
        except libvirt.libvirtError:  # it has ended, or this driver does not tell
            return False
        return state in (libvirt.VIR_DOMAIN_CONTROL_JOB, libvirt.VIR_DOMAIN_CONTROL_OCCUPIED)

    # --- after a lost answer ------------------------------------------------------

    def settled(self, look: Callable[[], S], done: Callable[[S], bool]) -> S | None:
        """``look``, through another connection where this one is dead, until what it returns
        is ``done`` or has been something else for long enough; ``None`` where that cannot be
        known in time."""
        given_up = threading.Event()
        try:
            return within(self._patience.settle, lambda: self._watched(look, done, given_up))
        except TimeoutError:
            return None
        finally:
            given_up.set()

    def _watched(
        self, look: Callable[[], S], done: Callable[[S], bool], given_up: threading.Event
    ) -> S:
        last, since = None, 0.0
        while not given_up.is_set():
            try:
                self._connect_anew()
                seen = look()
            except (HostError, libvirt.libvirtError, AnswerLost):
                last = None
            else:
                if done(seen):
                    return seen
                now = time.monotonic()
                if seen != last or (isinstance(seen, DomainStatus) and seen.busy):
                    last, since = seen, now
                elif now - since >= self._patience.steady:
                    return seen
            given_up.wait(self._patience.pause)
        self.close()
        raise TimeoutError

    def _connect_anew(self) -> None:
        if not self._line.alive:
            self._line.close()
            self._line = self._connected()
            self._domain = self._ask(self._looked_up)

    def _connected(self) -> AbandonableConnection:
        def opened() -> Connection:
            return Connection(self._uri, readonly=False, changed=lambda _: None)

        try:
            connection = within(self._patience.open, opened, late=Connection.close)
        except TimeoutError as error:
            raise HostError(_silent(self._uri)) from error
        except libvirt.libvirtError as error:
            raise HostError(why_not_open(error, self._uri)) from error
        if connection.readonly:
            connection.close()
            raise HostError(
                f"{visible(self._uri)} lets you only look: join the group libvirt, or run this "
                "as root"
            )
        return AbandonableConnection(connection)


def _silent(uri: str) -> str:
    return f"libvirt at {visible(uri)} does not answer: nothing was asked of it"


_STARTING = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)
