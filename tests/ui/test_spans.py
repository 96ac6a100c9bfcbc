"""Graphs that reach back for hours, on a host whose watch keeps a history and on one without."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from tests.demo import HeldClock
from tests.ui.rig import text_of, until
from tests.ui.screenshots import EVENING, Picture, prepared, reach
from tui.app import VfiotopApp
from tui.recall import NOT_KEPT, READING
from widgets.card_panel import CardPanel

TICKS = ("┬1 min", "┬5 min", "┬30 min", "┬2 h", "┬6 h")
"""A tick of each span."""


def line_with(app: VfiotopApp, text: str) -> str:
    return next(row for row in text_of(app).splitlines() if text in row)


async def pressed(pilot: Pilot[None], app: VfiotopApp, *keys: str) -> None:
    await pilot.press(*keys)
    await until(pilot, lambda: READING not in text_of(app))


async def test_plus_goes_to_a_day_and_minus_back_and_the_cursor_finds_a_swap() -> None:
    clock, picture = HeldClock(EVENING), Picture("evening", past_s=20)
    app = prepared(picture, clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await reach(pilot, app, picture, clock)
        await pressed(pilot, app, "1")
        axes = []
        for _ in range(5):
            axes.append(line_with(app, "─now"))
            await pressed(pilot, app, "plus")
        assert "Span: 24 h" in text_of(app), "there is no longer one"
        assert " 24 h ─" in line_with(app, "─now")
        assert [tick in axis for tick, axis in zip(TICKS, axes, strict=True)] == [True] * 5
        assert line_with(app, "─now").count("▲") == 2 * 4, "the swaps of a day, in both columns"
        assert "Load 91 %   lowest minute 0 %" in text_of(app)

        await pilot.press(*["left"] * 3)
        assert "18:14:57  2 h 00 min ago  ✓ 01:00.0 bind done in 3.8 s" in text_of(app)
        assert "Load 91 % (4" in text_of(app)
        while "21:39:" not in text_of(app):
            await pilot.press("left")
        assert "21:39:16  22 h 36 min ago  ✓ 01:00.0 unbind done in 2.9 s" in text_of(app), (
            "nobody watched it"
        )

        await pressed(pilot, app, *["minus"] * 4)
        assert line_with(app, "─now") == axes[0]


async def test_the_guest_has_its_day_and_its_warning() -> None:
    clock, picture = HeldClock(EVENING), Picture("evening", past_s=20)
    app = prepared(picture, clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await reach(pilot, app, picture, clock)
        await pressed(pilot, app, "3", "3", "plus", "plus", "plus")
        axis = line_with(app, "─now")
        assert "┬1 h" in axis
        assert axis.count("!") == 1
        assert axis.count("▲") == 1
        assert "max 51 ms" in line_with(app, "Longest wait of a vCPU")


@pytest.mark.parametrize("keys", [("1",), ("3", "3")])
async def test_without_a_watch_the_graphs_begin_with_the_screen_and_say_so(
    keys: tuple[str, ...],
) -> None:
    clock, picture = HeldClock(EVENING), Picture("gaming")
    app = prepared(picture, clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await reach(pilot, app, picture, clock)
        await pressed(pilot, app, *keys, "plus")
        assert NOT_KEPT not in text_of(app)
        await pressed(pilot, app, "plus")
        assert NOT_KEPT in text_of(app)
        assert "30 min" in line_with(app, "─now")


async def test_another_size_has_other_steps() -> None:
    clock, picture = HeldClock(EVENING), Picture("evening", past_s=20)
    app = prepared(picture, clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await reach(pilot, app, picture, clock)
        await pressed(pilot, app, "1", *["plus"] * 4)
        panel = app.screen.query_one("#card-0", CardPanel)

        def shown_s() -> float:
            assert panel.card is not None
            return len(panel.card.series["load"]) * panel.grid.window(86400.0).step_s

        for size in ((120, 40), (80, 24), (160, 50)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: 23.5 * 3600 < shown_s() < 25 * 3600)
