"""One domain for one action, and its outcome if libvirt's reply is lost.

A connection may break or hang after a request was sent and before its reply came, which leaves
open whether the request was carried out. Then another connection is opened and the domain polled
until its state shows the outcome or the time is up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import libvirt
from msgspec import Struct

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


class Timeouts(Struct, frozen=True):
    """Limits in seconds.

    ``open`` is for a connection, ``read_all`` for reading all domains, ``answer`` for a reply,
    and ``start`` for the reply to a start, which may wait until much memory is allocated. After a
    lost reply the domain is polled every ``poll`` seconds for at most ``settle``; a state that
    holds for ``steady`` is final.
    """

    open: float = 10.0
    read_all: float = 30.0
    reply: float = 90.0
    start: float = 600.0
    settle: float = 40.0
    steady: float = 3.0
    poll: float = 0.25


class ReplyLost(Exception):
    """libvirt's reply to a request never came."""


class DomainStatus(Struct, frozen=True):
    """A domain at one moment.

    ``state`` is ``None`` if the domain is gone. ``busy``: its QEMU is starting, or libvirt is
    carrying out a request. ``domain_id`` is libvirt's id of the current run, -1 while it is off.
    """

    state: DomainState | None
    busy: bool = False
    domain_id: int = -1

    @property
    def off(self) -> bool:
        """Whether it has no process; libvirt may keep that of one that has crashed."""
        return self.state in (None, "shut off") or (self.state == "crashed" and self.domain_id < 0)

    @property
    def running(self) -> bool:
        return self.state in ("running", "blocked")

    @property
    def sentence(self) -> str:
        return "it is no longer defined" if self.state is None else f"it is {self.state}"


class DomainOperation:
    """An open domain, by UUID; ``what`` is the action as a verb, for error messages.

    Raises ``HostError`` if the domain cannot be reached, or if its name is not ``name`` (when
    that is given).
    """

    def __init__(
        self, uri: str, uuid: str, what: str, name: str | None, timeouts: Timeouts
    ) -> None:
        self._uri, self._uuid, self._what, self._timeouts = uri, uuid, what, timeouts
        self._connection = self._connect()
        self.display_name = visible(name or uuid)
        try:
            self._domain = self._request(self._look_up)
            self.name = self._domain.name()
        except libvirt.libvirtError as error:
            self.close()
            raise HostError(why_not_done(error, what, name or uuid)) from error
        except ReplyLost as error:
            self.close()
            raise HostError(_no_answer(uri)) from error
        if name is not None and self.name != name:
            self.close()
            raise HostError(
                f"the domain with the UUID of “{self.display_name}” is now called "
                f"“{visible(self.name)}”: review it and try again"
            )
        self.display_name = visible(self.name)

    def close(self) -> None:
        """Returns at once."""
        self._connection.close()

    # --- requests -----------------------------------------------------------------

    def request(self, action: Callable[[libvirt.virDomain], T], seconds: float | None = None) -> T:
        """Return the reply to a request.

        Raises ``ReplyLost`` if none came, and ``libvirtError`` if libvirt refused.
        """
        domain = self._domain
        return self._request(lambda _: action(domain), seconds)

    def _request(self, call: Callable[[Connection], T], seconds: float | None = None) -> T:
        """Never use a connection again after it lost a reply.

        libvirt's client (9.0) crashes on a second call while the first has not returned.
        """
        connection = self._connection
        try:
            return within(seconds or self._timeouts.reply, lambda: connection.call(call))
        except TimeoutError as error:
            connection.close()
            raise ReplyLost from error
        except libvirt.libvirtError as error:
            if is_lost(error) or not connection.alive:
                connection.close()
                raise ReplyLost from error
            raise

    def _look_up(self, connection: Connection) -> libvirt.virDomain:
        return connection.domain(self._uuid)

    def refusal(self, error: libvirt.libvirtError) -> HostError:
        """Turn libvirt's refusal into a sentence."""
        return HostError(why_not_done(error, self._what, self.name))

    def status(self) -> DomainStatus:
        """Read the domain's state now. Raises ``ReplyLost`` and ``libvirtError``."""
        try:
            domain = self._request(self._look_up)
            if domain.name() != self.name:
                return DomainStatus(None)
            self._domain = domain
            state, reason = self.request(lambda domain: domain.state())
        except libvirt.libvirtError as error:
            if error.get_error_code() != NO_DOMAIN:
                raise
            return DomainStatus(None)
        busy = (state, reason) == _STARTING or (domain.ID() >= 0 and self._has_job())
        return DomainStatus(STATES.get(state, "unknown"), busy, domain.ID())

    def _has_job(self) -> bool:
        """Whether a request on the running domain is unfinished (virDomainGetControlInfo)."""
        try:
            state, *_ = self.request(lambda domain: domain.controlInfo(0))
        except libvirt.libvirtError:  # it has ended, or this driver does not support the call
            return False
        return state in (libvirt.VIR_DOMAIN_CONTROL_JOB, libvirt.VIR_DOMAIN_CONTROL_OCCUPIED)

    # --- after a lost reply -------------------------------------------------------

    def poll_until(self, read: Callable[[], S], done: Callable[[S], bool]) -> S | None:
        """Poll ``read`` until its result is ``done``, or has been the same for ``steady`` seconds.

        Opens another connection if this one is dead. Returns the last result, or ``None`` if
        there is none within ``settle`` seconds.
        """
        given_up = threading.Event()
        try:
            return within(self._timeouts.settle, lambda: self._poll(read, done, given_up))
        except TimeoutError:
            return None
        finally:
            given_up.set()

    def _poll(
        self, read: Callable[[], S], done: Callable[[S], bool], given_up: threading.Event
    ) -> S:
        last, since = None, 0.0
        while not given_up.is_set():
            try:
                self._reconnect_if_dead()
                seen = read()
            except (HostError, libvirt.libvirtError, ReplyLost):
                last = None
            else:
                if done(seen):
                    return seen
                now = time.monotonic()
                if seen != last or (isinstance(seen, DomainStatus) and seen.busy):
                    last, since = seen, now
                elif now - since >= self._timeouts.steady:
                    return seen
            given_up.wait(self._timeouts.poll)
        self.close()
        raise TimeoutError

    def _reconnect_if_dead(self) -> None:
        if not self._connection.alive:
            self._connection.close()
            self._connection = self._connect()
            self._domain = self._request(self._look_up)

    def _connect(self) -> AbandonableConnection:
        def opened() -> Connection:
            return Connection(self._uri, readonly=False, changed=lambda _: None)

        try:
            connection = within(self._timeouts.open, opened, late=Connection.close)
        except TimeoutError as error:
            raise HostError(_no_answer(self._uri)) from error
        except libvirt.libvirtError as error:
            raise HostError(why_not_open(error, self._uri)) from error
        if connection.readonly:
            connection.close()
            raise HostError(
                f"{visible(self._uri)} grants read-only access: join the group libvirt, or "
                "run this as root"
            )
        return AbandonableConnection(connection)


def _no_answer(uri: str) -> str:
    return f"libvirt at {visible(uri)} does not respond: no request was sent"


_STARTING = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)
