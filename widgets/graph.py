"""History graphs as rows of characters: braille if the terminal has it, else blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)
"""The braille dots of one cell, bottom to top (Unicode block U+2800)."""


@dataclass(frozen=True)
class Glyphs:
    """The characters that a terminal can draw.

    The fonts of the Linux console lack braille, eighth blocks and check marks.
    """

    braille: bool = True
    full: str = "━"
    rest: str = "─"
    running: str = "●"
    stopped: str = "○"
    done: str = "✓"


RICH = Glyphs()
PLAIN = Glyphs(braille=False, full="█", rest="░", running="*", stopped="-", done="+")

STEPS_PER_CELL = 2
"""Values per character cell, side by side."""


def graph(
    series: Sequence[float | None], rows: int, top: float = 100, glyphs: Glyphs = RICH
) -> list[str]:
    """``series`` (newest last, two values per cell) as ``rows`` strings, top row first.

    A missing value is a gap; a measured zero draws the base line, so "idle" and "unknown"
    differ.
    """
    draw = _braille if glyphs.braille else _blocks
    heights = [None if value is None else max(0.0, min(value / top, 1.0)) for value in series]
    pairs = [
        (heights[i], heights[i + 1] if i + 1 < len(heights) else None)
        for i in range(0, len(heights), STEPS_PER_CELL)
    ]
    return ["".join(draw(pair, row, rows) for pair in pairs) for row in reversed(range(rows))]


def _braille(pair: tuple[float | None, float | None], row: int, rows: int) -> str:
    dots = 0
    for height, bits in zip(pair, (_LEFT, _RIGHT), strict=True):
        if height is not None:
            filled = max(1, round(height * rows * 4)) - row * 4
            dots |= sum(bit for level, bit in enumerate(bits) if level < filled)
    return chr(0x2800 + dots) if dots else " "


def _blocks(pair: tuple[float | None, float | None], row: int, rows: int) -> str:
    known = [height for height in pair if height is not None]
    if not known:
        return " "
    filled = max(1, round(max(known) * rows * 2)) - row * 2
    return "█" if filled >= 2 else "▄" if filled == 1 else " "


def meter(value: float | None, width: int, glyphs: Glyphs = RICH) -> tuple[str, str]:
    """A meter of ``width`` cells for 0-100, as its filled and its empty part."""
    filled = 0 if value is None else round(max(0.0, min(value / 100, 1.0)) * width)
    return glyphs.full * filled, glyphs.rest * (width - filled)
