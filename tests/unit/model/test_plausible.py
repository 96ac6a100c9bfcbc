"""A dead sensor is not shown as 0: one definition for every source."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.host.agent.test_nvidia_smi import metrics as of_guest
from tests.unit.host.drm.drm_host import ARC, B580, RX, Machine
from tui.host.drm import amdgpu, intel
from tui.host.drm.hwmon import CardPower, Channel
from tui.host.nvml.reply import parse_reply
from tui.host.tree import PlainTree
from tui.model import Metrics
from tui.model.plausible import first_plausible, plausible, plausible_metrics

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONES = (1 << 32) - 1

DEAD: list[tuple[str, float]] = [
    ("temp_c", 0), ("temp_c", 127), ("temp_c", 255), ("temp_c", 511), ("temp_c", ONES),
    ("power_w", 0), ("power_w", ONES), ("power_limit_w", 0), ("power_limit_w", ONES),
    ("power_limit_w", 4095.875), ("clock_mhz", ONES), ("clock_mhz", 65535),
    ("mem_clock_mhz", 0), ("mem_clock_mhz", 65535), ("util_pct", 101), ("util_pct", ONES),
    ("mem_total_mib", 0), ("fan_pct", 255), ("fan_pct", ONES), ("temp_limit_c", 0),
    ("temp_limit_c", 127),
]  # fmt: skip
"""Values in the unit of ``Metrics``, as dead sensors report them."""

ALIVE: list[tuple[str, float]] = [
    ("temp_c", 1), ("temp_c", 95), ("temp_c", 125), ("power_w", 0.5), ("power_w", 1200),
    ("power_limit_w", 75), ("clock_mhz", 0), ("clock_mhz", 210), ("mem_clock_mhz", 16001),
    ("util_pct", 0), ("util_pct", 100), ("fan_pct", 0), ("fan_pct", 100), ("mem_total_mib", 512),
    ("temp_limit_c", 83),
]  # fmt: skip

NVML = {
    "temp_c": ("temp", 1), "power_w": ("power", 1000), "power_limit_w": ("power_limit", 1000),
    "clock_mhz": ("clock", 1), "mem_clock_mhz": ("mem_clock", 1), "util_pct": ("util", 1),
    "mem_total_mib": ("mem_total", 1 << 20), "fan_pct": ("fan", 1),
    "temp_limit_c": ("temp_limit", 1),
}  # fmt: skip

SMI = {
    "temp_c": "temperature_gpu", "power_w": "power_draw", "power_limit_w": "power_limit",
    "clock_mhz": "clocks_gr", "mem_clock_mhz": "clocks_mem", "util_pct": "utilization_gpu",
    "mem_total_mib": "memory_total", "fan_pct": "fan_speed",
}  # fmt: skip

AMDGPU = {
    "temp_c": ("hwmon/hwmon4/temp1_input", 1000),
    "temp_limit_c": ("hwmon/hwmon4/temp1_crit", 1000),
    "power_w": ("hwmon/hwmon4/power1_average", 1_000_000),
    "power_limit_w": ("hwmon/hwmon4/power1_cap", 1_000_000),
    "clock_mhz": ("hwmon/hwmon4/freq1_input", 1_000_000),
    "mem_clock_mhz": ("hwmon/hwmon4/freq2_input", 1_000_000),
    "util_pct": ("gpu_busy_percent", 1),
    "mem_total_mib": ("mem_info_vram_total", 1 << 20),
}  # fmt: skip

XE = {
    "temp_c": ("hwmon/hwmon5/temp2_input", 1000),
    "temp_limit_c": ("hwmon/hwmon5/temp2_crit", 1000),
    "clock_mhz": ("tile0/gt0/freq0/act_freq", 1),
    "mem_total_mib": ("tile0/physical_vram_size_bytes", 1 << 20),
}  # fmt: skip


def by_nvml(name: str, value: float) -> float | None:
    key, unit = NVML[name]
    card = {"address": "0000:01:00.0", key: int(value * unit)}
    reading, _ = parse_reply(json.dumps({"driver": "580", "cards": [card]}).encode())
    return getattr(reading.cards[0].metrics, name)  # type: ignore[no-any-return]


def by_guest(name: str, value: float) -> float | None:
    return getattr(of_guest(**{SMI[name]: f"{value:.2f}"}), name)  # type: ignore[no-any-return]


def by_amdgpu(name: str, value: float, device: Path) -> float | None:
    file, unit = AMDGPU[name]
    Machine.write(device, RX, {file: str(int(value * unit))})
    return getattr(amdgpu.metrics(PlainTree(device)), name)  # type: ignore[no-any-return]


def by_xe(name: str, value: float, device: Path) -> float | None:
    file, unit = XE[name]
    Machine.write(device, B580, {file: str(int(value * unit))})
    return getattr(intel.xe(PlainTree(device))[0], name)  # type: ignore[no-any-return]


def by_each_source(name: str, value: float, folder: Path) -> dict[str, float | None]:
    """What each source makes of the same value."""
    (folder / "amd/hwmon").mkdir(parents=True)
    (folder / "xe/hwmon").mkdir(parents=True)
    found = {"nvml": by_nvml(name, value)}
    if name in SMI:
        found["guest"] = by_guest(name, value)
    if name in AMDGPU:
        found["amdgpu"] = by_amdgpu(name, value, folder / "amd")
    if name in XE:
        found["xe"] = by_xe(name, value, folder / "xe")
    return found


@pytest.mark.parametrize(("name", "value"), DEAD)
def test_what_a_dead_sensor_tells_is_none_whoever_tells_it(
    tmp_path: Path, name: str, value: float
) -> None:
    found = by_each_source(name, value, tmp_path)
    assert found == dict.fromkeys(found)


@pytest.mark.parametrize(("name", "value"), ALIVE)
def test_every_source_reports_what_a_card_can_have(tmp_path: Path, name: str, value: float) -> None:
    for source, found in by_each_source(name, value, tmp_path).items():
        assert found == value, source


@pytest.mark.parametrize("reasons", [ONES, (1 << 64) - 1])
def test_reasons_that_are_unavailable_are_not_all_of_them(reasons: int) -> None:
    card = {"address": "0000:01:00.0", "throttle": reasons}
    reading, _ = parse_reply(json.dumps({"driver": "580", "cards": [card]}).encode())
    assert reading.cards[0].metrics.throttle is None
    assert of_guest(clocks_event_reasons_active=f"0x{reasons:016X}").throttle is None


@pytest.mark.parametrize(
    ("used", "total", "expected"),
    [
        (512, 1024, (512, 1024)), (0, 1024, (0, 1024)), (2048, 1024, (None, 1024)),
        (0, 0, (None, None)), (512, 0, (None, None)), (0, None, (None, None)),
        (512, None, (512, None)), (None, None, (None, None)), (None, 1024, (None, 1024)),
    ],
)  # fmt: skip
def test_memory_in_use_is_within_what_there_is(
    used: int | None, total: int | None, expected: tuple[int | None, int | None]
) -> None:
    found = plausible_metrics(mem_used_mib=used, mem_total_mib=total)
    assert (found.mem_used_mib, found.mem_total_mib) == expected


def test_the_first_that_a_card_can_have() -> None:
    assert first_plausible("power_w", None, 0, 5000, 9) == 9
    assert first_plausible("power_w", None, 0) is None
    assert plausible("temp_c", float("nan")) is None
    assert plausible("temp_c", float("inf")) is None


NUMBERS = st.none() | st.integers(-(1 << 65), 1 << 65) | st.floats()


@given(st.dictionaries(st.sampled_from([n for n in Metrics.names() if n != "throttle"]), NUMBERS))
def test_no_report_makes_a_number_that_no_card_has(raw: dict[str, float | None]) -> None:
    found = plausible_metrics(None, **raw)
    for name, value in raw.items():
        kept = getattr(found, name)
        assert kept is None or kept == value
        assert kept is None or 0 <= kept <= 1 << 30
    if found.temp_c is not None:
        assert 0 < found.temp_c < 126


# --- a case from the field ----------------------------------------------------

FIELD = {
    "hwmon/hwmon4/name": "xe",
    "hwmon/hwmon4/energy1_input": "0", "hwmon/hwmon4/energy1_label": "card",
    "hwmon/hwmon4/energy2_input": "29523753173", "hwmon/hwmon4/energy2_label": "pkg",
    "hwmon/hwmon4/power1_crit": "380000000", "hwmon/hwmon4/power1_label": "card",
    "hwmon/hwmon4/fan1_input": "0", "hwmon/hwmon4/fan2_input": "418",
    "hwmon/hwmon4/temp2_input": "46000", "hwmon/hwmon4/temp2_label": "pkg",
    "hwmon/hwmon4/temp3_input": "48000", "hwmon/hwmon4/temp3_label": "vram",
}  # fmt: skip
"""A B580 on Linux 6.16: the card's energy stays 0, the package's increases (LACT#613)."""


def test_the_power_of_a_b580_is_that_of_its_package(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    device = machine.add(ARC, "xe", FIELD)
    source = machine.source()

    def watts() -> float | None:
        return source.read().cards[0].metrics.power_w

    assert watts() is None
    for seconds in range(1, 4):
        machine.now += 1
        energy = 29523753173 + seconds * 31_500_000
        machine.write(device, {"hwmon/hwmon4/energy2_input": str(energy)})
        assert watts() == 31.5
    assert source.read().cards[0].metrics.temp_c == 46


def test_the_power_of_a_b580_is_not_known_where_no_counter_moves(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.add(ARC, "xe", FIELD | {"hwmon/hwmon4/energy2_input": "0"})
    source = machine.source()
    for _ in range(10):
        assert source.read().cards[0].metrics.power_w is None
        machine.now += 1


def watts(*both: tuple[int, int]) -> list[tuple[float | None, float | None]]:
    """Power and limit after a second, for a card and a package with these energies in mJ."""
    meter = CardPower()
    return [
        meter.read(
            float(at),
            [Channel("card", card * 1000, 190.0), Channel("pkg", pkg * 1000, 150.0)],
        )
        for at, (card, pkg) in enumerate(both)
    ]  # fmt: skip


@pytest.mark.parametrize("step", [1, 12, 5000])
def test_a_counter_that_moved_once_is_as_dead_as_one_that_never_did(step: int) -> None:
    """The package's power and limit are used once the card's energy has not changed for a while."""
    told = watts((0, 0), *((step, 30_000 * n) for n in range(1, 10)))
    assert told[-1] == (30.0, 150.0)
    assert 0.0 not in [power for power, _ in told]


def test_next_to_nothing_is_no_power() -> None:
    assert [power for power, _ in watts(*((0, n % 2) for n in range(4)))] == [None] * 4
