"""Events as marks on the time axis of a graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from tui.model import Event
from widgets.glyphs import RICH, Glyphs
from widgets.graph import CELL_S, Mark

REACH_S = 900.0
"""Seconds back from now that a graph can show."""

_MOVES = ("bind ", "unbind ", "started", "stopped", "in use by ", "released by ")
"""How the text of an event begins that explains a step in a graph: a swap, a start, a stop."""


def marks_for(
    events: Sequence[Event], subjects: Collection[str], at: datetime, glyphs: Glyphs = RICH
) -> tuple[Mark, ...]:
    """The marks of the events about ``subjects``, which are newest first, as of ``at``.

    Their ages are in whole cells of a graph, so they move with it and not in between. A warning
    comes last: it is drawn over other marks of its cell.
    """
    found = tuple(_marks(events, subjects, at, glyphs))
    return tuple(sorted(found, key=lambda mark: mark.tone == "warn"))


def _marks(
    events: Sequence[Event], subjects: Collection[str], at: datetime, glyphs: Glyphs
) -> Iterator[Mark]:
    now = at.timestamp() // CELL_S
    for event in events:
        ago_s = (now - event.at.timestamp() // CELL_S) * CELL_S
        if ago_s > REACH_S:
            return
        if event.subject not in subjects or ago_s < 0:
            continue
        if event.kind in ("warn", "failed") and not _by_a_swap(event):
            yield Mark(ago_s, glyphs.warned, "warn")
        elif event.text.startswith(_MOVES) or _changes_driver(event):
            yield Mark(ago_s, glyphs.swapped, "events")


def _changes_driver(event: Event) -> bool:
    return " → " in event.text


def _by_a_swap(event: Event) -> bool:
    """Whether a function has no driver for a moment because our swap moves it."""
    return event.by in ("vfiotop", "watch") and _changes_driver(event)
