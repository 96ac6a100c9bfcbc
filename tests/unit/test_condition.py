"""What the doctor says of the state of a card, which status shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.made import NOON, USB, card, domain, function, inventory, snapshot
from tui.model import (
    CardReading,
    CardVitals,
    Check,
    Holders,
    HostView,
    NvmlReading,
    PciFunction,
    Readiness,
    Removal,
    Snapshot,
    Swap,
    Vitals,
)
from tui.rules.doctor import every, examine
from tui.rules.fresh import Fresh
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.status_text import as_text

CARD, HOST_CARD = "0000:02:00.0", "0000:01:00.0"
READY = Readiness(root=True, vfio_pci=True)


def checks(seen: Snapshot, choice: Choice | None = None) -> dict[tuple[str, str | None], Check]:
    view = assess(seen, choice)
    wards = examine(Fresh(view, seen.guests, Holders(()), READY))
    return {(check.id, check.subject): check for check in every(wards)}


def four(gpu: str | None, rest: str | None) -> tuple[PciFunction, ...]:
    """The functions of a Turing card: GPU, sound, USB and UCSI."""
    sound, usb, ucsi = (rest, rest, rest) if rest else (None, None, None)
    if rest == "host":
        sound, usb, ucsi = "snd_hda_intel", "xhci_hcd", "nvidia-gpu"
    return (
        function("02:00.0", driver=gpu, iommu_group=2, boot_vga=False),
        function("02:00.1", "040300", driver=sound, iommu_group=2),
        function("02:00.2", USB, driver=usb, iommu_group=2),
        function("02:00.3", "0c8000", driver=ucsi, iommu_group=2),
    )


def seen(*functions: PciFunction, **facts: Any) -> Snapshot:
    return snapshot(inventory(*card("01:00", 1, boot_vga=True), *functions), **facts)


@pytest.mark.parametrize(
    ("gpu", "rest", "verdict"),
    [
        ("vfio-pci", "host", "warn"), ("nvidia", "vfio-pci", "warn"), (None, "vfio-pci", "warn"),
        ("vfio-pci", "vfio-pci", "pass"), ("nvidia", "host", "pass"), ("vfio-pci", None, "pass"),
        (None, "host", "pass"), (None, None, "pass"),
    ],
)  # fmt: skip
def test_half_bound(gpu: str | None, rest: str | None, verdict: str) -> None:
    found = seen(*four(gpu, rest))
    check = checks(found)["swap.half-bound", CARD]
    assert check.verdict == verdict
    text = as_text(assess(found))
    assert ("half bound" in text) is (verdict == "warn")
    if verdict == "warn":
        assert "0000:02:00.3" in check.why
        assert check.mend == (
            f"`vfiotop bind {CARD}` finishes it, `vfiotop unbind {CARD}` gives it back to the host"
        )


def test_one_function_of_four() -> None:
    functions = list(four("vfio-pci", "vfio-pci"))
    functions[2] = replace(functions[2], driver="xhci_hcd")
    assert checks(seen(*functions))["swap.half-bound", CARD].verdict == "warn"
    functions[2] = replace(functions[2], driver=None, unreadable=("driver",))
    assert checks(seen(*functions))["swap.half-bound", CARD].verdict == "unknown"


def test_every_card_and_not_the_guests_alone() -> None:
    gpu, sound = card("01:00", 1, boot_vga=True)
    other, port = card("03:00", 3, "vfio-pci", boot_vga=False)
    found = snapshot(inventory(
        gpu, replace(sound, driver="vfio-pci"), *card("02:00", 2, "vfio-pci", boot_vga=False),
        other, replace(port, driver="snd_hda_intel"),
    ))  # fmt: skip
    made = checks(found, Choice(CARD))
    assert made["swap.half-bound", CARD].verdict == "pass"
    assert made["swap.half-bound", "0000:03:00.0"].verdict == "warn"
    # The card that drives the display goes nowhere but home.
    assert made["swap.half-bound", HOST_CARD].mend == (
        f"`vfiotop unbind {HOST_CARD}` gives it back to the host"
    )
    assert "`vfiotop bind 0000:03:00.0` finishes it" in as_text(assess(found, Choice(CARD)))


def test_one_that_a_guest_runs_with() -> None:
    gpu, sound = card("02:00", 2, "vfio-pci", boot_vga=False)
    functions = (gpu, replace(sound, driver="snd_hda_intel"))
    running = snapshot(
        inventory(*card("01:00", 1, boot_vga=True), *functions),
        (domain("win11", "02:00.0", state="running"),),
    )
    mend = checks(running)["swap.half-bound", CARD].mend
    assert (mend or "").startswith(f"shut down win11 first; then `vfiotop bind {CARD}`")


SWAP = Swap(
    "a", "bind", CARD, (CARD, "0000:02:00.1"), "running", ("modprobe vfio-pci",), 0, NOON, NOON
)


def test_a_swap_that_was_interrupted() -> None:
    left = replace(SWAP, runner=False)
    for functions in (card("02:00", 2, boot_vga=False), four("vfio-pci", "host")):
        check = checks(seen(*functions, swap=left))["swap.half-bound", CARD]
        assert (check.verdict, "its bind was interrupted" in check.why) == ("fail", True)
        assert check.mend == "`vfiotop recover --finish` or `vfiotop recover --undo`"
    for ended in (SWAP, replace(left, state="done"), replace(left, state="undone")):
        found = checks(seen(*card("02:00", 2, boot_vga=False), swap=ended))
        assert found["swap.half-bound", CARD].verdict == "pass"


@pytest.mark.parametrize("stuck", [True, False])
def test_a_card_that_its_driver_does_not_let_go_of(stuck: bool) -> None:
    removal = Removal("nvidia", NOON, stuck=stuck)
    found = seen(
        *card("02:00", 2, None, boot_vga=False), vitals=Vitals((CardVitals(CARD, removal=removal),))
    )
    check = checks(found)["swap.movable", CARD]
    assert check.verdict == "fail"
    assert check.mend is not None
    assert ("reboot" in check.mend) is stuck
    view: HostView = assess(found)
    assert [gpu.owner for gpu in view.gpus if gpu.address == CARD] == [
        "stuck" if stuck else "moving"
    ]


def test_a_swap_whose_write_does_not_return() -> None:
    swap = replace(SWAP, state="stuck", message="the kernel does not return")
    check = checks(seen(*card("02:00", 2, boot_vga=False), swap=swap))["swap.movable", CARD]
    assert (check.verdict, "the kernel does not return" in check.why) == ("fail", True)


def test_a_card_that_has_left_the_bus() -> None:
    lost = NvmlReading(
        "580.95", (CardReading(HOST_CARD, "nvml", lost="it has fallen off the bus"),)
    )
    found = checks(seen(*card("02:00", 2, "vfio-pci", boot_vga=False), nvml=lost), Choice(CARD))
    check = found["gpu.answers", HOST_CARD]
    assert (check.verdict, check.why) == ("fail", "it has fallen off the bus")
    assert check.mend
    assert found["gpu.answers", CARD].verdict == "pass"


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"vendor": "ffff", "device": "ffff"}, "fail"),
        ({"vendor": "ffff", "unreadable": ("vendor",)}, "unknown"),
        ({}, "pass"),
    ],
)
def test_a_place_where_nothing_answers(facts: dict[str, Any], verdict: str) -> None:
    gpu = function("02:00.0", driver="vfio-pci", iommu_group=2, boot_vga=False, **facts)
    assert checks(seen(gpu), Choice(CARD))["gpu.answers", CARD].verdict == verdict


@pytest.mark.parametrize(
    ("state", "verdict"), [("error", "warn"), ("D3cold", "pass"), (None, "pass")]
)
def test_its_power_state(state: str | None, verdict: str) -> None:
    vitals = Vitals((CardVitals(CARD, "active", state, driver="vfio-pci"),))
    found = seen(*card("02:00", 2, "vfio-pci", boot_vga=False), vitals=vitals)
    assert checks(found)["gpu.answers", CARD].verdict == verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("error", "warn"), ("suspended", "pass"), ("unsupported", "pass"), (None, "pass")],
)
@pytest.mark.parametrize("driver", ["vfio-pci", "nvidia"])
def test_its_runtime_status(status: str | None, verdict: str, driver: str) -> None:
    vitals = Vitals((CardVitals(CARD, status, driver=driver),))
    found = seen(*card("02:00", 2, driver, boot_vga=False), vitals=vitals)
    check = checks(found)["gpu.answers", CARD]
    assert check.verdict == verdict
    assert ("kernel log" in (check.mend or "")) == (verdict == "warn")


def test_a_chosen_card_that_is_somewhere_else_now() -> None:
    found = seen(*card("02:00", 2, boot_vga=False))
    check = checks(found, Choice("0000:0b:00.0"))["guest.gpu", "0000:0b:00.0"]
    assert check.verdict == "fail"
    assert "0000:0b:00.0, where no GPU is any more; the GPUs now are 0000:02:00.0" in check.why
    assert ("guest.gpu", None) not in checks(found)
    assert ("guest.gpu", CARD) not in checks(found, Choice(CARD))
