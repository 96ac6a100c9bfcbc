"""What a person reads of lines, and what no line of any panel may do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import fields
from textual.geometry import Size

from widgets.glyphs import PLAIN, RICH
from widgets.lines import Line, width_of
from widgets.panel import Edges, edge

PANEL_SIZES = [
    Size(w, h) for w in (30, 36, 38, 43, 44, 56, 68, 76, 116) for h in (1, 2, 3, 5, 9, 19)
]
"""The cells that a panel may have for its lines."""

_SIGNS = [field.name for field in fields(RICH) if field.name != "braille"]

ONLY_RICH = (
    {getattr(RICH, name) for name in _SIGNS} - {getattr(PLAIN, name) for name in _SIGNS} - set("·–")
)
"""The characters that the Linux console lacks."""


def text(line: Line) -> str:
    return "".join(span.text for span in line)


def texts(lines: Iterable[Line]) -> list[str]:
    return [text(line).rstrip() for line in lines]


def upper(edges: Edges, width: int) -> str:
    """The upper edge of a frame around ``width`` cells, without its corners."""
    return text(edge(edges.title, edges.state, width - 2, "─"))


def lower(edges: Edges, width: int) -> str:
    return text(edge(edges.keys, edges.note, width - 2, "─"))


def check(lines: Sequence[Line], space: Size, *, plain: bool = False) -> None:
    """Lines fit the space in width and number, and show no internal value."""
    assert all(width_of(line) <= space.width for line in lines), texts(lines)
    assert len(lines) <= space.height
    shown = "".join(map(text, lines))
    assert "None" not in shown
    assert "0000:" not in shown
    if plain:
        assert not ONLY_RICH & set(shown), ONLY_RICH & set(shown)
        assert not any(0x2800 <= ord(c) < 0x2900 for c in shown)
