"""A cursor that moves through blocks of lines, and what a panel hides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot

from widgets.block_list import Block, BlockList
from widgets.glyphs import PLAIN, RICH, Glyphs
from widgets.lines import line
from widgets.panel import Edges, hidden_lines
from widgets.preview import Preview


class Blocks(BlockList):
    """Nine blocks of two lines, and one at the end that cannot be selected."""

    count = 9

    def __init__(self, glyphs: Glyphs = RICH) -> None:
        super().__init__("key", glyphs=glyphs)

    def _draw(self) -> None:
        self.set_edges(Edges(line("Title"), line("state"), note=line(self.selected)))
        blocks = [Block([line(f"block {n}"), line("  more")], f"b{n}") for n in range(self.count)]
        self.paint_blocks([*blocks, Block([line("end")])])


@asynccontextmanager
async def shown(panel: Blocks, size: tuple[int, int] = (40, 10)) -> AsyncIterator[Pilot[None]]:
    app = Preview(panel, panel._draw)
    async with app.run_test(size=size) as pilot:
        panel.focus()
        await pilot.pause()
        yield pilot


def rows(pilot: Pilot[None]) -> list[str]:
    strips = pilot.app.screen._compositor.render_strips(pilot.app.size)
    return ["".join(segment.text for segment in strip) for strip in strips]


async def press(pilot: Pilot[None], *keys: str) -> list[str]:
    await pilot.press(*keys)
    await pilot.pause()
    return rows(pilot)


@pytest.mark.parametrize(
    ("hidden", "words"),
    [((0, 0), ""), ((0, 12), "↓ 12 more"), ((3, 12), "↑ 3  ↓ 12 more"), ((3, 0), "↑ 3 more")],
)
def test_what_is_hidden_in_words(hidden: tuple[int, int], words: str) -> None:
    assert "".join(span.text for span in hidden_lines(*hidden)) == words


async def test_the_frame_counts_what_is_out_of_sight() -> None:
    async with shown(Blocks()) as pilot:
        found = rows(pilot)
        assert found[0] == "╭─ Title ────────────────────── state ─╮"
        assert found[1] == "│ block 0                              │"
        assert found[9] == "╰────────────────────── ↓ 11 more  b0 ─╯"
        found = await press(pilot, "down", "down", "down", "down")
        assert found[9].endswith(" ↑ 2  ↓ 9 more  b4 ─╯")
        assert found[8] == "│   more                               │"


async def test_the_rule_stays_when_the_lines_scroll() -> None:
    panel = Blocks()
    async with shown(panel) as pilot:
        panel.set_ruled(True)
        await pilot.pause()
        assert rows(pilot)[0] == "─ Title ───────────── state  ↓ 10 more ─"
        assert rows(pilot)[1].rstrip() == " block 0"
        found = await press(pilot, "end")
        assert found[0] == "─ Title ───────────── state  ↑ 10 more ─"
        assert found[9].rstrip() == " end"
        await pilot.resize_terminal(26, 10)
        await pilot.pause()
        assert rows(pilot)[0] == "─ Title ──── state  ↑ 10 ─"
        await pilot.resize_terminal(40, 10)
        panel.count = 2
        panel._draw()
        await pilot.pause()
        assert rows(pilot)[0] == "─ Title ──────────────────────── state ─"


async def test_the_cursor_moves_from_block_to_block_and_then_scrolls() -> None:
    panel = Blocks()
    async with shown(panel) as pilot:
        assert panel.selected == "b0"
        await press(pilot, "j", "j", "k")
        assert panel.selected == "b1"
        found = await press(pilot, *["down"] * 9)
        assert panel.selected == "b8"
        assert "end" in found[8]
        await press(pilot, "home")
        assert (panel.selected, panel.scroll_offset.y) == ("b0", 0)
        await press(pilot, "end")
        assert panel.selected == "b8"
        assert panel.hidden == (11, 0)


async def test_a_click_selects_a_block() -> None:
    panel = Blocks()
    async with shown(panel) as pilot:
        await press(pilot, "down", "down", "down", "down")
        await pilot.click(offset=(4, 2))
        assert panel.selected == "b1"
        await pilot.click(offset=(4, 1))
        assert panel.selected == "b1"


async def test_a_block_that_is_gone_gives_the_cursor_back_to_the_first() -> None:
    panel = Blocks()
    async with shown(panel) as pilot:
        await press(pilot, "end")
        panel.count = 3
        panel._draw()
        assert panel.selected == "b0"
        panel.count = 0
        panel._draw()
        await press(pilot, "down", "up", "home", "end")
        assert panel.selected == ""


async def test_equal_lines_and_edges_refresh_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Blocks()
    async with shown(panel):
        refreshed: list[tuple[object, ...]] = []
        monkeypatch.setattr(panel, "refresh", lambda *regions, **_: refreshed.append(regions))
        panel._draw()
        assert refreshed == []
        panel.count = 8
        panel._draw()
        assert refreshed


async def test_the_linux_console_has_square_corners() -> None:
    async with shown(Blocks(PLAIN)) as pilot:
        found = rows(pilot)
        assert found[0][0] + found[0][-1] == "┌┐"
        assert "v 11 more" in found[9]
