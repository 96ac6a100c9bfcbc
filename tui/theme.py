"""The themes: their colours, the ramps of bars and graphs, and the characters of a terminal.

Colour means value or ownership. *Load* (GPU, CPU, clock, PCIe) has no bad end: its ramp is cold.
*Heat* (temperature, power, memory, waiting) is nearness to a limit: green, amber, red. Each side
has its hue: violet and pink are the guest's, blue the host's, steel the groups', sand the events',
teal the keys'.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.color import Color, Lab, lab_to_rgb, rgb_to_lab
from textual.theme import Theme

from widgets.glyphs import PLAIN, RICH, Glyphs
from widgets.lines import RAMP_STEPS

DARK, LIGHT, CONTRAST = "vfiotop-dark", "vfiotop-light", "vfiotop-contrast"
ANSI_DARK, ANSI_LIGHT = "terminal-dark", "terminal-light"

CYCLE = (DARK, LIGHT, CONTRAST, ANSI_DARK, ANSI_LIGHT)
"""The themes that the theme key cycles through; the last two use the terminal's 16 colours."""

NAMES = {
    DARK: "dark", LIGHT: "light", CONTRAST: "high contrast",
    ANSI_DARK: "terminal's colours, dark", ANSI_LIGHT: "terminal's colours, light",
}  # fmt: skip
"""The names of the themes for the user."""

PALETTE = {
    "background": ("#101418", "#fbfbf9", "#000000"),
    "surface": ("#171d24", "#eff0ec", "#000000"),
    "panel": ("#26303a", "#dde2dc", "#3a3a3a"),
    "foreground": ("#d8dee6", "#1d242b", "#ffffff"),
    "text-muted": ("#94a1af", "#525e68", "#d6d6d6"),
    "text-disabled": ("#7c8995", "#636d75", "#9a9a9a"),
    "key": ("#56c2a8", "#0b7060", "#6ff0d0"),
    "track": ("#37434f", "#c2cac3", "#707070"),
    "load-low": ("#3a7fc4", "#4c8fcb", "#4da3ff"),
    "load-mid": ("#3fc1d1", "#1b7f9e", "#4fe3f2"),
    "load-high": ("#c4f7e6", "#0a5060", "#e0fff6"),
    "heat-low": ("#4fb58a", "#1f8a63", "#6df28a"),
    "heat-mid": ("#f0b350", "#b06a00", "#ffc933"),
    "heat-high": ("#ff6b63", "#c62b23", "#ff8077"),
    "guest-gpu": ("#c39bff", "#7338c4", "#dcb8ff"),
    "guest-gpu-edge": ("#6a5896", "#b79fe0", "#a57fd0"),
    "host-gpu": ("#6fb1ff", "#1a5fae", "#93ccff"),
    "host-gpu-edge": ("#406690", "#93b7de", "#5f97cc"),
    "guest": ("#f29ac8", "#a6306f", "#ffb3dc"),
    "guest-edge": ("#83506c", "#dca3c2", "#c985a8"),
    "groups": ("#a8b4c2", "#505c68", "#e6e6e6"),
    "groups-edge": ("#56636f", "#aab3bb", "#9c9c9c"),
    "events": ("#d8ad80", "#80521a", "#ffd9a0"),
    "events-edge": ("#77624a", "#cdb087", "#c09a63"),
    "text-success": ("#7bc96f", "#28701e", "#7dff7d"),
    "text-warning": ("#f0b84a", "#855600", "#ffd23f"),
    "text-error": ("#ff7b74", "#b3261e", "#ff9188"),
}
"""The colours of the dark, the light and the high contrast theme."""

ANSI_PALETTE = {
    "background": ("default", "default"),
    "surface": ("default", "default"),
    "panel": ("default", "default"),
    "foreground": ("default", "default"),
    "text-muted": ("default", "default"),
    "text-disabled": ("default", "default"),
    "key": ("default", "default"),
    "track": ("bright_black", "white"),
    "load-low": ("bright_blue", "bright_blue"),
    "load-mid": ("cyan", "blue"),
    "load-high": ("bright_cyan", "default"),
    "heat-low": ("green", "blue"),
    "heat-mid": ("yellow", "magenta"),
    "heat-high": ("bright_red", "red"),
    "guest-gpu": ("bright_magenta", "magenta"),
    "guest-gpu-edge": ("magenta", "magenta"),
    "host-gpu": ("bright_cyan", "blue"),
    "host-gpu-edge": ("cyan", "blue"),
    "guest": ("bright_magenta", "magenta"),
    "guest-edge": ("magenta", "magenta"),
    "groups": ("white", "default"),
    "groups-edge": ("white", "bright_black"),
    "events": ("white", "default"),
    "events-edge": ("white", "bright_black"),
    "text-success": ("bright_green", "default"),
    "text-warning": ("bright_yellow", "red"),
    "text-error": ("bright_red", "red"),
}
"""The terminal's colours, on a dark and on a light background. No text and no frame is black or
bright black: one is the background of a dark terminal, the other of Solarized. On a light one
green and yellow cannot be read. Muted text is dim, and the cursor's row is in reverse video."""


def ramp_variables(name: str, low: str, middle: str, high: str) -> dict[str, str]:
    """The ramp's colours as the variables ``NAME-1`` to ``NAME-8``, mixed from three. A terminal's
    own colours cannot be mixed: they change at 50 % and at 80 %."""
    found = {}
    for step in range(RAMP_STEPS):
        at = (step + 0.5) / RAMP_STEPS
        if low.startswith("ansi_"):
            colour = low if at < 0.5 else middle if at < 0.8 else high
        elif at < 0.5:
            colour = _mixed(low, middle, at * 2)
        else:
            colour = _mixed(middle, high, at * 2 - 1)
        found[f"{name}-{step + 1}"] = colour
    return found


def _mixed(one: str, other: str, share: float) -> str:
    """A colour between two, in CIELAB, so that the lightness changes evenly too."""
    first, last = (rgb_to_lab(Color.parse(colour)) for colour in (one, other))
    values = (a + (b - a) * share for a, b in zip(_lab(first), _lab(last), strict=True))
    return lab_to_rgb(Lab(*values)).clamped.hex6


def _lab(colour: Lab) -> tuple[float, float, float]:
    return colour.L, colour.a, colour.b


def _theme(name: str, colours: Mapping[str, str], *, dark: bool, ansi: bool = False) -> Theme:
    variables = {
        **colours,
        **ramp_variables("load", *(colours[f"load-{stop}"] for stop in ("low", "mid", "high"))),
        **ramp_variables("heat", *(colours[f"heat-{stop}"] for stop in ("low", "mid", "high"))),
        "border": colours["key"],
        "border-blurred": colours["groups-edge"],
        "footer-background": colours["surface"],
        "footer-key-foreground": colours["key"],
    }
    if ansi:
        variables |= {
            "ansi-background": "ansi_black" if dark else "ansi_white",
            "ansi-foreground": "ansi_white" if dark else "ansi_black",
            "block-cursor-foreground": "ansi_black" if dark else "ansi_white",
            "block-cursor-background": "ansi_white" if dark else "ansi_black",
            "input-cursor-background": "ansi_black" if dark else "ansi_white",
            "input-cursor-foreground": "ansi_bright_white" if dark else "ansi_black",
            "input-cursor-text-style": "none",
            "input-selection-background": "ansi_bright_blue",
            "input-selection-foreground": "ansi_black",
            "screen-selection-background": "ansi_bright_blue",
            "screen-selection-foreground": "ansi_black",
        }
    return Theme(
        name=name,
        primary=colours["host-gpu"],
        secondary=colours["groups"],
        accent=colours["key"],
        foreground=colours["foreground"],
        background=colours["background"],
        surface=colours["surface"],
        panel=colours["panel"],
        boost=colours["panel"],
        success=colours["text-success"],
        warning=colours["text-warning"],
        error=colours["text-error"],
        dark=dark,
        ansi=ansi,
        variables=variables,
    )


def _column(palette: Mapping[str, tuple[str, ...]], index: int, prefix: str = "") -> dict[str, str]:
    return {name: f"{prefix}{colours[index]}" for name, colours in palette.items()}


THEMES = (
    _theme(DARK, _column(PALETTE, 0), dark=True),
    _theme(LIGHT, _column(PALETTE, 1), dark=False),
    _theme(CONTRAST, _column(PALETTE, 2), dark=True),
    _theme(ANSI_DARK, _column(ANSI_PALETTE, 0, "ansi_"), dark=True, ansi=True),
    _theme(ANSI_LIGHT, _column(ANSI_PALETTE, 1, "ansi_"), dark=False, ansi=True),
)

DEFAULTS: Mapping[str, str] = THEMES[0].variables
"""The values of our variables in a theme of Textual's own, which does not set them."""


def default_theme(environ: Mapping[str, str]) -> str:
    """The theme if none was chosen: the Linux console has 16 colours."""
    return ANSI_DARK if environ.get("TERM") == "linux" else DARK


def glyphs(environ: Mapping[str, str]) -> Glyphs:
    """The characters for graphs and signs: the Linux console's font has no Braille."""
    return PLAIN if environ.get("TERM") == "linux" else RICH


def next_theme(current: str, steps: int = 1) -> str:
    """The theme that is ``steps`` after ``current``; the first one if that is not in the cycle."""
    if current not in CYCLE:
        return CYCLE[0]
    return CYCLE[(CYCLE.index(current) + steps) % len(CYCLE)]
