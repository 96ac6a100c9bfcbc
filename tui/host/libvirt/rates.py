"""Computes a domain's rates from two samples of its counters. Pure: samples carry their time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from tui.model import VCPU_LIMIT, VcpuTime

MIN_INTERVAL_S = 0.4
"""Seconds between two samples, at least. A shorter interval gives noise: libvirt counts vCPU time
in ticks of 10 ms."""

COUNT_LIMIT = 4096
"""vCPUs, disks and network interfaces of a domain to count; QEMU allows no more."""


class VcpuCounters(Struct, frozen=True):
    """What one vCPU has done since it started, in ns: the time that it ran, and that it waited for
    a host CPU; ``None`` if libvirt does not report it. libvirt takes the wait from the kernel's
    count for the thread (kernel: Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat).
    """

    time: int | None = None
    delay: int | None = None


class Counters(Struct, frozen=True):
    """What a domain has used since it started; ``None`` if libvirt does not report it.

    ``at`` is monotonic time in seconds. ``vcpu_ns`` is the run time of its vCPUs in ns, ``cpu_ns``
    adds the emulator's threads, ``each_vcpu`` has the vCPUs by number, at most ``VCPU_LIMIT``. The
    rest are bytes over all disks and all network interfaces.
    """

    at: float
    vcpus: int | None = None
    vcpu_ns: int | None = None
    cpu_ns: int | None = None
    disk_read: int | None = None
    disk_written: int | None = None
    net_received: int | None = None
    net_sent: int | None = None
    each_vcpu: tuple[VcpuCounters, ...] = ()


class Rates(Struct, frozen=True):
    """Usage between two samples: ``cpu_pct`` of the domain's vCPUs (0-100), and bytes per second.

    ``vcpu_times`` are its vCPUs one by one. All are rounded to what a person can distinguish.
    """

    cpu_pct: float | None = None
    vcpu_times: tuple[VcpuTime, ...] = ()
    disk_read_bps: float | None = None
    disk_write_bps: float | None = None
    net_rx_bps: float | None = None
    net_tx_bps: float | None = None


NO_RATES = Rates()


def counters(stats: Mapping[str, object], at: float) -> Counters:
    """Extract the counters from a domain's statistics (virConnectGetAllDomainStats)."""
    return Counters(
        at=at,
        vcpus=number(stats, "vcpu.current"),
        vcpu_ns=_total(stats, "vcpu", "vcpu.maximum", "time"),
        cpu_ns=number(stats, "cpu.time"),
        each_vcpu=_each_vcpu(stats),
        disk_read=_total(stats, "block", "block.count", "rd.bytes"),
        disk_written=_total(stats, "block", "block.count", "wr.bytes"),
        net_received=_total(stats, "net", "net.count", "rx.bytes"),
        net_sent=_total(stats, "net", "net.count", "tx.bytes"),
    )


def number(stats: Mapping[str, object], key: str) -> int | None:
    """Return a non-negative integer from a domain's statistics, or ``None``."""
    value = stats.get(key)
    return value if isinstance(value, int) and value >= 0 else None


def _each_vcpu(stats: Mapping[str, object]) -> tuple[VcpuCounters, ...]:
    """Extract the counters of each vCPU. One that is unplugged has none."""
    vcpus = min(number(stats, "vcpu.maximum") or 0, VCPU_LIMIT)
    return tuple(
        VcpuCounters(number(stats, f"vcpu.{n}.time"), number(stats, f"vcpu.{n}.delay"))
        for n in range(vcpus)
    )


def _total(stats: Mapping[str, object], kind: str, count: str, key: str) -> int | None:
    """Sum ``<kind>.<n>.<key>`` over all ``n`` that have it; ``None`` if none has."""
    units = range(min(number(stats, count) or 0, COUNT_LIMIT))
    parts = (number(stats, f"{kind}.{n}.{key}") for n in units)
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def rates(before: Counters, after: Counters) -> Rates:
    """Return the rates between two samples.

    ``None`` if a sample lacks the counter, or if it decreased: the disk, the vCPU or the
    domain is another one.
    """
    seconds = after.at - before.at
    if seconds <= 0:
        return NO_RATES
    return Rates(
        cpu_pct=_cpu_pct(before, after, seconds),
        vcpu_times=_vcpu_times(before.each_vcpu, after.each_vcpu, seconds),
        disk_read_bps=_per_second(before.disk_read, after.disk_read, seconds),
        disk_write_bps=_per_second(before.disk_written, after.disk_written, seconds),
        net_rx_bps=_per_second(before.net_received, after.net_received, seconds),
        net_tx_bps=_per_second(before.net_sent, after.net_sent, seconds),
    )


def _cpu_pct(before: Counters, after: Counters, seconds: float) -> float | None:
    """Prefer the vCPUs' own time: it is the guest's load without the emulator's."""
    used = _increase(before.vcpu_ns, after.vcpu_ns)
    if used is None:
        used = _increase(before.cpu_ns, after.cpu_ns)
    if used is None or not after.vcpus or before.vcpus != after.vcpus:
        return None
    return min(100.0, round(used / (seconds * 1e7 * after.vcpus), 1))


def _vcpu_times(
    before: Sequence[VcpuCounters], after: Sequence[VcpuCounters], seconds: float
) -> tuple[VcpuTime, ...]:
    """Return load and wait of each vCPU that has counters; without figures for a new one."""
    return tuple(
        _vcpu_time(n, before[n] if n < len(before) else VcpuCounters(), now, seconds)
        for n, now in enumerate(after)
        if now != VcpuCounters()
    )


def _vcpu_time(number: int, was: VcpuCounters, now: VcpuCounters, seconds: float) -> VcpuTime:
    ran, waited = _increase(was.time, now.time), _increase(was.delay, now.delay)
    return VcpuTime(
        number,
        None if ran is None else min(100.0, round(ran / (seconds * 1e7), 1)),
        None if waited is None else min(1000.0, round(waited / (seconds * 1e6), 1)),
    )


def _per_second(before: int | None, after: int | None, seconds: float) -> float | None:
    grown = _increase(before, after)
    return None if grown is None else float(round(grown / seconds))


def _increase(before: int | None, after: int | None) -> int | None:
    if before is None or after is None or after < before:
        return None
    return after - before


class Meter:
    """Turns the counters of one run of a domain into rates, sample by sample."""

    def __init__(self) -> None:
        self._before: Counters | None = None
        self._rates = NO_RATES

    def read(self, now: Counters) -> Rates:
        """Return the rates since the last sample; the first one shows which vCPUs there are.

        Returns the previous rates if that sample is younger than ``MIN_INTERVAL_S``, as during a
        burst of events.
        """
        if self._before is not None:
            if now.at - self._before.at < MIN_INTERVAL_S:
                return self._rates
            self._rates = rates(self._before, now)
        else:
            self._rates = Rates(vcpu_times=_vcpu_times((), now.each_vcpu, MIN_INTERVAL_S))
        self._before = now
        return self._rates
