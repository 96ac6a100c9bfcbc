"""The tones of a canvas in the colours of the theme."""

from __future__ import annotations

import pytest
from rich.color import Color as RichColor
from rich.style import Style
from textual.app import App, ComposeResult
from textual.color import Color

from tui.theme import ANSI_LIGHT, DARK, DEFAULTS, LIGHT, PALETTE, THEMES
from widgets.canvas import Canvas
from widgets.lines import Span, Tone, line
from widgets.tones import ink


class _App(App[None]):
    """An empty canvas."""

    def __init__(self, theme: str) -> None:
        super().__init__()
        for each in THEMES:
            self.register_theme(each)
        self.theme = theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DEFAULTS)

    def compose(self) -> ComposeResult:
        yield Canvas(can_focus=True)


def drawn(app: App[None], tone: Tone) -> Style:
    """The style of text in a tone, under the cursor if the canvas has the focus."""
    app.query_one(Canvas).paint([line(Span("win11", tone))], cursor=0)
    return next(iter(app.query_one(Canvas).render_line(0))).style or Style()


def rgb(colour: str) -> RichColor:
    return Color.parse(colour).rich_color


async def test_another_theme_changes_the_colours() -> None:
    app = _App(DARK)
    async with app.run_test() as pilot:
        await pilot.pause()
        shown = [drawn(app, "guest").color]
        app.theme = LIGHT
        await pilot.pause()
        shown.append(drawn(app, "guest").color)
    assert shown == [rgb(colour) for colour in PALETTE["guest"][:2]]


async def test_the_row_under_the_cursor_has_a_background() -> None:
    app = _App(DARK)
    async with app.run_test() as pilot:
        await pilot.pause()
        style = drawn(app, "text")
        assert (style.color, style.bgcolor) == (
            rgb(PALETTE["foreground"][0]), rgb(PALETTE["panel"][0]),
        )  # fmt: skip
        app.set_focus(None)
        await pilot.pause()
        assert drawn(app, "text").bgcolor == rgb(PALETTE["background"][0])


def test_a_terminal_s_own_colours_have_no_shades() -> None:
    app = _App(ANSI_LIGHT)
    app.get_css_variables()
    muted = [ink(app, tone) for tone in ("label", "dim", "disabled")]
    assert all(style.dim and str(style) == "dim default" for style in muted)
    assert str(ink(app, "key")) == "bold underline default"
    assert str(ink(app, "cursor")) == "reverse on default"


@pytest.mark.parametrize("theme", ["textual-light", "nord"])
def test_muted_text_of_textual_s_own_themes_is_mixed_with_their_background(theme: str) -> None:
    app = _App(theme)
    variables = app.get_css_variables()
    background = Color.parse(variables["background"])
    assert variables["text-muted"] == "auto 60%"
    assert ink(app, "label").color == (background + background.get_contrast_text(0.6)).rich_color
