"""Which functions and groups somebody might pass through."""

from __future__ import annotations

import pytest

from tests.unit.made import (
    AUDIO,
    BRIDGE,
    HOST_BRIDGE,
    SATA,
    USB,
    VGA,
    card,
    domain,
    function,
    inventory,
    snapshot,
    two_cards,
)
from tests.values import replace
from tui.model import CardReading, Inventory, Metrics, NvmlReading, PciFunction
from tui.rules.group_interest import CHOSEN, GPU, notable, place
from tui.rules.view import assess

NVME, ETHERNET, WIFI = "010802", "020000", "028000"


@pytest.mark.parametrize(
    "class_code",
    [VGA, "030200", "038000", NVME, ETHERNET, "020700", WIFI, USB, SATA, "010700", "010400", AUDIO,
     "040000", "0b4000", "0c0010", "0c0400", "120000"],
)  # fmt: skip
def test_endpoints_are_interesting(class_code: str) -> None:
    assert place(function("02:00.0", class_code)) is not None


@pytest.mark.parametrize(
    "class_code",
    [BRIDGE, HOST_BRIDGE, "060100", "068000", "050000", "058000", "070002", "078000", "080600",
     "088000", "0c0500", "0c8000", "108000", "118000", "130000"],
)  # fmt: skip
def test_bridges_and_chipset_functions_are_not(class_code: str) -> None:
    assert place(function("02:00.0", class_code)) is None


def test_what_somebody_chose_is_interesting_whatever_it_is() -> None:
    tpu = function("02:00.0", "088000", driver="apex")
    assert place(tpu, {"0000:02:00.0"}) == CHOSEN
    assert place(replace(tpu, driver="vfio-pci")) == CHOSEN
    assert place(function("00:01.0", BRIDGE, driver="vfio-pci")) is None


def test_kinds_have_an_order() -> None:
    codes = (VGA, NVME, ETHERNET, WIFI, USB, SATA, AUDIO, "120000")
    places = [place(function("02:00.0", code)) for code in codes]
    assert places == sorted(places, key=lambda found: -1 if found is None else found)
    assert (places[0], len(set(places))) == (GPU, len(codes))


def shown(pci: Inventory, *names: str) -> list[tuple[int | None, str, int]]:
    view = assess(snapshot(pci, (domain("win11", *names),)))
    return [(n.group.id, n.function.address[5:], len(n.others)) for n in notable(view)]


def host(*more: PciFunction) -> Inventory:
    return inventory(
        *card("01:00", 7, boot_vga=True), *card("02:00", 9, boot_vga=False),
        function("00:00.0", HOST_BRIDGE, iommu_group=0),
        function("00:01.0", BRIDGE, iommu_group=1),
        function("00:1f.2", SATA, driver="ahci", iommu_group=2),
        function("03:00.0", NVME, driver="nvme", iommu_group=8), *more,
    )  # fmt: skip


def test_the_guests_card_then_the_hosts_then_by_kind() -> None:
    assert shown(host(), "02:00.0") == [
        (9, "02:00.0", 1), (7, "01:00.0", 1), (8, "03:00.0", 0), (2, "00:1f.2", 0),
    ]  # fmt: skip


def test_groups_of_one_kind_are_in_the_order_of_their_numbers() -> None:
    drives = (function(f"0{n}:00.0", NVME, driver="nvme", iommu_group=20 - n) for n in (4, 5, 6))
    kinds = [(group, address) for group, address, _ in shown(host(*drives))]
    assert [group for group, address in kinds if address[:2] in ("03", "04", "05", "06")] == [
        8, 14, 15, 16,
    ]  # fmt: skip


def test_a_group_is_shown_for_its_most_interesting_function() -> None:
    mixed = (
        function("04:00.0", BRIDGE, iommu_group=3), function("04:00.1", AUDIO, iommu_group=3),
        function("04:00.2", USB, iommu_group=3), function("04:00.3", USB, iommu_group=3),
    )  # fmt: skip
    assert (3, "04:00.2", 3) in shown(host(*mixed), "02:00.0")


def test_a_group_with_both_cards_is_shown_once_for_the_guests() -> None:
    both = inventory(*card("01:00", 1, boot_vga=True), *card("02:00", 1, boot_vga=False))
    assert shown(both, "02:00.0") == [(1, "02:00.0", 3)]


def test_without_groups_each_card_has_its_own_line() -> None:
    bare = inventory(*card("01:00", None, boot_vga=True), *card("02:00", None, boot_vga=False),
                     function("03:00.0", NVME))  # fmt: skip
    assert shown(bare, "02:00.0") == [
        (None, "02:00.0", 1), (None, "01:00.0", 1), (None, "03:00.0", 0),
    ]  # fmt: skip


def test_they_are_kept_while_only_the_readings_of_cards_differ() -> None:
    before = snapshot(two_cards("vfio-pci"), (domain("win11", "02:00.0", state="running"),))
    load = CardReading("0000:01:00.0", "nvml", Metrics(util_pct=91))
    busy = replace(before, nvml=NvmlReading("580.95.05", (load,)))
    assert notable(assess(busy)) is notable(assess(before))
    assert notable(assess(replace(before, pci=inventory()))) == ()


def test_before_the_first_reading_there_is_nothing() -> None:
    assert notable(assess(snapshot(inventory()))) == ()
