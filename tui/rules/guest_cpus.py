"""A guest's vCPUs on the host's CPUs: who else takes time from them.

libvirt reports how long each vCPU ran and waited, /proc where the threads of its QEMU ran and how
busy each host CPU was. What a CPU ran besides QEMU's threads is the host's work; other guests count
as that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tui.model import (
    CpuSet,
    CpuTopology,
    CpuUser,
    Domain,
    GuestCpu,
    GuestCpus,
    GuestThreads,
    HostCpu,
    Pinning,
    QemuLoad,
    QemuThread,
    ThreadKind,
    Unavailable,
    VcpuTime,
)

NOTICEABLE_PCT = 5.0
"""The share of a CPU from which somebody else's work on it counts. A second is accurate to one or
two percent, since the kernel counts ticks of 10 ms, and some threads move meanwhile."""


def guest_cpus(
    domain: Domain, threads: GuestThreads | Unavailable, topology: CpuTopology | None
) -> GuestCpus | None:
    """The vCPUs of a domain; ``None`` if it does not run, or libvirt does not report them."""
    if not domain.active or not domain.vcpu_times:
        return None
    unread = max(0, (domain.vcpus or 0) - len(domain.vcpu_times))
    pins = _pins(domain.pinning, topology)
    if isinstance(threads, Unavailable) or threads.uuid != domain.uuid:
        found = tuple(_unplaced(time, pins(time.number)) for time in domain.vcpu_times)
        why = threads.reason if isinstance(threads, Unavailable) else None
        return GuestCpus(found, unread, why)
    cpus = _Cpus(threads, topology)
    found = tuple(cpus.guest_cpu(time, pins(time.number)) for time in domain.vcpu_times)
    return GuestCpus(
        found, unread,
        emulator=_load("emulator", threads.threads), io=_load("io", threads.threads),
        host_pct=_mean([cpu.host_pct for cpu in found]),
    )  # fmt: skip


def _pins(pinning: Pinning | None, topology: CpuTopology | None) -> Callable[[int], CpuSet | None]:
    """The CPUs that each vCPU may run on; ``None`` if that is not known. libvirt lets one that is
    not pinned run on all."""
    if pinning is None or pinning.unclear or pinning.auto:
        return lambda _: None
    every = topology.cpus if topology is not None else None
    return lambda number: pinning.of(number) or every


def _unplaced(time: VcpuTime, pinned: CpuSet | None) -> GuestCpu:
    """A vCPU whose thread was not seen. If it is pinned to one CPU, that is where it runs."""
    cpu = pinned[0] if pinned is not None and len(pinned) == 1 else None
    return GuestCpu(time.number, time.load_pct, time.wait_ms, cpu, pinned)


def _load(kind: ThreadKind, threads: Sequence[QemuThread]) -> QemuLoad | None:
    """The load of all threads of a kind, and the CPUs of those that ran at all."""
    mine = [thread for thread in threads if thread.kind == kind]
    if not mine:
        return None
    known = [thread.load_pct for thread in mine if thread.load_pct is not None]
    ran = {thread.cpu for thread in mine if thread.load_pct}
    return QemuLoad(round(sum(known), 1) if known else None, tuple(sorted(ran)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 1) if known else None


class _Cpus:
    """The host's CPUs with the threads of one guest on them."""

    def __init__(self, threads: GuestThreads, topology: CpuTopology | None) -> None:
        self._topology = topology
        self._cpus: Mapping[int, HostCpu] = {cpu.number: cpu for cpu in threads.cpus}
        self._at = {thread.vcpu: thread.cpu for thread in threads.threads if thread.kind == "vcpu"}
        self._on: dict[int, list[QemuThread]] = {}
        for thread in threads.threads:
            self._on.setdefault(thread.cpu, []).append(thread)

    def guest_cpu(self, time: VcpuTime, pinned: CpuSet | None) -> GuestCpu:
        cpu = self._at.get(time.number)
        if cpu is None:
            return _unplaced(time, pinned)
        host = self._host_pct(cpu)
        users = None if host is None else tuple(self._users(cpu, host))
        return GuestCpu(time.number, time.load_pct, time.wait_ms, cpu, pinned, users, host)

    def _users(self, cpu: int, host_pct: float) -> Iterator[CpuUser]:
        """Who else takes time from a CPU, the most important first."""
        if host_pct >= NOTICEABLE_PCT:
            yield "host"
        if self._qemu_pct(cpu, "emulator", "io") >= NOTICEABLE_PCT:
            yield "emulator"
        siblings = self._topology.siblings(cpu) if self._topology is not None else ()
        if any(self._foreign_pct(sibling) >= NOTICEABLE_PCT for sibling in siblings):
            yield "sibling"
        if (self._cpus[cpu].steal_pct or 0) >= NOTICEABLE_PCT:
            yield "steal"

    def _host_pct(self, cpu: int) -> float | None:
        """What a CPU did that was not for this guest; ``None`` if that was not measured."""
        busy = self._cpus[cpu].busy_pct if cpu in self._cpus else None
        if busy is None or any(thread.load_pct is None for thread in self._on.get(cpu, ())):
            return None
        return max(0.0, round(busy - self._qemu_pct(cpu, "vcpu", "emulator", "io"), 1))

    def _foreign_pct(self, cpu: int) -> float:
        """What a CPU did that was not for a vCPU of this guest."""
        return (self._host_pct(cpu) or 0.0) + self._qemu_pct(cpu, "emulator", "io")

    def _qemu_pct(self, cpu: int, *kinds: ThreadKind) -> float:
        threads = self._on.get(cpu, ())
        return sum(thread.load_pct or 0.0 for thread in threads if thread.kind in kinds)
