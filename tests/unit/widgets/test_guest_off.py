"""A guest that is off says what it would get, and what keeps it from starting."""

from __future__ import annotations

from textual.geometry import Size

from tests.unit.widgets.drawn import texts
from tests.unit.widgets.guests import CHECKS, GPU, OFF, ON_HOST, ON_NVME, state, with_disk
from tests.values import replace
from tui.model import Check, GuestDevice, Owner, Viability
from widgets.guest import GuestState
from widgets.guest_panel import guest_lines


def rows(shown: GuestState, width: int = 56, height: int = 11) -> list[str]:
    return texts(guest_lines(shown, Size(width, height)))


def test_a_guest_that_can_start() -> None:
    assert rows(state(OFF)) == [
        "Starts with  8 vCPU   16.0 GiB",
        "Card         01:00.0 RTX 4090   on host, bound first",
        "             01:00.1 audio",
        "",
        "Ready        ✓ card is free   ✓ group 14   ✓ 4 checks",
        "",
        "",
        "",
        "",
        "○ debian-build  shut off     12 vCPU  8.0 GiB",
        "○ fedora-ci     shut off     4 vCPU   4.0 GiB",
    ]
    assert rows(state(OFF), 56, 5)[-1] == "○ debian-build   ○ fedora-ci"


def test_small_panels() -> None:
    assert rows(state(OFF), 36, 5) == [
        "Starts 8 vCPU   16.0 GiB",
        "Card   01:00.0 RTX 4090   on host",
        "       01:00.1 audio",
        "Ready  ✓ card is free   ✓ group 14",
        "○ debian-build   ○ fedora-ci",
    ]
    assert rows(state(OFF), 43, 2) == [
        "Starts 8 vCPU   16.0 GiB",
        "Ready  ✓ card is free   ✓ group 14",
    ]
    assert rows(state(OFF), 38, 1) == ["Starts 8 vCPU   16.0 GiB"]


def test_what_keeps_it_from_starting_comes_first_with_the_way_out() -> None:
    shown = state(with_disk(OFF), devices=(ON_NVME,))
    assert rows(shown, 68, 12)[3:9] == [
        "Also         02:00.0 NVMe PM9A1   on nvme",
        "",
        "Ready        ✗ 02:00.0 is on nvme, and libvirt takes it from the",
        "               host at the start: it is mounted at /",
        "               → `virsh -c qemu:///system edit win11`: remove it",
        "             ✓ card is free   ✓ group 14   ✓ 4 checks",
    ]
    assert rows(shown, 43, 1) == ["Ready  ✗ 02:00.0 on nvme"]


def test_devices_with_the_same_reason_share_it() -> None:
    both = tuple(
        GuestDevice(
            address, "fail", f"{address} shares IOMMU group 1 with 05:00.0",
            "group not viable", "try another slot",
        )
        for address in ("0000:01:00.0", "0000:01:00.1")
    )  # fmt: skip
    shown = state(OFF, devices=both)
    assert "Ready        ✗ 01:00.0 shares IOMMU group 1 with 05:00.0; 01:00.1 too" in (
        rows(shown, 76, 12)
    )
    assert rows(shown, 38, 1) == ["Ready  ✗ 01:00.0 +1 group not viable"]
    assert not any("card is free" in row for row in rows(shown, 76, 12))


def test_a_check_that_fails() -> None:
    rival = Check("r465.one-vm", None, "fail", "“rival” runs with a card", "shut down rival first")
    shown = state(OFF, checks=(rival, *CHECKS))
    assert rows(shown)[4:7] == [
        "Ready        ✗ “rival” runs with a card",
        "               → shut down rival first",
        "             ✓ card is free   ✓ group 14",
    ]
    assert rows(shown, 43, 1) == ["Ready  ✗ r465.one-vm"]


def test_doubts_are_not_passes() -> None:
    doubt = Check("r465.family", None, "unknown", "its device id cannot be read")
    assert "             ? its device id cannot be read" in rows(state(OFF, checks=(doubt,)))
    taken = replace(ON_HOST, owner=Owner("vfio"), may_be_taken=True)
    assert "             ? somebody may be using the card" in rows(state(OFF, gpu=taken))
    blind = replace(ON_HOST, viability=Viability(None, (), reason="its driver cannot be read"))
    assert "             ? its driver cannot be read" in rows(state(OFF, gpu=blind))


def test_what_was_not_looked_at_is_not_claimed() -> None:
    shown = state(replace(OFF, vcpus=None, memory_mib=None), gpu=None, checks=())
    assert rows(shown, 56, 6)[:2] == [
        "Starts with  – vCPU   – GiB",
        "Card         not chosen   w chooses it",
    ]
    assert any(row == "Ready        ? not checked yet" for row in rows(shown))


def test_where_the_card_is() -> None:
    def card(owner: Owner) -> str:
        return rows(state(OFF, gpu=replace(GPU, owner=owner)))[1]

    assert card(Owner("vfio")) == "Card         01:00.0 RTX 4090   on vfio-pci, ready"
    assert card(Owner("guest", "rival")) == "Card         01:00.0 RTX 4090   in rival"
    assert card(Owner("stuck")) == "Card         01:00.0 RTX 4090   stuck"
    assert rows(state(replace(OFF, hostdevs=())))[1] == "Card         not in its XML   w adds it"


def test_a_group_that_blocks_is_told_once() -> None:
    blocked = replace(
        ON_HOST,
        viability=Viability(False, (), reason="a device of the group stays", fix="another slot"),
    )
    assert rows(state(OFF, gpu=blocked))[4:6] == [
        "Ready        ✗ a device of the group stays",
        "               → another slot",
    ]
