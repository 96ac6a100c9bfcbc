"""Frames are written when all of their widgets have drawn."""

from __future__ import annotations

import asyncio

import pytest
from rich.console import RenderableType
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from tui.terminal.app import TerminalApp
from tui.terminal.frames import FramedScreen
from widgets.canvas import Canvas
from widgets.lines import line

PATIENCE = 60.0


class Measure(Canvas):
    """Draws how many cells it has."""

    def _draw(self) -> None:
        self.paint([line(f"{self.room.width}")])

    @property
    def drawn(self) -> int:
        """The cells that it has drawn for; 0 before it has drawn."""
        return int("".join(span.text for each in self.lines for span in each) or "0")


class Sides(FramedScreen):
    """Two widgets that follow each other: the second is sized once the first has drawn."""

    def compose(self) -> ComposeResult:
        yield Measure(id="one")
        yield Measure(id="two")
        still = Input()
        still.cursor_blink = False
        yield still

    written = 0

    def frame_written(self) -> None:
        self.written += 1

    def show(self) -> None:
        self.query_one("#one").styles.width = 20
        self.query_one("#two").styles.display = "block"
        self.query_one(Input).focus()

    def on_mount(self) -> None:
        self.query_one("#two").styles.display = "none"


class Recording(TerminalApp):
    """Records at each frame the size of each widget that is shown, and what it has drawn for."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[list[tuple[int, int]]] = []
        self.drawn = asyncio.Event()

    def get_default_screen(self) -> Sides:
        return Sides()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        shown = [each for each in screen.query(Measure) if each.display]
        self.frames.append([(each.room.width, each.drawn) for each in shown])
        self.drawn.set()
        super()._display(screen, renderable)


async def test_the_first_frame_is_whole() -> None:
    app = Recording()
    async with app.run_test(size=(40, 9)):
        await asyncio.wait_for(app.drawn.wait(), PATIENCE)
        assert app.frames[0] == [(40, 40)]


async def test_each_frame_is_whole_and_a_change_takes_one() -> None:
    app = Recording()
    async with app.run_test(size=(40, 9)) as pilot:
        await asyncio.wait_for(app.drawn.wait(), PATIENCE)
        app.frames.clear()
        screen = app.screen
        assert isinstance(screen, Sides)
        screen.show()
        before = screen.written
        await pilot.pause()
        await pilot.pause()
        assert app.frames == [[(20, 20), (40, 40)]]
        assert screen.written == before + 1


async def test_cells_that_changed_are_written_at_once_and_once() -> None:
    app = Recording()
    async with app.run_test(size=(40, 9)) as pilot:
        await asyncio.wait_for(app.drawn.wait(), PATIENCE)
        await pilot.pause()
        app.frames.clear()
        screen = app.screen
        assert isinstance(screen, Sides)
        while not screen.is_settled:
            await pilot.pause()
        before = screen.written
        screen.query_one("#one", Measure).paint([line("7")])
        screen.write_drawn()
        assert app.frames == [[(40, 7)]]
        assert screen.written == before + 1
        await pilot.pause()
        await pilot.pause()
        assert app.frames == [[(40, 7)]]


async def test_what_changes_the_layout_waits_for_it() -> None:
    app = Recording()
    async with app.run_test(size=(40, 9)) as pilot:
        await asyncio.wait_for(app.drawn.wait(), PATIENCE)
        await pilot.pause()
        app.frames.clear()
        screen = app.screen
        assert isinstance(screen, Sides)
        screen.query_one("#one", Measure).paint([line("7")])
        screen.query_one("#one").styles.width = 20
        screen.write_drawn()
        assert app.frames == []
        await pilot.pause()
        await pilot.pause()
        assert app.frames == [[(20, 20)]]


async def test_a_frame_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.terminal.frames.SETTLE_CHECKS", 3)
    app = Recording()
    async with app.run_test(size=(40, 9)):
        app.drawn.clear()
        app.call_later(app.drawn.wait)
        app.call_later(app.drawn.wait)  # stays in the queue
        app.screen.refresh()
        await asyncio.wait_for(app.drawn.wait(), PATIENCE)
