"""The graphs of a panel that takes the whole screen: in columns, each with its figures above it,
over the same time, with one time cursor through all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from math import ceil
from typing import NamedTuple

from msgspec import Struct
from textual.geometry import Size

from tui.model import Event
from widgets.glyphs import RICH, Glyphs
from widgets.graph import CELL_S, Graph, Mark, axis_line, graph_lines, resampled
from widgets.lines import Line, Span, line, pad, spread

SPANS_S = (180.0, 900.0, 3600.0, 21600.0, 86400.0)
"""The spans that a user can choose, in seconds."""

LABEL = 6
"""Cells of the label column, with its blank."""

LEAST_ROWS = 2


class Sheet(Struct, frozen=True):
    """One graph of the grid. ``title`` names it, ``figure`` is the present value, ``say`` writes a
    value of the series with its unit, ``note`` stands at the right."""

    graph: Graph
    title: str
    figure: str
    say: Callable[[float], str]
    note: str = ""


class Times(Struct, frozen=True):
    """The time that a grid covers, and the cursor: cells before now, ``None`` without one. ``at``
    is the moment at the cursor, ``event`` what happened then."""

    span_s: float = SPANS_S[0]
    cursor: int | None = None
    at: datetime | None = None
    event: Event | None = None


class GraphLines(NamedTuple):
    """The lines of a panel, and which of them are graphs that the mouse can point at."""

    lines: list[Line]
    graphs: range = range(0)


def factor_of(span_s: float, width: int) -> int:
    """The steps that one value of a graph ``width`` cells wide stands for."""
    room = max(1, width - LABEL)
    return 1 if span_s <= SPANS_S[0] else max(1, ceil(span_s / (room * CELL_S)))


class Grid(NamedTuple):
    """The columns of a grid ``width`` cells wide, with a blank between them."""

    width: int
    columns: int = 1

    @property
    def column(self) -> int:
        """The cells of each column."""
        return (self.width - (self.columns - 1)) // self.columns

    @property
    def cells(self) -> int:
        """The cells of each graph."""
        return max(0, self.column - LABEL)

    def cell_s(self, span_s: float) -> float:
        """The seconds of a cell."""
        return CELL_S * factor_of(span_s, self.column)

    def cell_at(self, x: int) -> int | None:
        """The cell of a graph at a column of the screen, the newest one 0; ``None`` beside the
        graphs."""
        index, within = divmod(x, self.column + 1)
        cell = self.column - 1 - within
        return cell if 0 <= index < self.columns and 0 <= cell < self.cells else None


def grid_lines(
    sheets: Sequence[Sheet],
    space: Size,
    times: Times,
    marks: Sequence[Mark] = (),
    glyphs: Glyphs = RICH,
    *,
    columns: int = 2,
) -> list[Line]:
    """The sheets in ``columns``, as high as ``space`` allows, with one axis below the last row.
    Rows of the grid that do not fit are left out whole."""
    width = Grid(space.width, columns).column
    rows = [sheets[i : i + columns] for i in range(0, len(sheets), columns)]
    while rows and (space.height - 1) // len(rows) < LEAST_ROWS + 1:
        rows.pop()
    if not rows or width <= LABEL:
        return []
    height = (space.height - 1) // len(rows)
    spare = space.height - 1 - height * len(rows)
    lines: list[Line] = []
    for number, row in enumerate(rows):
        drawn = height + (1 if number < spare else 0)
        cells = [_sheet(each, width, drawn, times, glyphs) for each in row]
        lines += [_side_by_side(parts, width) for parts in zip(*cells, strict=True)]
    cell_s = CELL_S * factor_of(times.span_s, width)
    axis = axis_line(width, marks, glyphs, label=LABEL - 1, cell_s=cell_s)
    return [*lines, _side_by_side([axis] * len(rows[0]), width)]


def _side_by_side(parts: Sequence[Line], width: int) -> Line:
    first, *rest = parts
    joined = pad(first, width) if rest else first
    for index, part in enumerate(rest):
        joined = (*joined, Span(" "), *(pad(part, width) if index < len(rest) - 1 else part))
    return joined


def _sheet(sheet: Sheet, width: int, height: int, times: Times, glyphs: Glyphs) -> list[Line]:
    """The sheet's heading, then its graph, ``height`` lines in all."""
    factor = factor_of(times.span_s, width)
    series = resampled(sheet.graph.series, factor)
    graph = Graph(sheet.graph.name, series, sheet.graph.top, sheet.graph.scale, sheet.graph.ramp)
    drawn = graph_lines(graph, height - 1, width, glyphs, label=LABEL - 1)
    at = ""
    if times.cursor is not None:
        there = _at_cursor(series, times.cursor)
        at = f" ({sheet.say(there) if there is not None else '–'})"
        drawn = [_with_cursor(row, width - 1 - times.cursor, glyphs) for row in drawn]
    head = spread(
        line(Span(f"{'':>{LABEL}}{sheet.title} ", "label"), Span(sheet.figure, "strong"), at),
        line(Span(sheet.note or _extremes(sheet, width), "label")),
        width,
    )
    return [head, *drawn]


def _at_cursor(series: Sequence[float | None], cursor: int) -> float | None:
    """The mean of the two values in the cursor's cell."""
    even = (*series, *(None,) * (len(series) % 2))
    end = len(even) - 2 * cursor
    known = [value for value in even[max(0, end - 2) : max(0, end)] if value is not None]
    return sum(known) / len(known) if known else None


def _with_cursor(row: Line, at: int, glyphs: Glyphs) -> Line:
    """The row with the cursor's line at a cell, where the graph is empty."""
    found: list[Span] = []
    start = 0
    for span in row:
        end = start + len(span.text)
        if start <= at < end and span.text[at - start] == " ":
            cut = at - start
            found += [
                span._replace(text=span.text[:cut]), Span(glyphs.cursor, "strong"),
                span._replace(text=span.text[cut + 1 :]),
            ]  # fmt: skip
        else:
            found.append(span)
        start = end
    return tuple(span for span in found if span.text)


def _extremes(sheet: Sheet, width: int) -> str:
    known = [value for value in sheet.graph.series if value is not None]
    if not known:
        return ""
    say = sheet.say
    mean = sum(known) / len(known)
    if width < 50:
        return f"max {say(max(known))}"
    return f"min {say(min(known))}  mean {say(mean)}  max {say(max(known))}"
