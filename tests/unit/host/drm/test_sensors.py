"""The sensors of a card and what its driver reports, validated."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.host.drm.drm_host import B580, GIB, RX, UHD, Machine
from tui.host.drm import amdgpu, intel
from tui.host.drm.hwmon import (
    STALLED_AFTER,
    CardPower,
    Channel,
    Energy,
    PowerMeter,
    parse_uint64,
    power,
)
from tui.host.tree import PlainTree
from tui.model import Metrics


@pytest.fixture
def device(tmp_path: Path) -> Path:
    (tmp_path / "hwmon").mkdir()
    return tmp_path


def written(device: Path, *parts: dict[str, str]) -> PlainTree:
    Machine.write(device, *parts)
    return PlainTree(device)


# --- amdgpu -------------------------------------------------------------------------


def test_all_that_amdgpu_tells(device: Path) -> None:
    assert amdgpu.metrics(written(device, RX)) == Metrics(
        util_pct=37, mem_util_pct=12, mem_used_mib=1240, mem_total_mib=16384, temp_c=54,
        fan_pct=30, power_w=35.2, power_limit_w=263, clock_mhz=2450, mem_clock_mhz=1000,
    )  # fmt: skip


def test_an_apu_has_no_fan_and_no_limit(device: Path) -> None:
    apu = {name: RX[name] for name in RX if "fan" not in name and "pwm" not in name}
    del apu["hwmon/hwmon4/power1_cap"], apu["hwmon/hwmon4/power1_average"], apu["mem_busy_percent"]
    metrics = amdgpu.metrics(written(device, apu, {"hwmon/hwmon4/power1_input": "9000000"}))
    assert (metrics.fan_pct, metrics.power_limit_w, metrics.mem_util_pct) == (None, None, None)
    assert metrics.power_w == 9


def test_the_duty_cycle_stands_in_for_rotations(device: Path) -> None:
    duty = {"hwmon/hwmon4/fan1_max": "0", "hwmon/hwmon4/pwm1": "51"}
    assert amdgpu.metrics(written(device, RX, duty)).fan_pct == 20


def test_a_fan_that_stands_still_is_not_unknown(device: Path) -> None:
    assert amdgpu.metrics(written(device, RX, {"hwmon/hwmon4/fan1_input": "0"})).fan_pct == 0


def test_sensors_of_others_are_not_the_card(device: Path) -> None:
    other = {"hwmon/hwmon0/name": "nvme", "hwmon/hwmon0/temp1_input": "99000"}
    assert amdgpu.metrics(written(device, other)).temp_c is None
    assert amdgpu.metrics(written(device, other, RX)).temp_c == 54


def test_a_card_without_any_attribute(device: Path) -> None:
    assert amdgpu.metrics(PlainTree(device)) == Metrics()
    assert amdgpu.metrics(PlainTree(device / "gone")) == Metrics()


NONSENSE = ["", "-1", "101", "N/A", "37 %", "0x25", "1e1", "3.5", "9" * 30, "٣", "\x1b[31m", "\x00"]


@pytest.mark.parametrize("text", NONSENSE)
def test_a_load_that_makes_no_sense_is_none(device: Path, text: str) -> None:
    metrics = amdgpu.metrics(written(device, RX, {"gpu_busy_percent": text}))
    assert (metrics.util_pct, metrics.mem_util_pct) == (None, 12)


@pytest.mark.parametrize(
    ("file", "text", "field"),
    [
        ("mem_info_vram_used", str(17 * GIB), "mem_used_mib"),
        ("mem_info_vram_total", "0", "mem_total_mib"),
        ("hwmon/hwmon4/temp1_input", "511000", "temp_c"),
        ("hwmon/hwmon4/temp1_input", "-40000", "temp_c"),
        ("hwmon/hwmon4/temp1_input", "-273150", "temp_c"),
        ("hwmon/hwmon4/temp1_input", "0", "temp_c"),
        ("hwmon/hwmon4/temp1_input", "127000", "temp_c"),
        ("hwmon/hwmon4/power1_average", "0", "power_w"),
        ("hwmon/hwmon4/power1_average", "4294967295000", "power_w"),
        ("hwmon/hwmon4/power1_cap", "4095875000", "power_limit_w"),
        ("hwmon/hwmon4/freq2_input", "0", "mem_clock_mhz"),
        ("hwmon/hwmon4/freq1_input", "65535000000", "clock_mhz"),
        ("hwmon/hwmon4/power1_average", str(1 << 63), "power_w"),
        ("hwmon/hwmon4/power1_cap", "0", "power_limit_w"),
        ("hwmon/hwmon4/freq1_input", "99999999999999", "clock_mhz"),
    ],
)
def test_a_value_that_no_card_has_is_none(device: Path, file: str, text: str, field: str) -> None:
    assert getattr(amdgpu.metrics(written(device, RX, {file: text})), field) is None


def test_no_memory_at_all_is_no_memory_in_use(device: Path) -> None:
    dead = {"mem_info_vram_total": "0", "mem_info_vram_used": "0"}
    metrics = amdgpu.metrics(written(device, RX, dead))
    assert (metrics.mem_used_mib, metrics.mem_total_mib) == (None, None)


def test_a_sensor_that_is_dead_gives_way_to_the_next(device: Path) -> None:
    sensors = {
        "hwmon/hwmon4/power1_average": "0", "hwmon/hwmon4/power1_input": "9000000",
        "hwmon/hwmon4/fan1_input": "65535", "hwmon/hwmon4/pwm1": "51",
    }  # fmt: skip
    metrics = amdgpu.metrics(written(device, RX, sensors))
    assert (metrics.power_w, metrics.fan_pct) == (9, 20)


def test_files_that_are_none_are_not_read(device: Path) -> None:
    directory = written(device, RX)
    for name in ("gpu_busy_percent", "mem_busy_percent", "hwmon/hwmon4/temp1_input"):
        (device / name).unlink()
    (device / "gpu_busy_percent").symlink_to("/dev/zero")
    (device / "mem_busy_percent").mkdir()
    (device / "hwmon/hwmon4/temp1_input").write_text("5" * 10_000)
    metrics = amdgpu.metrics(directory)
    assert (metrics.util_pct, metrics.mem_util_pct, metrics.temp_c) == (None, None, None)


# --- i915, xe -----------------------------------------------------------------------


def test_all_that_xe_tells(device: Path) -> None:
    metrics, channels = intel.xe(written(device, B580))
    assert metrics == Metrics(temp_c=48, clock_mhz=2850)
    assert channels == (Channel("card", 5_000_000, 190), Channel("pkg", 3_000_000, None))


def test_the_limit_for_bursts_stands_in_for_one_that_is_off(device: Path) -> None:
    off = {"hwmon/hwmon5/power1_max": "0"}
    assert intel.xe(written(device, B580, off))[1][0].limit_w == 228
    off = {"hwmon/hwmon5/power1_cap": "0"}
    assert intel.xe(written(device, off))[1][0].limit_w is None


def test_labels_tell_which_channel_is_which(device: Path) -> None:
    swapped = {
        "hwmon/hwmon5/energy1_label": "pkg", "hwmon/hwmon5/energy2_label": "card",
        "hwmon/hwmon5/power2_max": "150000000",
        "hwmon/hwmon5/temp2_label": "vram", "hwmon/hwmon5/temp3_label": "pkg",
    }  # fmt: skip
    metrics, channels = intel.xe(written(device, B580, swapped))
    assert metrics.temp_c == 61
    assert channels == (Channel("card", 3_000_000, 150), Channel("pkg", 5_000_000, 190))


@pytest.mark.parametrize(
    ("sensors", "told"),
    [
        ({"energy1_input": 7, "energy1_label": "pkg", "power1_max": 9_000_000},
         [(None, None), (7, 9)]),
        ({"energy2_input": 7, "energy2_label": "pkg", "power2_cap": 9_000_000},
         [(None, None), (7, 9)]),
        ({"energy1_input": 5, "energy2_input": 7, "energy2_label": "pkg"}, [(5, None), (7, None)]),
        ({"energy1_input": 5, "energy1_label": "vram", "energy2_input": 7},
         [(None, None), (7, None)]),
        ({"energy1_input": 5, "energy1_label": "vram", "energy2_input": 7, "energy2_label": "sys"},
         [(None, None), (None, None)]),
        ({"energy1_input": 5, "energy1_label": "card", "energy3_input": 7, "energy3_label": "pkg",
          "power2_label": "pkg", "power2_max": 8_000_000, "power3_max": 9_000_000},
         [(5, None), (7, 8)]),
        ({"energy1_input": 5, "energy2_input": 7, "power1_label": "pkg", "power1_max": 9_000_000},
         [(5, None), (7, 9)]),
        ({"energy1_input": 5, "energy1_label": "pkg", "energy2_input": 7, "energy2_label": "card",
          "power1_label": "card", "power1_cap": 8_000_000}, [(7, 8), (5, None)]),
        ({"energy1_label": "card", "energy2_label": "pkg", "energy2_input": 7},
         [(None, None), (7, None)]),
        ({"energy1_label": "Card", "energy1_input": 5}, [(None, None), (None, None)]),
    ],
)  # fmt: skip
def test_no_counter_is_taken_for_that_of_another_part(
    device: Path, sensors: dict[str, int | str],
    told: list[tuple[int | None, float | None]],
) -> None:  # fmt: skip
    files = {f"hwmon/hwmon5/{name}": str(value) for name, value in sensors.items()}
    _, found = intel.xe(written(device, {"hwmon/hwmon5/name": "xe"}, files))
    assert [channel.name for channel in found] == ["card", "pkg"]
    assert [(channel.microjoules, channel.limit_w) for channel in found] == told


def test_the_temperature_of_another_part_is_not_that_of_the_package(device: Path) -> None:
    labels = {"hwmon/hwmon5/temp2_label": "vram", "hwmon/hwmon5/temp3_label": "mctrl"}
    assert intel.xe(written(device, B580, labels))[0].temp_c is None


LABELS = st.none() | st.sampled_from(["card", "pkg", "vram", "", "card pkg"])


@given(st.lists(LABELS, min_size=4, max_size=4), st.lists(LABELS, min_size=4, max_size=4))
def test_each_sensor_is_of_one_part_at_most(
    energies: list[str | None], powers: list[str | None]
) -> None:
    with TemporaryDirectory() as folder:
        files = {"hwmon/hwmon5/name": "xe"}
        for n, (energy, power) in enumerate(zip(energies, powers, strict=True), start=1):
            files |= {f"hwmon/hwmon5/energy{n}_input": str(n)}
            files |= {f"hwmon/hwmon5/power{n}_max": str(n * 1_000_000)}
            files |= {f"hwmon/hwmon5/energy{n}_label": energy} if energy is not None else {}
            files |= {f"hwmon/hwmon5/power{n}_label": power} if power is not None else {}
        (Path(folder) / "hwmon").mkdir()
        _, found = intel.xe(written(Path(folder), files))
    for channel in found:
        if channel.microjoules is not None:
            assert energies[channel.microjoules - 1] in (None, channel.name)
        if channel.limit_w is not None:
            assert powers[int(channel.limit_w) - 1] in (None, channel.name)
    used = [channel.microjoules for channel in found if channel.microjoules is not None]
    assert len(set(used)) == len(used)


def test_the_sensors_of_another_driver_beside_are_not_the_cards(device: Path) -> None:
    others = {"hwmon/hwmon10/name": "nvme", "hwmon/hwmon10/energy1_input": "9",
              "hwmon/hwmon3/name": "i915", "hwmon/hwmon3/energy1_input": "8",
              "hwmon/hwmon4/energy1_input": "7", "hwmon/hwmon11/name": "xe_gt0",
              "hwmon/hwmon11/energy1_input": "6"}  # fmt: skip
    _, found = intel.xe(written(device, others, B580))
    assert [channel.microjoules for channel in found] == [5_000_000, 3_000_000]


def test_the_memory_of_a_card_on_xe_is_unknown_or_that_of_its_tiles(device: Path) -> None:
    assert intel.xe(written(device, B580))[0].mem_total_mib is None
    tiles = {f"tile{n}/physical_vram_size_bytes": str(8 * GIB) for n in range(2)}
    assert intel.xe(written(device, tiles))[0].mem_total_mib == 16384


def test_an_integrated_gpu_has_a_clock_and_no_sensors(device: Path) -> None:
    metrics, channels = intel.i915(written(device, UHD))
    assert (metrics, channels) == (Metrics(clock_mhz=0), (Channel("card", None, None),))
    assert CardPower().read(1.0, channels) == (None, None)
    (device / "drm/card0/gt_act_freq_mhz").unlink()
    assert intel.i915(PlainTree(device))[0] == Metrics(clock_mhz=350)


def test_a_card_on_i915_is_not_one_of_its_parts(device: Path) -> None:
    part = {"hwmon/hwmon2/name": "i915_gt0", "hwmon/hwmon2/energy1_input": "7"}
    whole_card = {
        "hwmon/hwmon3/name": "i915", "hwmon/hwmon3/energy1_input": "9",
        "hwmon/hwmon3/temp1_input": "40000", "hwmon/hwmon3/power1_max": "200000000",
    }  # fmt: skip
    metrics, channels = intel.i915(written(device, part, whole_card))
    assert (metrics, channels) == (Metrics(temp_c=40), (Channel("card", 9, 200),))


# --- power from energy --------------------------------------------------------------


def test_power_is_energy_over_time() -> None:
    assert power(Energy(10.0, 1_000_000), Energy(12.0, 91_000_000)) == 45.0


@pytest.mark.parametrize(
    "after", [Energy(2.0, 0), Energy(1.0, 200), Energy(0.5, 200), Energy(2.0, 1 << 63)]
)
def test_no_power_where_the_counter_wrapped_or_jumped_or_no_time_has_passed(after: Energy) -> None:
    assert power(Energy(1.0, 100), after) is None


def test_a_power_meter() -> None:
    meter = PowerMeter()
    assert meter.read(Energy(0.0, 0)) is None
    assert meter.read(Energy(1.0, 50_000_000)) == 50.0
    assert meter.read(Energy(1.1, 90_000_000)) == 50.0
    assert meter.read(Energy(2.0, 90_000_000)) == 40.0
    assert meter.read(Energy(3.0, 10_000_000)) is None
    assert meter.read(Energy(4.0, 30_000_000)) == 20.0


@pytest.mark.parametrize("still", [0, 7_000_000])
def test_a_counter_that_never_moves_tells_no_power(still: int) -> None:
    meter = PowerMeter()
    assert [meter.read(Energy(float(t), still)) for t in range(20)] == [None] * 20
    assert not meter.is_live


def test_a_counter_that_is_0_at_first_only_is_alive() -> None:
    meter = PowerMeter()
    assert meter.read(Energy(0.0, 0)) is None
    assert meter.read(Energy(1.0, 0)) is None
    assert meter.read(Energy(2.0, 90_000_000)) == 45.0


def test_a_counter_that_moves_seldom_is_not_0_between() -> None:
    meter = PowerMeter()
    told = [meter.read(Energy(float(t), t // 2 * 60_000_000)) for t in range(7)]
    assert told == [None, None, 30.0, 30.0, 30.0, 30.0, 30.0]


def test_a_counter_that_stops_is_not_known_any_more() -> None:
    meter = PowerMeter()
    for at, used in ((0.0, 0), (1.0, 50_000_000)):
        meter.read(Energy(at, used))
    assert meter.read(Energy(3.0, 50_000_000)) == 50.0
    assert meter.read(Energy(1.0 + STALLED_AFTER, 50_000_000)) is None


def channels(card: int | None, package: int | None) -> tuple[Channel, ...]:
    return Channel("card", card, 190), Channel("pkg", package, 150)


def test_the_package_stands_in_for_a_card_whose_counter_is_dead() -> None:
    power = CardPower()
    assert power.read(0.0, channels(0, 29_000_000)) == (None, 190)
    assert power.read(1.0, channels(0, 74_000_000)) == (45.0, 150)
    assert power.read(2.0, channels(0, 1 << 62)) == (None, 150)


def test_the_card_itself_comes_first() -> None:
    power = CardPower()
    power.read(0.0, channels(0, 0))
    assert power.read(1.0, channels(60_000_000, 45_000_000)) == (60.0, 190)
    # Its counter wraps: the package does not stand in for it.
    assert power.read(2.0, channels(10, 90_000_000)) == (None, 190)
    assert power.read(3.0, channels(70_000_010, 135_000_000)) == (70.0, 190)


def test_a_card_without_counters_still_has_a_limit() -> None:
    assert CardPower().read(0.0, channels(None, None)) == (None, 190)
    assert CardPower().read(0.0, channels(None, 5)) == (None, 150)
    assert CardPower().read(0.0, ()) == (None, None)


energies = st.builds(Energy, st.floats(0, 1e9), st.integers(0, (1 << 64) - 1))


@given(energies, energies)
def test_power_is_what_a_card_can_use(a: Energy, b: Energy) -> None:
    watts = power(a, b)
    assert watts is None or 0 <= watts <= 3_000


@given(st.text())
def test_a_whole_number_is_one_of_64_bits_or_an_error(text: str) -> None:
    try:
        value = parse_uint64(text)
    except ValueError:
        return
    assert 0 <= value < 1 << 64
    assert text.isascii()
