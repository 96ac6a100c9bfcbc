"""How a card is set up on its host: a verdict for each thing that can be measured."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import NOON, SATA, card, domain, function, inventory, snapshot
from tui.model import (
    Bar,
    BarSizes,
    CardVitals,
    Check,
    Framebuffer,
    Gpu,
    Holder,
    Holders,
    HostFacts,
    HostSetup,
    HostView,
    PciFunction,
    Readiness,
    Verdict,
    Vitals,
)
from tui.rules import card_setup_checks as checks
from tui.rules.roles import Choice
from tui.rules.view import assess

CARD, SOUND, HOST_CARD = "0000:02:00.0", "0000:02:00.1", "0000:01:00.0"
MIB, GIB = 1 << 20, 1 << 30


def seen(*functions: PciFunction, kernel: str = "6.12.1", **readings: Any) -> HostView:
    pci = inventory(*card("01:00", 1, boot_vga=True), *functions)
    return assess(snapshot(pci, facts=HostFacts("atlas", kernel), **readings), Choice(CARD))


def the_card(view: HostView) -> Gpu:
    found = view.gpu(CARD)
    assert found is not None
    return found


def pair(driver: str = "vfio-pci", **facts: Any) -> tuple[PciFunction, PciFunction]:
    return card("02:00", 2, driver, boot_vga=False, **facts)


def ready(*, captured: bool = False, **setup: Any) -> Readiness:
    return Readiness(root=True, vfio_pci=True, setup=HostSetup(**setup), captured=captured)


# --- the firmware's framebuffer ---------------------------------------------------

FB = (Framebuffer("BOOTFB", CARD),)


@pytest.mark.parametrize(
    ("found", "kernel", "verdict"),
    [
        (None, "6.12.1", "unknown"), ((), "6.12.1", "pass"),
        ((Framebuffer("BOOTFB", HOST_CARD),), "5.15.0", "pass"),
        ((Framebuffer("efifb"),), "5.15.0", "pass"),
        (FB, "5.19.3-arch1", "warn"), (FB, "6.0.0", "pass"), (FB, "6.12.1", "pass"),
        ((Framebuffer("efifb", SOUND),), "5.4.0", "warn"), (FB, "unknown", "unknown"),
    ],
)  # fmt: skip
def test_the_firmwares_framebuffer(found: Any, kernel: str, verdict: Verdict) -> None:
    view = seen(*pair(), kernel=kernel)
    check = checks.framebuffer(the_card(view), view, ready(framebuffers=found))
    assert (check.id, check.subject, check.verdict) == ("gpu.framebuffer", CARD, verdict)
    assert ("initcall_blacklist=sysfb_init" in (check.fix or "")) == (verdict == "warn")


def test_a_framebuffer_that_no_device_has_is_not_said_to_be_absent() -> None:
    view = seen(*pair())
    check = checks.framebuffer(the_card(view), view, ready(framebuffers=()))
    assert check.why == "the firmware's framebuffer is not in the card's memory"


def test_vfio_removes_the_framebuffer_of_vga_cards_only() -> None:
    view = seen(function("02:00.0", "038000", driver="vfio-pci", iommu_group=2))
    check = checks.framebuffer(the_card(view), view, ready(framebuffers=FB))
    assert check.verdict == "warn"


# --- Resizable BAR ------------------------------------------------------------------


def bars(size: int) -> tuple[Bar, ...]:
    return (Bar(0, 16 * MIB), Bar(1, size, prefetchable=True), Bar(3, 32 * MIB, prefetchable=True))


def sized(*sizes: int) -> tuple[BarSizes, ...]:
    return (BarSizes(1, sizes),)


@pytest.mark.parametrize(
    ("size", "can", "verdict", "words"),
    [
        (32 * GIB, sized(256 * MIB, 32 * GIB), "pass", "the largest it can be"),
        (256 * MIB, sized(64 * MIB, 256 * MIB, 32 * GIB), "warn", "could be 32 GiB"),
        (256 * MIB, (), "pass", "has no Resizable BAR"),
        (256 * MIB, (BarSizes(0, (GIB,)),), "pass", "has no Resizable BAR"),
        (256 * MIB, None, "unknown", "while the card is awake"),
        (32 * GIB, None, "pass", "Resizable BAR is on"),
    ],
)
def test_resizable_bar(size: int, can: Any, verdict: Verdict, words: str) -> None:
    view = seen(*(replace(f, bars=bars(size), resizable=can) for f in pair()))
    check = checks.resizable_bar(the_card(view), view)
    assert (check.verdict, words in check.why) == (verdict, True), check


def test_each_vendor_has_its_memory_in_a_register_of_its_own() -> None:
    amd = function("02:00.0", driver="vfio-pci", iommu_group=2, vendor="1002", device="73bf",
                   bars=(Bar(0, 256 * MIB, prefetchable=True), Bar(2, 2 * MIB, prefetchable=True)),
                   resizable=(BarSizes(0, (256 * MIB, 16 * GIB)),))  # fmt: skip
    for changed, verdict in (
        ({}, "warn"),
        ({"bars": ()}, "unknown"),
        ({"vendor": "1a03"}, "unknown"),
    ):
        view = seen(replace(amd, **changed))
        assert checks.resizable_bar(the_card(view), view).verdict == verdict


def test_graphics_in_the_processor_have_no_memory_of_their_own() -> None:
    own = function("00:02.0", vendor="8086", device="4680", driver="i915", iommu_group=9)
    view = assess(snapshot(inventory(own)))
    assert checks.resizable_bar(view.gpus[0], view).verdict == "pass"
    apu = function("02:00.0", vendor="1002", device="15bf", driver="amdgpu", iommu_group=2,
                   bars=(Bar(0, 256 * MIB, prefetchable=True),),
                   resizable=(BarSizes(0, (256 * MIB, 8 * GIB)),))  # fmt: skip
    crypto = function("02:00.2", "108000", vendor="1022", iommu_group=3)
    view = seen(apu, crypto)
    assert checks.resizable_bar(the_card(view), view).verdict == "pass"


# --- sleep ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "no_idle", "state", "verdict", "words"),
    [
        (True, False, "D0", "pass", "awake now"), (True, None, "D3hot", "pass", "in D3hot now"),
        (True, False, "D3cold", "pass", "d3cold_allowed"),
        (False, False, "D0", "pass", "may not enter D3cold"),
        (True, True, "D0", "pass", "disable_idle_d3"), (None, None, "D0", "unknown", "be read"),
    ],
)  # fmt: skip
def test_its_deepest_sleep(
    allowed: bool | None, no_idle: bool | None, state: str, verdict: Verdict, words: str
) -> None:
    vitals = Vitals((CardVitals(CARD, "active", state, driver="vfio-pci", enabled=0),))
    setup = {} if allowed is None else {CARD: allowed}
    view = seen(*pair(), vitals=vitals)
    check = checks.d3cold(the_card(view), ready(d3cold_allowed=setup, no_idle_d3=no_idle))
    assert (check.verdict, words in check.why) == (verdict, True), check


def test_a_card_that_sleeps_in_its_guest_may_not_have_come_back() -> None:
    vitals = Vitals((CardVitals(CARD, "suspended", "D3cold", driver="vfio-pci", enabled=1),))
    pci = inventory(*card("01:00", 1, boot_vga=True), *pair())
    running = domain("win11", "02:00.0", "02:00.1", state="running")
    view = assess(snapshot(pci, (running,), vitals=vitals))
    check = checks.d3cold(the_card(view), ready(d3cold_allowed={CARD: True}))
    assert check.verdict == "warn"
    then = f"`echo 0 > /sys/bus/pci/devices/{CARD}/d3cold_allowed` before it is bound"
    assert check.fix == f"power the host off and on; then {then}"


# --- reset ----------------------------------------------------------------------------


def reset(view: HostView, **setup: Any) -> Check:
    captured = setup.pop("captured", False)
    return checks.reset(the_card(view), view, ready(captured=captured, **setup))


def test_functions_with_a_reset_of_their_own() -> None:
    both = [replace(f, reset_methods=("flr", "bus")) for f in pair()]
    check = reset(seen(*both))
    assert (check.verdict, check.why) == ("pass", f"{CARD} by flr, {SOUND} by flr")


def test_a_bus_that_is_all_the_guests_is_reset_whole() -> None:
    assert reset(seen(*pair())).why == f"{CARD}, {SOUND} with the whole bus"
    one = [replace(f, reset_methods=("flr",)) if f.address == CARD else f for f in pair()]
    assert reset(seen(*one)).why == f"{CARD} by flr, {SOUND} with the whole bus"


@pytest.mark.parametrize(
    ("kernel", "captured", "verdict"),
    [("6.12.1", False, "warn"), ("5.14.0", False, "unknown"), ("6.12.1", True, "unknown")],
)
def test_a_bus_with_something_else_on_it(kernel: str, captured: bool, verdict: Verdict) -> None:
    disk = function("02:01.0", SATA, vendor="8086", driver="ahci", iommu_group=5)
    check = reset(seen(*pair(), disk, kernel=kernel), captured=captured)
    assert check.verdict == verdict
    if verdict == "warn":
        assert "its bus has 0000:02:01.0 too" in check.why


def test_a_reset_method_that_cannot_be_read() -> None:
    odd = [replace(f, unreadable=("reset_method",)) for f in pair()]
    assert reset(seen(*odd)).verdict == "unknown"


@pytest.mark.parametrize(
    ("device", "methods", "loaded", "verdict", "fix"),
    [
        ("67df", ("bus",), False, "warn", "vendor_reset"), ("67df", ("bus",), None, "unknown", ""),
        ("67df", ("bus",), True, "warn", "echo device_specific > "),
        ("67df", ("device_specific", "bus"), True, "pass", ""),
        ("731f", None, False, "warn", "vendor_reset"), ("73bf", ("bus",), False, "pass", ""),
        ("1638", ("bus",), False, "pass", ""), ("73ff", ("bus",), False, "pass", ""),
    ],
)  # fmt: skip
def test_amd_cards_that_need_vendor_reset(
    device: str, methods: Any, loaded: bool | None, verdict: Verdict, fix: str
) -> None:
    """Not the processors' graphics and Navi 23, which a list of that module has too."""
    amd = function("02:00.0", driver="vfio-pci", iommu_group=2, vendor="1002", device=device,
                   reset_methods=methods)  # fmt: skip
    check = reset(seen(amd), vendor_reset=loaded)
    assert (check.verdict, fix in (check.fix or "")) == (verdict, True)


# --- who has it -----------------------------------------------------------------------


def test_a_process_without_a_domain_has_the_card() -> None:
    plain = Holder(CARD, 4711, "qemu-system-x86", "/dev/vfio/2", guest="win10")
    vitals = Vitals((CardVitals(CARD, driver="vfio-pci", enabled=1, users=Holders((plain,))),))
    check = checks.user(the_card(seen(*pair(), vitals=vitals)))
    assert check.verdict == "warn"
    assert "“win10” (qemu-system-x86, pid 4711) has the card" in check.why


def test_a_card_that_may_be_in_use_unseen() -> None:
    vitals = Vitals((CardVitals(CARD, driver="vfio-pci", enabled=1),))
    assert checks.user(the_card(seen(*pair(), vitals=vitals))).verdict == "unknown"


@pytest.mark.parametrize(
    ("driver", "words"),
    [("vfio-pci", "nobody has it open"), ("nvidia", "the host has it"), (None, "no guest has it")],
)
def test_a_card_that_no_guest_has(driver: Any, words: str) -> None:
    vitals = Vitals((CardVitals(CARD, driver=driver, enabled=0),))
    check = checks.user(the_card(seen(*pair(driver), vitals=vitals)))
    assert (check.verdict, check.why) == ("pass", words)


def test_a_card_that_its_domain_has() -> None:
    pci = inventory(*card("01:00", 1, boot_vga=True), *pair())
    running = domain("win11", "02:00.0", "02:00.1", state="running", started_at=NOON)
    check = checks.user(the_card(assess(snapshot(pci, (running,)))))
    assert (check.verdict, check.why) == ("pass", "win11 has it, a domain of this libvirt")
