"""Where the guests of the simulated host run: CPUs, pinning, and the waits that follow.

Times are seconds since the simulation began; loads are 0 to 1.
"""

from __future__ import annotations

from msgspec import Struct

from tui.host.demo.traces import Load, idle, noise
from tui.model import (
    CpuSet,
    CpuTopology,
    GuestThreads,
    HostCpu,
    Pinning,
    QemuThread,
    VcpuTime,
)

CALM_MS = 0.8
"""Milliseconds per second that a vCPU waits at most on a CPU of its own."""

CROWDED_MS = 210
"""Milliseconds per second that a vCPU waits if it and the host both want all of a CPU."""


def smt(cores: int) -> CpuTopology:
    """A processor with two threads per core, numbered as most are: all first threads come first."""
    return CpuTopology(tuple((core, core + cores) for core in range(cores)))


class Placement(Struct, frozen=True):
    """The CPUs of a guest: one for each vCPU, and those of QEMU's other threads. ``intruder`` is
    the host's work on the CPU ``intruded``."""

    vcpus: CpuSet = ()
    emulator: CpuSet | None = None
    intruded: int | None = None
    intruder: Load = idle

    def pinning(self, vcpus: int) -> Pinning:
        """What the definition of a domain with that many vCPUs pins."""
        pins = [(cpu,) for cpu in self.vcpus]
        return Pinning((*pins, *[None] * (vcpus - len(pins))), self.emulator)

    def work(self, cpu: int, at: float) -> float:
        """The host's work on one of the guest's CPUs."""
        return self.intruder(at) if cpu == self.intruded else 0.0

    def times(self, vcpus: int, load: float, seed: int, at: float) -> tuple[VcpuTime, ...]:
        """What libvirt reports of each vCPU of a domain with this load."""
        return tuple(self._time(number, load, seed, at) for number in range(vcpus))

    def _time(self, number: int, load: float, seed: int, at: float) -> VcpuTime:
        mine = vcpu_load(number, load, seed, at)
        work = self.work(self.vcpus[number], at) if number < len(self.vcpus) else 0.0
        calm = CALM_MS * noise(seed + 31 * number, at / 2) ** 4
        return VcpuTime(number, round(100 * mine, 1), round(CROWDED_MS * mine * work + calm, 1))

    def threads(
        self, uuid: str, load: float, seed: int, at: float, topology: CpuTopology
    ) -> GuestThreads:
        """What /proc reports about the guest's threads and the host's CPUs."""
        loads = {cpu: vcpu_load(n, load, seed, at) for n, cpu in enumerate(self.vcpus)}
        home = self.emulator or topology.cpus[:1]
        emulator, io = 0.01 + 0.05 * load, 0.01 + 0.02 * noise(seed + 7, at / 3)
        threads = [
            QemuThread("emulator", home[0], load_pct=round(100 * emulator, 1)),
            *(QemuThread("vcpu", cpu, number, round(100 * loads[cpu], 1))
              for number, cpu in enumerate(self.vcpus)),
            QemuThread("io", home[-1], load_pct=round(100 * io, 1)),
        ]  # fmt: skip
        cpus = []
        for cpu in topology.cpus:
            desk = 0.02 + 0.2 * noise(seed + cpu, at / 4)
            busy = loads[cpu] + self.work(cpu, at) if cpu in loads else desk
            cpus.append(HostCpu(cpu, round(100 * min(1.0, busy), 1), 0.0))
        return GuestThreads(uuid, tuple(threads), tuple(cpus))


def vcpu_load(number: int, load: float, seed: int, at: float) -> float:
    """The load of one vCPU of a domain: they differ, and the mean is about the domain's."""
    return min(1.0, load * (0.6 + 0.8 * noise(seed + 101 * number, at / 3)))
