"""A swap in every machine: in both directions if allowed, else refused with the reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.host import bind, driver, override_of, slot
from tests.lab.swaps import JOURNAL, vfiotop
from tests.lab.topologies import Topology

CARD = slot(2)


def there_and_back(*functions: str) -> None:
    before = {address: driver(address) for address in functions}
    try:
        vfiotop("bind", CARD, "--yes")
        assert {driver(address) for address in functions} == {"vfio-pci"}
        assert driver(slot(1)) == "nvidia"
        assert driver(slot(1, 1)) == "snd_hda_intel"
        vfiotop("unbind", CARD, "--yes")
        assert {address: driver(address) for address in functions} == before
        assert {override_of(address) for address in functions} == {None}
    finally:
        for address in reversed(functions):
            bind(address, None)
        JOURNAL.unlink(missing_ok=True)


@pytest.mark.only("usb-c")
def test_a_card_with_four_functions() -> None:
    there_and_back(*(slot(2, function) for function in range(4)))


@pytest.mark.only("eight-gpus")
def test_one_of_eight() -> None:
    there_and_back(slot(2), slot(2, 1))
    assert {driver(slot(number)) for number in range(1, 9)} == {"nvidia"}


@pytest.mark.only("two-slots")
def test_one_of_two_identical_cards(reset_cards: Callable[[str], None]) -> None:
    reset_cards("rtx4090,rtx4090")
    there_and_back(slot(2), slot(2, 1))


@pytest.mark.only("bad-acs", "no-iommu", "one-gpu")
def test_a_refused_swap(topology: Topology) -> None:
    card, why = {
        "bad-acs": (slot(2), "iommu.viable"),
        "no-iommu": (slot(2), "iommu.enabled"),
        "one-gpu": (slot(1), "host.not-shared"),
    }[topology.name]
    before = driver(card)
    assert f"({why})" in vfiotop("bind", card, "--yes", code=1)
    assert "(swap.needed)" in vfiotop("unbind", card, "--yes", code=1)
    assert (driver(card), JOURNAL.exists()) == (before, False)
