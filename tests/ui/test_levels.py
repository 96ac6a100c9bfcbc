"""Screens stack over the overview, never over themselves, and esc closes them one by one."""

from __future__ import annotations

import asyncio

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from tests.thorough import thorough
from tests.ui.rig import NOON, Rig, until
from tests.ui.test_swap import CARD, SOUND, STEPS
from tui.model import Swap
from tui.screens.overview import OverviewScreen

OPENERS = (
    ("g",), ("down", "down", "enter"), ("slash", *"nvme", "enter"), ("enter",), ("e",), ("d",),
    ("w",), ("c",), ("question_mark",), ("ctrl+p",), ("b",), ("s",), ("x",),
)  # fmt: skip
"""Keys that open a screen, from the overview or from another; "down" finds a device."""

DEEPEST = ["overview", "groups", "filter", "device", "help", "filter", "palette"]


def is_open(field: Input) -> bool:
    """Whether esc closes the field first. The help's field stays open and is emptied."""
    return field.display and (bool(field.value) or isinstance(field.screen, OverviewScreen))


def levels(rig: Rig) -> list[str]:
    """The stack of screens, the overview first; its zoomed panel and the filter are levels, too."""
    found: list[str] = []
    for each in rig.app.screen_stack:
        found.append("palette" if isinstance(each, CommandPalette) else each.name or "?")
        if isinstance(each, OverviewScreen) and each.zoomed:
            found.append(each.zoomed)
        found += ["filter" for field in each.query("#filter").results(Input) if is_open(field)]
    return found


async def esc_leads_home(rig: Rig, pilot: Pilot[None], trail: object) -> None:
    """Each esc closes one level."""
    depth = len(levels(rig))
    while depth > 1:
        await pilot.press("escape")
        assert len(levels(rig)) == depth - 1, (trail, levels(rig))
        depth -= 1
    assert levels(rig) == ["overview"], trail


def every_pair(first: int) -> list[int]:
    """A walk over ``OPENERS`` in which each follows ``first``, and ``first`` each."""
    count = len(OPENERS)
    return [each for other in range(first, count) for each in (first, other)]


@pytest.mark.parametrize("first", [0, *thorough(*range(1, len(OPENERS)))])
async def test_each_screen_replaces_the_one_before(first: int) -> None:
    rig = Rig()
    rig.control.unavailable_reason = rig.mover.unavailable_reason = "nothing is done in this test"
    async with rig.running() as pilot:
        trail: list[tuple[str, ...]] = []
        for each in every_pair(first):
            trail.append(OPENERS[each])
            await pilot.press(*OPENERS[each])
            seen = levels(rig)
            assert len(seen) <= len(DEEPEST), (trail, seen)
            screens = [each for each in seen if each != "filter"]
            assert len(set(screens)) == len(screens), (trail, seen)
            if seen[-1] == "palette":
                await pilot.press("escape")
                assert levels(rig) == seen[:-1]
        await esc_leads_home(rig, pilot, trail)


WALKS = [
    "g down down enter g down enter g",
    "g down down enter question_mark escape g down down enter g",
    "d d d e d g d", "x x u x p",
    *thorough(
        "g down down enter e enter g e", "g down down enter d g c g", "e g e g e g",
        "g down down enter b escape g down down enter w",
    ),
]  # fmt: skip


@pytest.mark.parametrize("walk", WALKS)
async def test_escape_goes_back_level_by_level(walk: str) -> None:
    rig = Rig()
    rig.control.unavailable_reason = rig.mover.unavailable_reason = "nothing is done in this test"
    async with rig.running() as pilot:
        await pilot.press(*walk.split())
        seen = levels(rig)
        assert len(seen) <= len(DEEPEST), seen
        assert len(set(seen)) == len(seen), seen
        await esc_leads_home(rig, pilot, walk)


async def test_the_same_key_twice_at_once_opens_one() -> None:
    """Both keys arrive before the first has opened a screen."""
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("g", "down", "down")
        for _ in range(2):
            await rig.app.run_action("screen.open", rig.app)
        for _ in range(2):
            await rig.app.run_action("app.help")
        await asyncio.sleep(0)
        assert levels(rig) == ["overview", "groups", "device", "help"]
        await esc_leads_home(rig, pilot, "twice")


@pytest.mark.parametrize(
    "over", ["g down down enter", "ctrl+p", *thorough("g", "g question_mark", "d ctrl+p")]
)
async def test_an_interrupted_swap_opens_over_the_overview(over: str) -> None:
    rig = Rig()
    left = Swap(
        "1", "bind", CARD, (CARD, SOUND), "running", STEPS, 1, NOON, NOON, runner_alive=False
    )
    async with rig.running() as pilot:
        await pilot.press(*over.split())
        rig.swap.put(left)
        await until(pilot, lambda: rig.app.screen.name == "swap")
        assert [each for each in levels(rig) if each != "groups"] == ["overview", "swap"]
        await esc_leads_home(rig, pilot, over)
