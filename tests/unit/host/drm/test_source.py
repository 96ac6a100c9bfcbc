"""The readings of cards on amdgpu, i915 and xe, and what reading them never touches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts_layout import bind
from tests.unit.host.drm.drm_host import (  # fmt: skip
    AMD,
    ARC,
    B580,
    IGPU,
    MIB,
    RX,
    SECOND,
    UHD,
    Machine,
    amdgpu,
    i915,
    xe,
)
from tests.unit.host.pci.test_source import opened
from tui.host import HostError, NothingToRead, NothingYet
from tui.host.drm.source import ASLEEP, IDLE, NO_CARD, DrmSource
from tui.host.idle import HOLD_ANYWAY, SUSPEND_GRACE
from tui.host.idle import IDLE_AFTER as IDLE_FOR
from tui.model import CardReading, GpuProcess


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def only(source: DrmSource) -> CardReading:
    (card,) = source.read().cards
    return card


def touched(paths: list[str], device: Path) -> list[str]:
    """The files of a device that were opened, by their names in it."""
    inside = f"/{device.name}/"
    return [path.rpartition(inside)[2] for path in paths if inside in path]


# --- readings -----------------------------------------------------------------------


def test_a_card_on_amdgpu(machine: Machine) -> None:
    machine.add(AMD, "amdgpu", RX)
    machine.process(700, "Xorg")
    machine.open(700, 12, amdgpu(38, "gfx 0", vram=60 * MIB))
    source = machine.source()
    card = only(source)
    assert (card.address, card.source, card.lost) == (AMD, "amdgpu", None)
    assert (card.metrics.util_pct, card.metrics.power_w) == (37, 35.2)
    assert (card.metrics.enc_pct, card.metrics.dec_pct, card.metrics.pcie_gen) == (None, None, None)
    assert card.processes == (GpuProcess(700, "Xorg", "open", 60),)


def test_equal_readings_are_equal_whenever_they_are_taken(machine: Machine) -> None:
    machine.add(AMD, "amdgpu", RX)
    machine.add(IGPU, "i915", UHD)
    source = machine.source()
    source.read()  # the rates of a first reading are not known yet
    seen = []
    for _ in range(2):
        machine.now += 1.0
        seen.append(source.read())
    assert seen[0] == seen[1] and seen[0] is not seen[1]


def test_cards_are_ordered_by_address_and_others_are_not_ours(machine: Machine) -> None:
    machine.add(ARC, "xe", B580)
    machine.add(AMD, "amdgpu", RX)
    machine.add(IGPU, "i915", UHD)
    for n, driver in enumerate(("nvidia", "vfio-pci", "nouveau", None)):
        machine.add(f"0000:0{n + 5}:00.0", driver, RX)
    reading = machine.source().read()
    assert [(c.address, c.source) for c in reading.cards] == [
        (IGPU, "i915"), (AMD, "amdgpu"), (ARC, "xe"),
    ]  # fmt: skip
    assert reading.of(AMD) == reading.cards[1]


def test_the_busiest_engine_is_the_load_of_a_card_on_xe(machine: Machine) -> None:
    machine.add(ARC, "xe", B580)
    machine.process(800, "blender")
    file = machine.open(800, 9, xe(3, 1000))
    source = machine.source()
    assert only(source).metrics.util_pct is None  # one sample gives no rate
    machine.now += 1
    file.write_text(xe(3, 2000, rcs=250, ccs=1200))
    card = only(source)
    assert card.metrics.util_pct == 30
    assert card.processes == (GpuProcess(800, "blender", "render, compute", 20, 30),)
    assert (card.metrics.enc_pct, card.metrics.dec_pct) == (None, None)


def test_the_load_of_a_card_on_i915_is_summed_over_clients(machine: Machine) -> None:
    machine.add(IGPU, "i915", UHD)
    files = {}
    for n, name in enumerate(("gnome-shell", "firefox", "mpv")):
        machine.process(900 + n, name)
        files[n] = machine.open(900 + n, 10, i915(n))
    source = machine.source()
    source.read()
    machine.now += 2
    files[0].write_text(i915(0, render=SECOND // 2))
    files[1].write_text(i915(1, render=SECOND // 10))
    files[2].write_text(i915(2, video=SECOND))
    card = only(source)
    assert card.metrics.util_pct == 30
    assert card.processes == (
        GpuProcess(900, "gnome-shell", "render", 4, 25),
        GpuProcess(901, "firefox", "render", 4, 5),
        GpuProcess(902, "mpv", "video", 4, 0),
    )


def test_a_card_that_nobody_uses_is_idle_and_not_unknown(machine: Machine) -> None:
    machine.add(IGPU, "i915", UHD)
    card = only(machine.source())
    assert (card.metrics.util_pct, card.processes) == (0, ())


def test_the_power_of_a_card_on_xe_comes_from_two_readings(machine: Machine) -> None:
    device = machine.add(ARC, "xe", B580)
    source = machine.source()
    assert only(source).metrics.power_w is None
    machine.now += 2
    machine.write(device, {"hwmon/hwmon5/energy1_input": "95000000"})
    assert only(source).metrics.power_w == 45
    (device / "hwmon/hwmon5/energy1_input").unlink()
    (device / "hwmon/hwmon5/energy2_input").unlink()
    machine.now += 1
    assert only(source).metrics.power_w is None


def test_power_is_not_measured_over_a_sleep(machine: Machine) -> None:
    device = machine.add(ARC, "xe", B580)
    machine.add(AMD, "amdgpu", RX)
    source = machine.source()
    source.read()
    machine.write(device, {"power/runtime_status": "suspended"})
    machine.now += 3600
    assert only(source).address == AMD
    machine.write(device, {"power/runtime_status": "active"})
    machine.write(device, {"hwmon/hwmon5/energy1_input": "95000000"})
    reading = source.read().of(ARC)
    assert reading is not None
    assert reading.metrics.power_w is None


def test_readings_right_after_each_other_keep_their_rates(machine: Machine) -> None:
    machine.add(ARC, "xe", B580)
    machine.process(800, "blender")
    file = machine.open(800, 9, xe(3, 1000))
    source = machine.source()
    source.read()
    machine.now += 1
    file.write_text(xe(3, 2000, rcs=500))
    before = source.read()
    machine.now += 0.1
    file.write_text(xe(3, 2010, rcs=510))
    assert source.read() == before


def test_a_process_that_ended_is_gone_at_once(machine: Machine) -> None:
    machine.add(AMD, "amdgpu", RX)
    machine.process(700, "game")
    file = machine.open(700, 5, amdgpu(38))
    source = machine.source()
    assert only(source).processes
    file.unlink()
    machine.now += 1
    assert only(source).processes == ()


def test_the_driver_is_asked_for_at_each_reading(machine: Machine) -> None:
    device = machine.add(AMD, "amdgpu", RX)
    machine.pci.read()
    source = machine.source()
    source.read()
    bind(machine.root / "sys", device, "vfio-pci")
    with pytest.raises(NothingYet, match=NO_CARD):
        source.read()
    bind(machine.root / "sys", device, "amdgpu")
    assert only(source).address == AMD


def test_without_processes_there_are_sensors_all_the_same(machine: Machine) -> None:
    machine.add(AMD, "amdgpu", RX)
    machine.add(ARC, "xe", B580)
    source = DrmSource(machine.pci, machine.root / "none", clock=lambda: machine.now)
    amd, arc = source.read().cards
    assert (amd.processes, arc.processes, arc.metrics.util_pct) == (None, None, None)
    assert (amd.metrics.util_pct, arc.metrics.temp_c) == (37, 48)


def test_a_card_whose_driver_is_not_ready_has_unknown_users(machine: Machine) -> None:
    device = machine.add(IGPU, "i915", UHD)
    (device / "drm").rename(device / "later")
    card = only(machine.source())
    assert (card.processes, card.metrics.util_pct) == (None, None)


def test_a_machine_without_pci(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "sys/bus/pci/devices").rmdir()
    with pytest.raises(HostError, match="no PCI devices"):
        machine.source().read()


def test_it_may_be_closed_twice(machine: Machine) -> None:
    source = machine.source()
    source.watch(lambda: None)
    source.close()
    source.close()


# --- what is never touched ------------------------------------------------------------


@pytest.mark.parametrize("driver", ["nvidia", "vfio-pci", None])
def test_without_such_a_card_nothing_is_done(machine: Machine, driver: str | None) -> None:
    device = machine.add(AMD, driver, RX)
    machine.process(700, "Xorg")
    machine.open(700, 12, amdgpu(38))
    machine.pci.read()
    source = machine.source()
    with opened() as paths, pytest.raises(NothingYet, match=NO_CARD):
        source.read()
    assert not touched(paths, device)
    assert not [path for path in paths if "/proc/" in path]


@pytest.mark.parametrize("status", ["suspended", "suspending", "resuming", "error", "active\x1b"])
@pytest.mark.parametrize(
    ("driver", "attributes"), [("amdgpu", RX), ("xe", B580), ("i915", UHD)]
)  # fmt: skip
def test_a_card_that_is_not_awake_is_left_alone(
    machine: Machine, status: str, driver: str, attributes: dict[str, str]
) -> None:
    device = machine.add(ARC, driver, attributes, {"power/runtime_status": status})
    machine.process(700, "Xorg")
    machine.open(700, 12, xe(3, 1000))
    machine.pci.read()
    source = machine.source()
    with opened() as paths, pytest.raises(NothingToRead, match=ASLEEP):
        source.read()
    assert touched(paths, device) == ["power/runtime_status"]
    assert not [path for path in paths if "/proc/" in path]


def test_a_sleeping_card_is_left_out_and_its_clients_are_not_asked_for(machine: Machine) -> None:
    machine.add(AMD, "amdgpu", RX)
    device = machine.add(ARC, "xe", B580, {"power/runtime_status": "suspended"})
    machine.process(700, "Xorg")
    machine.open(700, 12, amdgpu(38))
    asleep = machine.open(700, 13, xe(3, 1000), node="renderD129")
    source = machine.source()
    with opened() as paths:
        assert only(source).address == AMD
    assert touched(paths, device) == ["class", "power/runtime_status"]
    assert str(asleep) not in paths
    machine.write(device, {"power/runtime_status": "active"})
    machine.now += 1
    with opened() as paths:  # its clients are searched at once, not some seconds later
        assert [card.address for card in source.read().cards] == [AMD, ARC]
    assert str(asleep) in paths


def test_a_kernel_without_power_management_has_no_card_that_sleeps(machine: Machine) -> None:
    device = machine.add(AMD, "amdgpu", RX)
    (device / "power/runtime_status").unlink()
    assert only(machine.source()).metrics.util_pct == 37


def test_only_files_that_are_known_are_read_between_looks(machine: Machine) -> None:
    machine.add(AMD, "amdgpu", RX)
    for pid in range(100, 140):
        machine.process(pid, "sh")
    machine.open(100, 4, amdgpu(7))
    source = machine.source()
    source.read()
    for _ in range(3):
        machine.now += 3
        with opened() as paths:
            source.read()
        assert [p for p in paths if "/proc/" in p] == [str(machine.proc / "100/fdinfo/4")]
    machine.open(101, 4, amdgpu(8))
    machine.now += 1
    pids = [process.pid for process in only(source).processes or ()]
    assert pids == [100, 101]


# --- rest ---------------------------------------------------------------------------


def quiet(machine: Machine, source: DrmSource, seconds: float) -> None:
    """Read every second for this long."""
    for _ in range(int(seconds)):
        machine.now += 1
        source.read()


def test_an_idle_card_that_may_sleep_loses_its_reader(machine: Machine) -> None:
    idle = {"gpu_busy_percent": "0", "power/control": "auto"}
    device = machine.add(AMD, "amdgpu", RX, idle)
    machine.process(700, "Xorg")
    machine.open(700, 12, amdgpu(38, "gfx 5"))  # having it open keeps no card awake
    source = machine.source()
    source.read()
    quiet(machine, source, IDLE_FOR)
    machine.now += 1
    with opened() as paths, pytest.raises(NothingToRead, match=IDLE):
        source.read()
    assert set(touched(paths, device)) <= {"class", "power/runtime_status", "power/control"}
    machine.write(device, {"power/runtime_status": "suspended"})
    with pytest.raises(NothingToRead, match=ASLEEP):
        source.read()
    machine.write(device, {"power/runtime_status": "active"})  # somebody woke it
    assert only(source).address == AMD


def test_a_card_that_does_not_fall_asleep_is_read_on(machine: Machine) -> None:
    machine.add(AMD, "amdgpu", RX, {"gpu_busy_percent": "0", "power/control": "auto"})
    source = machine.source()
    source.read()
    quiet(machine, source, IDLE_FOR)
    machine.now += SUSPEND_GRACE
    source.read()
    quiet(machine, source, HOLD_ANYWAY - 1)


@pytest.mark.parametrize(
    "why",
    [
        {"gpu_busy_percent": "1"},
        {"power/control": "on"},
        {"drm/card0/card0-DP-1/enabled": "enabled", "drm/card0/card0-DP-1/dpms": "On"},
    ],
)
def test_a_card_in_use_keeps_its_reader(machine: Machine, why: dict[str, str]) -> None:
    idle = {
        "gpu_busy_percent": "0", "power/control": "auto",
        "drm/card0/card0-DP-1/enabled": "disabled", "drm/card0/card0-DP-1/dpms": "Off",
    }  # fmt: skip
    machine.add(AMD, "amdgpu", RX, idle, why)
    source = machine.source()
    source.read()
    quiet(machine, source, 3 * IDLE_FOR)


def test_work_that_the_load_does_not_show_keeps_a_card_from_being_released(
    machine: Machine,
) -> None:
    machine.add(AMD, "amdgpu", RX, {"gpu_busy_percent": "0", "power/control": "auto"})
    machine.process(700, "ffmpeg")
    file = machine.open(700, 12, amdgpu(38, "dec 5"))
    source = machine.source()
    source.read()
    for second in range(30):
        machine.now += 1
        file.write_text(amdgpu(38, f"dec {(second + 1) * SECOND // 10}"))
        source.read()


def test_a_card_of_which_the_load_is_not_known_gets_its_chance_to_sleep(machine: Machine) -> None:
    machine.add(ARC, "xe", B580, {"power/control": "auto"})
    (machine.process(700, "theirs") / "fd").rmdir()
    (machine.proc / "700/fd").symlink_to("fd")
    source = machine.source()
    assert only(source).metrics.util_pct is None
    quiet(machine, source, IDLE_FOR)
    with pytest.raises(NothingToRead, match=IDLE):
        source.read()
