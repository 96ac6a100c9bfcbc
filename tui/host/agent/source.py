"""What running guests say of their cards: once a card is in a guest, only the guest can
read it. Its QEMU guest agent is asked to run nvidia-smi, through libvirt.

The source has a connection of its own, so that an agent that does not answer is in the way of
no other reading, and it wakes its own thread when the next guest is due.
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

ANSWER_S = 2
"""Whole seconds that an agent gets for one answer; others who ask it wait as long."""

SHORTEST_WAKE = 0.2

AGAIN_S = 10.0
"""Seconds until libvirt is tried again after it failed."""


class AgentSource:
    """The guests that ``attend`` names, each as often as is right for it. ``even_quiet``:
    they are asked in quiet mode too. ``every`` is in seconds, ``clock`` gives monotonic ones.
    ``attend`` and ``close`` may be called from any thread."""

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
        self._attention = Demand()
        self._seen: tuple[str, ...] = ()
        self._connection: Connection | None = None
        self._talks: dict[str, tuple[int, GuestProbe]] = {}
        self._says: dict[str, GuestReport] = {}
        self._timer: threading.Timer | None = None
        self._closing = threading.Event()
        self._busy = threading.Lock()

    def set_demand(self, attention: Demand) -> None:
        """From now on these guests are asked, and no other."""
        if attention != self._attention:
            self._attention = attention
            self._wake()

    def watch(self, wake: Wake) -> None:
        self._wake = wake

    def read(self) -> AgentReading:
        """What each guest said last; those that are due are asked now. Raises ``HostError``."""
        with self._busy:
            return self._read()

    def _read(self) -> AgentReading:
        attention = self._attention
        if attention.quiet and not self._even_quiet:
            raise NothingToRead("quiet: the guest is not asked")
        self._welcome(attention.guests)
        if not attention.guests:
            raise NothingToRead("no guest is there to be asked for its card")
        try:
            connection = self._connected()
            says = tuple(self._guest(connection, uuid) for uuid in sorted(attention.guests))
        except libvirt.libvirtError as error:
            self._drop()
            self._wake_in(AGAIN_S)
            raise HostError(why_lost(error, self._uri)) from error
        except HostError:
            self._wake_in(AGAIN_S)
            raise
        due = [self._talks[uuid][1].due for uuid in attention.guests if uuid in self._talks]
        self._wake_in(min(due) - self._clock() if due else AGAIN_S)
        return AgentReading(says)

    def close(self) -> None:
        self._closing.set()
        if self._timer is not None:
            self._timer.cancel()
        # As of the other source: a connection that is waited on is left to who waits.
        if self._busy.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._busy.release()

    # --- the guests ---------------------------------------------------------------

    def _welcome(self, guests: tuple[str, ...]) -> None:
        for uuid in guests:
            if uuid not in self._seen and uuid in self._talks:
                self._talks[uuid][1].reset_backoff()
        self._seen = guests

    def _guest(self, connection: Connection, uuid: str) -> GuestReport:
        """Raises ``libvirtError`` where the connection is lost."""
        try:
            domain = connection.domain(uuid)
            talk = self._talk(uuid, domain.ID())
            if self._clock() < talk.due and uuid in self._says:
                return self._says[uuid]
            version, cards = talk.ask(Agent(lambda command: self._send(domain, command)))
            says = GuestReport(uuid, version, cards, remarks=talk.remarks, taken_at=self._now())
        except AgentError as error:
            says = GuestReport(uuid, problem=str(error))
        except libvirt.libvirtError as error:
            if error.get_error_code() != NO_DOMAIN:
                raise
            says = GuestReport(uuid, problem="the guest is not defined any more")
        self._says[uuid] = says
        return says

    def _talk(self, uuid: str, run: int) -> GuestProbe:
        """The one of this run of the guest: another run may be another system."""
        known = self._talks.get(uuid)
        if known is None or known[0] != run:
            known = self._talks[uuid] = run, GuestProbe(self._every, self._clock, self._wait)
            self._says.pop(uuid, None)
        return known[1]

    def _wait(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise AgentError("vfiotop is closing")

    def _send(self, domain: libvirt.virDomain, command: str) -> str:
        """virDomainQemuAgentCommand. Raises ``libvirtError`` where the connection is lost."""
        self._calls.count("agent")
        try:
            return str(libvirt_qemu.qemuAgentCommand(domain, command, ANSWER_S, 0))
        except libvirt.libvirtError as error:
            code = error.get_error_code()
            if code == NO_DOMAIN or self._connection is None or not self._connection.alive:
                raise
            raise AgentError(
                why_agent_failed(error),
                lasting=code == NO_SUPPORT or is_refusal(error),
                refused=code not in AGENT_SILENT and not is_refusal(error),
            ) from error

    # --- when -----------------------------------------------------------------------

    def _wake_in(self, seconds: float) -> None:
        """When the next of the guests is to be asked."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._closing.is_set():
            self._timer = threading.Timer(max(SHORTEST_WAKE, seconds), self._wake)
            self._timer.daemon = True
            self._timer.start()

    # --- the connection ---------------------------------------------------------------

    def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.alive:
            self._drop()
        if self._connection is None:
            try:
                self._connection = Connection(self._uri, False, lambda _: None, self._calls)
            except libvirt.libvirtError as error:
                raise HostError(why_not_open(error, self._uri)) from error
        if self._connection.readonly:
            raise HostError(
                "libvirt lets you only look, so the guest cannot be asked: join the group libvirt, "
                "or run this as root"
            )
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
