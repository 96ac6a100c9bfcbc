"""What is said of a group that cannot be had: everything in the way, and the ways out."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.geometry import Size

from tests.hosts_layout import lay_out
from tests.unit.made import (
    AUDIO,
    HOST_BRIDGE,
    NOON,
    SATA,
    USB,
    card,
    domain,
    function,
    inventory,
    snapshot,
)
from tui.model import (
    CardReading,
    Check,
    Gpu,
    HostDev,
    HostView,
    Inventory,
    Metrics,
    PciFunction,
    listed,
)
from tui.rules import ground
from tui.rules.view import assess
from widgets.details import details_lines
from widgets.gpu_panel import gpu_lines

NVME, NIC, SMBUS = "010802", "020000", "0c0500"
CARD = "0000:02:00.0"


def host(*others: PciFunction, **facts: Any) -> Inventory:
    return inventory(*card("01:00", 1, boot_vga=True), *card("02:00", 2), *others, **facts)


def other(slot: str, code: str, driver: str | None) -> PciFunction:
    return function(slot, code, driver=driver, iommu_group=2, vendor="8086", name="x")


def seen(pci: Inventory) -> tuple[HostView, Gpu]:
    view = assess(snapshot(pci, [domain("win11", "02:00.0")]))
    gpu = view.gpu(CARD)
    assert gpu is not None
    return view, gpu


def check(*others: PciFunction, **facts: Any) -> Check:
    return ground.viable(seen(host(*others, **facts))[1])


DISKS = [other(f"{n:02x}:00.0", NVME, "nvme") for n in range(4, 10)]


@pytest.mark.parametrize("count", range(1, 7))
def test_all_are_named_or_the_first_three_and_how_many_more(count: int) -> None:
    found = check(*DISKS[:count])
    assert found.verdict == "fail"
    named = [f.address for f in DISKS[:count] if f.address in found.why]
    assert named == [f.address for f in DISKS[: min(count, 3)]]
    assert found.why.count("used by the host (nvme)") == min(count, 3)
    assert found.why.endswith(f"and {count - 3} more") == (count > 3)


@pytest.mark.parametrize(
    ("others", "facts", "words", "never"),
    [
        (
            [other("04:00.0", USB, "xhci_hcd")], {"iommu_kind": "amd"},
            ["another slot", "“ACS Enable”", "give 0000:04:00.0 (USB controller) to the guest",
             "do without it", "unbind its driver: `echo 0000:04:00.0 > /sys/bus/pci/devices/"],
            [],
        ),
        (
            [other("04:00.0", NVME, "nvme"), other("05:00.0", NIC, "igb")], {},
            ["0000:04:00.0 (NVMe disk), 0000:05:00.0 (network card)", "do without them"],
            ["“ACS Enable”"],
        ),
        (
            [other("00:00.0", HOST_BRIDGE, "skl_uncore"), other("00:1f.4", SMBUS, "i801_smbus")],
            {},
            ["unbind the driver of each one that the host can spare: `echo ADDRESS >"],
            ["to the guest too"],
        ),
        (
            list(card("03:00", 2)), {}, ["another slot", "ACS"],
            ["to the guest too", "unbind"],
        ),
        (
            [other("04:00.0", SATA, "ahci")], {},
            ["(SATA controller)", "unbind its driver: `echo ADDRESS >"], ["echo 0000:04:00.0"],
        ),
        ([other("04:00.0", AUDIO, "snd_hda_intel")], {}, ["(audio device)"], []),
    ],
)  # fmt: skip
def test_the_ways_out_that_there_are(
    others: list[PciFunction], facts: dict[str, Any], words: list[str], never: list[str]
) -> None:
    found = check(*others, **facts)
    mend = found.mend or ""
    assert [word for word in words if word not in mend] == []
    assert [word for word in never if word in mend] == []
    assert "the guest may reach its neighbours' memory" in mend
    assert found.why not in mend


@pytest.mark.parametrize("managed", [True, False])
def test_what_the_guest_names_already_is_not_to_be_given_to_it(managed: bool) -> None:
    usb, serial = other("04:00.0", USB, "xhci_hcd"), other("05:00.0", "070002", "serial")
    guest = domain("win11", "02:00.0", "02:00.1", "04:00.0", managed=managed)
    nas = domain("nas", "05:00.0", managed=True)
    gpu = assess(snapshot(host(usb, serial), [guest, nas])).gpu(CARD)
    assert gpu is not None
    mend = ground.viable(gpu).mend or ""
    first = (
        "`virsh nodedev-detach pci_0000_04_00_0` first, if the host can do without it: the guest "
        "names it already; or set managed='yes' for 0000:04:00.0, so that libvirt moves it"
    )
    # What libvirt moves by itself has to be moved by nobody.
    assert (first in mend, "nodedev-detach" in mend) == (not managed, not managed)
    assert "give 0000:05:00.0 (serial port) to the guest too" in mend
    alone = assess(snapshot(host(usb), [guest])).gpu(CARD)
    assert alone is not None
    mend = ground.viable(alone).mend or ""
    assert ("to the guest too" in mend, "driver/unbind" in mend) == (False, False)


def test_of_what_two_guests_name_the_one_that_needs_advice_gets_it() -> None:
    usb = other("04:00.0", USB, "xhci_hcd")
    one = domain("a", "02:00.0", "04:00.0", managed=True)
    two = domain("b", "02:00.0", "04:00.0", managed=False)
    for pair in ([one, two], [two, one]):
        gpu = assess(snapshot(host(usb), pair)).gpu(CARD)
        assert gpu is not None
        assert "nodedev-detach pci_0000_04_00_0" in (gpu.viability.mend or "")


def test_libvirt_moves_nothing_that_a_command_line_names() -> None:
    usb = other("04:00.0", USB, "xhci_hcd")
    guest = domain("win11", "02:00.0")
    raw = HostDev("0000:04:00.0", managed=False, by="command line")
    gpu = assess(snapshot(host(usb), [replace(guest, hostdevs=(*guest.hostdevs, raw))])).gpu(CARD)
    assert gpu is not None
    mend = gpu.viability.mend or ""
    assert ("nodedev-detach pci_0000_04_00_0" in mend, "managed=" in mend) == (True, False)


def test_what_is_on_the_board_cannot_be_put_into_another_slot() -> None:
    pci = inventory(
        *card("01:00", 1, boot_vga=True),
        function("00:02.0", driver="i915", iommu_group=2, boot_vga=False),
        other("00:1f.3", AUDIO, "snd_hda_intel"),
    )
    gpu = assess(snapshot(pci)).gpu("0000:00:02.0")
    assert gpu is not None
    assert "slot" not in (ground.viable(gpu).mend or "slot")


@pytest.mark.parametrize(
    ("pci", "words"),
    [
        (inventory(*card("02:00", None), groups=(), iommu_kind=None), "iommu.enabled"),
        (inventory(*card("02:00", 0), noiommu_groups=(0,)), "iommu.enabled"),
        (host(function("04:00.0", SATA, iommu_group=2, unreadable=("driver",))), "root"),
        (host(function("04:00.0", SATA, driver="ahci", unreadable=("iommu_group",))), "root"),
    ],
)
def test_a_fix_is_no_copy_of_the_reason(pci: Inventory, words: str) -> None:
    found = ground.viable(seen(pci)[1])
    assert found.verdict != "pass"
    assert words in (found.mend or "")
    assert words not in found.why


@pytest.mark.parametrize(
    ("gpu", "words", "never"),
    [
        (function("05:00.0", driver="nvidia"), ["another slot", "VMD"], ["igfx_off"]),
        (function("00:02.0", vendor="8086", driver="i915"), ["igfx_off"], ["slot", "VMD"]),
        (function("00:01.0", vendor="1002", driver="amdgpu"), ["dmesg"], ["slot", "igfx_off"]),
        (function("03:00.0", vendor="8086", driver="xe"), ["another slot"], ["igfx_off"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("noiommu", [True, False])
def test_a_card_that_the_iommu_leaves_out(
    gpu: PciFunction, words: list[str], never: list[str], noiommu: bool
) -> None:
    left_out = replace(gpu, iommu_group=9 if noiommu else None, boot_vga=False)
    pci = host(left_out, noiommu_groups=(9,) if noiommu else ())
    shown = assess(snapshot(pci)).gpu(gpu.address)
    assert shown is not None
    found = ground.viable(shown)
    mend = found.mend or ""
    assert found.verdict == "fail"
    assert [word for word in words if word not in mend] == []
    assert [word for word in (*never, "iommu.enabled") if word in mend] == []


def text(lines: list[Any]) -> str:
    return "\n".join("".join(span.text for span in line) for line in lines)


@pytest.mark.parametrize(("width", "height"), [(45, 8), (58, 14), (100, 20)])
def test_the_panel_names_what_blocks_the_card_at_every_size(width: int, height: int) -> None:
    _, gpu = seen(host(*DISKS[:5]))
    lines = gpu_lines(gpu, (), Size(width, height))
    shown = " ".join(text(lines).split())
    assert len(lines) <= height
    for disk in DISKS[:3]:
        assert disk.address.removeprefix("0000:") in shown
    assert "and 2 more" in shown


def test_a_panel_without_room_counts_what_blocks_the_card() -> None:
    _, gpu = seen(host(*DISKS[:5]))
    reading = CardReading(CARD, "nvml", Metrics(util_pct=3))
    lines = gpu_lines(replace(gpu, reading=reading), (), Size(38, 9))
    assert "group 2, blocked by 5 devices" in text(lines)
    assert len(lines) <= 9


def test_the_details_name_all_of_them_and_the_ways_out() -> None:
    view, _ = seen(host(*DISKS))
    shown = " ".join(text(details_lines(CARD, view, NOON, None, 200)).split())
    for disk in DISKS:
        assert f"{disk.address.removeprefix('0000:')}: used by the host (nvme)" in shown
    assert "another slot" in shown


def test_a_list() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


@pytest.mark.parametrize("command", [("doctor",), ("plan", "bind", "02:00.0")])
def test_doctor_and_plan_of_a_captured_host(tmp_path: Path, command: tuple[str, ...]) -> None:
    def there(addr: str, code: str, driver: str) -> dict[str, Any]:
        return {"addr": addr, "class": code, "vendor": "1022", "device": "1483", "driver": driver}

    gpu = {"class": "0300", "vendor": "10de", "driver": "nvidia"}
    blocking = [there(f"0000:0{n}:00.0", "0108", "nvme") for n in range(4, 9)]
    root = lay_out(
        {
            "boot_vga": "0000:01:00.0",
            "groups": {
                "0": [there("0000:00:00.0", "0600", "pcieport")],
                "1": [gpu | {"addr": "0000:01:00.0", "device": "1b81"}],
                "2": [gpu | {"addr": CARD, "device": "2783"}, *blocking],
            },
        },
        tmp_path,
    )
    words = [sys.executable, "-m", "tui", *command, "--json", "--root", str(root)]
    result = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    (found,) = [c for c in json.loads(result.stdout)["checks"] if c["id"] == "iommu.viable"]
    assert found["verdict"] == "fail"
    assert found["why"] == (
        "0000:04:00.0 is used by the host (nvme), 0000:05:00.0 is used by the host (nvme), "
        "0000:06:00.0 is used by the host (nvme) and 2 more"
    )
    assert "“ACS Enable”" in found["mend"]
