"""What the kernel counts for CPUs and threads, and what follows from two samples. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from tui.model import CPU_LIMIT, HostCpu

_CPU = re.compile(rb"cpu([0-9]{1,9}) ([0-9 ]{1,400})")


class CpuTicks(Struct, frozen=True):
    """Clock ticks of a CPU since boot: all, those in which it was busy, and those stolen."""

    total: int
    busy: int
    stolen: int


def cpu_ticks(stat: bytes) -> dict[int, CpuTicks]:
    """Parse the lines ``cpu0 …`` of /proc/stat (proc_stat(5)).

    The columns are user, nice, system, idle, iowait, irq, softirq and steal; what a guest ran is
    part of user.
    """
    found: dict[int, CpuTicks] = {}
    for line in stat.split(b"\n"):
        match = _CPU.fullmatch(line.rstrip())
        if match is None:
            if found:  # the lines of the CPUs stand together
                break
            continue
        ticks = [int(word) for word in match[2].split()[:8]]
        number = int(match[1])
        if number < CPU_LIMIT and len(ticks) == 8:
            user, nice, system, idle, iowait, irq, softirq, stolen = ticks
            busy = user + nice + system + irq + softirq
            found[number] = CpuTicks(busy + idle + iowait + stolen, busy, stolen)
    return found


def host_cpus(before: Mapping[int, CpuTicks], after: Mapping[int, CpuTicks]) -> tuple[HostCpu, ...]:
    """Return what each CPU did between two samples; without figures if one sample lacks it."""
    return tuple(
        _host_cpu(number, before.get(number), now) for number, now in sorted(after.items())
    )


def _host_cpu(number: int, was: CpuTicks | None, now: CpuTicks) -> HostCpu:
    if was is None or now.total <= was.total or now.busy < was.busy or now.stolen < was.stolen:
        return HostCpu(number)
    share = 100 / (now.total - was.total)
    return HostCpu(
        number, round((now.busy - was.busy) * share, 1), round((now.stolen - was.stolen) * share, 1)
    )


def thread_load(was: int | None, now: int, ticks: float) -> float | None:
    """Return a thread's load in percent of one CPU, given the clock ticks that it had run and how
    many have passed; ``None`` without an earlier sample."""
    if was is None or now < was or ticks <= 0:
        return None
    return min(100.0, round(100 * (now - was) / ticks, 1))
