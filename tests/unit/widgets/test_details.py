"""The details of a card, a guest and a device as lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values import replace
from tui.model import (
    Bar,
    Blocker,
    CardReading,
    CardUser,
    CardUsers,
    CardVitals,
    Check,
    Domain,
    Gpu,
    Group,
    Guest,
    GuestDevice,
    HostDev,
    HostView,
    Link,
    Metrics,
    NvidiaModel,
    Owner,
    PciFunction,
    Viability,
)
from widgets.card_details import card_detail_lines
from widgets.check_names import NAMES
from widgets.detail_lines import TWO_COLUMNS, detail_lines, wrap_line
from widgets.device_panel import device_lines, owner
from widgets.glyphs import PLAIN
from widgets.guest_details import guest_detail_lines
from widgets.lines import Line, Span, line, width_of

CARD = PciFunction(
    "0000:01:00.0", "10de", "2684", "030000", "AD102 [GeForce RTX 4090]", "NVIDIA Corporation",
    driver="vfio-pci", iommu_group=14, boot_vga=False, reset_methods=("flr", "bus"),
    link_max=Link(16.0, 16),
    bars=(Bar(0, 16 << 20), Bar(1, 32 << 30, prefetchable=True),
          Bar(3, 32 << 20, prefetchable=True), Bar(5, 128, io=True)),
)  # fmt: skip
AUDIO = PciFunction(
    "0000:01:00.1", "10de", "22ba", "040300", "AD102 High Definition Audio Controller",
    driver="vfio-pci", iommu_group=14,
)  # fmt: skip
GPU = Gpu(
    CARD, (AUDIO,), "guest", Owner("guest", "win11"),
    Viability(True, (CARD.address, AUDIO.address)),
    NvidiaModel("Ada", "geforce", "desktop"),
    CardVitals(CARD.address, "active", "D0", Link(16.0, 16), "vfio-pci"),
    CardReading(CARD.address, "guest-agent", Metrics(
        fan_pct=60, pcie_gen=4, pcie_gen_max=4, pcie_width=16, pcie_width_max=16, enc_pct=0,
        dec_pct=0, throttle=(),
    )),
)  # fmt: skip
RULES = (
    Check("r465.one-vm", CARD.address, "pass", "only “win11” is running with a GeForce card"),
    Check("r465.family", CARD.address, "pass", "GeForce Ada: NVIDIA allows it in a guest"),
    Check("host.two-gpus", CARD.address, "pass", "0000:0a:00.0 stays with the host"),
)
XORG = CardUser(893, "Xorg", ("graphics",), login="ann", memory_mib=84, stop="kill 893")
GUEST_USER = CardUser(4242, "guest win11", ("/dev/vfio/14",), "guest")


def text(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in row).rstrip() for row in lines]


def card(gpu: Gpu = GPU, width: int = 116, users: CardUsers | None = None) -> list[str]:
    users = CardUsers((GUEST_USER,)) if users is None else users
    return text(card_detail_lines(
        gpu, width, checks=RULES, users=users, guest_driver="581.57", host_driver="580.95.05",
    ))  # fmt: skip


# --- a card ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"enc_sessions": 1, "enc_fps": 60.0, "enc_latency_us": 4180.0},
         "Stream    1 session, 60 fps, 4.2 ms"),
        ({"enc_sessions": 2}, "Stream    2 sessions"), ({"enc_sessions": 0, "enc_fps": 0.0}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_video_that_a_card_encodes(facts: dict[str, Any], words: str | None) -> None:
    assert GPU.reading is not None
    reading = replace(GPU.reading, metrics=Metrics(**facts))
    shown = "\n".join(card(replace(GPU, reading=reading)))
    assert (words in shown) if words else "Stream" not in shown


def test_a_card_in_a_guest() -> None:
    left = (
        "Card      AD102 10de:2684 · Ada GeForce, desktop",
        "Moves     01:00.0 and 01:00.1 (audio), both on vfio-pci",
        "Group     14 ✓ viable",
        "Driver    in the guest 581.57 · on the host vfio-pci",
        "Used by   win11, the whole card: x stops it",
        f"Rules     ✓ {NAMES['r465.one-vm']}, {NAMES['r465.family']}",
    )
    right = (
        "Link      PCIe 4.0 x16, at most 4.0 x16",
        "BARs      16 MiB, 32 GiB (ReBAR), 32 MiB",
        "Reset     flr, bus",
        "Fan       60 %",
        "Codec     encoder 0 %, decoder 0 %",
        "Held back by nothing",
    )
    assert card() == [f"{one:<59}{other}" for one, other in zip(left, right, strict=True)]
    assert card(width=76) == [*left, *right]


def test_a_card_of_the_host_has_the_table_of_its_users() -> None:
    host = replace(
        GPU, role="host", owner=Owner("host"), companions=(), reading=None,
        function=replace(CARD, driver="nvidia", boot_vga=True, numa_node=1, sriov_total_vfs=16),
    )  # fmt: skip
    found = card(host, 76, CardUsers((XORG,)))
    assert found[:5] == [
        "Card      AD102 10de:2684 · Ada GeForce, desktop",
        "Functions 01:00.0 alone",
        "Group     14 ✓ viable",
        "Driver    on the host nvidia 580.95.05",
        "Used by   1 process, below",
    ]
    assert "Display   drives the host's" in found
    assert "NUMA      node 1" in found
    assert "SR-IOV    up to 16 virtual functions" in found
    assert found[-4:] == [
        "Used by",
        "PID  Name  User    Memory  Load  Holds",
        "893  Xorg  ann     84 MiB     –  graphics",
        "     → kill 893",
    ]
    assert not any(row.startswith("Rules") for row in found)


def test_functions_on_different_drivers_are_named_with_them() -> None:
    apart = replace(GPU, companions=(replace(AUDIO, driver="snd_hda_intel"),))
    assert card(apart, 76)[1] == "Moves     01:00.0 on vfio-pci, 01:00.1 (audio) on snd_hda_intel"


def test_what_blocks_the_card_and_how_to_fix_it() -> None:
    blocked = Viability(
        False, (CARD.address,), (Blocker("0000:03:00.0", "another GPU on nvidia"),
                                 Blocker("0000:05:00.0", "used by the host (nvme)")),
        "not viable", "try another slot",
    )  # fmt: skip
    found = card(replace(GPU, viability=blocked), 76)
    at = found.index("Group     14 ✗ blocked")
    assert found[at + 1 : at + 4] == [
        "          03:00.0 another GPU on nvidia",
        "          05:00.0 used by the host (nvme)",
        "Fix       try another slot",
    ]


def test_a_group_that_is_not_known_says_why() -> None:
    unknown = Viability(None, (CARD.address,), reason="it has no IOMMU group")
    groupless = replace(GPU, function=replace(CARD, iommu_group=None), viability=unknown)
    assert "Group     none ? not known whether it is viable: it has no IOMMU group" in card(
        groupless, 76
    )


@pytest.mark.parametrize(
    ("users", "words"),
    [
        (CardUsers((), pending=True), "checking …"),
        (CardUsers(()), "no process"),
        (CardUsers((), doubt="run this as root"), "not known, see below"),
        (CardUsers((XORG, XORG)), "2 processes, below"),
    ],
)
def test_who_uses_the_card_in_a_few_words(users: CardUsers, words: str) -> None:
    free = replace(GPU, owner=Owner("host"))
    assert f"Used by   {words}" in card(free, 76, users)


def test_a_doubt_is_told_with_the_users() -> None:
    free = replace(GPU, owner=Owner("host"))
    assert "run this as root" in card(free, 76, CardUsers((), doubt="run this as root"))


def test_the_worst_rule_is_told_with_its_reason() -> None:
    broken = (*RULES, Check("host.not-shared", CARD.address, "unknown", "it is not known"),
              Check("r465.sriov", CARD.address, "fail", "it has virtual functions"))  # fmt: skip
    found = text(card_detail_lines(GPU, 76, checks=broken))
    assert f"Rules     ✗ {NAMES['r465.sriov']}: it has virtual functions" in found


def test_what_is_not_known_is_a_dash_and_a_cpus_card_has_no_fan() -> None:
    idle = replace(GPU, owner=Owner("vfio"), reading=None, vitals=None)
    found = card(idle, 76)
    assert "Fan       –" in found
    assert "Codec     encoder –, decoder –" in found
    assert "Link      PCIe –, at most 4.0 x16" in found
    intel = replace(GPU, nvidia=None, reading=CardReading(CARD.address, "i915"))
    assert not any(row.startswith(("Fan", "Codec")) for row in card(intel, 76))


def test_all_remarks_of_the_guests_tools_are_told() -> None:
    told = ("WARNING: infoROM is corrupted", "another one")
    assert GPU.reading is not None
    found = " ".join(card(replace(GPU, reading=replace(GPU.reading, remarks=told)), 60))
    assert all(remark in found for remark in told)


# --- a guest ---------------------------------------------------------------------

WIN11 = Domain(
    "win11", "5f0c9d3e-0000-4000-8000-000000000001", "running", agent=True, vcpus=8,
    memory_mib=16384, hostdevs=(HostDev(CARD.address, managed=False),
                                HostDev(AUDIO.address, managed=True),
                                HostDev("0000:09:00.0", managed=False, by="mdev")),
)  # fmt: skip
FUNCTIONS = {CARD.address: CARD, AUDIO.address: AUDIO}


def test_a_guest_and_its_devices() -> None:
    fine = (GuestDevice(CARD.address, "pass", "it is free"),)
    found = text(guest_detail_lines(WIN11, 116, devices=fine, functions=FUNCTIONS, driver="581.57"))
    assert found == [
        "Domain    persistent · 8 vCPU · 16.0 GiB                   Agent     connected",
        "UUID      5f0c9d3e-0000-4000-8000-000000000001             Driver    581.57",
        "Devices   ✓ 01:00.0  RTX 4090          managed='no': libvirt does not move it",
        "            01:00.1  Audio AD102       managed='yes': libvirt moves it at the start",
        "            09:00.0  no such device    as mdev",
    ]


def test_a_device_that_forbids_the_start_says_why_and_what_to_do_once() -> None:
    why = "shares IOMMU group 1 with 03:00.0"
    judged = [
        GuestDevice(address, "fail", f"{address} {why}", "group blocked", "try another slot")
        for address in FUNCTIONS
    ]
    found = text(guest_detail_lines(WIN11, 76, devices=judged, functions=FUNCTIONS))
    assert found[-5:-1] == [
        "Devices   ✗ 01:00.0  RTX 4090",
        f"            {why}",
        "            → try another slot",
        "          ✗ 01:00.1  Audio AD102       the same",
    ]


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (replace(WIN11, agent=False), "Agent     not responding"),
        (replace(WIN11, agent=None), "Agent     no channel"),
        (replace(WIN11, state="shut off"), "Agent     the guest is off"),
        (replace(WIN11, persistent=False), "Domain    transient: gone when it stops · 8 vCPU"),
        (replace(WIN11, kvm_hidden=True), "KVM       hidden from the guest"),
        (replace(WIN11, problem="its XML is broken"), "Problem   its XML is broken"),
        (replace(WIN11, vcpus=None, memory_mib=None), "Domain    persistent"),
    ],
)
def test_what_else_there_is_to_say_of_a_guest(domain: Domain, words: str) -> None:
    assert any(row.startswith(words) for row in text(guest_detail_lines(domain, 76)))


# --- a device --------------------------------------------------------------------

DISK = PciFunction(
    "0000:02:00.0", "144d", "a80a", "010802", "NVMe SSD Controller PM9A1/PM9A3/980PRO",
    "Samsung Electronics Co Ltd", subsystem="144d:a801", driver="nvme", iommu_group=20,
    bars=(Bar(0, 16 << 10),), reset_methods=("flr", "bus"), link_max=Link(16.0, 4),
)  # fmt: skip
OTHER = replace(CARD, address="0000:0a:00.0", driver="nvidia", iommu_group=20)
BLOCKER = Blocker(DISK.address, "used by the host (nvme)")
VIEW = HostView(
    gpus=(GPU, Gpu(OTHER, (), "host", Owner("host"),
                   Viability(False, (OTHER.address,), (BLOCKER,)))),
    groups=(
        Group(14, (CARD, AUDIO), ("gpu", "moves"), role="guest"),
        Group(20, (DISK, OTHER), ("blocks", "gpu"), (BLOCKER,), role="host"),
        Group(None, (replace(DISK, address="0000:05:00.0", iommu_group=None),), ("ok",)),
        Group(30, (replace(DISK, address="0000:06:00.0", iommu_group=30, driver=None),), ("ok",)),
    ),
    guests=(Guest(WIN11, allowed=True),
            Guest(replace(WIN11, name="other", uuid="u"), allowed=False)),
)  # fmt: skip


def test_a_disk_that_blocks_a_card() -> None:
    assert text(device_lines(DISK.address, VIEW, 116)) == [
        "Name      NVMe SSD Controller PM9A1/PM9A3/980PRO           Link      PCIe at most 4.0 x4",
        "Vendor    Samsung Electronics Co Ltd                       BARs      16 KiB",
        "IDs       144d:a80a, subsystem 144d:a801                   Reset     flr, bus",
        "Kind      NVMe, class 010802",
        "Group     20, with 1 other",
        "          ✗ blocks the GPU of its group: used by the host",
        "          (nvme)",
        "",
        "Also in group 20",
        "0a:00.0  RTX 4090  nvidia",
    ]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("0000:05:00.0", "Group     none"),
        ("0000:06:00.0", "Group     30, alone in it"),
        (AUDIO.address, "          moves with the GPU of its group"),
        (AUDIO.address, "Guests    win11, other take it"),
        (OTHER.address, "Group     20 ✗ blocked"),
        (OTHER.address, "02:00.0  NVMe PM9A1  ✗ used by the host (nvme)"),
        ("0000:77:00.0", "77:00.0 no longer exists."),
    ],
)
def test_what_a_group_means_for_a_device(address: str, words: str) -> None:
    assert words in text(device_lines(address, VIEW, 76))


def test_a_gpus_page_has_its_details_and_users() -> None:
    found = text(device_lines(CARD.address, VIEW, 76, CardUsers((XORG,))))
    assert "Card      AD102 10de:2684 · Ada GeForce, desktop" in found
    assert "     → kill 893" in found


@pytest.mark.parametrize(
    ("function", "gpu", "words"),
    [
        (DISK, None, "● on nvme"),
        (replace(DISK, driver="vfio-pci"), None, "○ on vfio-pci"),
        (replace(DISK, driver=None), None, "– no driver"),
        (CARD, GPU, "◆ in win11"),
        (None, None, "✗ gone"),
    ],
)
def test_who_has_a_device(function: PciFunction | None, gpu: Gpu | None, words: str) -> None:
    assert text([owner(function, gpu)]) == [words]


# --- all of them -----------------------------------------------------------------


@pytest.mark.parametrize("width", range(30, 240, 13))
def test_no_line_is_too_long_and_no_word_is_lost(width: int) -> None:
    users = CardUsers((GUEST_USER, XORG), doubt="57 processes could not be inspected")
    made = [
        *card_detail_lines(GPU, width, checks=RULES, users=users),
        *guest_detail_lines(WIN11, width, functions=FUNCTIONS, driver="581.57"),
        *device_lines(DISK.address, VIEW, width),
    ]
    assert all(width_of(row) <= width for row in made)
    assert "None" not in " ".join(text(made))
    wide = " ".join(text(device_lines(DISK.address, VIEW, 239))).split()
    assert sorted(" ".join(text(device_lines(DISK.address, VIEW, width))).split()) == sorted(wide)


def test_the_linux_console_has_its_own_signs() -> None:
    lines = [
        *card_detail_lines(GPU, 116, checks=RULES, users=CardUsers((XORG,)), glyphs=PLAIN),
        *guest_detail_lines(WIN11, 116, functions=FUNCTIONS, driver="1", glyphs=PLAIN),
        *device_lines(DISK.address, VIEW, 116, glyphs=PLAIN),
    ]
    assert all(row.replace("–", "").isascii() for row in text(lines))


def test_two_columns_need_room() -> None:
    rows = [("A", "one"), ("B", None)]
    assert text(detail_lines(rows, [("C", "")], TWO_COLUMNS - 1)) == [
        "A         one", "B         –", "C         –",
    ]  # fmt: skip
    assert text(detail_lines(rows, [("C", "two")], TWO_COLUMNS)) == [
        f"{'A         one':<46}C         two", "B         –",
    ]  # fmt: skip


@given(st.lists(st.tuples(st.text("ab ✓", max_size=9), st.sampled_from(["good", "bad"]))),
       st.integers(4, 40))  # fmt: skip
def test_wrapping_keeps_words_and_tones(parts: list[tuple[str, str]], width: int) -> None:
    spans = line(*(Span(text, tone) for text, tone in parts))  # type: ignore[arg-type]
    rows = wrap_line(spans, width)
    assert all(width_of(row) <= width for row in rows)
    whole = "".join(text for text, _ in parts)
    joined = " ".join("".join(span.text for span in row) for row in rows)
    assert "".join(joined.split()) == "".join(whole.split())
    assert {s.tone for row in rows for s in row if s.text.strip()} <= {tone for _, tone in parts}
