"""Copies of /sys and /proc: padded, with other line ends, without links, without unreadable files.

They are read as the originals would be.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts_layout import hosts, lay_out
from tests.thorough import every_third
from tests.unit.captured import CARD, HOST_CARD, SOUND, Command, checks, tower
from tests.unit.host.test_captured_cases import READY
from tui.host.confined import Confined
from tui.host.drm.amdgpu import metrics
from tui.host.facts import FactsSource
from tui.host.pci.source import PciSource
from tui.host.pci.vitals import VitalsSource
from tui.host.readiness.boot import boot
from tui.host.tree import PlainTree, text
from tui.model import Boot, PciFunction

Copy = Callable[[bytes], bytes]

COPIES: list[Copy] = [
    lambda data: data.ljust(4096, b"\0"),
    lambda data: data.ljust(65536, b"\0"),
    lambda data: data + b"\0",
    lambda data: data + b"\0\n\0garbage",
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: (data + b"\n").replace(b"\n", b"\r\n") + b"\0" * 100,
    lambda data: data.rstrip(b"\n"),
    lambda data: b"\xef\xbb\xbf" + data,
]


def copied(place: Path, copy: Copy, folder: str = "") -> None:
    """Change every file below to what the copy has; binary files stay as they are."""
    for file in sorted((place / folder).rglob("*")):
        if file.is_file() and not file.is_symlink() and file.name != "config":
            file.write_bytes(copy(file.read_bytes()))


@pytest.mark.parametrize("copy", COPIES)
def test_a_copied_host_is_judged_as_the_host(vfiotop: Command, tmp_path: Path, copy: Copy) -> None:
    boot_files = {"etc/os-release": "ID=debian\n", "etc/default/grub": "GRUB_CMDLINE_LINUX=quiet\n",
                  "etc/modprobe.d/a.conf": "# a\nblacklist vfio-pci\n"}  # fmt: skip
    root = tower(tmp_path / "tower", READY | boot_files)
    before = verdicts(vfiotop("doctor", "--root", root))
    assert before["vfio.available"] == "warn"
    copied(root, copy)
    after = vfiotop("doctor", "--root", root)
    assert verdicts(after) == before
    assert "line 2" in checks(after)["vfio.available"]["fix"]


@pytest.mark.parametrize("copy", every_third(COPIES))
def test_every_real_host_is_read_from_a_copy(tmp_path: Path, copy: Copy) -> None:
    root = lay_out(hosts()["13-x399-gtx1080-gtx1060"], tmp_path / "x399")
    before = PciSource(Confined(str(root))).read()
    copied(root, copy)
    assert PciSource(Confined(str(root))).read() == before
    assert not [f for f in before.functions if f.unreadable]


AMDGPU = {
    "gpu_busy_percent": "3\n", "mem_info_vram_total": "17163091968\n",
    "mem_info_vram_used": "668274688\n", "hwmon/hwmon5/name": "amdgpu\n",
    "hwmon/hwmon5/temp1_input": "56000\n", "hwmon/hwmon5/power1_average": "36000000\n",
    "hwmon/hwmon5/fan1_input": "0\n", "hwmon/hwmon5/fan1_max": "3400\n",
}  # fmt: skip


@pytest.mark.parametrize("copy", COPIES)
def test_sensors_of_a_copy(tmp_path: Path, copy: Copy) -> None:
    """An RX 6900 XT from a bug report, whose attributes are padded to 4096 bytes."""
    for name, content in AMDGPU.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(copy(content.encode()))
    found = metrics(PlainTree(tmp_path))
    assert (found.util_pct, found.temp_c, found.power_w, found.fan_pct) == (3.0, 56.0, 36.0, 0.0)
    assert (found.mem_total_mib, round(found.mem_used_mib or 0)) == (16368.0, 637)


def test_a_padded_binary_stays_whole(tmp_path: Path) -> None:
    """LoaderInfo is UTF-16: half of it is NULs."""
    place = tmp_path / ("sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
    place.parent.mkdir(parents=True)
    place.write_bytes(b"\x06\0\0\0" + "systemd-boot 255\0".encode("utf-16-le"))
    assert boot(Confined(str(tmp_path))) == Boot("systemd-boot")


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {name: check["verdict"] for name, check in checks(found).items()}


def function(root: Path) -> PciFunction:
    return next(f for f in PciSource(Confined(str(root))).read().functions if f.address == CARD)


UEVENT = (
    "DRIVER=nvidia\nPCI_CLASS=30000\nPCI_ID=10DE:2482\nPCI_SUBSYS_ID=1043:8825\n"
    f"PCI_SLOT_NAME={CARD}\nMODALIAS=pci:v000010DEd00002482\n"
)


@pytest.mark.parametrize("lost", [("driver",), ("iommu_group",), ("vendor", "device", "class")])
def test_what_a_copy_has_lost_is_taken_from_what_it_has(
    tmp_path: Path, lost: tuple[str, ...]
) -> None:
    """Archives for other systems lose links; truncated copies lose attributes."""
    root = tower(tmp_path / "tower")
    card = root / "sys/bus/pci/devices" / CARD
    (card / "uevent").write_text(UEVENT)
    before = function(root)
    for name in lost:
        (card / name).unlink()
    assert function(root) == before
    for name in lost:
        (card / name).mkdir()  # what `cp -L` makes of a link
    assert function(root) == before


def test_a_uevent_of_a_function_without_driver(tmp_path: Path) -> None:
    root = tower(tmp_path / "tower", driver=None)
    card = root / "sys/bus/pci/devices" / CARD
    (card / "uevent").write_text(UEVENT.partition("\n")[2])
    assert function(root).driver is None
    (card / "uevent").write_text("DRIVER=\x1b[2J\n")
    assert (function(root).driver, function(root).unreadable) == (None, ("uevent",))


def test_empty_attributes_are_not_known(vfiotop: Command, tmp_path: Path) -> None:
    """As written by archivers that go by the sizes that /proc and sysfs report."""
    root = tower(tmp_path / "tower", READY)
    copied(root, lambda data: b"", "proc")
    (root / f"sys/bus/pci/devices/{CARD}/boot_vga").write_text("")
    found = checks(vfiotop("doctor", "--root", root))
    assert found["host.not-shared"]["verdict"] == "unknown"
    assert found["nvidia.release"]["verdict"] == "fail"  # sys/module has the version too
    shutil.rmtree(root / "sys/module")
    assert checks(vfiotop("doctor", "--root", root))["nvidia.release"]["verdict"] == "unknown"


def test_a_name_is_cut_at_the_first_nul(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/hostname").write_bytes(b"tower\n".ljust(4096, b"\0"))
    assert FactsSource(Confined(str(tmp_path))).read().name == "tower"


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\0\r")), st.binary())
def test_text_ends_at_the_first_nul(told: str, rest: bytes) -> None:
    assert text(told.encode() + b"\0" + rest) == told
    assert text(told.encode()) == told


# --- what a copy has lost altogether ----------------------------------------------


def without_driver_links(root: Path) -> None:
    for link in (root / "sys/bus/pci/devices").glob("*/driver"):
        link.unlink()


def test_drivers_are_taken_from_the_folders_that_list_their_devices(
    vfiotop: Command, tmp_path: Path
) -> None:
    root = tower(tmp_path / "tower", READY)
    before = function(root), verdicts(vfiotop("doctor", "--root", root))
    without_driver_links(root)
    assert (function(root), verdicts(vfiotop("doctor", "--root", root))) == before
    pci = PciSource(Confined(str(root)))
    drivers = [f.driver for f in pci.read().gpus]
    assert [card.driver for card in VitalsSource(pci).read().cards] == drivers == ["nvidia"] * 2


@pytest.mark.parametrize(
    ("file", "text", "driver", "unreadable"),
    [
        (None, "", None, ("driver",)),
        (f"sys/bus/pci/devices/{CARD}/uevent", "", None, ("driver",)),
        (f"sys/bus/pci/devices/{CARD}/uevent", "PCI_ID=10DE:2482\n", None, ()),
        (f"sys/bus/pci/devices/{HOST_CARD}/uevent", "DRIVER=nvidia\n", None, ()),
        (f"sys/bus/pci/drivers/nvidia/{HOST_CARD}", "", None, ()),
        (f"sys/bus/pci/drivers/nvidia/{CARD}", "", "nvidia", ()),
        (f"sys/bus/pci/drivers/\x1b/{CARD}", "", None, ("driver",)),
    ],
)
def test_a_copy_without_any_driver_does_not_tell_that_there_are_none(
    vfiotop: Command, tmp_path: Path, file: str | None, text: str, driver: str | None,
    unreadable: tuple[str, ...],
) -> None:  # fmt: skip
    root = tower(tmp_path / "tower", READY)
    without_driver_links(root)
    shutil.rmtree(root / "sys/bus/pci/drivers")
    if file is not None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    assert (function(root).driver, function(root).unreadable) == (driver, unreadable)
    if unreadable:
        found = verdicts(vfiotop("doctor", "--root", root))
        assert (found["iommu.viable"], found["nvidia.release"]) == ("unknown", "unknown")


def test_an_address_that_two_drivers_list(tmp_path: Path) -> None:
    root = tower(tmp_path / "tower")
    without_driver_links(root)
    (root / "sys/bus/pci/drivers/vfio-pci").mkdir()
    (root / "sys/bus/pci/drivers/vfio-pci" / CARD).touch()
    assert function(root).driver is None


LEFT_OUT = "0000:0b:00.0"


def test_a_member_of_a_group_that_was_not_captured(vfiotop: Command, tmp_path: Path) -> None:
    """It may be a bridge, and it may be on a host driver."""
    root = tower(tmp_path / "tower", READY)
    (root / "sys/kernel/iommu_groups/17/devices" / LEFT_OUT).touch()
    (root / "sys/kernel/iommu_groups/17/devices/fd4a0000.ethernet").touch()
    inventory = PciSource(Confined(str(root))).read()
    assert [f.address for f in inventory.functions] == [HOST_CARD, CARD, SOUND, LEFT_OUT]
    found = checks(vfiotop("doctor", "--root", root))
    assert found["iommu.viable"]["verdict"] == "unknown"
    assert LEFT_OUT in found["iommu.viable"]["why"]
    assert found["guest.devices"]["verdict"] == "unknown"
    other = checks(vfiotop("plan", "bind", HOST_CARD, "--root", root))["iommu.viable"]
    assert other["verdict"] == "pass"


def test_groups_that_have_lost_all_their_members(vfiotop: Command, tmp_path: Path) -> None:
    root = tower(tmp_path / "tower", READY)
    for link in (root / "sys/bus/pci/devices").glob("*/iommu_group"):
        link.unlink()
    assert function(root).iommu_group == 17
    for folder in (root / "sys/kernel/iommu_groups").glob("*/devices"):
        shutil.rmtree(folder)
    inventory = PciSource(Confined(str(root))).read()
    assert (inventory.groups, inventory.groups_known) == ((), False)
    found = verdicts(vfiotop("doctor", "--root", root))
    assert (found["iommu.enabled"], found["iommu.viable"]) == ("unknown", "unknown")


def test_a_copy_of_a_host_without_groups_tells_that(tmp_path: Path) -> None:
    inventory = PciSource(Confined(str(tower(tmp_path / "tower", groups=False)))).read()
    assert (inventory.groups, inventory.groups_known) == ((), True)


def test_one_group_that_has_lost_its_members(vfiotop: Command, tmp_path: Path) -> None:
    """The card may be in it. A group of other than PCI devices has its members."""
    root = tower(tmp_path / "tower", READY)
    group, other = (root / f"sys/kernel/iommu_groups/{n}/devices" for n in (17, 3))
    for address in (CARD, SOUND):
        (root / "sys/bus/pci/devices" / address / "iommu_group").unlink()
        (group / address).rename(tmp_path / address)
    found = checks(vfiotop("plan", "bind", CARD, "--root", root))["iommu.viable"]
    assert found["verdict"] == "unknown"
    shutil.rmtree(group.parent)
    other.mkdir(parents=True)
    (other / "fd4a0000.ethernet").touch()
    found = checks(vfiotop("plan", "bind", CARD, "--root", root))["iommu.viable"]
    assert found["verdict"] == "fail"
