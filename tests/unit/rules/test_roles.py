"""The guest GPU, the host GPU, the allowed guest, and the owner."""

from __future__ import annotations

import pytest

from tests.unit.made import NOON, card, domain, function, two_cards
from tui.model import Domain, PciFunction, Removal
from tui.rules.roles import Choice, allowed_guest, guest_gpu, owner, roles

ONE, TWO, THREE = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
NOTHING = Choice()

NOBODYS = ("pci-stub", "uio_pci_generic", "igb_uio", "pciback", "xen-pciback", "pci-pf-stub")
"""Drivers with which the host cannot use a card (kernel: drivers/pci/pci-stub.c,
pci-pf-stub.c, drivers/uio, drivers/xen/xen-pciback; DPDK: igb_uio)."""


def cards(*boot: bool | None) -> tuple[PciFunction, ...]:
    """GPUs at 01:00.0, 02:00.0, ... with these boot_vga values."""
    return tuple(card(f"0{n}:00", n, boot_vga=value)[0] for n, value in enumerate(boot, 1))


def test_the_choice_comes_first() -> None:
    domains = (domain("win11", "02:00.0"),)
    assert guest_gpu(cards(True, False), domains, Choice(ONE)) == ONE


def test_a_chosen_card_that_is_not_there_is_nobody() -> None:
    assert guest_gpu(cards(True, False), (), Choice("0000:09:00.0")) is None


def test_the_card_a_domain_names() -> None:
    assert guest_gpu(cards(True, False, False), (domain("win11", "03:00.0"),), NOTHING) == THREE


def test_a_domain_names_the_console_card() -> None:
    gpus = cards(True, False)
    domains = (domain("win11", "01:00.0", "01:00.1"),)
    assert roles(gpus, domains, NOTHING) == {ONE: "guest", TWO: "host"}


def test_of_several_named_cards_an_active_domains_wins() -> None:
    domains = (domain("a", "02:00.0"), domain("b", "03:00.0", state="running"))
    assert guest_gpu(cards(True, False, False), domains, NOTHING) == THREE


@pytest.mark.parametrize("state", ["shut off", "running"])
def test_of_several_named_cards_nobody_else_wins(state: str) -> None:
    domains = (domain("a", "02:00.0", state=state), domain("b", "03:00.0", state=state))  # type: ignore[arg-type]
    gpus = cards(True, False, False)
    assert guest_gpu(gpus, domains, NOTHING) is None
    assert roles(gpus, domains, NOTHING) == {ONE: "host", TWO: "other", THREE: "other"}


def test_hostdevs_that_are_no_gpu_do_not_count() -> None:
    domains = (domain("nas", "05:00.0"), domain("win11", "02:00.0", "02:00.1"))
    assert guest_gpu(cards(True, False, False), domains, NOTHING) == TWO


@pytest.mark.parametrize(
    ("boot", "expected"),
    [
        ((True, False), TWO),
        ((False, True), ONE),
        ((True, None), TWO),
        ((True,), None),
        ((False,), None),
        ((True, False, False), None),
        ((None, None), None),
        ((False, False), None),
        ((), None),
    ],
)
def test_the_only_card_without_the_console(
    boot: tuple[bool | None, ...], expected: str | None
) -> None:
    assert guest_gpu(cards(*boot), (), NOTHING) == expected


def test_the_host_gpu_is_the_console_else_one_on_a_host_driver() -> None:
    assert roles(cards(True, False), (), NOTHING) == {ONE: "host", TWO: "guest"}
    vfio = [card(f"0{n}:00", n, "vfio-pci")[0] for n in (1, 2)]
    gpus = (*vfio, *cards(None, None, None)[2:])
    assert roles(gpus, (), NOTHING) == {ONE: "other", TWO: "other", THREE: "host"}


def on(*drivers: str | None, boot: int = 0) -> tuple[PciFunction, ...]:
    """GPUs at 01:00.0, 02:00.0, ... on these drivers, one of which is the console."""
    return tuple(
        card(f"0{n}:00", n, driver, boot_vga=n == boot or None)[0]
        for n, driver in enumerate(drivers, 1)
    )


@pytest.mark.parametrize(
    ("gpus", "named", "expected"),
    [
        (on("nouveau", "vfio-pci", "nvidia"), (), TWO),
        (on("nouveau", "vfio-pci", "nvidia", boot=1), (), TWO),
        (on("nouveau", None, "nvgrace-gpu-vfio-pci", boot=1), (), THREE),
        (on("amdgpu", "vfio-pci"), (), TWO),
        (on("nouveau", "vfio-pci", "vfio-pci", boot=1), (), None),
        (on("nouveau", "pci-stub", "nvidia", boot=1), (), None),
        (on("vfio-pci", "nouveau", "nvidia", boot=1), (), None),
        (on("vfio-pci"), (), None),
        (on("nouveau", "vfio-pci", "nvidia", boot=1), ("02:00.0", "03:00.0"), TWO),
        (on("nouveau", "vfio-pci", "nvidia", boot=1), ("03:00.0",), THREE),
        (on("vfio-pci", "nouveau", "nvidia"), ("02:00.0", "03:00.0"), None),
    ],
)
def test_of_several_candidates_the_one_that_alone_is_on_vfio_is_the_guests(
    gpus: tuple[PciFunction, ...], named: tuple[str, ...], expected: str | None
) -> None:
    domains = tuple(domain(f"vm{address}", address) for address in named)
    assert guest_gpu(gpus, domains, NOTHING) == expected


def test_a_candidate_whose_driver_cannot_be_read_may_be_on_vfio_too() -> None:
    dark = function("03:00.0", unreadable=("driver",), boot_vga=False)
    assert guest_gpu((*on("nouveau", "vfio-pci", boot=1), dark), (), NOTHING) is None


def test_the_console_card_is_the_host_gpu_whatever_its_driver() -> None:
    console = card("01:00", 1, "vfio-pci", boot_vga=True)[0]
    gpus = (console, *cards(None, False)[1:])
    assert roles(gpus, (), NOTHING) == {ONE: "host", TWO: "guest"}


@pytest.mark.parametrize("driver", NOBODYS)
def test_a_card_that_the_host_can_do_nothing_with_is_not_its(driver: str) -> None:
    gpus = on("vfio-pci", driver, "nouveau")
    assert roles(gpus, (domain("win11", "01:00.0"),), NOTHING) == {
        ONE: "guest", TWO: "other", THREE: "host",
    }  # fmt: skip
    assert roles(on("vfio-pci", driver), (domain("win11", "01:00.0"),), NOTHING)[TWO] == "other"


@pytest.mark.parametrize(
    "driver",
    ["nvidia", "nouveau", "amdgpu", "radeon", "i915", "xe", "ast", "mgag200", "virtio-pci", "qxl"],
)
def test_a_card_on_any_other_driver_is_the_hosts(driver: str) -> None:
    assert roles(on("vfio-pci", driver), (domain("win11", "01:00.0"),), NOTHING)[TWO] == "host"
    assert str(owner(on(driver)[0], ())) == "host"


def test_a_card_alone_is_the_host_gpu() -> None:
    assert roles(cards(True), (), NOTHING) == {ONE: "host"}


@pytest.mark.parametrize(
    ("domains", "choice", "expected"),
    [
        ((domain("win11", "02:00.0"), domain("nas")), NOTHING, "uuid-win11"),
        ((domain("win11", "02:00.0"), domain("linux", "02:00.0")), NOTHING, None),
        (
            (domain("win11", "02:00.0"), domain("linux", "02:00.0")),
            Choice(guest="linux"),
            "uuid-linux",
        ),
        ((domain("win11", "02:00.0"), domain("nas")), Choice(guest="uuid-nas"), "uuid-nas"),
        ((domain("win11", "02:00.0"), domain("nas")), Choice(guest_uuid="uuid-nas"), "uuid-nas"),
        ((domain("win11", "02:00.0"), domain("nas")), Choice(guest_uuid="nas"), None),
        ((domain("win11", "02:00.0"),), Choice(guest="win12"), None),
        # A domain whose name is another's UUID: the typed text means either.
        ((domain("nas"), domain("uuid-nas")), Choice(guest="uuid-nas"), None),
        ((domain("nas"), domain("uuid-nas")), Choice(guest_uuid="uuid-nas"), "uuid-nas"),
        ((domain("nas"),), NOTHING, None),
    ],
)
def test_the_allowed_guest(
    domains: tuple[Domain, ...], choice: Choice, expected: str | None
) -> None:
    assert allowed_guest(TWO, domains, choice) == expected


def test_no_guest_gpu_no_guest() -> None:
    assert allowed_guest(None, (domain("win11", "02:00.0"),), NOTHING) is None


@pytest.mark.parametrize(
    ("driver", "domains", "expected"),
    [
        ("nvidia", (), "host"),
        ("nvidia", (domain("win11", "02:00.0", state="running"),), "host"),
        ("vfio-pci", (), "vfio"),
        ("vfio-pci", (domain("win11", "02:00.0"),), "vfio"),
        ("vfio-pci", (domain("win11", "02:00.0", state="running"),), "guest:win11"),
        ("vfio-pci", (domain("win11", "02:00.0", state="paused"),), "guest:win11"),
        ("vfio-pci", (domain("win11", "02:00.0", state="unknown"),), "vfio"),
        (None, (), "none"),
        *((driver, (), "none") for driver in NOBODYS),
        *((driver, (domain("win11", "02:00.0", state="running"),), "none") for driver in NOBODYS),
    ],
)
def test_the_owner(driver: str | None, domains: tuple[Domain, ...], expected: str) -> None:
    gpu = two_cards(driver).gpus[1]
    assert str(owner(gpu, domains)) == expected


@pytest.mark.parametrize(("stuck", "expected"), [(False, "moving"), (True, "stuck")])
def test_a_card_that_its_driver_releases(stuck: bool, expected: str) -> None:
    gpu = two_cards(None).gpus[1]
    assert str(owner(gpu, (), Removal("nvidia", NOON, stuck))) == expected


def test_an_unreadable_driver_has_an_unknown_owner() -> None:
    assert str(owner(function("02:00.0", unreadable=("driver",)), ())) == "unknown"
