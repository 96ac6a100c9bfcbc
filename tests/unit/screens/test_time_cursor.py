"""The time cursor: a moment that stays while the graphs move on, and that goes to events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tui.model import Event, EventKind
from tui.screens.time_cursor import REACH, TimeCursor
from widgets.graph import axis_line
from widgets.graph_grid import LABEL, SPANS_S, Grid
from widgets.marks import marks_for

NOW = datetime(2026, 1, 2, 21, 3, 46, tzinfo=UTC)
GRID = Grid(56)
"""A column of 50 cells: 200 s."""


def event(ago_s: float, kind: EventKind = "warn", text: str = "waited") -> Event:
    return Event(NOW - timedelta(seconds=ago_s), "vCPU 5", text, kind)


def moved(cursor: TimeCursor, *steps: int, events: tuple[Event, ...] = ()) -> list[int | None]:
    found = []
    for step in steps:
        cursor.move(step, NOW, GRID, events)
        found.append(cursor.times(NOW, GRID, events).cursor)
    return found


def test_it_moves_by_cells_and_ends_at_now_and_at_the_oldest_one() -> None:
    cursor = TimeCursor()
    assert moved(cursor, 1, 1, 1, -1) == [0, 1, 2, 1]
    assert moved(cursor, -1, -1, -1, 1) == [0, None, None, 0]
    assert moved(cursor, *[1] * 60)[-3:] == [49, 49, 49]


def test_it_goes_to_an_event_within_reach() -> None:
    warned = event(6 * 4)
    cursor = TimeCursor()
    assert moved(cursor, *[1] * 6, events=(warned,)) == [0, 1, 2, 3, 6, 7]
    assert moved(cursor, -1, -1, events=(warned,)) == [6, 5], "each cell can be reached"
    assert moved(cursor, *[1] * 5, events=(warned,)) == [6, 7, 8, 9, 10]
    assert moved(cursor, *[-1] * 4, events=(warned,)) == [9, 6, 5, 4]
    assert cursor.times(NOW, GRID, (warned,)).event is None


def test_the_nearest_event_comes_first() -> None:
    events = (event(3 * 4), event(4 * 4), event(5 * 4))
    assert moved(TimeCursor(), 1, 1, 1, 1, 1, events=events) == [0, 3, 4, 5, 6]


def test_at_an_event_the_time_is_that_of_the_event() -> None:
    warned = event(25)
    cursor = TimeCursor()
    cursor.point(6, NOW, GRID, (warned,))
    times = cursor.times(NOW, GRID, (warned,))
    assert (times.cursor, times.at, times.event) == (6, warned.at, warned)


def test_a_warning_is_told_before_others_of_its_cell() -> None:
    events = (event(25, "done"), event(24.5, "failed"), event(26, "note"))
    cursor = TimeCursor()
    cursor.point(6, NOW, GRID, events)
    assert cursor.times(NOW, GRID, events).event == events[1]


@pytest.mark.parametrize("steps", [0, 1])
def test_it_stays_at_its_event_while_time_goes_on(steps: int) -> None:
    warned = event(25)
    cursor = TimeCursor()
    cursor.span(steps)
    cursor.point(6 if steps == 0 else 1, NOW, GRID, (warned,))
    seen = []
    for seconds in range(150):
        times = cursor.times(NOW + timedelta(seconds=seconds), GRID, (warned,))
        assert times.event == warned
        seen.append(times.cursor)
    assert seen == sorted(seen, key=lambda cell: cell or 0)
    assert seen[-1] != seen[0]


def test_it_leaves_the_oldest_cell_for_nothing_older() -> None:
    cursor = TimeCursor()
    cursor.point(49, NOW, GRID, ())
    later = NOW + timedelta(minutes=5)
    times = cursor.times(later, GRID, ())
    assert times.cursor == 49
    assert times.at is not None
    assert 196 <= (later - times.at).total_seconds() <= 200


@pytest.mark.parametrize("steps", range(len(SPANS_S)))
@pytest.mark.parametrize("share", [0.0, 0.03, 0.11, 0.5, 0.9])
def test_it_stands_where_the_axis_has_the_mark(steps: int, share: float) -> None:
    """In each span, and for an event at any time of a step."""
    cursor = TimeCursor()
    cursor.span(steps)
    moved_on = event(share * SPANS_S[steps])
    cell_s = cursor.window(GRID).cell_s
    marks = marks_for([moved_on], {"vCPU 5"}, NOW, cell_s=cell_s, reach_s=cell_s * GRID.cells)
    axis = axis_line(56, marks, label=LABEL - 1, cell_s=cell_s)
    column = "".join(span.text for span in axis).index("!")
    cell = GRID.cell_at(column)
    assert cell is not None
    cursor.point(cell, NOW, GRID, (moved_on,))
    assert cursor.times(NOW, GRID, (moved_on,)).event == moved_on


def test_another_span_keeps_the_moment() -> None:
    cursor = TimeCursor()
    cursor.point(30, NOW, GRID, ())
    before = cursor.times(NOW, GRID, ())
    cursor.span(1)
    after = cursor.times(NOW, GRID, ())
    assert (after.span_s, after.cursor, after.at) == (900.0, 6, before.at)
    cursor.span(9)
    assert cursor.times(NOW, GRID, ()).span_s == 86400.0, "there is no longer one"
    assert cursor.times(NOW, GRID, ()).at == before.at
    cursor.span(-9)
    assert cursor.times(NOW, GRID, ()) == before


def test_a_swap_is_told_before_others_of_its_cell() -> None:
    """In a graph of a day, a cell has many events."""
    cursor = TimeCursor()
    cursor.span(4)
    events = (event(7500, "done", "bind done in 3.8 s"), event(7600, "done", "started"))
    for each in events, events[::-1]:
        cursor.point(5, NOW, GRID, each)
        assert cursor.times(NOW, GRID, each).event == events[0]


def test_without_room_for_a_graph_there_is_no_cursor() -> None:
    cursor = TimeCursor()
    cursor.point(3, NOW, GRID, ())
    assert cursor.times(NOW, Grid(LABEL), ()).cursor is None


def test_reach_is_short() -> None:
    assert moved(TimeCursor(), 1, events=(event(4 * (REACH - 1)),)) == [REACH - 1]
    assert moved(TimeCursor(), 1, events=(event(4 * REACH),)) == [0]
