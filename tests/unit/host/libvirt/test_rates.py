"""Rates from two samples of a domain's counters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from tui.host.libvirt.rates import MIN_INTERVAL_S, NO_RATES, Counters, Meter, Rates, counters, rates

SECOND = 1_000_000_000
STATS: dict[str, object] = {
    "state.state": 1,
    "cpu.time": 7 * SECOND,
    "vcpu.current": 2,
    "vcpu.maximum": 4,
    "vcpu.0.time": 3 * SECOND,
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
    )


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


@pytest.mark.parametrize(
    "name", [name for name in Counters.__struct_fields__ if name not in ("at", "vcpus")]
)
def test_a_counter_that_goes_backwards_has_no_rate(name: str) -> None:
    before = replace(Counters(0.0, 1), **{name: 100})
    after = replace(Counters(1.0, 1), **{name: 99})
    assert rates(before, after) == NO_RATES


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
)


@given(samples, samples)
def test_rates_are_never_negative_and_load_never_above_all(a: Counters, b: Counters) -> None:
    found = rates(a, b)
    for value in astuple(found):
        assert value is None or value >= 0
    assert found.cpu_pct is None or found.cpu_pct <= 100
