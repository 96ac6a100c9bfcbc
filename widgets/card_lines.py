"""The rows of a card's panel: its figures, its graphs, and what is below them.

Rows keep their place; during a swap, its progress takes the rows of the figures.
"""

from __future__ import annotations

from typing import NamedTuple

from widgets.card import WIDE, Card
from widgets.card_bars import bar_names, bars, info_line, pairs
from widgets.card_facts import group_line, reason_lines, urgent
from widgets.card_graphs import WITH_AXIS, graph_block, wide_graph_block
from widgets.card_swap import swap_rows
from widgets.card_users import used_line, used_table, users
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line

PAIRED = 3
"""Below this many rows, two values share a row."""

TAIL_ROWS = (4, 6)
"""Rows below the figures for which the last one is not a graph's: exactly the first number, or at
least the second. With five there are two graphs."""

LONG_REASON = 4
"""Maximum rows for the reason why a card has no readings."""


class Plan(NamedTuple):
    """How the rows of a panel are shared: those above the graphs, the number of rows for graphs,
    and those below. ``hidden``: what needs attention has no row."""

    top: list[Line]
    graph: int = 0
    tail: tuple[Line, ...] = ()
    hidden: bool = False

    @property
    def has_axis(self) -> bool:
        """Whether the graphs have a time axis, and with it room for another series."""
        return self.graph >= WITH_AXIS


def plan(card: Card, width: int, height: int, glyphs: Glyphs = RICH) -> Plan:
    """The rows above the graphs, how many rows these have, and the rows below."""
    swap = card.moving_swap
    if swap is not None:
        top = swap_rows(card, swap, _swap_room(card, height), width, glyphs)[:height]
    elif height < PAIRED and width < WIDE and len(bar_names(card)) > height:
        top = pairs(card, width, glyphs)[:height]
    else:
        top = bars(card, width, glyphs)[:height]
        if len(top) < len(bar_names(card)) and width < WIDE:
            top = pairs(card, width, glyphs)
    rest = height - len(top)
    if swap is None and card.reading is None and not card.faded:
        least = 0 if card.first_step is not None else 1  # what is to be done comes first
        reasons = reason_lines(card, width, min(rest, max(least, min(LONG_REASON, rest - 1))))
        top, rest = [*top, *reasons], rest - len(reasons)
    elif swap is None and rest >= 2 and (info := info_line(card, width)):
        top, rest = [*top, info], rest - 1
    warned = urgent(card, width, min(rest, 2 if rest >= 4 else 1), glyphs)
    if warned:
        return Plan(top, rest - len(warned), tuple(warned))
    hidden = bool(urgent(card, 1000, 1, glyphs))
    first, second = TAIL_ROWS
    if (rest == first or rest >= second) or (width >= WIDE and rest > first):
        return Plan(top, rest - 1, (_tail(card, width, glyphs),), hidden)
    return Plan(top, max(rest, 0), (), hidden)


def _swap_room(card: Card, height: int) -> int:
    """Rows for a swap: the four of the bars, and more if it has many functions or a reason why it
    is stuck."""
    swap = card.moving_swap
    functions = len(swap.moves) if swap else 0
    stuck = 2 if swap and swap.stuck else 0
    return min(height, max(4, 2 + functions) + stuck)


def _tail(card: Card, width: int, glyphs: Glyphs) -> Line:
    wide = width >= WIDE
    if card.gpu.role != "guest" and users(card) and not wide and card.moving_swap is None:
        return used_line(card, width)
    return group_line(card, width, glyphs, wide=wide)


def card_lines(card: Card, width: int, height: int, glyphs: Glyphs = RICH) -> list[Line]:
    """The lines of a card's panel in ``width`` x ``height`` cells."""
    if width <= 0 or height <= 0:
        return []
    return planned_lines(card, plan(card, width, height, glyphs), width, glyphs)


def planned_lines(card: Card, shared: Plan, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """The lines of a plan for ``width`` cells."""
    if width < WIDE:
        return [*shared.top, *graph_block(card, shared.graph, width, glyphs), *shared.tail]
    table = _table(card, shared.graph, width)
    rows = shared.graph - len(table)
    graphs = wide_graph_block(card, rows, width, glyphs, table=bool(table))
    return [*shared.top, *shared.tail, *graphs, *table]


def _table(card: Card, rows: int, width: int) -> list[Line]:
    """The processes, where they leave enough room for graphs."""
    found = users(card)
    most = min(1 + len(found), rows // 3)
    return used_table(card, most, width) if found and most >= 2 else []
