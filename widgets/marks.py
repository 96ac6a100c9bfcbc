"""Events as marks on the time axis of a graph."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from tui.model import Event
from widgets.glyphs import RICH, Glyphs
from widgets.graph import CELL_S, Mark

REACH_S = 900.0
"""How many seconds a graph of the last minutes can reach back."""

WARNING, SWAP, MOVE, OTHER = range(4)
"""How an event looks on the axis: ``!`` for the first, ``▲`` for the next two, no mark for the
last."""

_SWAPS = ("bind ", "unbind ")
_MOVES = ("started", "stopped", "in use by ", "released by ")
"""How the text of an event begins if the event explains a step in a graph."""


def rank(event: Event) -> int:
    """What an event is on the axis. If several share a cell, the lowest rank is reported."""
    if event.kind in ("warn", "failed") and not _by_a_swap(event):
        return WARNING
    if event.text.startswith(_SWAPS):
        return SWAP
    return MOVE if event.text.startswith(_MOVES) or _changes_driver(event) else OTHER


def marks_for(
    events: Sequence[Event],
    subjects: Collection[str],
    at: datetime,
    glyphs: Glyphs = RICH,
    *,
    cell_s: float = CELL_S,
    reach_s: float = REACH_S,
) -> tuple[Mark, ...]:
    """The marks of the events about ``subjects`` as of ``at``, for graphs whose cells cover
    ``cell_s`` seconds and that reach back ``reach_s`` seconds. ``events`` are newest first.

    The ages are in whole cells of a graph, so the marks move only when it does. Warnings come last,
    so that they are drawn over other marks in their cell.
    """
    now = at.timestamp() // cell_s
    found: dict[Mark, None] = {}
    for event in events:
        ago_s = (now - event.at.timestamp() // cell_s) * cell_s
        if ago_s > reach_s:
            break
        if event.subject in subjects and ago_s >= 0 and (mark := _mark(event, ago_s, glyphs)):
            found[mark] = None
    return tuple(sorted(found, key=lambda mark: mark.tone == "warn"))


def _mark(event: Event, ago_s: float, glyphs: Glyphs) -> Mark | None:
    kind = rank(event)
    if kind == OTHER:
        return None
    if kind == WARNING:
        return Mark(ago_s, glyphs.warned, "warn")
    return Mark(ago_s, glyphs.swapped, "events")


def _changes_driver(event: Event) -> bool:
    return " → " in event.text


def _by_a_swap(event: Event) -> bool:
    """Whether one of our swaps changed the driver, so that a short time without one is normal."""
    return event.by in ("vfiotop", "watch") and _changes_driver(event)
