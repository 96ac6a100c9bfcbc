"""The graphs of a full-screen panel: in columns, each with its figures above it, all over the same
time, with one time cursor through all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from math import ceil
from typing import NamedTuple

from msgspec import Struct
from textual.geometry import Size

from tui.model import STEP_S, Event, Extremes, Window
from widgets.glyphs import RICH, Glyphs
from widgets.graph import STEPS_PER_CELL, Graph, Mark, axis_line, graph_lines, span_text
from widgets.lines import Line, Span, line, pad, spread, width_of

FINE_S = {180.0: STEP_S, 900.0: STEP_S, 3600.0: 10.0, 21600.0: 60.0, 86400.0: 60.0}
"""The spans that a user can choose, each with the resolution of its values, in seconds. The spans
of hours come from two tiers of the history (``tui.model.past``)."""

SPANS_S = tuple(FINE_S)

LABEL = 6
"""Width of the label column in cells, including the space after it."""

LEAST_ROWS = 2


class Sheet(Struct, frozen=True):
    """One graph of the grid. ``title`` names it, ``figure`` is the current value, ``say`` formats a
    value of the series with its unit. At the right is ``note``, or else the ``extremes``."""

    graph: Graph
    title: str
    figure: str
    say: Callable[[float], str]
    note: str = ""
    extremes: Extremes | None = None


class Times(Struct, frozen=True):
    """The time that a grid covers, and the cursor: cells before now, ``None`` without one. ``at``
    is the time at the cursor, ``event`` what happened then. ``problem`` says in a sentence why the
    graphs do not reach back that far."""

    span_s: float = SPANS_S[0]
    cursor: int | None = None
    at: datetime | None = None
    event: Event | None = None
    problem: str | None = None


class GraphLines(NamedTuple):
    """The lines of a panel, and which of them are graphs that the mouse can point at."""

    lines: list[Line]
    graphs: range = range(0)


class Grid(NamedTuple):
    """The columns of a grid ``width`` cells wide, with a space between them."""

    width: int
    columns: int = 1

    @property
    def column(self) -> int:
        """The width of each column in cells."""
        return (self.width - (self.columns - 1)) // self.columns

    @property
    def cells(self) -> int:
        """The width of each graph in cells."""
        return max(0, self.column - LABEL)

    def window(self, span_s: float) -> Window:
        """The window of a span that each graph shows: all of it, in the shortest steps that fit.
        The shortest span has a fixed step, so its length is that of the graph."""
        fine_s, steps = FINE_S[span_s], max(1, self.cells) * STEPS_PER_CELL
        factor = 1 if span_s == SPANS_S[0] else ceil(span_s / (steps * fine_s))
        return Window(fine_s, fine_s * factor, self.cells)

    def cell_at(self, x: int) -> int | None:
        """The cell of a graph at column ``x``, counted from the newest, 0; ``None`` outside the
        graphs."""
        index, within = divmod(x, self.column + 1)
        cell = self.column - 1 - within
        return cell if 0 <= index < self.columns and 0 <= cell < self.cells else None


def grid_lines(
    sheets: Sequence[Sheet],
    space: Size,
    times: Times,
    marks: tuple[Mark, ...] = (),
    glyphs: Glyphs = RICH,
    *,
    columns: int = 2,
) -> list[Line]:
    """The sheets in ``columns``, as high as ``space`` allows, with one axis below the last row. A
    row of the grid that does not fit is left out. The series are those of ``Grid.window``."""
    grid = Grid(space.width, columns)
    width = grid.column
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
    cell_s = grid.window(times.span_s).cell_s
    name = "" if times.span_s == SPANS_S[0] else span_text(times.span_s)
    axis = axis_line(width, marks, glyphs, label=LABEL - 1, cell_s=cell_s, name=name)
    return [*lines, _side_by_side([axis] * len(rows[0]), width)]


def _side_by_side(parts: Sequence[Line], width: int) -> Line:
    first, *rest = parts
    joined = pad(first, width) if rest else first
    for index, part in enumerate(rest):
        joined = (*joined, Span(" "), *(pad(part, width) if index < len(rest) - 1 else part))
    return joined


def _sheet(sheet: Sheet, width: int, height: int, times: Times, glyphs: Glyphs) -> list[Line]:
    """The sheet's heading, then its graph, ``height`` lines in all."""
    drawn = graph_lines(sheet.graph, height - 1, width, glyphs, label=LABEL - 1)
    at = ""
    if times.cursor is not None:
        there = _at_cursor(sheet.graph.series, times.cursor)
        at = f" ({sheet.say(there) if there is not None else '–'})"
        drawn = [_with_cursor(row, width - 1 - times.cursor, glyphs) for row in drawn]
    left = line(Span(f"{'':>{LABEL}}{sheet.title} ", "label"), Span(sheet.figure, "strong"), at)
    right = _last_that_fit(sheet.note or _extremes(sheet), width - 1 - width_of(left))
    return [spread(left, line(Span(right, "label")), width), *drawn]


def _last_that_fit(words: str, room: int) -> str:
    """As many of the last parts of ``words`` as fit; two spaces separate parts."""
    parts = words.split("  ")
    while parts and len("  ".join(parts)) > room:
        del parts[0]
    return "  ".join(parts)


def _at_cursor(series: Sequence[float | None], cursor: int) -> float | None:
    """The mean of the two values in the cursor's cell."""
    even = (*series, *(None,) * (len(series) % 2))
    end = len(even) - 2 * cursor
    known = [value for value in even[max(0, end - 2) : max(0, end)] if value is not None]
    return sum(known) / len(known) if known else None


def _with_cursor(row: Line, at: int, glyphs: Glyphs) -> Line:
    """The row with the cursor's line at a cell, if the graph is empty there."""
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


def _extremes(sheet: Sheet) -> str:
    found, say = sheet.extremes, sheet.say
    if found is None:
        return ""
    return f"{least_word(found)} {say(found.least)}  mean {say(found.mean)}  max {say(found.most)}"


def least_word(found: Extremes) -> str:
    """What the lowest value is called. Over hours it is the mean of the lowest step, no minimum."""
    if found.step_s <= STEP_S:
        return "min"
    return "lowest minute" if found.step_s == 60 else f"lowest {found.step_s:.0f} s"
