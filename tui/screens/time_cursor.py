"""The time span of the graphs of a full-screen panel, and the cursor in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from tui.model import Event, Window
from widgets.graph_grid import SPANS_S, Grid, Times
from widgets.marks import rank

REACH = 3
"""Cells within which a key moves the cursor to an event."""


class Axis(NamedTuple):
    """The time axis of a grid as of ``now``: ``cells`` cells of ``cell_s`` seconds each, the newest
    one first."""

    now: datetime
    cells: int
    cell_s: float

    def cell_of(self, moment: datetime) -> int:
        """The cell in which the graphs show a moment, and the axis shows its mark."""
        return int(self.now.timestamp() // self.cell_s - moment.timestamp() // self.cell_s)

    def moment_of(self, cell: int) -> datetime:
        """The time at the start of a cell."""
        since_cell = self.now.timestamp() % self.cell_s
        return self.now - timedelta(seconds=since_cell + cell * self.cell_s)

    def event_in(self, cell: int, moment: datetime, events: Sequence[Event]) -> Event | None:
        """The event in a cell that is nearest to ``moment``; events with a mark take precedence, as
        on the axis."""
        found = [event for event in events if self.cell_of(event.at) == cell]
        return min(found, key=lambda e: (rank(e), abs(e.at - moment)), default=None)


class TimeCursor:
    """The span of the graphs, and the time at the cursor, ``None`` without one. That time stays the
    same while the graphs move."""

    def __init__(self) -> None:
        self.span_s = SPANS_S[0]
        self.at: datetime | None = None

    def times(self, now: datetime, grid: Grid, events: Sequence[Event]) -> Times:
        """What ``grid`` shows now. A time before its oldest cell is shown at that cell."""
        axis = self._axis(now, grid)
        if self.at is None or axis.cells <= 0:
            return Times(self.span_s)
        cell, at = axis.cell_of(self.at), self.at
        if not 0 <= cell < axis.cells:
            cell = max(0, min(cell, axis.cells - 1))
            at = axis.moment_of(cell)
        event = axis.event_in(cell, at, events)
        return Times(self.span_s, cell, event.at if event else at, event)

    def move(self, step: int, now: datetime, grid: Grid, events: Sequence[Event]) -> None:
        """Move by a cell, into the past with 1 and towards now with -1; or to the nearest event
        within reach. Moving past now removes the cursor."""
        axis = self._axis(now, grid)
        here = -1 if self.at is None else max(0, min(axis.cell_of(self.at), axis.cells - 1))
        cells = (axis.cell_of(event.at) for event in events)
        ahead = [
            cell for cell in cells
            if 0 <= cell < axis.cells and 0 < (cell - here) * step <= REACH
        ]  # fmt: skip
        to = min(ahead, key=lambda cell: abs(cell - here), default=here + step)
        self._set(to, axis, events)

    def point(self, cell: int, now: datetime, grid: Grid, events: Sequence[Event]) -> None:
        """Set the cursor to a cell."""
        self._set(cell, self._axis(now, grid), events)

    def span(self, steps: int) -> None:
        """Show more or less time."""
        at = SPANS_S.index(self.span_s) + steps
        self.span_s = SPANS_S[max(0, min(at, len(SPANS_S) - 1))]

    def window(self, grid: Grid) -> Window:
        """The window that the graphs of ``grid`` show."""
        return grid.window(self.span_s)

    def _axis(self, now: datetime, grid: Grid) -> Axis:
        return Axis(now, grid.cells, self.window(grid).cell_s)

    def _set(self, cell: int, axis: Axis, events: Sequence[Event]) -> None:
        """Set the cursor to the event in a cell, or else to the start of the cell."""
        cell = min(cell, axis.cells - 1)
        moment = axis.moment_of(cell)
        event = axis.event_in(cell, moment, events)
        self.at = (event.at if event else moment) if cell >= 0 else None
