"""Rates of a domain from two samples of its counters. Pure: the samples carry their time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SHORTEST = 0.4
"""Seconds between two samples below which a rate would be noise: libvirt counts a vCPU's
time in ticks of 10 ms."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What a domain has used since it started, ``None`` where libvirt does not tell.

    ``at`` is monotonic time in seconds. ``vcpu_ns`` is what its vCPUs have run,
    ``cpu_ns`` that and the emulator's work for it; the rest are bytes over all disks
    and all network interfaces.
    """

    at: float
    vcpus: int | None = None
    vcpu_ns: int | None = None
    cpu_ns: int | None = None
    disk_read: int | None = None
    disk_written: int | None = None
    net_received: int | None = None
    net_sent: int | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """Between two samples: the share of its vCPUs that a domain used, 0-100, and bytes
    per second, both rounded to what a person can tell apart."""

    cpu_pct: float | None = None
    disk_read_bps: float | None = None
    disk_write_bps: float | None = None
    net_rx_bps: float | None = None
    net_tx_bps: float | None = None


NO_RATES = Rates()


def counters(stats: Mapping[str, object], at: float) -> Counters:
    """The counters in a domain's typed parameters (virConnectGetAllDomainStats)."""
    return Counters(
        at=at,
        vcpus=number(stats, "vcpu.current"),
        vcpu_ns=_total(stats, "vcpu", "vcpu.maximum", "time"),
        cpu_ns=number(stats, "cpu.time"),
        disk_read=_total(stats, "block", "block.count", "rd.bytes"),
        disk_written=_total(stats, "block", "block.count", "wr.bytes"),
        net_received=_total(stats, "net", "net.count", "rx.bytes"),
        net_sent=_total(stats, "net", "net.count", "tx.bytes"),
    )


def number(stats: Mapping[str, object], key: str) -> int | None:
    """A whole number of a domain's typed parameters, if it is there and not negative."""
    value = stats.get(key)
    return value if isinstance(value, int) and value >= 0 else None


def _total(stats: Mapping[str, object], kind: str, count: str, key: str) -> int | None:
    """The sum of ``<kind>.<n>.<key>`` over those that have it; ``None`` if none has."""
    parts = (number(stats, f"{kind}.{n}.{key}") for n in range(number(stats, count) or 0))
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def rates(before: Counters, after: Counters) -> Rates:
    """``None`` for a counter that one sample lacks or that went backwards: its disk, vCPU
    or domain is another one."""
    seconds = after.at - before.at
    if seconds <= 0:
        return NO_RATES
    return Rates(
        cpu_pct=_cpu_pct(before, after, seconds),
        disk_read_bps=_per_second(before.disk_read, after.disk_read, seconds),
        disk_write_bps=_per_second(before.disk_written, after.disk_written, seconds),
        net_rx_bps=_per_second(before.net_received, after.net_received, seconds),
        net_tx_bps=_per_second(before.net_sent, after.net_sent, seconds),
    )


def _cpu_pct(before: Counters, after: Counters, seconds: float) -> float | None:
    """The vCPUs' own time where it is known, for that is the guest's load alone."""
    used = _grown(before.vcpu_ns, after.vcpu_ns)
    if used is None:
        used = _grown(before.cpu_ns, after.cpu_ns)
    if used is None or not after.vcpus or before.vcpus != after.vcpus:
        return None
    return min(100.0, round(used / (seconds * 1e7 * after.vcpus), 1))


def _per_second(before: int | None, after: int | None, seconds: float) -> float | None:
    grown = _grown(before, after)
    return None if grown is None else float(round(grown / seconds))


def _grown(before: int | None, after: int | None) -> int | None:
    if before is None or after is None or after < before:
        return None
    return after - before


class Meter:
    """The rates of one run of a domain, from its counters in the order they are read."""

    def __init__(self) -> None:
        self._before: Counters | None = None
        self._rates = NO_RATES

    def read(self, now: Counters) -> Rates:
        """The rates since the last sample; those of before if that is too fresh, as when
        events follow each other."""
        if self._before is not None:
            if now.at - self._before.at < SHORTEST:
                return self._rates
            self._rates = rates(self._before, now)
        self._before = now
        return self._rates
