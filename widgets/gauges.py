"""Meters and history graphs as lines, shared by the panels."""

from __future__ import annotations

from collections.abc import Sequence

from widgets.graph import STEPS_PER_CELL, Glyphs, graph, meter
from widgets.lines import Line, Span, line

TEXT = 16
"""Cells for a meter's figure, such as ``12.0/24.0 GiB``."""


def meter_line(
    label: str, value: float | None, text: str, width: int, glyphs: Glyphs, *, label_cells: int
) -> Line:
    """A label, a figure, and a meter for 0-100 in the rest of ``width`` cells."""
    room = max(0, width - label_cells - TEXT - 1)
    filled, rest = meter(value, room, glyphs)
    return line(
        Span(f"{label:<{label_cells}}", "label"),
        Span(f"{text:<{TEXT}} ", "strong"),
        Span(filled, "accent"),
        Span(rest, "rest"),
    )


def graph_lines(
    series: Sequence[float | None], rows: int, width: int, glyphs: Glyphs
) -> list[Line]:
    """``series`` in percent as ``rows`` lines, newest at the right edge.

    Empty if nothing was ever measured.
    """
    if rows <= 0 or all(value is None for value in series):
        return []
    # Aligned to whole cells: the graph moves half as often, and a steady level draws the same
    # cells.
    even = (*series, *(None,) * (-len(series) % STEPS_PER_CELL))
    steps = width * STEPS_PER_CELL
    shown = even[-steps:]
    padded = (*(None,) * (steps - len(shown)), *shown)
    return [_row(row) for row in graph(padded, rows, glyphs=glyphs)]


def _row(row: str) -> Line:
    drawn = row.lstrip()
    return line(Span(" " * (len(row) - len(drawn))), Span(drawn, "graph"))


def history_line(
    label: str,
    series: Sequence[float | None],
    text: str,
    width: int,
    glyphs: Glyphs,
    *,
    label_cells: int,
) -> Line:
    """A ``meter_line`` with the history in place of the meter, for a panel too small for a
    graph."""
    room = max(0, width - label_cells - TEXT - 1)
    drawn = graph_lines(series, 1, room, glyphs) or [()]
    return line(
        Span(f"{label:<{label_cells}}", "label"), Span(f"{text:<{TEXT}} ", "strong"), *drawn[0]
    )
