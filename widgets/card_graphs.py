"""The graphs of a card: which series have one, on which scale, and how they share the space.

Load comes first and gets the most rows. Below it is the series that the user chose; where there
is room, all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil

from tui.model import CARD_SERIES, CardSeries
from widgets.card import Card, measured
from widgets.glyphs import RICH, Glyphs
from widgets.graph import (
    CELL_S,
    STEPS_PER_CELL,
    Graph,
    axis_line,
    bars_of,
    graph_lines,
    short_graph_lines,
    span_text,
)
from widgets.lines import Line, Ramp, Span, line, pad, ramp_tone

LOWER: tuple[CardSeries, ...] = ("temp", "power", "vram", "clock")
"""The series below the load, in the order in which the key cycles through them."""

PAIRS: tuple[CardSeries, ...] = ("load", "power", "vram", "temp", "clock")
"""The order of the graphs in two columns."""

WITH_AXIS, TWO, MORE = 3, 5, 17
"""Minimum rows for a time axis, for a second graph, and for more than two graphs."""

LEAST = 4
"""Minimum rows for each graph below the second one."""

WIDE_TWO_BANDS, WIDE_THREE_BANDS = 6, 14
"""Minimum rows for two and for three rows of graphs, in two columns."""

GAP = 2
"""Cells between two columns of graphs."""

LABEL = 5
"""Width of a graph's label column, in cells."""

UNITS: dict[CardSeries, str] = {
    "load": "%", "vram": "G", "power": "W", "temp": "°C", "clock": "GHz",
}  # fmt: skip

RAMPS: dict[CardSeries, Ramp] = {
    "load": "load", "clock": "load", "vram": "heat", "power": "heat", "temp": "heat",
}  # fmt: skip


# --- which series -----------------------------------------------------------------


def available(card: Card) -> tuple[CardSeries, ...]:
    """The series of a card that have ever been measured, load first."""
    found = (name for name in CARD_SERIES if measured(card.series.get(name, ())))
    return tuple(sorted(found, key=("load", *LOWER).index))


def next_series(
    name: CardSeries | None, names: Collection[CardSeries], *, alone: bool = False
) -> CardSeries:
    """The series after ``name`` among the available ``names``; the load counts only if its graph is
    ``alone``. ``None`` stands for the series that is drawn when none was chosen."""
    order = [each for each in (("load", *LOWER) if alone else LOWER) if each in names]
    if not order:
        return "load"
    return order[((order.index(name) if name in order else 0) + 1) % len(order)]


def lower_series(card: Card) -> CardSeries | None:
    """The series below the load: the one chosen, or else the first that the card can have."""
    names = [name for name in LOWER if card.gives(name)]
    return card.lower if card.lower in names else next(iter(names), None)


def graphs_below(card: Card, rows: int) -> tuple[CardSeries, ...]:
    """The series to draw in one column of ``rows``, which include the time axis."""
    if rows < TWO:
        chosen = card.lower
        return (chosen if chosen is not None and card.gives(chosen) else "load",)
    lower = lower_series(card)
    names: tuple[CardSeries, ...] = ("load", *([lower] if lower else []))
    if rows >= MORE:
        names += tuple(name for name in LOWER if name != lower and card.gives(name))
    return names[: max(2, (rows - 1) // LEAST - 1)]


def graph_of(name: CardSeries, card: Card) -> Graph:
    """The graph of a series, from 0 to its limit, or to a round figure above what was measured."""
    series = card.series.get(name, ())
    top, scale = _scale(name, card)
    return Graph(name, series, top, scale, RAMPS[name])


def _scale(name: CardSeries, card: Card) -> tuple[float, str]:
    limits = card.limits
    most = max((v for v in card.series.get(name, ()) if v is not None), default=0.0)
    if name == "load":
        return 100.0, "100 %"
    if name == "temp":
        top = limits.temp_limit_c or 100.0
        return top, f"{top:.0f} °C" if top < 100 else f"{top:.0f}°C"
    if name == "power":
        top = limits.power_limit_w or max(10.0, ceil(most / 10) * 10.0)
        return top, f"{top:.0f} W"
    if name == "vram":
        top = limits.mem_total_mib or max(1024.0, ceil(most / 1024) * 1024.0)
        return top, _gib(top)
    top = max(1000.0, ceil(most / 100) * 100.0)
    return top, f"{top / 1000:.1f} G"


def _gib(mib: float) -> str:
    gib = mib / 1024
    return f"{gib:.0f} G" if gib >= 1.95 else f"{gib:.1f} G"


# --- one column -------------------------------------------------------------------


def graph_block(card: Card, rows: int, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """The graphs in ``rows`` lines of ``width`` cells: one row has no scale, two have a short
    label, three or more have a scale and a time axis."""
    if rows <= 0 or width <= LABEL + 1:
        return []
    names = graphs_below(card, rows)
    if rows == 1:
        return [history_line(names[0], card, width, glyphs)]
    if rows < WITH_AXIS:
        graph, unit = graph_of(names[0], card), UNITS[names[0]]
        label = max(LABEL + 1, len(f"{graph.name} {unit}"))
        return short_graph_lines(graph, rows, width, glyphs, unit=unit, label=label)
    drawn: list[Line] = []
    for name, share in zip(names, _shares(rows - 1, len(names)), strict=True):
        drawn += graph_lines(graph_of(name, card), share, width, glyphs, label=LABEL)
    return [*drawn, axis_line(width, card.marks, glyphs, label=LABEL)]


def _shares(rows: int, count: int) -> list[int]:
    """Rows of each of ``count`` graphs: the first gets twice as many as the others."""
    lower = (rows - ceil(rows * 2 / (count + 1))) // max(count - 1, 1)
    lower = max(lower, 2)
    return [rows - lower * (count - 1), *[lower] * (count - 1)]


def history_line(name: CardSeries, card: Card, width: int, glyphs: Glyphs = RICH) -> Line:
    """A series in one row, in the columns of the bars, with its maximum at the end."""
    graph = graph_of(name, card)
    head, tail = columns(width)
    room = max(0, width - head - tail - 2)
    shown = [v for v in graph.series[-room * STEPS_PER_CELL :] if v is not None]
    most = f"max {_figure(name, max(shown))}" if shown else ""
    if len(most) > tail:
        most = most.replace(" ", "").replace("max", "max ")
    (drawn,) = bars_of(graph.series, graph.top, 1, room, glyphs)
    label = f"{name} {span_text(room * CELL_S)}"
    return line(
        Span(f"{label:<{head}} "[: head + 1], "label"),
        Span(drawn, ramp_tone(graph.ramp, 0.5)),
        Span(f" {most:<{tail}}" if tail else "", "label"),
    )


def _figure(name: CardSeries, value: float) -> str:
    if name == "vram":
        return f"{value / 1024:.1f} G"
    return f"{value / 1000:.1f} G" if name == "clock" else f"{value:.0f} {UNITS[name]}"


def columns(width: int) -> tuple[int, int]:
    """The widths of label and figure, and of the limit, in a bar of ``width`` cells."""
    return 14 if width >= 40 else 13, 8 if width >= 30 else 0


# --- two columns ------------------------------------------------------------------


def wide_graphs(card: Card, rows: int, *, table: bool) -> tuple[CardSeries, ...]:
    """The series to draw in two columns and ``rows`` lines. A ``table`` replaces the third row of
    graphs."""
    names = [name for name in PAIRS if card.gives(name)]
    most = 2 if rows < WIDE_TWO_BANDS else 4 if table or rows < WIDE_THREE_BANDS else len(names)
    shown = names[:most]
    if card.lower in names and card.lower not in shown:
        shown = [*shown[:-1], card.lower]
    return tuple(shown)


def wide_graph_block(
    card: Card, rows: int, width: int, glyphs: Glyphs = RICH, *, table: bool = False
) -> list[Line]:
    """The graphs in pairs in ``rows`` lines; an odd one at the end spans both columns.

    There is a time axis below the second row of graphs and below each further row.
    """
    if rows < WITH_AXIS:
        return graph_block(card, rows, width, glyphs)
    names = wide_graphs(card, rows, table=table)
    bands = [names[at : at + 2] for at in range(0, len(names), 2)]
    axes = max(1, len(bands) - 1)
    drawn: list[Line] = []
    for index, (band, share) in enumerate(zip(bands, _bands(rows - axes, len(bands)), strict=True)):
        drawn += _side_by_side(
            [graph_lines(graph_of(n, card), share, cells, glyphs, label=LABEL)
             for n, cells in zip(band, _cells(width, len(band)), strict=True)],
            _cells(width, len(band)),
        )  # fmt: skip
        if index > 0 or len(bands) == 1:
            axis = [
                [axis_line(cells, card.marks, glyphs, label=LABEL)]
                for cells in _cells(width, len(band))
            ]
            drawn += _side_by_side(axis, _cells(width, len(band)))
    return drawn


def _cells(width: int, count: int) -> list[int]:
    column = (width - GAP) // 2
    return [width] if count == 1 else [column, column]


def _bands(rows: int, count: int) -> list[int]:
    """The heights of ``count`` rows of graphs, each at most one less than the one before."""
    base, over = divmod(rows, count)
    shares = [base] * count
    for index in range(over):
        shares[index] += 1
    if count == 3 and over == 0 and base > LEAST:
        shares[0], shares[2] = base + 1, base - 1
    return shares


def _side_by_side(blocks: Sequence[Sequence[Line]], cells: Sequence[int]) -> list[Line]:
    if len(blocks) == 1:
        return list(blocks[0])
    left, right = blocks
    return [
        (*pad(one, cells[0]), Span(" " * GAP), *other)
        for one, other in zip(left, right, strict=True)
    ]
