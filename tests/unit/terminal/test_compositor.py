"""An update renders what has changed and is seen, and shows what Textual's would."""

from __future__ import annotations

import pytest
from rich.console import RenderableType
from textual._compositor import Compositor, CompositorUpdate
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tests.ui.rig import until
from tui.terminal.app import TerminalScreen
from tui.terminal.diff import _row_updates
from widgets.canvas import Canvas
from widgets.lines import line


class Shown(TerminalScreen):
    def show(self) -> None:
        """Draw nothing: the test does."""


class Overlapping(App[None]):
    """Two canvases side by side, and a third over both."""

    CSS = """
    #body { layers: below above; }
    #left, #right { position: absolute; width: 20; height: 6; }
    #right { offset: 20 0; }
    #above { layer: above; position: absolute; offset: 15 2; width: 10; height: 2; }
    """

    def get_theme_variable_defaults(self) -> dict[str, str]:
        from tui.theme import DEFAULTS

        return dict(DEFAULTS)

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[tuple[int, int, str]] = []
        """The row, the column and the text of each piece that was drawn."""

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            for y, x, strip in _row_updates(renderable):
                self.pieces.append((y, x, strip.text))
        super()._display(screen, renderable)

    @property
    def rows(self) -> set[int]:
        return {y for y, _, _ in self.pieces}

    def compose(self) -> ComposeResult:
        with Container(id="body"):
            for name in ("left", "right", "above"):
                yield Canvas(id=name)

    def get_default_screen(self) -> Screen[None]:
        return Shown()

    def paint(self, name: str, sign: str, *changed: int) -> None:
        """Fill a canvas with a sign, and the changed rows with another one."""
        canvas = self.query_one(f"#{name}", Canvas)
        width, height = canvas.size
        canvas.paint([line(("*" if y in changed else sign) * width) for y in range(height)])

    async def prepare(self, pilot: Pilot[None]) -> None:
        """Fill the canvases, and wait until they are drawn."""
        await until(pilot, lambda: bool(self.rows) and self.query_one("#above").size.height == 2)
        self.pieces.clear()
        for name in ("left", "right", "above"):
            self.paint(name, name[0])
        await until(pilot, lambda: self.rows == set(range(6)))
        self.pieces.clear()


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, Region]]:
    """Which parts of which widgets were rendered."""
    found: list[tuple[str | None, Region]] = []
    render = Canvas.render_lines

    def spy(widget: Canvas, crop: Region) -> object:
        found.append((widget.id, crop))
        return render(widget, crop)

    monkeypatch.setattr(Canvas, "render_lines", spy)
    return found


async def test_a_changed_row_is_rendered_alone(rendered: list[tuple[str | None, Region]]) -> None:
    app = Overlapping()
    async with app.run_test(size=(40, 6)) as pilot:
        await app.prepare(pilot)
        rendered.clear()
        app.paint("right", "r", 5)
        await until(pilot, lambda: bool(app.pieces))
        assert app.pieces == [(5, 20, "*" * 20)]
        assert rendered == [("right", Region(0, 5, 20, 1))]


async def test_what_covers_a_changed_row_stays_in_front() -> None:
    app = Overlapping()
    async with app.run_test(size=(40, 6)) as pilot:
        await app.prepare(pilot)
        app.paint("left", "l", 1, 2)
        app.paint("right", "r", 2)
        await until(pilot, lambda: app.rows == {1, 2})
        rows = [strip.text for strip in app.screen._compositor.render_strips()]
        assert rows[2] == "*" * 15 + "a" * 10 + "*" * 15
        for y, x, text in app.pieces:
            assert rows[y][x : x + len(text)] == text


async def test_a_whole_screen_is_what_textual_renders(
    rendered: list[tuple[str | None, Region]],
) -> None:
    app = Overlapping()
    async with app.run_test(size=(42, 7)) as pilot:  # larger than what is on it
        await app.prepare(pilot)
        compositor = app.screen._compositor
        wanted = Compositor.render_full_update(compositor)
        rendered.clear()
        update = compositor.render_full_update()
        strips, textual = ([Strip.join(row) for row in each.strips] for each in (update, wanted))
        assert drawn(strips) == drawn(textual)
        assert update.region == Region(0, 0, 42, 7)
        seen = [crop.area for name, crop in rendered if name != "above"]
        assert sum(seen) == 2 * 20 * 6 - 10 * 2  # without what is behind the third one


@pytest.mark.parametrize("framed", [False, True])
async def test_rows_of_a_canvas_are_those_that_textual_would_frame(framed: bool) -> None:
    app = Overlapping()
    async with app.run_test(size=(40, 8)) as pilot:
        await app.prepare(pilot)
        canvas = app.query_one("#left", Canvas)
        if framed:
            canvas.styles.border = ("round", "green")
        await pilot.pause()
        text = "ab ▒⣿ 漢字 -"
        canvas.paint([line(text), line(""), line(text[::-1])])
        width, height = canvas.outer_size
        crops = [
            Region(x, y, wide, tall)
            for x in (0, 1, 2)
            for y in range(height)
            for wide in {1, 2, width - x, width - 2 * x}
            for tall in range(1, height - y + 1)
            if wide > 0
        ]
        for crop in crops:
            assert drawn(canvas.render_lines(crop)) == drawn(ScrollView.render_lines(canvas, crop))


def drawn(rows: list[Strip]) -> list[list[tuple[str, object, object]]]:
    """What each row shows: characters and their colours."""
    return [
        [
            (
                character,
                segment.style and segment.style.color,
                segment.style and segment.style.bgcolor,
            )
            for segment in row
            for character in segment.text
        ]
        for row in rows
    ]
