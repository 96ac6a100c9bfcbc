"""The processor of a host, and how a guest's vCPUs share it.

A host CPU is a logical one, as the kernel numbers them; CPUs that are threads of one core are
siblings. Sets of CPUs are ascending tuples of their numbers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

CpuSet = tuple[int, ...]

CPU_LIMIT = 1024
"""Host CPUs: a set that names a higher number is not read."""

VCPU_LIMIT = 64
"""vCPUs of a guest that are read one by one. The others only count in the guest's load."""


class CpuTopology(Struct, frozen=True):
    """The online CPUs by core: ``cores`` has the CPUs of each, so one without SMT has one.

    ``isolated`` are those of isolcpus=: the kernel puts no task there by itself. ``nohz_full`` are
    those without a timer tick while one task runs.
    """

    cores: tuple[CpuSet, ...]
    isolated: CpuSet = ()
    nohz_full: CpuSet = ()

    @property
    def cpus(self) -> CpuSet:
        """All of them."""
        return tuple(sorted(cpu for core in self.cores for cpu in core))

    def siblings(self, cpu: int) -> CpuSet:
        """The other CPUs of its core."""
        core = next((core for core in self.cores if cpu in core), ())
        return tuple(other for other in core if other != cpu)


class Pinning(Struct, frozen=True):
    """The host CPUs that a domain's threads are pinned to (<vcpu cpuset> and <cputune>).

    ``vcpus`` has a set for each vCPU by its number, ``None`` for one that is not pinned.
    ``emulator`` is for QEMU's other threads, ``iothreads`` has each <iothread> by its id. ``auto``:
    libvirt chooses the CPUs when the domain starts. ``unclear``: a set could not be read.
    """

    vcpus: tuple[CpuSet | None, ...] = ()
    emulator: CpuSet | None = None
    iothreads: tuple[tuple[int, CpuSet | None], ...] = ()
    auto: bool = False
    unclear: bool = False

    def of(self, vcpu: int) -> CpuSet | None:
        """The CPUs of a vCPU; ``None`` if it is not pinned."""
        return self.vcpus[vcpu] if vcpu < len(self.vcpus) else None


class VcpuTime(Struct, frozen=True):
    """What a vCPU did in the last interval, by libvirt's count.

    ``load_pct`` is the share of the time in which it ran, ``wait_ms`` the milliseconds per second
    in which it was ready and the host ran something else; the guest sees them as steal. In the
    rest it slept: the guest had nothing for it to do, or it waited for QEMU.
    """

    number: int
    load_pct: float | None = None
    wait_ms: float | None = None


ThreadKind = Literal["vcpu", "io", "emulator"]
"""A thread of QEMU, as libvirt pins them: ``emulator`` is any that is neither."""


class QemuThread(Struct, frozen=True):
    """A thread of a guest's QEMU: the host CPU that it ran on last, and its load in percent of one
    CPU. ``vcpu`` is the number of the vCPU that it runs."""

    kind: ThreadKind
    cpu: int
    vcpu: int | None = None
    load_pct: float | None = None


class HostCpu(Struct, frozen=True):
    """What a host CPU did in the last interval, in percent. ``busy_pct`` includes what it ran for
    guests. ``steal_pct`` is what the hypervisor took from a host that is itself a guest."""

    number: int
    busy_pct: float | None = None
    steal_pct: float | None = None


class GuestThreads(Struct, frozen=True):
    """Where the threads of one guest run, and what the host's CPUs did meanwhile."""

    uuid: str
    threads: tuple[QemuThread, ...]
    cpus: tuple[HostCpu, ...]


CpuUser = Literal["host", "emulator", "sibling", "steal"]
"""What else takes time from a vCPU's CPU: work of the host, a thread of QEMU, work on the other
thread of its core, or the hypervisor below the host."""


class GuestCpu(Struct, frozen=True):
    """One vCPU of a guest and its host CPU.

    ``cpu`` is the CPU that it runs on, or the only one that it may run on. ``pinned`` are those
    that it may run on: all of the host's if it is not pinned. ``shared_with`` is ``None`` if that
    was not measured. ``host_pct`` is the share of the CPU that other programs of the host took.
    """

    number: int
    load_pct: float | None = None
    wait_ms: float | None = None
    cpu: int | None = None
    pinned: CpuSet | None = None
    shared_with: tuple[CpuUser, ...] | None = None
    host_pct: float | None = None

    @property
    def asleep_pct(self) -> float | None:
        """The share of the time in which it neither ran nor waited: the guest had halted it, or it
        waited for QEMU. libvirt reports "halted" on s390x only."""
        if self.load_pct is None or self.wait_ms is None:
            return None
        return max(0.0, round(100 - self.load_pct - self.wait_ms / 10, 1))


class QemuLoad(Struct, frozen=True):
    """The load of some threads of QEMU together, in percent of one CPU, and where they ran."""

    load_pct: float | None
    cpus: CpuSet


class GuestCpus(Struct, frozen=True):
    """All vCPUs of a guest.

    ``unread`` is how many there are beyond ``VCPU_LIMIT``. ``emulator`` and ``io`` are ``None`` if
    QEMU's threads cannot be read, or it has none of the kind. ``host_pct`` is the share that the
    host's other work took of the guest's CPUs. ``problem`` is why it is not known where the
    threads run.
    """

    cpus: tuple[GuestCpu, ...]
    unread: int = 0
    problem: str | None = None
    emulator: QemuLoad | None = None
    io: QemuLoad | None = None
    host_pct: float | None = None

    @property
    def worst(self) -> GuestCpu | None:
        """The vCPU that waits most; ``None`` if no wait was measured."""
        known = [cpu for cpu in self.cpus if cpu.wait_ms is not None]
        return max(known, key=lambda cpu: cpu.wait_ms or 0.0, default=None)


class Wait(Struct, frozen=True):
    """How long a vCPU waited for its CPU, in milliseconds per second, and when."""

    vcpu: int
    ms: float
    at: datetime
    cpu: int | None = None


WAIT_LOW_MS, WAIT_HIGH_MS = 5.0, 20.0
"""Milliseconds per second from which a wait is worth a warning, and from which it is an event:
more than one frame at 60 Hz (16.7 ms), which then comes too late."""


def cpu_list(cpus: CpuSet) -> str:
    """A set of CPUs as the kernel and libvirt write it: ``0-3,8``."""
    runs: list[list[int]] = []
    for cpu in cpus:
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], cpu]
        else:
            runs.append([cpu])
    return ",".join("-".join(map(str, run)) for run in runs)
