"""Messages about a group that VFIO cannot claim: all blockers, and the ways out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
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
    Holders,
    HostDev,
    HostFacts,
    HostView,
    Inventory,
    Metrics,
    PciFunction,
    Readiness,
    listed,
)
from tui.rules import host_checks, hostdev_checks, isolation
from tui.rules.check_input import CheckInput
from tui.rules.viability import viability
from tui.rules.view import assess
from widgets.card import Card
from widgets.card_lines import card_lines
from widgets.card_zoom import zoomed_lines
from widgets.graph_grid import Times

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
    return host_checks.viable(seen(host(*others, **facts))[1])


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
            ["try another slot, or turn on “ACS Enable” in the firmware", "give it to the guest",
             "if the host can spare it"],
            ["unbind"],
        ),
        (
            [other("04:00.0", NVME, "nvme"), other("05:00.0", NIC, "igb")], {},
            ["give them to the guest", "spare them"], ["“ACS Enable”", "nodedev-detach", "unbind"],
        ),
        (
            [other("00:00.0", HOST_BRIDGE, "skl_uncore"), other("00:1f.4", SMBUS, "i801_smbus")],
            {},
            ["unbind their drivers, if the host can spare them"],
            ["to the guest", "the guest these"],
        ),
        ([other("00:1f.4", SMBUS, "i801_smbus")], {}, ["unbind its driver, if"], ["to the guest"]),
        (
            list(card("03:00", 2)), {}, ["another slot", "ACS"],
            ["to the guest", "unbind"],
        ),
        # giving up the disk does not help while the other card is there
        ([*card("03:00", 2), other("04:00.0", NVME, "nvme")], {}, ["another slot", "ACS"],
         ["the guest these", "to the guest", "unbind", "spare"]),
        ([other("04:00.0", SATA, "ahci")], {"iommu_kind": "intel"},
         ["ACS in the firmware if it has that setting", "to the guest"], ["“ACS Enable”"]),
        ([other("04:00.0", AUDIO, "snd_hda_intel")], {}, ["give it to the guest"], []),
    ],
)  # fmt: skip
def test_the_ways_out_that_there_are(
    others: list[PciFunction], facts: dict[str, Any], words: list[str], never: list[str]
) -> None:
    found = check(*others, **facts)
    fix = found.fix or ""
    assert [word for word in words if word not in fix] == []
    assert [word for word in never if word in fix] == []
    assert isolation.OVERRIDE in fix
    assert found.why not in fix
    assert not [f.address for f in others if f.address in fix], "the reason names them"


@pytest.mark.parametrize("managed", [True, False])
def test_what_the_guest_names_already_is_not_to_be_given_to_it(managed: bool) -> None:
    usb, serial = other("04:00.0", USB, "xhci_hcd"), other("05:00.0", "070002", "serial")
    guest = domain("win11", "02:00.0", "02:00.1", "04:00.0", managed=managed)
    nas = domain("nas", "05:00.0", managed=True)
    gpu = assess(snapshot(host(usb, serial), [guest, nas])).gpu(CARD)
    assert gpu is not None
    fix = host_checks.viable(gpu).fix or ""
    assert "give the guest the rest, if the host can spare it" in fix
    alone = assess(snapshot(host(usb), [guest])).gpu(CARD)
    assert alone is not None
    fix = host_checks.viable(alone).fix or ""
    command = "`virsh -c qemu:///system nodedev-detach pci_0000_04_00_0`"
    # What libvirt moves must not be moved by anybody else.
    assert fix == (
        "start the guest: libvirt then moves it, unless the host needs it"
        if managed
        else f"{command} first, if the host can spare it: the guest names it already; or set "
        "managed='yes' for it, so that libvirt does it"
    )
    both = domain("win11", "02:00.0", "02:00.1", "04:00.0", "05:00.0", managed=managed)
    gpu = assess(snapshot(host(usb, serial), [both])).gpu(CARD)
    assert gpu is not None
    fix = host_checks.viable(gpu).fix or ""
    assert (f"{command}, and so on, first" in fix, "libvirt then moves them" in fix) == (
        not managed,
        managed,
    )


def test_of_what_two_guests_name_the_one_that_needs_advice_gets_it() -> None:
    usb = other("04:00.0", USB, "xhci_hcd")
    one = domain("a", "02:00.0", "04:00.0", managed=True)
    two = domain("b", "02:00.0", "04:00.0", managed=False)
    for pair in ([one, two], [two, one]):
        gpu = assess(snapshot(host(usb), pair)).gpu(CARD)
        assert gpu is not None
        assert "nodedev-detach pci_0000_04_00_0" in (gpu.viability.fix or "")


def test_libvirt_moves_nothing_that_a_command_line_names() -> None:
    usb = other("04:00.0", USB, "xhci_hcd")
    guest = domain("win11", "02:00.0")
    raw = HostDev("0000:04:00.0", managed=False, by="command line")
    gpu = assess(snapshot(host(usb), [replace(guest, hostdevs=(*guest.hostdevs, raw))])).gpu(CARD)
    assert gpu is not None
    fix = gpu.viability.fix or ""
    assert ("nodedev-detach pci_0000_04_00_0" in fix, "managed=" in fix) == (True, False)


def test_what_is_on_the_board_cannot_be_put_into_another_slot() -> None:
    pci = inventory(
        *card("01:00", 1, boot_vga=True),
        function("00:02.0", driver="i915", iommu_group=2, boot_vga=False),
        other("00:1f.3", AUDIO, "snd_hda_intel"),
    )
    gpu = assess(snapshot(pci)).gpu("0000:00:02.0")
    assert gpu is not None
    assert "slot" not in (host_checks.viable(gpu).fix or "slot")


APU = function("66:00.0", vendor="1002", device="1900", name="Phoenix3", driver="amdgpu",
               iommu_group=2, boot_vga=False)  # fmt: skip
PSP = function("66:00.2", "108000", vendor="1022", device="15c7", name="CCP", iommu_group=5)
FIXED = [
    (APU, [PSP], None),
    (function("02:00.0", name="GA106M [GeForce RTX 3060 Mobile / Max-Q]"), [], None),
    (function("02:00.0", device="25fb", name="GA107 [RTX A500 Embedded GPU]"), [], None),
    (function("02:00.0", device="24df", name="GA104M"), [], None),
    (function("02:00.0", device="1db1", name="GV100GL [Tesla V100 SXM2 16GB]"), [], None),
    (function("02:00.0", device="20b3", name="GA100 [A100-SXM-64GB]"), [], None),
    (function("05:00.0", device="2e12", name="GB20B [GB10]"), [], None),
    (function("02:00.0", device="2b00", name="10de:2b00"), [], None),
    (function("02:00.0", vendor="1a03", device="2000", name="ASPEED Graphics Family"), [], None),
    (function("02:00.0", vendor="102b", device="0536", name="MGA G200EW"), [], None),
    (function("02:00.0", vendor="19e5", device="1711", name="Hi171x"), [], None),
    (function("02:00.0", vendor="1002", device="74a1", name="[Instinct MI300X OAM]"), [], None),
    (function("00:02.0", vendor="8086", name="UHD Graphics 630"), [], 3),
    *((function("02:00.0", vendor="1002", name="Navi 23 [Radeon RX 6600M]"), [], chassis)
      for chassis in (8, 9, 10, 11, 12, 13, 14, 30, 31, 32, 36)),
    (function("02:00.0"), [], 10),  # the names are not always right
]  # fmt: skip
UNKNOWN = [
    (function("02:00.0", vendor="1002", device="73ff", name="Navi 23 [Radeon RX 6600]"), [], None),
    (function("02:00.0", vendor="8086", device="56a0", name="DG2 [Arc A770]"), [], 3),
    (function("02:00.0", device="2783", name="10de:2783"), [], None),
    (function("02:00.0", vendor="102b", device="0525", name="MGA G400"), [], 35),
    (function("02:00.0", NVME, vendor="144d", device="a808", name="SM981"), [], 2),
    # the PSP of another slot, whose address has the same prefix
    (function("66:00.0", vendor="1002", name="Navi 23"),
     [replace(PSP, address="0000:66:000.2")], None),
]  # fmt: skip
IN_A_SLOT = [
    (function("02:00.0"), [], None),
    (function("02:00.0"), [], 3),
    (function("02:00.0", device="1db4", name="GV100GL [Tesla V100 PCIe 16GB]"), [PSP], 23),
]


@pytest.mark.parametrize(
    ("device", "beside", "chassis", "there"),
    [*((*each, False) for each in FIXED), *((*each, None) for each in UNKNOWN),
     *((*each, True) for each in IN_A_SLOT)],
)  # fmt: skip
def test_only_what_is_in_a_slot_can_be_put_into_another(
    device: PciFunction, beside: list[PciFunction], chassis: int | None, there: bool | None
) -> None:
    facts = HostFacts("atlas", "6.12", chassis=chassis)
    assert isolation.can_change_slot(device, [device, *beside], facts) is there
    advice = isolation.slot_advice(device, [device, *beside], facts)
    assert advice == {True: "try another slot", None: "try another slot, if it is a plug-in card",
                      False: None}[there]  # fmt: skip
    left_out = isolation.missing_group_fix(device, [device, *beside], facts)
    assert ("slot" in left_out) is (there is not False)
    if device.is_gpu:
        blocked = replace(device, iommu_group=2, driver="nvidia", boot_vga=False)
        pci = host(blocked, *beside, other("04:00.0", NVME, "nvme"))
        pci = replace(pci, functions=tuple(f for f in pci.functions if "02:00" not in f.address
                                           or f is blocked))  # fmt: skip
        gpu = assess(snapshot(pci, facts=facts)).gpu(device.address)
        assert gpu is not None
        fix = host_checks.viable(gpu).fix or ""
        assert ("slot" in fix) is (there is not False)
        assert "ACS" in fix


K80 = {"device": "102d", "name": "GK210GL [Tesla K80]", "subsystem": "10de:106c"}
M10 = {"device": "13bd", "name": "GM107GL [Tesla M10]", "subsystem": "10de:1160"}
A16 = {"device": "25b6", "name": "GA107GL [A2 / A16]", "subsystem": "10de:14a9"}
A2 = A16 | {"subsystem": "10de:157e"}


def board(*buses: str, **ids: Any) -> list[PciFunction]:
    return [function(f"{bus}:00.0", driver="nvidia", iommu_group=2, **ids) for bus in buses]


@pytest.mark.parametrize(
    ("gpus", "others", "words", "never"),
    [
        # the other GPU of the board goes wherever the board goes
        (board("05", "06", **K80), [], ["whole board", "ACS"], ["another slot", "spare"]),
        (board("05", "06", "07", "08", **M10), [], ["whole board"], ["another slot"]),
        (board("09", "0a", **A16), [], ["whole board"], ["another slot"]),
        # the second board is in a slot of its own
        (board("05", "06", "09", "0a", **K80), [], ["whole board", "another slot"], []),
        (board("05", "09", **K80), [], ["another slot"], ["board"]),
        (board("05", "06", **K80), [other("0c:00.0", NVME, "nvme")],
         ["another slot", "give it to the guest", "whole board"], []),
        # cards with one GPU each
        (board("05", "06", **A2), [], ["another slot"], ["board"]),
        (board("05", "06"), [], ["another slot"], ["board"]),
    ],
)  # fmt: skip
def test_no_slot_separates_the_gpus_of_one_board(
    gpus: list[PciFunction], others: list[PciFunction], words: list[str], never: list[str]
) -> None:
    pci = inventory(*card("01:00", 1, boot_vga=True), *gpus, *others)
    fix = viability(gpus[0], pci).fix or ""
    assert [word for word in words if word not in fix] == []
    assert [word for word in never if word in fix] == []
    assert fix.count(". ") == 1
    guest = domain("win11", gpus[0].address.removeprefix("0000:"))
    found = snapshot(pci, [guest])
    readings = CheckInput(
        assess(found), found.guests, Holders(()), Readiness(root=True, vfio_pci=True)
    )
    of_guest = hostdev_checks.check(guest, readings).fix or ""
    assert fix == f"{of_guest}. {isolation.OVERRIDE}"


def test_the_other_gpu_of_a_board_is_named_as_that() -> None:
    gpus = board("05", "06", "09", **K80)
    found = viability(gpus[0], inventory(*card("01:00", 1, boot_vga=True), *gpus))
    assert [blocker.reason for blocker in found.blockers] == [
        "another GPU of its board (nvidia)", "another GPU (nvidia)",
    ]  # fmt: skip


def test_what_the_guest_names_of_its_board_is_not_to_be_given_to_it() -> None:
    gpus = board("05", "06", **K80)
    pci = inventory(*card("01:00", 1, boot_vga=True), *gpus, other("0c:00.0", NVME, "nvme"))
    named = {gpus[1].address: HostDev(gpus[1].address, managed=True)}
    fix = viability(gpus[0], pci, named).fix or ""
    assert ("another slot" in fix, "board" in fix) == (True, False)


@pytest.mark.parametrize(("chassis", "slot"), [(10, False), (3, True), (None, True)])
def test_a_device_of_a_guest_in_a_notebook_is_not_to_be_put_anywhere(
    chassis: int | None, slot: bool
) -> None:
    disks = (other("04:00.0", NVME, "nvme"), other("05:00.0", NIC, "igb"))
    pci = inventory(*card("01:00", 1, boot_vga=True), *disks)
    guest = domain("win11", "05:00.0", managed=True)
    found = snapshot(pci, [guest], facts=HostFacts("atlas", "6.12", chassis=chassis))
    readings = CheckInput(
        assess(found), found.guests, Holders(()), Readiness(root=True, vfio_pci=True)
    )
    fix = hostdev_checks.check(guest, readings).fix or ""
    assert "give it to the guest, if the host can spare it" in fix
    assert ("slot" in fix) is slot


@pytest.mark.parametrize("others", [DISKS[:1], DISKS[:2], [*card("03:00", 2), DISKS[0]]])
def test_both_checks_of_a_group_give_the_same_advice(others: list[PciFunction]) -> None:
    """A GPU of the host is never advised to go to the guest."""
    seen_ = snapshot(host(*others), [domain("win11", "02:00.0", "02:00.1")])
    found = assess(seen_)
    readings = CheckInput(found, seen_.guests, Holders(()), Readiness(root=True, vfio_pci=True))
    gpu = found.gpu(CARD)
    assert gpu is not None
    group = hostdev_checks.viable(gpu, readings)
    devices = hostdev_checks.check(found.guests[0].domain, readings)
    assert group.fix == f"{devices.fix}. {isolation.OVERRIDE}"
    assert ("to the guest" in (devices.fix or "")) == (len(others) < 3)


CODES = st.sampled_from([NVME, NIC, SMBUS, USB, AUDIO, HOST_BRIDGE, SATA, "070002", "030000"])


@given(
    st.lists(CODES, min_size=1, max_size=8), st.sampled_from(["amd", "intel", "smmu", None]),
    st.sampled_from([None, 3, 10]), st.sampled_from(["1002", "10de"]), st.booleans(),
)  # fmt: skip
def test_what_can_be_done_is_said_in_two_sentences_and_names_nothing_twice(
    codes: list[str], kind: Any, chassis: int | None, maker: str, taken: bool
) -> None:
    gpu = function("02:00.0", vendor=maker, iommu_group=2, driver="x", boot_vga=False)
    others = [other(f"{n:02x}:00.0", code, "x") for n, code in enumerate(codes, 4)]
    pci = inventory(gpu, *others, iommu_kind=kind)
    named = {f.address: HostDev(f.address, managed=False) for f in others} if taken else {}
    facts = HostFacts("atlas", "6.12", chassis=chassis)
    found = viability(gpu, pci, named, facts)
    fix = found.fix or ""
    assert found.viable is False
    assert 0 < len(fix) <= 240
    assert fix.count(". ") <= 1
    assert not [f.address for f in others if f.address in fix]


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
    found = host_checks.viable(seen(pci)[1])
    assert found.verdict != "pass"
    assert words in (found.fix or "")
    assert words not in found.why


@pytest.mark.parametrize(
    ("gpu", "words", "never"),
    [
        (function("05:00.0", driver="nvidia"), ["another slot", "dmesg"], ["igfx_off", "VMD"]),
        (replace(function("05:00.0", driver="nvidia"), address="ffff:05:00.0"),
         ["another slot", "dmesg"], ["VMD"]),
        (replace(function("05:00.0", driver="nvidia"), address="10000:05:00.0"),
         ["another slot", "VMD"], ["dmesg"]),
        (replace(function("05:00.0", vendor="1002", driver="amdgpu"), address="10001:00:00.0"),
         ["VMD"], ["slot", "dmesg"]),
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
    found = host_checks.viable(shown)
    fix = found.fix or ""
    assert found.verdict == "fail"
    assert [word for word in words if word not in fix] == []
    assert [word for word in (*never, "iommu.enabled") if word in fix] == []


def text(lines: list[Any]) -> str:
    return "\n".join("".join(span.text for span in line) for line in lines)


@pytest.mark.parametrize(("width", "height"), [(45, 10), (58, 14), (100, 20)])
def test_the_panel_names_what_blocks_the_card_at_every_size(width: int, height: int) -> None:
    _, gpu = seen(host(*DISKS[:5]))
    lines = card_lines(Card(gpu, NOON), width, height)
    shown = " ".join(text(lines).split())
    assert len(lines) <= height
    for disk in DISKS[:3]:
        assert disk.address.removeprefix("0000:") in shown
    assert "and 2 more" in shown


def test_a_panel_without_room_counts_what_blocks_the_card() -> None:
    _, gpu = seen(host(*DISKS[:5]))
    reading = CardReading(CARD, "nvml", Metrics(util_pct=3))
    lines = card_lines(Card(replace(gpu, reading=reading), NOON), 38, 9)
    assert "Group 2 ✗ blocked by 5 devices" in text(lines)
    assert len(lines) <= 9


def test_the_details_name_all_of_them_and_the_ways_out() -> None:
    view, _ = seen(host(*DISKS))
    gpu = view.gpu(CARD)
    assert gpu is not None
    shown = " ".join(text(zoomed_lines(Card(gpu, NOON), Size(200, 60), Times()).lines).split())
    for disk in DISKS:
        assert f"{disk.address.removeprefix('0000:')} used by the host (nvme)" in shown
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
    assert "“ACS Enable”" in found["fix"]
