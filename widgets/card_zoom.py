"""A full-screen card: all its graphs over a chosen time, with a time cursor through them, and
below them everything that is known about it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from textual.geometry import Size

from tui.model import CardSeries, CardUsers
from widgets.card import WIDE, Card
from widgets.card_bars import LABELS, value
from widgets.card_details import card_detail_lines
from widgets.card_facts import reason_lines, remarks_of, urgent
from widgets.card_graphs import PAIRS, UNITS, graph_of
from widgets.card_swap import swap_rows
from widgets.cursor_line import cursor_lines
from widgets.glyphs import RICH, Glyphs
from widgets.graph_grid import GraphLines, Grid, Sheet, Times, grid_lines, least_word
from widgets.lines import DASH, Line, wrap

SHEET_ROWS = 5, 3
"""Rows that a graph and its heading get before details are shown below: in two columns, in one."""


def zoomed_lines(
    card: Card,
    space: Size,
    times: Times,
    users: CardUsers | None = None,
    glyphs: Glyphs = RICH,
) -> GraphLines:
    """The lines of the full-screen card; there may be more than fit. ``users`` is who uses it,
    ``None`` before the first scan."""
    width, height = space
    columns = zoomed_grid(width).columns
    told = cursor_lines(times, card.at, width, glyphs)
    missing = wrap(times.problem, width, "label") if times.problem else []
    head = [*told, *missing, *_head(card, width, height, glyphs)]
    below = card_detail_lines(
        card.gpu, width, checks=card.checks, users=users, guest_driver=card.guest_driver,
        host_driver=card.host_driver, glyphs=glyphs,
    )  # fmt: skip
    sheets = [_sheet(name, card) for name in PAIRS if card.gives(name)]
    bands = (len(sheets) + columns - 1) // columns
    least = bands * SHEET_ROWS[columns == 1] + 1
    rows = max(least, height - len(head) - len(below) - 1)
    marks = card.marks
    grid = grid_lines(sheets, Size(width, rows), times, marks, glyphs, columns=columns)
    return GraphLines([*head, *grid, (), *below], range(len(head), len(head) + len(grid)))


def zoomed_grid(width: int) -> Grid:
    """The columns of the graphs in ``width`` cells."""
    return Grid(width, 2 if width >= WIDE else 1)


def _head(card: Card, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """What is above the graphs: the swap, or why there is no reading, and what needs attention."""
    swap = card.moving_swap
    if swap is not None:
        return swap_rows(card, swap, min(height, 3 + len(swap.moves)), width, glyphs)
    remarks = remarks_of(card)
    told = [each for remark in remarks for each in wrap(f"{glyphs.warned} {remark}", width, "warn")]
    without = card.with_gpu(replace(card.gpu, reading=None)) if remarks else card
    return [*reason_lines(card, width, 3), *urgent(without, width, 2, glyphs), *told]


# --- the graphs -------------------------------------------------------------------


def _sheet(name: CardSeries, card: Card) -> Sheet:
    figure = value(name, card.metrics, card.limits).figure if name != "clock" else None
    if name == "clock" and card.metrics.clock_mhz is not None:
        figure = f"{card.metrics.clock_mhz:.0f} MHz"
    return Sheet(
        graph_of(name, card), LABELS[name], figure or DASH, SAYS[name], _note(name, card),
        card.extremes.get(name),
    )  # fmt: skip


def _note(name: CardSeries, card: Card) -> str:
    """The extremes of a series and its limit; empty for the load, which has the usual note."""
    found, limits = card.extremes.get(name), card.limits
    if name == "clock":
        memory = card.metrics.mem_clock_mhz
        return f"memory {memory:.0f} MHz" if memory is not None else ""
    if found is None or name == "load":
        return ""
    low, mean, high, _ = found
    if name == "vram":
        total = limits.mem_total_mib
        of = f" of {total / 1024:.1f}" if total else ""
        return f"{least_word(found)} {low / 1024:.1f}  max {high / 1024:.1f}{of}"
    if name == "power":
        limit = f" of {limits.power_limit_w:.0f}" if limits.power_limit_w else ""
        return f"mean {mean:.0f}  max {high:.0f}{limit}"
    slows = f", slows at {limits.temp_limit_c:.0f}" if limits.temp_limit_c else ""
    return f"max {high:.0f}{slows}"


def _in(unit: str, scale: float = 1.0, digits: int = 0) -> Callable[[float], str]:
    return lambda value: f"{value / scale:.{digits}f} {unit}"


SAYS: dict[CardSeries, Callable[[float], str]] = {
    "load": _in(UNITS["load"]), "vram": _in("GiB", 1024.0, 1), "power": _in(UNITS["power"]),
    "temp": _in(UNITS["temp"]), "clock": _in("MHz"),
}  # fmt: skip
"""How a value of each series is written."""
