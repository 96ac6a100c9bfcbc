"""Which actions make sense, and why the others do not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from tests.unit.made import card, domain, inventory, snapshot, two_cards
from tui.model import Direction, HostView, Snapshot, Swap, Unavailable
from tui.rules.availability import pause_action, stop_action, why_not, why_not_guest
from tui.rules.view import assess

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
RUNS = Swap("1", "bind", "0000:02:00.0", ("0000:02:00.0",), "running", ("modprobe",), 0, NOON, NOON)


@pytest.mark.parametrize(
    ("direction", "driver", "words"),
    [("bind", "nvidia", None), ("bind", "vfio-pci", "on vfio-pci already"), ("bind", None, None),
     ("unbind", "vfio-pci", None), ("unbind", "nvidia", "with the host already"),
     ("unbind", None, None),
     ("bind", "nvgrace-gpu-vfio-pci", "on nvgrace-gpu-vfio-pci already"),
     ("unbind", "nvgrace-gpu-vfio-pci", None), ("unbind", "vfio_pci", None),
     ("bind", "pci-stub", None), ("unbind", "pci-stub", None)],
)  # fmt: skip
def test_where_the_card_is(direction: Direction, driver: str | None, words: str | None) -> None:
    gpu, sound = card("02:00", 2, driver, boot_vga=False)
    if driver is not None and "vfio" in driver:
        sound = replace(sound, driver="vfio-pci")
    cards = inventory(*card("01:00", 1, boot_vga=True), gpu, sound)
    said = why_not(direction, assess(snapshot(cards)))
    assert (said is None) if words is None else words in (said or "")


def test_a_card_that_is_half_way_may_go_either_way() -> None:
    gpu, sound = card("02:00", 2, boot_vga=False)
    half = (gpu, replace(sound, driver="vfio-pci"))
    view = assess(snapshot(inventory(*card("01:00", 1, boot_vga=True), *half)))
    assert (why_not("bind", view), why_not("unbind", view)) == (None, None)


def test_a_guest_that_runs_with_it() -> None:
    view = assess(snapshot(two_cards("vfio-pci"), (domain("win11", "02:00.0", state="running"),)))
    assert why_not("unbind", view) == "“win11” is running with the card: shut it down first"


def test_no_card() -> None:
    assert why_not("bind", HostView()) == "this host has no GPU"
    assert why_not("bind", assess(Snapshot())) == "not read yet"
    one = assess(snapshot(inventory(*card("01:00", 1, boot_vga=True))))
    assert "no card is left for a guest" in (why_not("bind", one) or "")
    two = assess(snapshot(inventory(*card("01:00", 1), *card("02:00", 2))))
    assert two.guest_gpu is None
    assert why_not("bind", two) is None  # it is asked which one


def test_a_key_for_the_guest_says_why_it_does_nothing() -> None:
    off = assess(snapshot(two_cards(), (domain("win11", "02:00.0"),)))
    assert why_not_guest("start", off) is None
    assert why_not_guest("stop", off) == "“win11” is already shut off"
    assert why_not_guest("pause", off) == "“win11” is shut off"
    paused = assess(snapshot(two_cards(), (domain("win11", "02:00.0", state="paused"),)))
    assert (pause_action(paused), pause_action(off)) == ("resume", "pause")
    assert (stop_action(paused), stop_action(off)) == ("force-off", "stop")
    assert why_not_guest("stop", paused) == ("“win11” is paused: resume it first, or force it off")
    assert why_not_guest("resume", paused) is None


def test_a_guest_that_is_not_known_is_asked_for_where_there_are_some() -> None:
    two = (domain("a", "02:00.0"), domain("b", "02:00.0"))
    assert why_not_guest("start", assess(snapshot(two_cards(), two))) is None
    assert why_not_guest("start", assess(snapshot(two_cards()))) == (
        "no domain is defined in libvirt"
    )
    dead = snapshot(two_cards(), guests=Unavailable("libvirtd is not running"))
    assert why_not_guest("start", assess(dead)) == "libvirtd is not running"


@pytest.mark.parametrize(
    ("swap", "why"),
    [
        (RUNS, "the bind is still under way"),
        (replace(RUNS, runner_alive=False, writer_alive=True), "still under way"),
        (replace(RUNS, runner_alive=False), None),
    ],
)
def test_a_swap_is_shown_by_b_and_by_u_if_it_waits_for_recovery(
    swap: Swap, why: str | None
) -> None:
    view = assess(snapshot(two_cards("vfio-pci"), (domain("a", "02:00.0"),), swap=swap))
    assert why_not("bind", view) is None
    for reason in (why_not("unbind", view), why_not_guest("start", view)):
        assert (reason is None) if why is None else (why in (reason or ""))
    ended = assess(snapshot(two_cards("vfio-pci"), swap=replace(swap, state="done")))
    assert why_not("bind", ended) is not None
