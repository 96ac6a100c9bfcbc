"""What the tones look like in a theme.

They are not Textual component classes: Textual would style all of them again for each change of a
screen's style, which took a fifth of the CPU time of a start.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.style import Style as TextualStyle

from widgets.lines import Tone

Ink = Tone | Literal["cursor"]
"""What a canvas draws in; ``cursor`` is applied over the row under the cursor."""

_VARIABLES = {
    "text": "foreground", "strong": "foreground", "label": "text-muted", "dim": "text-muted",
    "disabled": "text-disabled", "good": "text-success", "warn": "text-warning",
    "bad": "text-error", "cursor": "panel",
}  # fmt: skip
"""The theme's variable for each tone whose variable has another name."""

BOLD = ("strong", "key", "guest-gpu", "host-gpu", "guest", "bad")


def variable(name: Ink) -> str:
    """The theme's variable with the tone's colour."""
    return _VARIABLES.get(name, name)


def tone_style(tone: Tone) -> str:
    """The tone as a style for Textual content, for what a canvas does not draw."""
    if tone == "flash":
        return "reverse"
    colour = f"${variable(tone)}"
    return f"bold {colour}" if tone in BOLD else colour


def ink(app: App[Any], name: Ink) -> Style:
    """The tone in the application's theme, to apply over the style of a canvas."""
    if name == "flash":
        return Style(reverse=True)
    colours = app.theme_variables
    return _ink(name, colours[variable(name)], colours["background"], app.native_ansi_color)


@lru_cache(maxsize=512)
def _ink(name: Ink, value: str, background: str, ansi: bool) -> Style:
    """The style of a tone. ANSI colours have no shades: with them, muted text is dim, and the
    cursor's row is in reverse video."""
    colour = TextualStyle.parse(value, {}).foreground or Color.parse(value)
    if name == "cursor":
        return Style(bgcolor=colour.rich_color if colour.a else None, reverse=ansi or None)
    return Style(
        color=(Color.parse(background) + colour).rich_color,
        bold=name in BOLD or None,
        dim=(ansi and name in ("label", "dim", "disabled")) or None,
        underline=(ansi and name == "key") or None,
    )
