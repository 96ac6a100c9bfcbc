"""The panel of a plan: what has been on the screen, and what its edges say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot

from tests.values import replace
from widgets.footer import Hint
from widgets.plan_page import PlanPage, State
from widgets.plan_panel import PlanPanel
from widgets.preview import Preview
from widgets.samples import PLAN_PAGE

KEYS = (Hint("y", "bind now", "screen.carry_out"), Hint("esc", "cancel", "app.back"))


@asynccontextmanager
async def shown(
    size: tuple[int, int], page: PlanPage = PLAN_PAGE
) -> AsyncIterator[tuple[PlanPanel, Pilot[None]]]:
    """The panel alone on a screen."""
    panel = PlanPanel()
    app = Preview(panel, lambda: None)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        panel.set_ruled(size[0] < 72)
        panel.show(page)
        panel.show_keys(KEYS)
        panel.focus()
        await pilot.pause()
        yield panel, pilot


@pytest.mark.parametrize("size", [(80, 22), (120, 40)])
async def test_a_plan_that_fits_has_been_seen(size: tuple[int, int]) -> None:
    async with shown(size) as (panel, _):
        assert (panel.unseen, panel.below) == (0, 0)


@pytest.mark.parametrize("size", [(45, 12), (40, 11), (80, 12)])
async def test_a_longer_one_has_been_seen_after_its_last_page(size: tuple[int, int]) -> None:
    async with shown(size) as (panel, pilot):
        assert 0 < panel.unseen == panel.below
        before = panel.unseen
        for _ in range(before):
            await pilot.press("pagedown")
            await pilot.pause()
        assert (panel.unseen, panel.below) == (0, 0)
        await pilot.press("pageup")
        assert panel.unseen == 0


async def test_a_jump_to_the_end_shows_nothing_of_what_is_between() -> None:
    async with shown((45, 8)) as (panel, pilot):
        lines = panel.unseen + 7
        await pilot.press("end")
        await pilot.pause()
        assert panel.below == 0
        assert panel.unseen == lines - 14


async def test_another_plan_has_to_be_seen_anew_from_its_top() -> None:
    async with shown((45, 12)) as (panel, pilot):
        await pilot.press("pagedown", "pagedown")
        await pilot.pause()
        assert panel.unseen == 0
        panel.show(replace(PLAN_PAGE, key="another"))
        await pilot.pause()
        assert panel.unseen > 0
        assert panel.scroll_y == 0


async def test_a_plan_that_runs_stays_where_it_was_scrolled() -> None:
    async with shown((45, 12)) as (panel, pilot):
        await pilot.press("pagedown")
        await pilot.pause()
        at = panel.scroll_y
        panel.show(replace(PLAN_PAGE, asks=None, state=State("moving", "step 1 of 8")))
        await pilot.pause()
        assert panel.scroll_y == at > 0
        panel.show(replace(PLAN_PAGE, asks=None, message="It failed.", tone="bad"))
        await pilot.pause()
        assert panel.scroll_y == 0


async def test_a_smaller_screen_does_not_show_what_was_on_the_larger_one() -> None:
    async with shown((80, 24)) as (panel, pilot):
        assert panel.unseen == 0
        await pilot.resize_terminal(80, 12)
        await pilot.pause()
        assert panel.unseen > 0


async def test_nothing_has_been_seen_of_a_panel_that_is_not_shown() -> None:
    async with shown((80, 24)) as (panel, pilot):
        panel.display = False
        await pilot.pause()
        panel.show(replace(PLAN_PAGE, key="another"))
        assert panel.unseen > 0


async def test_the_edges_drop_the_note_before_a_key() -> None:
    async with shown((80, 22)) as (panel, pilot):
        assert edges(pilot) == (
            "╭─ Bind RTX 4090 · 01:00.0 → vfio-pci ─────────────────────────────── ✓ ready ─╮",
            "╰─ nothing has been touched yet ────────────────────── y bind now  esc cancel ─╯",
        )
        panel.show_keys((*KEYS, Hint("f", "a long word for what it does now")))
        await pilot.pause()
        assert edges(pilot)[1].endswith(
            "─ y bind now  esc cancel  f a long word for what it does now ─╯"
        )
        assert "touched" not in edges(pilot)[1]


async def test_on_a_phone_the_rule_counts_what_is_below() -> None:
    async with shown((45, 12)) as (_, pilot):
        assert edges(pilot)[0] == "─ Bind RTX 4090 ───────── ✓ ready  ↓ 6 more ─"


def edges(pilot: Pilot[None]) -> tuple[str, str]:
    """The first and the last row of the screen."""
    rows = pilot.app.screen._compositor.render_strips(pilot.app.size)
    first, *_, last = ("".join(segment.text for segment in row) for row in rows)
    return first, last


async def test_equal_pages_paint_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with shown((80, 22)) as (panel, _):
        painted = []
        monkeypatch.setattr(panel, "refresh", lambda *regions, **_: painted.append(regions))
        panel.show(replace(PLAN_PAGE))
        panel.show_keys(KEYS)
        assert painted == []
