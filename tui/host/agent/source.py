"""Reads the cards of running guests.

Once a card is in a guest, only the guest can read it: its QEMU guest agent runs nvidia-smi for us,
through libvirt. The source has a connection of its own, so that an agent that does not respond
blocks no other reading. It wakes its own thread when the next guest is due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

import libvirt
import libvirt_qemu

from tui.host import HostError, NothingToRead, Wake
from tui.host.agent.channel import Agent, AgentError
from tui.host.agent.probe import GuestProbe
from tui.host.calls import CallLog
from tui.host.libvirt.connection import Connection
from tui.host.libvirt.errors import (
    AGENT_SILENT,
    NO_DOMAIN,
    NO_SUPPORT,
    is_refusal,
    why_agent_failed,
    why_lost,
    why_not_open,
)
from tui.model import CLOCK, AgentReading, Demand, GuestReport

REPLY_TIMEOUT_S = 2
"""Whole seconds that an agent gets to reply; other clients of it wait as long."""

MIN_WAKE_S = 0.2
"""Seconds between two wakes, at least."""

RETRY_S = 10.0
"""Seconds until the next attempt after libvirt failed."""


class AgentSource:
    """Reads the guests that ``set_demand`` names, each at its own interval.

    ``even_quiet``: also in quiet mode. ``every`` is in seconds, ``clock`` gives monotonic seconds.
    ``set_demand`` and ``close`` may be called from any thread.
    """

    def __init__(
        self,
        uri: str,
        *,
        every: float = 5.0,
        even_quiet: bool = False,
        calls: CallLog | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = CLOCK.now,
    ) -> None:
        self._uri = uri
        self._every = every
        self._even_quiet = even_quiet
        self._calls = calls or CallLog()
        self._clock = clock
        self._now = now
        self._wake: Wake = lambda: None
        self._demand = Demand()
        self._last_guests: tuple[str, ...] = ()
        self._connection: Connection | None = None
        self._probes: dict[str, tuple[int, GuestProbe]] = {}
        self._answers: dict[str, GuestReport] = {}
        self._timer: threading.Timer | None = None
        self._closing = threading.Event()
        self._read_lock = threading.Lock()

    def set_demand(self, demand: Demand) -> None:
        """Read these guests from now on, and no others."""
        if demand != self._demand:
            self._demand = demand
            self._wake()

    def watch(self, wake: Wake) -> None:
        self._wake = wake

    def read(self) -> AgentReading:
        """Return the last reading of each guest; read those that are due. Raises ``HostError``."""
        with self._read_lock:
            return self._read()

    def _read(self) -> AgentReading:
        demand = self._demand
        if demand.quiet and not self._even_quiet:
            raise NothingToRead("quiet mode: the guest is not read")
        self._reset_returning(demand.guests)
        if not demand.guests:
            raise NothingToRead("no running guest has a card")
        try:
            connection = self._connect()
            answers = tuple(self._guest(connection, uuid) for uuid in sorted(demand.guests))
        except libvirt.libvirtError as error:
            self._disconnect()
            self._wake_in(RETRY_S)
            raise HostError(why_lost(error, self._uri)) from error
        except HostError:
            self._wake_in(RETRY_S)
            raise
        due = [self._probes[uuid][1].due for uuid in demand.guests if uuid in self._probes]
        self._wake_in(min(due) - self._clock() if due else RETRY_S)
        return AgentReading(answers)

    def close(self) -> None:
        self._closing.set()
        if self._timer is not None:
            self._timer.cancel()
        # As in GuestsSource: leave a connection in use to the thread that is waiting on it.
        if self._read_lock.acquire(blocking=False):
            try:
                self._disconnect()
            finally:
                self._read_lock.release()

    # --- the guests ---------------------------------------------------------------

    def _reset_returning(self, guests: tuple[str, ...]) -> None:
        for uuid in guests:
            if uuid not in self._last_guests and uuid in self._probes:
                self._probes[uuid][1].reset_backoff()
        self._last_guests = guests

    def _guest(self, connection: Connection, uuid: str) -> GuestReport:
        """Raises ``libvirtError`` if the connection is lost."""
        try:
            domain = connection.domain(uuid)
            probe = self._probe(uuid, domain.ID())
            if self._clock() < probe.due and uuid in self._answers:
                return self._answers[uuid]
            version, cards = probe.ask(Agent(lambda command: self._send(domain, command)))
            answer = GuestReport(uuid, version, cards, remarks=probe.remarks, taken_at=self._now())
        except AgentError as error:
            answer = GuestReport(uuid, problem=str(error))
        except libvirt.libvirtError as error:
            if error.get_error_code() != NO_DOMAIN:
                raise
            answer = GuestReport(uuid, problem="the guest is no longer defined")
        self._answers[uuid] = answer
        return answer

    def _probe(self, uuid: str, run: int) -> GuestProbe:
        """Return the probe of this run of the guest: the next run may be another system."""
        known = self._probes.get(uuid)
        if known is None or known[0] != run:
            known = self._probes[uuid] = run, GuestProbe(self._every, self._clock, self._wait)
            self._answers.pop(uuid, None)
        return known[1]

    def _wait(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise AgentError("vfiotop is closing")

    def _send(self, domain: libvirt.virDomain, command: str) -> str:
        """virDomainQemuAgentCommand. Raises ``libvirtError`` if the connection is lost."""
        self._calls.count("agent")
        try:
            return str(libvirt_qemu.qemuAgentCommand(domain, command, REPLY_TIMEOUT_S, 0))
        except libvirt.libvirtError as error:
            code = error.get_error_code()
            if code == NO_DOMAIN or self._connection is None or not self._connection.alive:
                raise
            raise AgentError(
                why_agent_failed(error),
                permanent=code == NO_SUPPORT or is_refusal(error),
                refused=code not in AGENT_SILENT and not is_refusal(error),
            ) from error

    # --- when -----------------------------------------------------------------------

    def _wake_in(self, seconds: float) -> None:
        """Wake the thread when the next guest is due."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._closing.is_set():
            self._timer = threading.Timer(max(MIN_WAKE_S, seconds), self._wake)
            self._timer.daemon = True
            self._timer.start()

    # --- the connection ---------------------------------------------------------------

    def _connect(self) -> Connection:
        if self._connection is not None and not self._connection.alive:
            self._disconnect()
        if self._connection is None:
            try:
                self._connection = Connection(self._uri, False, lambda _: None, self._calls)
            except libvirt.libvirtError as error:
                raise HostError(why_not_open(error, self._uri)) from error
        if self._connection.readonly:
            raise HostError(
                "libvirt grants read-only access, so the guest's card cannot be read: join the "
                "group libvirt, or run this as root"
            )
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
