"""Reads the domains of one libvirt connection: definitions, states and usage.

A reading costs one request for the statistics of all domains. A domain's XML is read when libvirt
reports a change and when the domain starts or stops. libvirt does not report every change, so each
reading also refreshes the domain whose XML is the oldest.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import libvirt
from msgspec import Struct, field
from msgspec.structs import asdict, replace

from tui.host import HostError, Wake
from tui.host.calls import CallLog
from tui.host.libvirt import qemu_process
from tui.host.libvirt.connection import Connection
from tui.host.libvirt.domain_files import StoredDomain
from tui.host.libvirt.domain_xml import Definition, DefinitionError, Parser, with_mdev_parents
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


class _CachedDomain(Struct):
    """A domain as cached between readings.

    ``domain_id`` is libvirt's id of the current run, -1 while it is off. ``read_at`` is when its
    XML was read, in monotonic seconds.
    """

    domain_id: int
    state: DomainState
    raw_name: str = ""
    display_name: tuple[str, str | None] = ("", None)
    persistent: bool = True
    parser: Parser = field(default_factory=Parser)
    definition: Definition | None = None
    problem: str | None = None
    read_at: float = 0.0
    started_at: datetime | None = None
    meter: Meter = field(default_factory=Meter)


class GuestsSource:
    """All domains of a libvirt URI. A lost connection is opened again by the next reading."""

    def __init__(
        self,
        uri: str = SYSTEM,
        readonly: bool = False,
        proc: Path = Path("/proc"),
        calls: CallLog | None = None,
    ) -> None:
        self._uri, self._shown_uri = uri, visible(uri)
        self._readonly = readonly
        self._proc = proc if is_local_qemu(uri) else None
        self._root = PlainTree(proc.parent) if is_local_qemu(uri) else None
        self._calls = calls
        self._wake: Wake = lambda: None
        self._connection: Connection | None = None
        self._changed: deque[str] = deque()
        self._cache: dict[str, _CachedDomain] = {}
        self._read_lock = threading.Lock()

    def watch(self, wake: Wake) -> None:
        self._wake = wake

    def read(self) -> Guests:
        with self._read_lock:
            return self._read()

    def _read(self) -> Guests:
        connection = self._connect()
        try:
            domains = self._domains(connection)
        except libvirt.libvirtError as error:
            self._disconnect()
            raise HostError(why_lost(error, self._uri)) from error
        ordered = tuple(sorted(domains, key=lambda domain: (domain.name, domain.uuid)))
        return Guests(self._shown_uri, connection.version, ordered, connection.readonly)

    def close(self) -> None:
        """Close the connection, unless a reading is waiting for libvirt.

        libvirt's client (9.0) crashes on a second call while the first has not returned.
        """
        if self._read_lock.acquire(blocking=False):
            try:
                self._disconnect()
            finally:
                self._read_lock.release()

    # --- the connection -------------------------------------------------------

    def _connect(self) -> Connection:
        if self._connection is not None and not self._connection.alive:
            self._disconnect()
        if self._connection is None:
            try:
                self._connection = Connection(
                    self._uri, self._readonly, self._on_change, self._calls
                )
            except libvirt.libvirtError as error:
                raise HostError(why_not_open(error, self._uri)) from error
            except ValueError as error:  # text that cannot be passed to libvirt
                raise HostError(why_not_a_uri(self._uri)) from error
        return self._connection

    def _on_change(self, uuid: str | None) -> None:
        """Called from the event loop's thread."""
        if uuid is not None:
            self._changed.append(uuid)
        self._wake()

    def _disconnect(self) -> None:
        """Close the connection and clear the cache: another daemon may reuse its ids."""
        connection, self._connection = self._connection, None
        self._cache = {}
        if connection is not None:
            connection.close()

    # --- one reading ----------------------------------------------------------

    def _domains(self, connection: Connection) -> list[Domain]:
        stale = self._stale()
        at = time.monotonic()
        listed = connection.domains()
        started = self._start_times(domain for domain, _ in listed)
        known, domains = {}, []
        for domain, some_stats in listed:
            uuid = domain.UUIDString()
            try:
                stats = _with_info(domain, some_stats, connection)
                state = STATES.get(number(stats, "state.state"), "unknown")
                cached = self._cache.get(uuid)
                if cached is None or cached.domain_id != domain.ID():
                    cached = _CachedDomain(domain.ID(), state, started_at=started.get(uuid))
                    stale.add(uuid)
                if cached.state != state or uuid in stale:
                    cached.state = state
                    _read_definition(cached, domain, connection, self._root)
                if cached.raw_name != domain.name():  # part of the list: costs no request
                    cached.raw_name = domain.name()
                    cached.display_name = shown_name(cached.raw_name, uuid)
            except libvirt.libvirtError as error:
                if error.get_error_code() != NO_DOMAIN:
                    raise
                continue  # undefined since it was listed
            known[uuid] = cached
            domains.append(_to_domain(uuid, cached, stats, at, self._shown_uri))
        self._cache = known
        return domains

    def _stale(self) -> set[str]:
        """Return the domains whose XML is to be read: changed ones, and the oldest one."""
        stale = {self._changed.popleft() for _ in range(len(self._changed))}
        if self._cache:
            stale.add(min(self._cache, key=lambda uuid: self._cache[uuid].read_at))
        return stale

    def _start_times(self, domains: Iterable[libvirt.virDomain]) -> Mapping[str, datetime]:
        """Return start times of this machine's domains; scans only if one has a new run."""
        if self._proc is None:
            return {}
        runs = {domain.UUIDString(): domain.ID() for domain in domains if domain.ID() >= 0}
        seen = {uuid: cached.domain_id for uuid, cached in self._cache.items()}
        return qemu_process.start_times(self._proc) if runs.items() - seen.items() else {}


def stored_domains(uri: str) -> tuple[str, list[StoredDomain]]:
    """Return libvirt's version and all domains, without their passwords. Raises ``HostError``.

    Through a read-only connection, which gets no passwords from libvirt.
    """
    try:
        connection = Connection(uri, True, lambda _: None)
    except libvirt.libvirtError as error:
        raise HostError(why_not_open(error, uri)) from error
    try:
        return connection.version, [
            StoredDomain(domain.name(), STATES.get(domain.info()[0], "unknown"), domain.XMLDesc(0))
            for domain, _ in connection.domains()
        ]
    except libvirt.libvirtError as error:
        raise HostError(why_lost(error, uri)) from error
    finally:
        connection.close()


def _with_info(
    domain: libvirt.virDomain, stats: dict[str, object], connection: Connection
) -> dict[str, object]:
    """Add virDomainGetInfo if the driver reports no statistics of a running domain."""
    if "state.state" in stats and ("vcpu.current" in stats or domain.ID() < 0):
        return stats
    connection.calls.count("libvirt")
    state, _, memory, vcpus, cpu_ns = domain.info()
    info = {"state.state": state, "balloon.current": memory, "vcpu.current": vcpus}
    return info | {"cpu.time": cpu_ns} | stats


def _read_definition(
    cached: _CachedDomain, domain: libvirt.virDomain, connection: Connection, root: Tree | None
) -> None:
    """Read the domain's XML; of a running domain the live XML, which names what it holds."""
    cached.read_at = time.monotonic()
    cached.definition = cached.problem = None
    connection.calls.count("libvirt", 2)
    try:
        cached.persistent = bool(domain.isPersistent())
        cached.definition = with_mdev_parents(cached.parser.definition(domain.XMLDesc(0)), root)
        cached.problem = cached.definition.unclear
    except DefinitionError as error:
        cached.problem = str(error)
    except libvirt.libvirtError as error:
        if error.get_error_code() == NO_DOMAIN or not connection.alive:
            raise
        cached.problem = why_unread(error)


def _to_domain(
    uuid: str, cached: _CachedDomain, stats: Mapping[str, object], at: float, uri: str
) -> Domain:
    defined = cached.definition or Definition(name="", uuid=uuid)
    name, unshown_name = cached.display_name
    reading = Domain(
        name=name,
        uuid=uuid,
        state=cached.state,
        persistent=cached.persistent,
        hostdevs=defined.hostdevs,
        vcpus=defined.vcpus,
        memory_mib=defined.memory_mib,
        kvm_hidden=defined.kvm_hidden,
        problem=cached.problem,
        unshown_name=unshown_name,
        usb=defined.usb,
        pinning=defined.pinning,
        setup=defined.setup,
        uri=uri,
        preserved=cached.state == "crashed" and cached.domain_id >= 0,
    )
    if not reading.active:
        return reading
    memory = number(stats, "balloon.current")
    rates = cached.meter.read(counters(stats, at))
    return replace(
        reading,
        vcpus=number(stats, "vcpu.current") or reading.vcpus,
        memory_mib=reading.memory_mib if memory is None else memory / 1024,
        memory_used_mib=_memory_used_mib(stats),
        started_at=cached.started_at,
        agent=defined.agent,
        **asdict(rates),
    )


def _memory_used_mib(stats: Mapping[str, object]) -> float | None:
    """Return the memory that the guest uses, in MiB, as its balloon driver reports it.

    That is the total minus what programs could still get (caches count as free), or minus what is
    unused with older drivers. ``None`` until the driver has reported.
    """
    if not number(stats, "balloon.last-update"):
        return None
    total, free = number(stats, "balloon.available"), number(stats, "balloon.usable")
    if free is None:
        free = number(stats, "balloon.unused")
    return None if total is None or free is None or free > total else (total - free) / 1024
