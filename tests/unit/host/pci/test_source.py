"""PCI functions, groups and vitals from a sysfs tree, and what reading them never touches."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hosts_layout import add_function, add_group, bind, lay_out, link
from tests.unit.made import NOON
from tui.host import HostError
from tui.host.facts import FactsSource
from tui.host.pci.removal import STUCK_AFTER, Removals
from tui.host.pci.source import PciSource
from tui.host.pci.vitals import VitalsSource
from tui.host.tree import PlainTree
from tui.model import Bar, BarSizes, CardVitals, HostFacts, Link, PciFunction, Removal

GPU = {
    "addr": "0000:01:00.0", "class": "0300", "vendor": "10de", "device": "2684",
    "driver": "nvidia", "subsystem": "1043:88e2",
}  # fmt: skip
AUDIO = {**GPU, "addr": "0000:01:00.1", "class": "0403", "driver": "snd_hda_intel"}
LINK = {
    "max_link_speed": "16.0 GT/s PCIe", "max_link_width": "16",
    "current_link_speed": "2.5 GT/s PCIe", "current_link_width": "8",
}  # fmt: skip
LOCKED = ("driver_override", "sriov_numvfs", "uevent")

_opened: list[str] | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_hear)


@contextmanager
def opened() -> Iterator[list[str]]:
    """The paths of all files that Python opens in the block, from its audit events."""
    global _opened  # noqa: PLW0603 - an audit hook cannot be taken away, only be told to rest
    paths: list[str] = []
    _opened = paths
    try:
        yield paths
    finally:
        _opened = None


class Machine:
    """A host with one card in group 7, which tests change."""

    def __init__(self, root: Path) -> None:
        lay_out({"groups": {"7": [GPU, AUDIO]}, "boot_vga": GPU["addr"]}, root)
        self.root = root
        self.sys = root / "sys"
        self.card = self.at(GPU["addr"])
        self.write(self.card, **LINK)

    def at(self, address: str) -> Path:
        return (self.sys / "bus/pci/devices" / address).resolve()

    def write(self, device: Path, /, **attributes: str) -> None:
        for name, text in attributes.items():
            (device / name).write_text(text + "\n")

    def status(self, text: str) -> None:
        (self.card / "power/runtime_status").write_text(text + "\n")

    def gpu(self) -> PciFunction:
        (gpu,) = PciSource(PlainTree(self.root)).read().gpus
        return gpu

    def vitals(self, pci: PciSource | None = None) -> CardVitals:
        (card,) = VitalsSource(pci or PciSource(PlainTree(self.root))).read().cards
        return card


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# --- functions ----------------------------------------------------------------


def test_all_that_sysfs_tells_of_a_card(machine: Machine) -> None:
    none = "0x0000000000000000 0x0000000000000000 0x0000000000000000"
    machine.write(
        machine.card,
        reset_method="flr bus",
        numa_node="-1",
        sriov_totalvfs="16",
        resource="\n".join(
            [
                "0x0000000081000000 0x0000000081ffffff 0x0000000000040200",
                "0x0000006000000000 0x00000067ffffffff 0x000000000014220c",
                none,
                none,
                none,
                "0x0000000000003000 0x000000000000307f 0x0000000000040101",
                "0x0000000082000000 0x000000008207ffff 0x0000000000046200",
            ]
        ),
    )
    machine.write(machine.at(AUDIO["addr"]), numa_node="1")
    found = PciSource(PlainTree(machine.root)).read()
    card, audio = found.functions
    assert (card.address, card.vendor, card.device, card.class_code) == (
        "0000:01:00.0", "10de", "2684", "030000",
    )  # fmt: skip
    assert (card.subsystem, card.driver, card.iommu_group) == ("1043:88e2", "nvidia", 7)
    assert (card.boot_vga, audio.boot_vga) == (True, None)
    assert card.reset_methods == ("flr", "bus")
    assert card.link_max == Link(16.0, 16)
    assert card.bars == (
        Bar(0, 16 << 20),
        Bar(1, 32 << 30, prefetchable=True),
        Bar(5, 128, io=True),
    )
    assert card.sriov_total_vfs == 16
    assert (card.numa_node, audio.numa_node) == (None, 1)
    assert (card.unreadable, audio.unreadable) == ((), ())
    assert found.gpus == (card,)


@pytest.mark.parametrize("kind", ["0300", "0403"])
def test_more_gpus_than_a_host_has(tmp_path: Path, kind: str) -> None:
    """Every rule compares them with each other."""
    (tmp_path / "function").mkdir()
    for name, text in {"vendor": "0x10de", "device": "0x2684", "class": f"0x{kind}00"}.items():
        (tmp_path / "function" / name).write_text(f"{text}\n")
    devices = tmp_path / "sys/bus/pci/devices"
    devices.mkdir(parents=True)
    for n in range(1025):
        (devices / f"{n:04x}:00:00.0").symlink_to(tmp_path / "function")
    source = PciSource(PlainTree(tmp_path))
    if kind == "0300":
        with pytest.raises(HostError, match="lists more than 1024 GPUs"):
            source.read()
    else:
        assert len(source.read().functions) == 1025


def test_the_sizes_of_a_resizable_register(machine: Machine) -> None:
    assert machine.gpu().resizable == ()
    machine.write(machine.card, resource1_resize="0000000000001fc0")
    sizes = tuple(1 << (20 + bit) for bit in range(6, 13))
    assert machine.gpu().resizable == (BarSizes(1, sizes),)
    machine.write(machine.card, resource1_resize="0x1fc0")
    assert machine.gpu().resizable is None


def test_the_register_of_a_sleeping_card_is_not_read(machine: Machine) -> None:
    """Reading it would wake the card; what it was while awake still holds."""
    machine.write(machine.card, resource1_resize="0000000000000100")
    pci = PciSource(PlainTree(machine.root))
    awake = pci.read().gpus[0].resizable
    machine.status("suspended")
    with opened() as paths:
        asleep = pci.read().gpus[0].resizable
        fresh = machine.gpu().resizable
    assert (asleep, fresh) == (awake, None)
    assert not [path for path in paths if "resize" in path]


def test_the_ports_above_a_card_are_the_way_to_it(machine: Machine) -> None:
    assert machine.gpu().ports == ()
    switch = machine.sys / "devices/pci0000:00/0000:00:01.1/0000:02:00.0"
    switch.mkdir(parents=True)
    machine.card.rename(switch / GPU["addr"])
    place = machine.sys / "bus/pci/devices" / GPU["addr"]
    place.unlink()
    link(place, switch / GPU["addr"])
    assert machine.gpu().ports == ("0000:00:01.1", "0000:02:00.0")


def test_an_old_kernel_tells_less(machine: Machine) -> None:
    card = machine.gpu()
    assert (card.reset_methods, card.sriov_total_vfs, card.numa_node) == (None, None, None)
    assert (card.bars, card.unreadable) == ((), ())


def test_a_link_of_unknown_width_is_none(machine: Machine) -> None:
    machine.write(machine.card, max_link_speed="Unknown", max_link_width="255")
    card = machine.gpu()
    assert (card.link_max, card.unreadable) == (None, ())


def test_the_driver_may_change_between_readings(machine: Machine) -> None:
    source = PciSource(PlainTree(machine.root))
    for driver in ("nvidia", None, "vfio-pci"):
        bind(machine.sys, machine.card, driver)
        assert [gpu.driver for gpu in source.read().gpus] == [driver]


@pytest.mark.parametrize(
    ("driver", "text", "enabled"),
    [("vfio-pci", "0", 0), ("vfio-pci", "2", 2), ("vfio-pci", "-1", None), ("nvidia", "1", None)],
)
def test_how_often_a_card_on_vfio_is_enabled(
    machine: Machine, driver: str, text: str, enabled: int | None
) -> None:
    device = machine.at(GPU["addr"])
    bind(machine.root / "sys", device.resolve(), driver)
    machine.write(device, enable=text)
    assert machine.vitals().enabled == enabled


def test_an_old_capture_does_not_tell_whether_a_card_is_enabled(machine: Machine) -> None:
    bind(machine.root / "sys", machine.at(GPU["addr"]).resolve(), "vfio-pci")
    assert machine.vitals().enabled is None


def test_the_shares_of_a_card(machine: Machine) -> None:
    """Without the folder of their types there are none."""
    one = "c2177883-f1bb-47f0-914d-32a22e3a8804"
    (machine.at(GPU["addr"]) / one).mkdir()
    assert machine.gpu().mdevs == ()
    (machine.at(GPU["addr"]) / "mdev_supported_types").mkdir()
    assert machine.gpu().mdevs == (one,)


@pytest.mark.parametrize(
    ("attribute", "field", "value"),
    [
        ("vendor", "vendor", "ffff"),
        ("device", "device", "ffff"),
        ("boot_vga", "boot_vga", None),
        ("resource", "bars", ()),
        ("numa_node", "numa_node", None),
        ("reset_method", "reset_methods", None),
        ("subsystem_vendor", "subsystem", None),
        ("max_link_speed", "link_max", None),
    ],
)
def test_an_attribute_that_cannot_be_read_is_named(
    machine: Machine, attribute: str, field: str, value: object
) -> None:
    (machine.card / attribute).unlink(missing_ok=True)
    (machine.card / attribute).symlink_to("/proc/self/mem")  # reading its start is EIO
    card = machine.gpu()
    assert getattr(card, field) == value
    assert card.unreadable == (attribute,)
    assert (card.driver, card.iommu_group) == ("nvidia", 7)


@pytest.mark.parametrize("missing", ["vendor", "device", "class"])
def test_a_function_without_its_ids_is_still_in_its_group(machine: Machine, missing: str) -> None:
    (machine.at(AUDIO["addr"]) / missing).unlink()
    audio = PciSource(PlainTree(machine.root)).read().functions[1]
    assert audio.unreadable == (missing,)
    assert "ffff" in (audio.vendor, audio.device, audio.class_code[:4])
    assert (audio.iommu_group, audio.driver) == (7, "snd_hda_intel")


def test_a_function_that_went_away_is_left_out(machine: Machine) -> None:
    gone = machine.sys / "bus/pci/devices/0000:02:00.0"
    gone.symlink_to("../../../devices/pci0000:00/0000:02:00.0")
    found = PciSource(PlainTree(machine.root)).read()
    assert [f.address for f in found.functions] == [GPU["addr"], AUDIO["addr"]]


def test_what_is_no_address_is_no_function(machine: Machine) -> None:
    for name in ("0000:01:00", "0000:01:00.8", "README", "0000:01:00.0 ", "\x1b[31m"):
        (machine.sys / "bus/pci/devices" / name).mkdir()
    long = {**GPU, "addr": "10000:e0:06.0", "class": "0604", "driver": "pcieport"}
    add_function(machine.sys, long)
    found = [f.address for f in PciSource(PlainTree(machine.root)).read().functions]
    assert found == [GPU["addr"], AUDIO["addr"], "10000:e0:06.0"]


def test_a_machine_without_pci_devices(tmp_path: Path) -> None:
    lay_out({"groups": {}, "boot_vga": None}, tmp_path)
    found = PciSource(PlainTree(tmp_path)).read()
    assert (found.functions, found.groups, found.iommu_kind) == ((), (), None)


def test_a_machine_without_pci(tmp_path: Path) -> None:
    pci = PciSource(PlainTree(tmp_path))
    with pytest.raises(HostError, match=r"no PCI devices: there is no .*is sysfs mounted"):
        pci.read()
    with pytest.raises(HostError, match="no PCI devices"):
        VitalsSource(pci).read()


def test_devices_that_cannot_be_listed(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/pci").mkdir(parents=True)
    (tmp_path / "sys/bus/pci/devices").write_text("")
    with pytest.raises(HostError, match="Not a directory"):
        PciSource(PlainTree(tmp_path)).read()


# --- IOMMU --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ("dmar3", "intel"),
        ("ivhd0", "amd"),
        ("smmu3.0x000000002b400000", "smmu"),
        ("arm-smmu.0", "smmu"),
        ("virtio", None),
    ],
)
def test_the_kind_of_the_iommu(tmp_path: Path, entry: str, kind: str | None) -> None:
    lay_out({"groups": {}, "boot_vga": None}, tmp_path)
    (tmp_path / "sys/class/iommu" / entry).mkdir()
    assert PciSource(PlainTree(tmp_path)).read().iommu_kind == kind


def test_groups_are_listed_with_those_of_other_buses(machine: Machine) -> None:
    for name in ("12", "3", "x", "-1"):
        (machine.sys / "kernel/iommu_groups" / name).mkdir()
    found = PciSource(PlainTree(machine.root)).read()
    assert (found.groups, found.noiommu_groups) == ((3, 7, 12), ())


def test_a_kernel_without_iommu(machine: Machine) -> None:
    for address in (GPU["addr"], AUDIO["addr"]):
        (machine.at(address) / "iommu_group").unlink()
    (machine.sys / "kernel/iommu_groups").rename(machine.root / "elsewhere")
    found = PciSource(PlainTree(machine.root)).read()
    assert found.groups == ()
    assert [(f.iommu_group, f.unreadable) for f in found.functions] == [(None, ()), (None, ())]


def test_a_noiommu_group(machine: Machine) -> None:
    other = {**GPU, "addr": "0000:02:00.0"}
    add_group(machine.sys, "9", add_function(machine.sys, other), name="vfio-noiommu")
    found = PciSource(PlainTree(machine.root)).read()
    assert (found.groups, found.noiommu_groups) == ((7, 9), (9,))


def test_a_group_whose_name_cannot_be_read_is_unknown(machine: Machine) -> None:
    (machine.sys / "kernel/iommu_groups/7/name").mkdir()
    other = {**GPU, "addr": "0000:02:00.0"}
    add_group(machine.sys, "9", add_function(machine.sys, other))
    found = PciSource(PlainTree(machine.root)).read()
    assert [f.unreadable for f in found.functions] == [("iommu_group",), ("iommu_group",), ()]


# --- what is never touched ----------------------------------------------------


def test_attributes_that_take_the_device_lock_are_never_opened(machine: Machine) -> None:
    for device in (machine.card, machine.at(AUDIO["addr"])):
        machine.write(device, **dict.fromkeys(LOCKED, "0"))
    pci = PciSource(PlainTree(machine.root))
    vitals = VitalsSource(pci)
    with opened() as paths:
        for _ in range(2):
            pci.read()
            vitals.read()
    assert len(paths) > 20  # the audit hook works
    assert not [path for path in paths if path.endswith(LOCKED)]


def test_pci_ids_is_read_for_what_is_new_only(machine: Machine) -> None:
    (machine.root / "usr/share/misc").mkdir(parents=True)
    (machine.root / "usr/share/misc/pci.ids").write_text("10de  NVIDIA\n\t2684  AD102\n")
    pci = PciSource(PlainTree(machine.root))
    for wanted in (1, 0, 1):
        with opened() as paths:
            pci.read()
        assert len([path for path in paths if path.endswith("misc/pci.ids")]) == wanted
        if not wanted:
            add_function(machine.sys, {**GPU, "addr": "0000:05:00.0", "device": "2783"})


@pytest.mark.parametrize("status", ["suspended", "suspending", "resuming", "error", "unsupported"])
def test_a_card_that_may_sleep_is_not_asked_for_its_link(machine: Machine, status: str) -> None:
    machine.status(status)
    machine.write(machine.card, power_state="D3cold")
    pci = PciSource(PlainTree(machine.root))
    with opened() as paths:
        (gpu,) = pci.read().gpus
        card = machine.vitals(pci)
    assert paths
    assert not [path for path in paths if "_link_" in path]
    assert gpu.link_max is None
    assert card == CardVitals(gpu.address, status, "D3cold", None, "nvidia")


def test_a_status_that_cannot_be_read_wakes_nothing(machine: Machine) -> None:
    machine.status("active\x1b")
    pci = PciSource(PlainTree(machine.root))
    with opened() as paths:
        (gpu,) = pci.read().gpus
        card = machine.vitals(pci)
    assert not [path for path in paths if "_link_" in path]
    assert gpu.unreadable == ("power/runtime_status",)
    assert (card.runtime_status, card.link) == (None, None)


def test_a_function_costs_few_files(machine: Machine) -> None:
    pci = PciSource(PlainTree(machine.root))
    pci.read()
    with opened() as before:
        pci.read()
    for n in range(20):
        add_function(machine.sys, {**AUDIO, "addr": f"0000:03:{n:02x}.0"})
    pci.read()
    with opened() as after:
        pci.read()
    assert len(after) - len(before) <= 20 * 10


# --- vitals -------------------------------------------------------------------


def test_the_vitals_of_a_card(machine: Machine) -> None:
    wanted = CardVitals("0000:01:00.0", "active", "D0", Link(2.5, 8), "nvidia")
    assert machine.vitals() == wanted
    pci = PciSource(PlainTree(machine.root))
    pci.read()
    assert machine.vitals(pci) == wanted


def test_a_kernel_without_power_management_tells_the_link(machine: Machine) -> None:
    (machine.card / "power/runtime_status").unlink()
    (machine.card / "power_state").unlink()
    assert machine.vitals() == CardVitals("0000:01:00.0", None, None, Link(2.5, 8), "nvidia")
    assert machine.gpu().link_max == Link(16.0, 16)


def test_vitals_see_a_driver_go(machine: Machine) -> None:
    pci = PciSource(PlainTree(machine.root))
    pci.read()
    bind(machine.sys, machine.card, None)
    assert machine.vitals(pci).driver is None
    bind(machine.sys, machine.card, "vfio-pci")
    assert machine.vitals(pci).driver == "vfio-pci"


def test_a_driver_that_does_not_release_its_device(machine: Machine) -> None:
    entry = machine.root / "proc/driver/nvidia/gpus/0000:01:00.0"
    entry.mkdir(parents=True)
    clock = [100.0]
    pci = PciSource(PlainTree(machine.root))
    source = VitalsSource(
        pci, Removals(PlainTree(machine.root), clock=lambda: clock[0], now=lambda: NOON)
    )

    def removal() -> Removal | None:
        (card,) = source.read().cards
        return card.removal

    assert removal() is None
    bind(machine.sys, machine.card, None)
    assert removal() == Removal("nvidia", NOON)
    clock[0] += STUCK_AFTER - 0.1
    assert removal() == Removal("nvidia", NOON)
    clock[0] += 0.1
    assert removal() == Removal("nvidia", NOON, stuck=True)
    entry.rmdir()
    assert removal() is None
    entry.mkdir()
    assert removal() == Removal("nvidia", NOON)  # another removal, with its own time
    bind(machine.sys, machine.card, "nvidia")
    assert removal() is None


def test_a_card_that_went_away_has_no_vitals(machine: Machine) -> None:
    pci = PciSource(PlainTree(machine.root))
    pci.read()
    machine.card.rename(machine.root / "elsewhere")
    assert VitalsSource(pci).read().cards == ()
    assert pci.read().gpus == ()


def test_the_fastest_link_of_a_sleeping_card_is_remembered(machine: Machine) -> None:
    source = PciSource(PlainTree(machine.root))
    assert source.read().gpus[0].link_max == Link(16.0, 16)
    machine.status("suspended")
    assert source.read().gpus[0].link_max == Link(16.0, 16)
    machine.write(machine.card, device="0x2704")  # another card in the same slot
    assert source.read().gpus[0].link_max is None


def test_a_card_that_wakes_up_has_its_fastest_link_read(machine: Machine) -> None:
    machine.status("suspended")
    wakes: list[bool] = []
    pci = PciSource(PlainTree(machine.root))
    pci.watch(lambda: wakes.append(True))
    vitals = VitalsSource(pci)
    pci.read()
    vitals.read()
    assert not wakes
    machine.status("active")
    vitals.read()
    vitals.read()
    assert wakes == [True]
    assert pci.read().gpus[0].link_max == Link(16.0, 16)
    vitals.read()
    assert wakes == [True]


# --- facts --------------------------------------------------------------------


def test_the_facts_of_this_host() -> None:
    uname = os.uname()
    facts = FactsSource().read()
    assert (facts.name, facts.kernel, facts.captured) == (uname.nodename, uname.release, False)


def test_the_facts_of_a_captured_host(tmp_path: Path) -> None:
    source = FactsSource(PlainTree(tmp_path))
    assert source.read() == HostFacts("unknown", "unknown", captured=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_bytes(b"tower\x1b[2J\xff\n")
    assert source.read() == HostFacts("tower[2J\ufffd", "unknown", captured=True)
    kernel = tmp_path / "proc/sys/kernel"
    kernel.mkdir(parents=True)
    link(kernel / "hostname", kernel)
    (kernel / "osrelease").write_text("6.12.0\n")
    assert source.read() == HostFacts("tower[2J\ufffd", "6.12.0", captured=True)


@pytest.mark.parametrize(
    ("text", "chassis"),
    [("10\n", 10), ("3", 3), ("35\n\0\0", 35), ("", None), ("laptop\n", None), ("-1\n", None)],
)
def test_the_case_of_a_host(tmp_path: Path, text: str, chassis: int | None) -> None:
    place = tmp_path / "sys/class/dmi/id"
    place.mkdir(parents=True)
    assert FactsSource(PlainTree(tmp_path)).read().chassis is None
    (place / "chassis_type").write_text(text)
    found = FactsSource(PlainTree(tmp_path)).read()
    assert (found.chassis, found.captured) == (chassis, True)
    assert FactsSource().read().captured is False
