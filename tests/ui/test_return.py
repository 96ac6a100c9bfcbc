"""A return that the watch has announced: it counts down on every screen, and a key cancels it."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.thorough import thorough
from tests.ui.rig import GUESTS, NOON, NORMAL, PHONE, WIDE, WIN11, Rig, until
from tests.values import replace
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import HostError
from tui.keymap import checked
from tui.model import Swap, Watch
from tui.model.watch import PendingReturn, WatchPolicy
from tui.session import Session
from widgets.group_panel import GroupPanel
from widgets.return_line import ReturnLine

GUEST_GPU = "0000:01:00.0"
RETURN = PendingReturn("a" * 32, GUEST_GPU, "win11", NOON + timedelta(seconds=27))
SWAP = Swap("1", "unbind", GUEST_GPU, (GUEST_GPU,), "running", ("a",), 0, NOON, NOON, by="watch")
WATCH = Watch(True, True, WatchPolicy(after_stop="unbind"), pending=RETURN)

SCREENS = {
    "": "overview", "question_mark": "help", "u": "swap", "e": "overview", "3 3": "overview",
    "g down enter": "device", "d": "doctor", "s": "guest", "w": "roles", "v": "usb",
    "o": "settings", "c": "calls",
}  # fmt: skip
"""The keys that open each screen, and its name."""


def returning() -> Rig:
    """The guest has ended, and its card is about to return."""
    rig = Rig()
    rig.guests.reading = replace(GUESTS, domains=(replace(WIN11, state="shut off"),))
    rig.watch.reading = WATCH
    return rig


async def shown(rig: Rig, pilot: Pilot[None]) -> None:
    await until(pilot, lambda: "returns" in row(rig))


def row(rig: Rig) -> str:
    """The row below the header."""
    return rig.text().splitlines()[1]


def cursor(rig: Rig) -> str | None:
    return rig.app.screen.query_one(GroupPanel).selected


@pytest.mark.parametrize(
    ("size", "count"), [(PHONE, 3), *thorough((PHONE, None), (NORMAL, None), (WIDE, None))]
)
async def test_every_screen_shows_it_below_the_header(
    size: tuple[int, int], count: int | None
) -> None:
    rig = returning()
    async with rig.running(size) as pilot:
        await shown(rig, pilot)
        for keys, name in islice(SCREENS.items(), count):
            await pilot.press(*keys.split())
            await until(pilot, lambda name=name: rig.app.screen.name == name)  # type: ignore[misc]
            await shown(rig, pilot)
            assert row(rig).startswith(" 01:00.0 returns"), keys
            assert "in 27 s" in row(rig) and "k keeps it here" in row(rig), keys
            assert "q quit" in rig.text().splitlines()[-1], keys
            await pilot.press("escape", "escape")


async def test_it_counts_down_by_itself_and_takes_a_row_only_while_it_is_to_come() -> None:
    rig = returning()
    rig.watch.reading = replace(WATCH, pending=replace(RETURN, due_at=NOON + timedelta(seconds=2)))
    async with rig.running() as pilot:
        await until(pilot, lambda: "in 2 s" in row(rig))
        rig.at = NOON + timedelta(seconds=1.2)
        await until(pilot, lambda: "in 1 s" in row(rig))
        rig.at = NOON + timedelta(seconds=5)
        await until(pilot, lambda: "returns to the host now" in row(rig))
        body = rig.app.screen.query_one("#body").size.height
        rig.watch.put(replace(WATCH, pending=None))
        await until(pilot, lambda: "returns" not in row(rig))
        assert rig.app.screen.query_one("#body").size.height == body + 1
        assert not rig.app.screen.query_one(ReturnLine).display


async def test_it_is_not_announced_any_more_once_the_swap_has_begun() -> None:
    """Then the key would come too late."""
    rig = returning()
    async with rig.running() as pilot:
        await shown(rig, pilot)
        rig.swap.put(SWAP)
        await until(pilot, lambda: "returns" not in row(rig))
        await pilot.press("k")
        rig.swap.put(replace(SWAP, state="undone", message="busy"))
        await shown(rig, pilot)
        assert rig.keeper.kept == []


async def test_root_cancels_it_with_a_key_or_a_click() -> None:
    rig = returning()
    async with rig.running() as pilot:
        await shown(rig, pilot)
        await pilot.press("k")
        await until(pilot, lambda: rig.keeper.kept == [RETURN.id])
        await until(pilot, lambda: "asked to keep 01:00.0 on vfio-pci" in rig.text())
        await pilot.click(offset=(row(rig).index("k keeps"), 1))
        await until(pilot, lambda: rig.keeper.kept == [RETURN.id] * 2)
        rig.keeper.answer = HostError("the folder is full")
        await pilot.press("k")
        await until(pilot, lambda: "! the folder is full" in rig.text())


async def test_others_are_told_what_root_may_do() -> None:
    rig = returning()
    rig.keeper.unavailable_reason = "only root can: `sudo vfiotop watch --keep`"
    async with rig.running() as pilot:
        await shown(rig, pilot)
        assert "· only root can: `sudo vfiotop watch --keep`" in row(rig)
        await pilot.press("k")
        await until(pilot, lambda: "! k keep: only root can" in rig.text().splitlines()[-1])
        assert rig.keeper.kept == []


async def test_the_key_moves_through_lists_when_nothing_returns_and_is_text_in_a_field() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("g", "j", "j")
        second = cursor(rig)
        await pilot.press("k")
        assert cursor(rig) not in (None, second)
        rig.watch.put(WATCH)
        await shown(rig, pilot)
        await pilot.press("j", "k")
        await until(pilot, lambda: rig.keeper.kept == [RETURN.id])
        assert cursor(rig) == second
        await pilot.press("slash", "k")
        assert rig.app.screen.query_one(Input).value == "k"
        assert rig.keeper.kept == [RETURN.id]


async def test_another_key_of_the_configuration_does_the_same() -> None:
    rig = returning()
    keys = checked({"keep": "f5"})
    rig.app = VfiotopApp(Session(rig.host, Config(interval=3600, keys=keys)))
    async with rig.running() as pilot:
        await shown(rig, pilot)
        assert "f5 keeps it here" in row(rig)
        await pilot.press("k")
        await pilot.press("f5")
        await until(pilot, lambda: rig.keeper.kept == [RETURN.id])
