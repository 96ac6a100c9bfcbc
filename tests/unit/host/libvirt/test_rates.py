"""Rates from two samples of a domain's counters."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from tui.host.libvirt.rates import (
    MIN_INTERVAL_S,
    NO_RATES,
    Counters,
    Meter,
    Rates,
    VcpuCounters,
    counters,
    rates,
)
from tui.model import VCPU_LIMIT, VcpuTime

SECOND = 1_000_000_000
STATS: dict[str, object] = {
    "state.state": 1,
    "cpu.time": 7 * SECOND,
    "vcpu.current": 2,
    "vcpu.maximum": 4,
    "vcpu.0.time": 3 * SECOND,
    "vcpu.0.delay": 5_000_000,
    "vcpu.2.time": SECOND,
    "block.count": 3,
    "block.0.rd.bytes": 1000,
    "block.0.wr.bytes": 10,
    "block.1.rd.bytes": 500,
    "block.2.name": "sda",
    "net.count": 1,
    "net.0.rx.bytes": 70,
    "net.0.tx.bytes": 0,
}


def test_counters_are_summed_over_vcpus_disks_and_interfaces() -> None:
    assert counters(STATS, at=5.0) == Counters(
        at=5.0,
        vcpus=2,
        vcpu_ns=4 * SECOND,
        cpu_ns=7 * SECOND,
        disk_read=1500,
        disk_written=10,
        net_received=70,
        net_sent=0,
        each_vcpu=(
            VcpuCounters(3 * SECOND, 5_000_000), VcpuCounters(), VcpuCounters(SECOND),
            VcpuCounters(),
        ),
    )  # fmt: skip


def test_what_libvirt_does_not_tell_is_unknown_and_not_zero() -> None:
    told: dict[str, object] = {"block.count": 0, "net.count": 1, "cpu.time": -1, "vcpu.current": ""}
    assert counters(told, at=1.0) == Counters(at=1.0)


def test_rates_between_two_samples() -> None:
    before = Counters(10.0, 2, SECOND, SECOND, 1000, 0, 50, 5)
    after = Counters(12.0, 2, 2 * SECOND, 9 * SECOND, 3000, 0, 51, 4105)
    assert rates(before, after) == Rates(
        cpu_pct=25.0, disk_read_bps=1000, disk_write_bps=0, net_rx_bps=0, net_tx_bps=2050
    )


def test_cpu_time_stands_in_for_vcpu_times() -> None:
    before, after = Counters(0.0, 4, None, 0), Counters(1.0, 4, SECOND, SECOND)
    assert rates(before, after).cpu_pct == 25.0


def test_more_than_all_vcpus_is_all_of_them() -> None:
    assert rates(Counters(0.0, 1, 0), Counters(1.0, 1, SECOND + 10_000_000)).cpu_pct == 100.0


@pytest.mark.parametrize("vcpus", [(1, 2), (None, 1), (1, None), (0, 0)])
def test_no_load_while_the_number_of_vcpus_changes(vcpus: tuple[int | None, int | None]) -> None:
    assert rates(Counters(0.0, vcpus[0], 0), Counters(1.0, vcpus[1], SECOND)).cpu_pct is None


NUMBERS = [n for n in Counters.__struct_fields__ if n not in ("at", "vcpus", "each_vcpu")]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_counter_that_goes_backwards_has_no_rate(name: str) -> None:
    before = replace(Counters(0.0, 1), **{name: 100})
    after = replace(Counters(1.0, 1), **{name: 99})
    assert rates(before, after) == NO_RATES


def test_each_vcpu_has_its_own_load_and_wait() -> None:
    before = Counters(10.0, each_vcpu=(VcpuCounters(0, 0), VcpuCounters(SECOND, 7)))
    after = Counters(
        12.0, each_vcpu=(VcpuCounters(SECOND, 62_000_000), VcpuCounters(3 * SECOND + 5, 7))
    )
    assert rates(before, after).vcpu_times == (VcpuTime(0, 50.0, 31.0), VcpuTime(1, 100.0, 0.0))


@pytest.mark.parametrize(
    ("was", "now", "found"),
    [
        (VcpuCounters(100, 100), VcpuCounters(99, 99), (VcpuTime(0),)),
        (VcpuCounters(0), VcpuCounters(SECOND), (VcpuTime(0, 100.0, None),)),
        (VcpuCounters(), VcpuCounters(SECOND, 5), (VcpuTime(0),)),
        (VcpuCounters(SECOND, 5), VcpuCounters(), ()),
    ],
    ids=["backwards", "no delay", "plugged in", "unplugged"],
)
def test_a_vcpu_without_two_counts_has_no_figures(
    was: VcpuCounters, now: VcpuCounters, found: tuple[VcpuTime, ...]
) -> None:
    before, after = Counters(0.0, each_vcpu=(was,)), Counters(1.0, each_vcpu=(now,))
    assert rates(before, after).vcpu_times == found


def test_a_number_of_vcpus_beyond_the_limit_is_not_followed() -> None:
    told: dict[str, object] = {"vcpu.maximum": 1 << 60, "vcpu.0.time": 1}
    assert len(counters(told, at=1.0).each_vcpu) == VCPU_LIMIT


def test_a_number_of_disks_beyond_the_limit_is_not_followed() -> None:
    told: dict[str, object] = {"block.count": 1 << 60, "block.0.rd.bytes": 5}
    assert counters(told, at=1.0).disk_read == 5


def test_a_meter_tells_from_the_start_which_vcpus_there_are() -> None:
    first = Counters(0.0, 2, each_vcpu=(VcpuCounters(9, 9), VcpuCounters(9, 9)))
    assert Meter().read(first) == Rates(vcpu_times=(VcpuTime(0), VcpuTime(1)))


def test_no_rate_without_time() -> None:
    assert rates(Counters(1.0, 1, 0), Counters(1.0, 1, 5)) == NO_RATES


def test_a_meter_needs_two_samples() -> None:
    meter = Meter()
    assert meter.read(Counters(0.0, 1, 0)) == NO_RATES
    assert meter.read(Counters(1.0, 1, SECOND // 2)).cpu_pct == 50.0


def test_a_meter_does_not_measure_over_an_instant() -> None:
    meter = Meter()
    meter.read(Counters(0.0, 1, 0))
    meter.read(Counters(1.0, 1, SECOND // 2))
    assert meter.read(Counters(1.0 + MIN_INTERVAL_S / 2, 1, SECOND)).cpu_pct == 50.0
    assert meter.read(Counters(2.0, 1, SECOND // 2 + SECOND // 4)).cpu_pct == 25.0


amounts = st.one_of(st.none(), st.integers(0, 1 << 64))
samples = st.builds(
    Counters,
    st.floats(0, 1e9),
    st.one_of(st.none(), st.integers(0, 512)),
    *[amounts] * 6,
    st.lists(st.builds(VcpuCounters, amounts, amounts), max_size=3).map(tuple),
)


@given(samples, samples)
def test_rates_are_never_negative_and_load_never_above_all(a: Counters, b: Counters) -> None:
    found = rates(a, b)
    figures = replace(found, vcpu_times=())
    times = [(time.load_pct, time.wait_ms) for time in found.vcpu_times]
    for value in (*astuple(figures)[:1], *astuple(figures)[2:], *chain(*times)):
        assert value is None or value >= 0
    assert all(ms is None or ms <= 1000 for _, ms in times)
    assert found.cpu_pct is None or found.cpu_pct <= 100
