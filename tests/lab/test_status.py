"""``vfiotop status --json`` is correct for every machine of the lab."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.host import DEVICES, attribute, bind, driver, link, run, slot
from tests.lab.topologies import Topology

FUNCTIONS = {"usb-c": {2: 4}}
"""The number of functions of a slot's card, if it is not two."""


def status() -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run("vfiotop", "status", "--json"))
    assert report["problems"] == []
    return report


def gpu(report: dict[str, Any], address: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [gpu for gpu in report["gpus"] if gpu["address"] == address]
    return found


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return status()


@pytest.fixture(scope="module")
def slots(topology: Topology) -> dict[int, int]:
    """The number of functions of the card in each slot."""
    count = len([device for device in topology.devices if "bochs" in device])
    return dict.fromkeys(range(1, count + 1), 2) | FUNCTIONS.get(topology.name, {})


def test_every_card_is_there_with_its_companions(
    report: dict[str, Any], slots: dict[int, int]
) -> None:
    assert {card["address"] for card in report["gpus"]} == {slot(number) for number in slots}
    for number, functions in slots.items():
        seen = gpu(report, slot(number))
        assert seen["vendor"] == "10de"
        assert f"0x{seen['device']}" == attribute(slot(number), "device")
        assert seen["companions"] == [slot(number, n) for n in range(1, functions)]
        assert (seen["driver"], seen["owner"]) == ("nvidia", "host")
        assert seen["boot_vga"] is (attribute(slot(number), "boot_vga") == "1")
        assert seen["source"] == "nvml"
        assert seen["metrics"]["temp_c"] > 0


def test_groups_are_those_of_the_kernel(report: dict[str, Any]) -> None:
    groups: dict[int, list[str]] = {}
    for device in sorted(DEVICES.iterdir()):
        number = link(device.name, "iommu_group")
        if number is not None:
            groups.setdefault(int(number), []).append(device.name)
    assert {group["id"]: group["devices"] for group in report["groups"]} == groups
    assert report["host"]["iommu"]["groups"] == len(groups)
    assert report["host"]["libvirt"]["error"] is None


@pytest.mark.only("two-slots", "bad-acs", "usb-c", "no-iommu")
def test_roles_of_two_cards(report: dict[str, Any]) -> None:
    assert gpu(report, slot(1))["role"] == "host"
    assert gpu(report, slot(2))["role"] == "guest"


@pytest.mark.only("one-gpu")
def test_a_card_alone_is_the_hosts(report: dict[str, Any]) -> None:
    assert gpu(report, slot(1))["role"] == "host"


@pytest.mark.only("eight-gpus")
def test_nobody_guesses_among_eight(report: dict[str, Any]) -> None:
    assert [card["role"] for card in report["gpus"]] == ["host"] + ["other"] * 7


@pytest.mark.only("two-slots", "usb-c", "one-gpu", "eight-gpus")
def test_a_group_of_its_own_is_viable(report: dict[str, Any], slots: dict[int, int]) -> None:
    for number, functions in slots.items():
        verdict = report["viability"][slot(number)]
        assert verdict["viable"] is True
        assert verdict["moves"] == [slot(number, n) for n in range(functions)]


@pytest.mark.only("bad-acs")
def test_a_device_in_the_group_blocks_it(report: dict[str, Any]) -> None:
    verdict = report["viability"][slot(2)]
    assert verdict["viable"] is False
    blockers = {blocker["address"]: blocker["reason"] for blocker in verdict["blockers"]}
    assert set(blockers) == {slot(1), slot(1, 1), slot(3)}
    assert driver(slot(3)) == "e1000e"
    assert "e1000e" in blockers[slot(3)]


@pytest.mark.only("no-iommu")
def test_without_an_iommu_nothing_is_viable(report: dict[str, Any]) -> None:
    assert report["host"]["iommu"] == {"enabled": False, "kind": None, "groups": 0}
    for verdict in report["viability"].values():
        assert verdict["viable"] is False
        assert "IOMMU is off" in verdict["reason"]


@pytest.mark.only("two-slots", "bad-acs", "usb-c", "eight-gpus")
def test_a_card_on_vfio_pci(slots: dict[int, int]) -> None:
    functions = [slot(2, n) for n in range(slots[2])]
    before = {address: driver(address) for address in functions}
    for address in functions:
        bind(address, "vfio-pci")
    seen = gpu(status(), slot(2))
    assert (seen["driver"], seen["owner"], seen["metrics"]) == ("vfio-pci", "vfio", None)
    for address in functions:
        bind(address, None)
    assert {address: driver(address) for address in functions} == before
    seen = gpu(status(), slot(2))
    assert (seen["driver"], seen["owner"], seen["source"]) == ("nvidia", "host", "nvml")


@pytest.mark.only("two-slots")
@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ("rtx4090,rtx4090", [("Ada", "geforce"), ("Ada", "geforce")]),
        ("rtx3060,a4000", [("Ampere", "geforce"), ("Ampere", "pro")]),
        ("rtx3060,gtx480", [("Ampere", "geforce"), ("Fermi", "geforce")]),
    ],
)
def test_other_models(
    models: str, expected: list[tuple[str, str]], topology: Topology, reset_cards: Any
) -> None:
    reset_cards(models)
    report = status()
    seen = [gpu(report, slot(number))["nvidia"] for number in (1, 2)]
    assert [(model["family"], model["brand"]) for model in seen] == expected
