"""The time that the graphs of a panel on the whole screen cover, and the cursor in it."""

from __future__ import annotations

from msgspec.structs import replace

from tui.history import SPAN_S
from widgets.graph_grid import SPANS_S, Times

OFFERED_S = tuple(span for span in SPANS_S if span <= SPAN_S)
"""The spans within the history."""


def moved(times: Times, cells: int, width: int) -> Times:
    """The cursor moved into the past by ``cells``; before now there is none."""
    at = -1 if times.cursor is None else times.cursor
    to = min(at + cells, max(0, width // 2))
    return replace(times, cursor=to if to >= 0 else None)


def spanned(times: Times, steps: int) -> Times:
    """A longer or shorter span, without the cursor, which would stand at another time."""
    at = OFFERED_S.index(times.span_s) if times.span_s in OFFERED_S else 0
    return Times(OFFERED_S[max(0, min(at + steps, len(OFFERED_S) - 1))])
