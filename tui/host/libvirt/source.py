"""The domains of one libvirt connection: what they are, and what they use.

A reading costs one request for the statistics of all domains. A domain's XML is read when
libvirt says that it changed, when it starts or stops, and, because some changes are not
told, once in a while: one domain's on each reading.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

import libvirt

from tui.host import HostError, Wake
from tui.host.calls import CallLog
from tui.host.libvirt import qemu_process
from tui.host.libvirt.connection import Connection
from tui.host.libvirt.domain_xml import Definition, DefinitionError, definition, on_host
from tui.host.libvirt.errors import (
    NO_DOMAIN,
    is_local_qemu,
    why_lost,
    why_not_a_uri,
    why_not_open,
    why_unread,
)
from tui.host.libvirt.rates import Meter, counters, number
from tui.host.tree import PlainTree, Tree
from tui.host.untrusted import shown_name, visible
from tui.model import Domain, DomainState, Guests
from tui.rules.libvirt_uri import SYSTEM

STATES: Mapping[int | None, DomainState] = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "blocked",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "in shutdown",
    libvirt.VIR_DOMAIN_SHUTOFF: "shut off",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "pmsuspended",
}
"""virDomainState."""


@dataclass(slots=True)
class _Known:
    """What is kept of a domain between readings. ``run`` is libvirt's id of the run that
    it is in, -1 while it is off; ``read_at`` is when its XML was read, monotonic seconds."""

    run: int
    state: DomainState
    raw_name: str = ""
    shown: tuple[str, str | None] = ("", None)
    persistent: bool = True
    definition: Definition | None = None
    problem: str | None = None
    read_at: float = 0.0
    started_at: datetime | None = None
    meter: Meter = field(default_factory=Meter)


class GuestsSource:
    """All domains of a libvirt URI. Its thread owns the connection, which is opened again
    when it was lost."""

    def __init__(
        self,
        uri: str = SYSTEM,
        readonly: bool = False,
        proc: Path = Path("/proc"),
        calls: CallLog | None = None,
    ) -> None:
        self._uri = uri
        self._readonly = readonly
        self._proc = proc if is_local_qemu(uri) else None
        self._root = PlainTree(proc.parent) if is_local_qemu(uri) else None
        self._calls = calls
        self._wake: Wake = lambda: None
        self._connection: Connection | None = None
        self._changed: deque[str] = deque()
        self._known: dict[str, _Known] = {}
        self._busy = threading.Lock()

    def watch(self, wake: Wake) -> None:
        self._wake = wake

    def read(self) -> Guests:
        with self._busy:
            return self._read()

    def _read(self) -> Guests:
        connection = self._connected()
        try:
            domains = self._domains(connection)
        except libvirt.libvirtError as error:
            self._drop()
            raise HostError(why_lost(error, self._uri)) from error
        ordered = tuple(sorted(domains, key=lambda domain: (domain.name, domain.uuid)))
        return Guests(visible(self._uri), connection.version, ordered, connection.readonly)

    def close(self) -> None:
        """While a reading waits for libvirt its connection is left to it: a second call beside
        one that never returns has libvirt's client crash (9.0)."""
        if self._busy.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._busy.release()

    # --- the connection -------------------------------------------------------

    def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.alive:
            self._drop()
        if self._connection is None:
            try:
                self._connection = Connection(
                    self._uri, self._readonly, self._on_change, self._calls
                )
            except libvirt.libvirtError as error:
                raise HostError(why_not_open(error, self._uri)) from error
            except ValueError as error:  # not even text that could be handed to libvirt
                raise HostError(why_not_a_uri(self._uri)) from error
        return self._connection

    def _on_change(self, uuid: str | None) -> None:
        """Called from the event loop's thread."""
        if uuid is not None:
            self._changed.append(uuid)
        self._wake()

    def _drop(self) -> None:
        """What was known goes with the connection: who answers next may count anew."""
        connection, self._connection = self._connection, None
        self._known = {}
        if connection is not None:
            connection.close()

    # --- one reading ----------------------------------------------------------

    def _domains(self, connection: Connection) -> list[Domain]:
        stale = self._stale()
        at = time.monotonic()
        listed = connection.domains()
        started = self._started(domain for domain, _ in listed)
        known, domains = {}, []
        for domain, some_stats in listed:
            uuid = domain.UUIDString()
            try:
                stats = _with_info(domain, some_stats, connection)
                state = STATES.get(number(stats, "state.state"), "unknown")
                kept = self._known.get(uuid)
                if kept is None or kept.run != domain.ID():
                    kept = _Known(domain.ID(), state, started_at=started.get(uuid))
                    stale.add(uuid)
                if kept.state != state or uuid in stale:
                    kept.state = state
                    _describe(kept, domain, connection, self._root)
                if kept.raw_name != domain.name():  # listed with it: this asks nobody
                    kept.raw_name = domain.name()
                    kept.shown = shown_name(kept.raw_name, uuid)
            except libvirt.libvirtError as error:
                if error.get_error_code() != NO_DOMAIN:
                    raise
                continue  # it is gone since it was listed
            known[uuid] = kept
            domains.append(_reading(uuid, kept, stats, at))
        self._known = known
        return domains

    def _stale(self) -> set[str]:
        """The domains whose XML is to be read: those that libvirt says have changed, and
        the one whose XML is the oldest."""
        stale = {self._changed.popleft() for _ in range(len(self._changed))}
        if self._known:
            stale.add(min(self._known, key=lambda uuid: self._known[uuid].read_at))
        return stale

    def _started(self, domains: Iterable[libvirt.virDomain]) -> Mapping[str, datetime]:
        """When the domains on this machine were started; looked for once in each run."""
        if self._proc is None:
            return {}
        runs = {domain.UUIDString(): domain.ID() for domain in domains if domain.ID() >= 0}
        seen = {uuid: kept.run for uuid, kept in self._known.items()}
        return qemu_process.started(self._proc) if runs.items() - seen.items() else {}


def _with_info(
    domain: libvirt.virDomain, stats: dict[str, object], connection: Connection
) -> dict[str, object]:
    """Where a driver has no statistics of a running domain: virDomainGetInfo, which all have."""
    if "state.state" in stats and ("vcpu.current" in stats or domain.ID() < 0):
        return stats
    connection.calls.count("libvirt")
    state, _, memory, vcpus, cpu_ns = domain.info()
    info = {"state.state": state, "balloon.current": memory, "vcpu.current": vcpus}
    return info | {"cpu.time": cpu_ns} | stats


def _describe(
    kept: _Known, domain: libvirt.virDomain, connection: Connection, root: Tree | None
) -> None:
    """Read the domain's XML: of a running one the live one, which names what it holds."""
    kept.read_at = time.monotonic()
    kept.definition = kept.problem = None
    connection.calls.count("libvirt", 2)
    try:
        kept.persistent = bool(domain.isPersistent())
        kept.definition = on_host(definition(domain.XMLDesc(0)), root)
        kept.problem = kept.definition.unclear
    except DefinitionError as error:
        kept.problem = str(error)
    except libvirt.libvirtError as error:
        if error.get_error_code() == NO_DOMAIN or not connection.alive:
            raise
        kept.problem = why_unread(error)


def _reading(uuid: str, kept: _Known, stats: Mapping[str, object], at: float) -> Domain:
    defined = kept.definition or Definition(name="", uuid=uuid)
    name, unshown_name = kept.shown
    reading = Domain(
        name=name,
        uuid=uuid,
        state=kept.state,
        persistent=kept.persistent,
        hostdevs=defined.hostdevs,
        vcpus=defined.vcpus,
        memory_mib=defined.memory_mib,
        kvm_hidden=defined.kvm_hidden,
        problem=kept.problem,
        unshown_name=unshown_name,
    )
    if not reading.active:
        return reading
    memory = number(stats, "balloon.current")
    rates = kept.meter.read(counters(stats, at))
    return replace(
        reading,
        vcpus=number(stats, "vcpu.current") or reading.vcpus,
        memory_mib=reading.memory_mib if memory is None else memory / 1024,
        memory_used_mib=_memory_used_mib(stats),
        started_at=kept.started_at,
        agent=defined.agent,
        **asdict(rates),
    )


def _memory_used_mib(stats: Mapping[str, object]) -> float | None:
    """What the guest's balloon driver reports, in MiB: what it has, less what its
    programs could still get (caches count as free) or, from older drivers, less what
    lies idle. ``None`` as long as the driver has not reported."""
    if not number(stats, "balloon.last-update"):
        return None
    total, free = number(stats, "balloon.available"), number(stats, "balloon.usable")
    if free is None:
        free = number(stats, "balloon.unused")
    return None if total is None or free is None or free > total else (total - free) / 1024
