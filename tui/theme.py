"""Colours and graph characters: two themes of our own, and the terminal's palette."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

from widgets.graph import PLAIN, RICH, Glyphs

DARK = Theme(
    name="vfiotop-dark",
    primary="#5fb3d4",
    secondary="#8fa3b8",
    accent="#56c2a8",
    foreground="#d8dee6",
    background="#101418",
    surface="#161b21",
    panel="#2a323b",
    success="#7bc96f",
    warning="#e0b050",
    error="#ef6f6c",
    dark=True,
    variables={
        "border": "#56c2a8",
        "border-blurred": "#3a4551",
        "footer-background": "#161b21",
        "footer-key-foreground": "#56c2a8",
        "text-muted": "#8b98a6",
    },
)

LIGHT = Theme(
    name="vfiotop-light",
    primary="#1f6f8f",
    secondary="#50606f",
    accent="#0f7d68",
    foreground="#1d242b",
    background="#fbfbf9",
    surface="#f1f2ee",
    panel="#d5d9d3",
    success="#2f7d24",
    warning="#8f5f00",
    error="#b3261e",
    dark=False,
    variables={
        "border": "#0f7d68",
        "border-blurred": "#b4bbb6",
        "footer-background": "#eceee8",
        "footer-key-foreground": "#0f7d68",
        "text-muted": "#5a6670",
    },
)

THEMES = (DARK, LIGHT)
CYCLE = ("vfiotop-dark", "vfiotop-light", "ansi-dark", "ansi-light")
"""The themes that the theme key cycles through; the last two use the terminal's 16 colours."""


def default_theme(environ: Mapping[str, str]) -> str:
    """The theme if none was chosen: the Linux console has 16 colours."""
    return "ansi-dark" if environ.get("TERM") == "linux" else DARK.name


def glyphs(environ: Mapping[str, str]) -> Glyphs:
    """The characters for graphs: the Linux console's font has no Braille."""
    return PLAIN if environ.get("TERM") == "linux" else RICH


def next_theme(current: str) -> str:
    """The theme after ``current``; the first one if ``current`` is not in the cycle."""
    if current not in CYCLE:
        return CYCLE[0]
    return CYCLE[(CYCLE.index(current) + 1) % len(CYCLE)]
