"""The contrast of every theme, computed from the themes themselves (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
from textual.color import Color
from textual.theme import Theme

from tui.theme import (
    ANSI_DARK,
    ANSI_LIGHT,
    ANSI_PALETTE,
    CYCLE,
    DEFAULTS,
    LIGHT,
    PALETTE,
    THEMES,
    default_theme,
    next_theme,
)
from widgets.lines import Tone
from widgets.tones import variable

MIXED = [theme for theme in THEMES if not theme.ansi]
TERMINAL = [theme for theme in THEMES if theme.ansi]

TEXT = (
    "foreground", "text-muted", "text-disabled", "key", "guest-gpu", "host-gpu", "guest", "groups",
    "events", "text-success", "text-warning", "text-error",
)  # fmt: skip
TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 3.0

XTERM = {
    "black": "#000000", "red": "#cd0000", "green": "#00cd00", "yellow": "#cdcd00",
    "blue": "#0000ee", "magenta": "#cd00cd", "cyan": "#00cdcd", "white": "#e5e5e5",
    "bright_black": "#7f7f7f", "bright_red": "#ff0000", "bright_green": "#00ff00",
    "bright_yellow": "#ffff00", "bright_blue": "#5c5cff", "bright_magenta": "#ff00ff",
    "bright_cyan": "#00ffff", "bright_white": "#ffffff",
}  # fmt: skip
"""xterm's own 16 colours (XTerm-col.ad)."""


def linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def luminance(colour: str) -> float:
    channels = [c / 255 for c in Color.parse(colour).rgb]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ids(theme: Theme) -> str:
    return theme.name


@pytest.mark.parametrize("theme", MIXED, ids=ids)
def test_text_can_be_read_on_every_background(theme: Theme) -> None:
    colours = theme.variables
    for name in TEXT:
        for background in ("background", "surface", "panel"):
            if (name, background) == ("text-disabled", "panel"):
                continue  # no key stands on the cursor's row
            ratio = contrast(colours[name], colours[background])
            assert ratio >= TEXT_CONTRAST, (name, background, ratio)


@pytest.mark.parametrize("theme", MIXED, ids=ids)
def test_bars_and_graphs_stand_out(theme: Theme) -> None:
    colours = theme.variables
    for ramp in ("load", "heat"):
        for step in range(1, 9):
            ratio = contrast(colours[f"{ramp}-{step}"], colours["background"])
            assert ratio >= SHAPE_CONTRAST, (ramp, step, ratio)


@pytest.mark.parametrize("theme", TERMINAL, ids=ids)
def test_the_terminal_s_own_colours_can_be_read(theme: Theme) -> None:
    """On xterm's palette; what has the default colour has the terminal's own contrast."""
    background = XTERM["black"] if theme.dark else XTERM["bright_white"]
    for name in (*TEXT, *(f"{ramp}-{step}" for ramp in ("load", "heat") for step in range(1, 9))):
        colour = theme.variables[name].removeprefix("ansi_")
        if colour == "default":
            continue
        assert colour not in ("black", "bright_black"), name
        ratio = contrast(XTERM[colour], background)
        assert ratio >= (TEXT_CONTRAST if name in TEXT else SHAPE_CONTRAST), (name, colour, ratio)


@pytest.mark.parametrize("theme", TERMINAL, ids=ids)
def test_no_frame_of_the_terminal_s_vanishes(theme: Theme) -> None:
    for name in ("guest-gpu-edge", "host-gpu-edge", "guest-edge", "groups-edge", "events-edge"):
        colour = theme.variables[name].removeprefix("ansi_")
        assert colour != "black", name
        assert theme.dark is False or colour != "bright_black", name


def test_a_ramp_goes_from_its_first_to_its_last_colour() -> None:
    """Load rises in lightness on a dark ground, so it reads without hue; heat falls."""
    dark = THEMES[0].variables
    load = [luminance(dark[f"load-{step}"]) for step in range(1, 9)]
    assert all(below < above for below, above in pairwise(load))
    contrast_theme = THEMES[2].variables
    heat = [luminance(contrast_theme[f"heat-{step}"]) for step in range(1, 9)]
    assert all(above >= below for above, below in pairwise(heat))


def test_a_terminal_s_ramp_changes_at_50_and_80_percent() -> None:
    colours = next(t for t in THEMES if t.name == ANSI_DARK).variables
    assert [colours[f"heat-{step}"] for step in range(1, 9)] == [
        "ansi_green", "ansi_green", "ansi_green", "ansi_green",
        "ansi_yellow", "ansi_yellow", "ansi_bright_red", "ansi_bright_red",
    ]  # fmt: skip


def test_every_variable_has_a_value_in_every_theme_and_a_default() -> None:
    assert PALETTE.keys() == ANSI_PALETTE.keys()
    names = [set(theme.variables) for theme in THEMES if not theme.ansi]
    assert all(each == names[0] for each in names)
    assert names[0] <= set(DEFAULTS)
    assert all(names[0] <= set(theme.variables) for theme in TERMINAL)


def test_every_tone_has_a_colour() -> None:
    for tone in set(get_args(Tone)) - {"flash"}:
        assert variable(tone) in DEFAULTS


def test_the_cycle_goes_through_all_themes_and_starts_again() -> None:
    assert [theme.name for theme in THEMES] == list(CYCLE)
    assert next_theme(CYCLE[-1]) == CYCLE[0]
    assert next_theme("dracula") == CYCLE[0]
    assert default_theme({"TERM": "linux"}) == ANSI_DARK
    assert default_theme({"TERM": "xterm"}) == CYCLE[0]
    assert {LIGHT, ANSI_LIGHT} < set(CYCLE)
