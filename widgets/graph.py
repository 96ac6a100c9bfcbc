"""History graphs: rows of braille (half blocks where the terminal has no braille), with the scale
and the series in a label column, and a time axis below.

One cell is two steps of ``STEP_S``. Every scale begins at 0 and ends at a limit. A value that was
not measured is a gap; a measured zero is one row of dots, so that "idle" and "unknown" differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from tui.model import STEP_S
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Ramp, Span, Tone, line, ramp_tone

STEPS_PER_CELL = 2
"""Values per character cell, side by side."""

CELL_S = STEP_S * STEPS_PER_CELL

_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)
"""The braille dots of one cell, bottom to top (Unicode block U+2800)."""

NOW = "now"

TICKS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)
"""Possible seconds between two ticks of the axis; the first that leaves room for labels is used."""

TICK_CELLS = 12

Series = Sequence[float | None]
"""Values of past steps, newest last; ``None`` where nothing was measured."""


class Mark(Struct, frozen=True):
    """Something that happened: a sign on the time axis, ``ago_s`` seconds before now."""

    ago_s: float
    sign: str
    tone: Tone


class Graph(Struct, frozen=True):
    """One series to draw. ``top`` is the top of its scale, and ``scale`` its label: ``100 %``."""

    name: str
    series: Series
    top: float
    scale: str
    ramp: Ramp

    @property
    def measured(self) -> bool:
        return any(value is not None for value in self.series)


def graph_lines(
    graph: Graph, rows: int, width: int, glyphs: Glyphs = RICH, *, label: int = 5
) -> list[Line]:
    """The graph in ``rows`` lines of ``width`` cells, without its axis.

    The label column of ``label`` cells has the top of the scale in its first row and the name in
    its last.
    """
    room = max(0, width - label - 1)
    if rows <= 0 or room <= 0:
        return []
    names = [""] * rows
    names[0], names[-1] = graph.scale, graph.name
    drawn = bars_of(graph.series, graph.top, rows, room, glyphs)
    return [
        line(
            Span(f"{name:>{label}} ", "label"), *_row(row, graph.ramp, (rows - index - 0.5) / rows)
        )
        for index, (name, row) in enumerate(zip(names, drawn, strict=True))
    ]


def short_graph_lines(
    graph: Graph, rows: int, width: int, glyphs: Glyphs = RICH, *, unit: str = "%", label: int = 6
) -> list[Line]:
    """A graph of a few rows without an axis. Its labels are name and unit, then the time span."""
    room = max(0, width - label - 1)
    if rows <= 0 or room <= 0:
        return []
    names = [""] * rows
    names[-1] = span_text(room * CELL_S)
    names[0] = f"{graph.name} {unit}"
    drawn = bars_of(graph.series, graph.top, rows, room, glyphs)
    return [
        line(
            Span(f"{name:>{label}} ", "label"), *_row(row, graph.ramp, (rows - index - 0.5) / rows)
        )
        for index, (name, row) in enumerate(zip(names, drawn, strict=True))
    ]


def _row(row: str, ramp: Ramp, share: float) -> Line:
    drawn = row.lstrip()
    return Span(" " * (len(row) - len(drawn))), Span(drawn, ramp_tone(ramp, share))


def bars_of(series: Series, top: float, rows: int, width: int, glyphs: Glyphs = RICH) -> list[str]:
    """``series`` as ``rows`` strings of ``width`` cells, top row first, newest at the right.

    It is aligned to whole cells: the graph moves every other step, and a steady level draws the
    same cells.
    """
    levels = BRAILLE_LEVELS if glyphs.braille else BLOCK_LEVELS
    most = rows * levels
    even = (*series, *(None,) * (-len(series) % STEPS_PER_CELL))
    steps = width * STEPS_PER_CELL
    shown = even[-steps:] if steps else ()
    padded = (*(None,) * (steps - len(shown)), *shown)
    filled = [0 if v is None else min(round(v / top * most), most) or 1 for v in padded]
    pairs = zip(filled[::2], filled[1::2], strict=True)
    columns = [_column(left, right, rows, braille=glyphs.braille) for left, right in pairs]
    return ["".join(row) for row in zip(*columns, strict=True)] if columns else [""] * rows


@lru_cache(maxsize=4096)
def _column(left: int, right: int, rows: int, *, braille: bool) -> tuple[str, ...]:
    """A cell of each row, top row first, by the heights of its two steps."""
    signs, levels = (_BRAILLE, BRAILLE_LEVELS) if braille else (_BLOCKS, BLOCK_LEVELS)
    return tuple(
        signs[max(0, min(left - base, levels))][max(0, min(right - base, levels))]
        for base in range((rows - 1) * levels, -1, -levels)
    )


def _braille(left: int, right: int) -> str:
    dots = sum(_LEFT[:left]) + sum(_RIGHT[:right])
    return chr(0x2800 + dots) if dots else " "


BRAILLE_LEVELS, BLOCK_LEVELS = 4, 2
"""The heights that one row can show."""

_BRAILLE = [[_braille(left, right) for right in range(5)] for left in range(5)]
_BLOCKS = [[" ▄█"[max(left, right)] for right in range(3)] for left in range(3)]
"""The characters of a cell, by the heights of its two steps."""


# --- the time axis ---


@lru_cache(maxsize=64)
def axis_line(
    width: int,
    marks: tuple[Mark, ...] = (),
    glyphs: Glyphs = RICH,
    *,
    label: int = 5,
    cell_s: float = CELL_S,
    name: str = "",
) -> Line:
    """The time axis below a graph of ``width`` cells of ``cell_s`` seconds: a tick each minute, or
    fewer if their labels need the room, ``now`` at the right edge, and ``marks``. A label that a
    mark would cover is left out. The ``name`` of the axis is in the label column."""
    room = max(0, width - label - 1)
    cells = [glyphs.axis] * room
    tones: list[Tone] = ["label"] * room
    marked = {
        room - 1 - int(mark.ago_s // cell_s): mark
        for mark in marks
        if 0 <= mark.ago_s < room * cell_s
    }
    _write(cells, room - len(NOW), NOW, marked)
    apart = next((s for s in TICKS_S if s / cell_s >= TICK_CELLS), TICKS_S[-1])
    for number in range(1, int(room * cell_s // apart) + 1):
        at = room - round(number * apart / cell_s)
        if 0 <= at < room:
            cells[at] = glyphs.tick
            _write(cells, at + 1, span_text(number * apart), marked)
    for at, mark in marked.items():
        cells[at], tones[at] = mark.sign, mark.tone
    head = f"{name:>{label}} "[: label + 1]
    spans: list[Span] = [Span(head, "label") if name else Span(head)]
    for cell, tone in zip(cells, tones, strict=True):
        if spans[-1].tone == tone:
            spans[-1] = Span(spans[-1].text + cell, tone)
        else:
            spans.append(Span(cell, tone))
    return tuple(spans)


def _write(cells: list[str], at: int, text: str, marked: dict[int, Mark]) -> None:
    """Write ``text`` if it fits on the axis and covers no mark."""
    whole = range(at, at + len(text))
    if at >= 0 and whole.stop <= len(cells) and marked.keys().isdisjoint(whole):
        cells[at : whole.stop] = text


def span_text(seconds: float) -> str:
    """The time that a graph covers, in whole units: ``2 min``."""
    if seconds < 60:
        return f"{int(seconds)} s"
    return f"{int(seconds // 60)} min" if seconds < 3600 else f"{int(seconds // 3600)} h"
