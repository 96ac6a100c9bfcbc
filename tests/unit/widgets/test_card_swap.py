"""A swap in the panel of its card: told in words, function by function."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.widgets.cards import GUEST, SWAP, moving, on_host, text, tones
from tests.values import replace
from tui.model import Gpu, Owner, PciFunction, PowerControl, Step, Swap
from tui.swap.plan import steps
from widgets.card import Card
from widgets.card_swap import moved, now_line, overdue, parsed, progress, swap_rows
from widgets.glyphs import PLAIN
from widgets.samples import AT, GUEST_GPU

CONTROLS: dict[str, PowerControl] = {"0000:01:00.0": "auto"}


def rows(card: Card, count: int = 4, width: int = 56) -> list[str]:
    assert card.swap is not None
    return [text(row).rstrip() for row in swap_rows(card, card.swap, count, width)]


def on(gpu: Gpu, driver: str | None, audio: str | None) -> Gpu:
    companion = replace(gpu.companions[0], driver=audio)
    return replace(gpu, function=replace(gpu.function, driver=driver), companions=(companion,))


def test_every_step_of_a_plan_has_words() -> None:
    bind = steps(on(GUEST_GPU, "nvidia", "snd_hda_intel"), "bind")
    assert [parsed(step.text, "vfio-pci").words for step in bind] == [
        "loading vfio-pci",
        "01:00.1 reserved for vfio-pci",
        "snd_hda_intel releases 01:00.1",
        "vfio-pci takes 01:00.1",
        "01:00.0 reserved for vfio-pci",
        "nvidia releases 01:00.0",
        "vfio-pci takes 01:00.0",
        "waiting for /dev/vfio/14",
    ]
    home = steps(on(GUEST_GPU, "vfio-pci", "vfio-pci"), "unbind", CONTROLS)
    assert [parsed(step.text, "host driver").words for step in home] == [
        "loading the drivers of the host",
        "01:00.0 no longer reserved",
        "vfio-pci releases 01:00.0",
        "host driver takes 01:00.0",
        "01:00.1 no longer reserved",
        "vfio-pci releases 01:00.1",
        "host driver takes 01:00.1",
        "power management of 01:00.0",
        "waiting for NVML to list 01:00.0",
    ]


@pytest.mark.parametrize("direction", ["bind", "unbind"])
def test_every_step_of_a_function_is_known_to_be_its_own(direction: str) -> None:
    gpu = on(GUEST_GPU, *(("nvidia", "x") if direction == "bind" else ("vfio-pci", "vfio-pci")))
    planned = steps(gpu, "bind" if direction == "bind" else "unbind", CONTROLS)
    found = [parsed(step.text, "vfio-pci").address for step in planned]
    movers = ("override", "unbind", "probe")
    assert found == [step.address if step.kind in movers else "" for step in planned]


@pytest.mark.parametrize("step", ["", "true", "echo 1 > /proc/x", "echo > '/sys/a b'"])
def test_an_unknown_step_keeps_its_words(step: str) -> None:
    assert parsed(step, "vfio-pci").words == step


def test_the_rows_of_a_bind() -> None:
    assert rows(moving()) == [
        "Swap    6 of 8 ■■■■■■■■■■■■■■■■■■■■■■·········· 2.1 s",
        "Now   nvidia releases 01:00.0              may take 10 s",
        "01:00.0  nvidia         → vfio-pci   ◐",
        "01:00.1  snd_hda_intel  → vfio-pci   ✓",
    ]
    assert rows(moving(), width=36) == [
        "Swap   6 of 8 ■■■■■■■■■···· 2.1 s",
        "Now   nvidia releases 01:00.0",
        "01:00.0  nvidia        → vfio-pci ◐",
        "01:00.1  snd_hda_intel → vfio-pci ✓",
    ]
    assert rows(moving(), 2, 38) == [
        "Swap   6 of 8 ■■■■■■■■■■····· 2.1 s",
        "Now   nvidia releases 01:00.0",
    ]


def test_a_function_that_has_not_begun_waits() -> None:
    drawn = swap_rows(moving(replace(SWAP, step=1)), replace(SWAP, step=1), 4, 56)
    assert [text(row).rstrip()[-1] for row in drawn[2:]] == ["·", "◐"]
    assert tones(drawn[2], "·") == ["label"]
    assert tones(drawn[3], "◐") == ["warn"]


def test_an_unbind_learns_the_drivers_of_the_host() -> None:
    gpu = on(GUEST.gpu, "nvidia", "vfio-pci")
    planned: tuple[Step, ...] = steps(on(GUEST_GPU, "vfio-pci", "vfio-pci"), "unbind")
    swap = Swap(
        "two", "unbind", gpu.address, SWAP.moves, "running", tuple(s.text for s in planned), 4, AT,
        AT, drivers=("vfio-pci", "vfio-pci"),
    )  # fmt: skip
    card = replace(GUEST, gpu=replace(gpu, owner=Owner("moving")), swap=swap)
    assert rows(card)[2:] == [
        "01:00.0  vfio-pci  → nvidia        ✓",
        "01:00.1  vfio-pci  → host driver   ◐",
    ]
    assert moved(card, swap) == "1 of 2 with the host"


def test_an_undo_goes_the_other_way_and_says_why() -> None:
    swap = replace(SWAP, state="undoing", message="vfio-pci did not take 01:00.0")
    card = moving(swap)
    card = replace(card, gpu=on(card.gpu, "nvidia", "vfio-pci"))
    assert rows(card) == [
        "Undo    step 6 ■■■■■■■■■■■■■■■■■■■■■■·········· 2.1 s",
        "Why   vfio-pci did not take 01:00.0",
        "01:00.0  vfio-pci  → nvidia          ✓",
        "01:00.1  vfio-pci  → snd_hda_intel   ◐",
    ]


def test_a_stuck_swap_says_what_to_do() -> None:
    swap = replace(SWAP, state="stuck", message="end blender (5210), which holds /dev/nvidia0")
    card = moving(swap)
    told = "stuck since 20:15: end blender (5210), which holds /dev/nvidia0"
    card = replace(card, gpu=replace(card.gpu, no_reading=told))
    drawn = swap_rows(card, swap, 6, 56)
    assert [text(row) for row in drawn[1:3]] == [
        "Stuck since 20:15: end blender (5210), which holds",
        "/dev/nvidia0",
    ]
    assert {row[0].tone for row in drawn[1:3]} == {"bad"}
    assert tones(drawn[0], "2.1 s") == ["bad"]


def test_seconds_over_the_usual_time_are_marked() -> None:
    card = moving()
    assert not overdue(card, SWAP)
    assert tones(progress(card, SWAP, 56), "2.1 s") == ["label"]
    late = replace(card, at=SWAP.step_began_at + timedelta(seconds=10.5))
    assert overdue(late, SWAP)
    assert tones(progress(late, SWAP, 56), "11 s") == ["warn"]
    assert overdue(replace(card, usual_s=0.5), SWAP)
    assert not overdue(replace(card, usual_s=1.5), SWAP)


def test_the_time_that_a_step_may_take_is_dropped_first() -> None:
    assert text(now_line(SWAP, 44)).endswith("may take 10 s")
    assert text(now_line(SWAP, 43)) == "Now   nvidia releases 01:00.0"


def test_functions_without_a_row_are_counted() -> None:
    more = tuple(
        PciFunction(f"0000:01:00.{n}", "10de", "1ad6", "0c0330", "USB", driver="vfio-pci")
        for n in (2, 3)
    )
    swap = replace(SWAP, moves=(*SWAP.moves, "0000:01:00.2", "0000:01:00.3"))
    card = moving(swap)
    gpu = replace(card.gpu, companions=(*card.gpu.companions, *more))
    card = replace(card, gpu=gpu)
    assert rows(card, 6)[4:] == [
        "01:00.2  no driver      → vfio-pci   ✓",
        "01:00.3  no driver      → vfio-pci   ✓",
    ]
    assert rows(card)[2:] == [
        "01:00.0  nvidia  → vfio-pci   ◐",
        "3 more functions, 3 done",
    ]


def test_the_linux_console_has_its_own_signs() -> None:
    drawn = swap_rows(moving(), SWAP, 4, 56, PLAIN)
    assert text(drawn[2]).rstrip() == "01:00.0  nvidia         > vfio-pci   ~"


def test_a_swap_of_another_card_changes_nothing() -> None:
    card = replace(on_host(GUEST), swap=replace(SWAP, moves=("0000:0a:00.0",)))
    assert card.moving_swap is None
