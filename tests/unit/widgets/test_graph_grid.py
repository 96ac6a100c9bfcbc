"""Graphs over the same time, in columns, with a time cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Size

from tui.model import Extremes
from tui.model.past import TIERS
from widgets.graph import Graph, axis_line
from widgets.graph_grid import FINE_S, SPANS_S, Grid, Sheet, Times, grid_lines
from widgets.lines import Line, width_of


def text(line: Line) -> str:
    return "".join(span.text for span in line)


def sheet(*series: float | None, title: str = "Load", extremes: Extremes | None = None) -> Sheet:
    graph = Graph("0", series, 100, "100 %", "load")
    return Sheet(graph, title, "84 %", lambda value: f"{value:.0f} %", extremes=extremes)


def test_two_columns_with_one_axis() -> None:
    load = sheet(84, extremes=Extremes(3, 40, 97))
    drawn = grid_lines([load, sheet(20, title="Power")], Size(101, 5), Times())
    assert text(drawn[0]).startswith("      Load 84 %")
    assert "Power 84 %" in text(drawn[0])
    assert text(drawn[0]).count("min 3 %  mean 40 %  max 97 %") == 1
    assert text(drawn[-1]).count("now") == 2
    assert len(drawn) == 5


def test_the_cursor_says_what_was_there() -> None:
    series = (*[50.0] * 20, *[10.0] * 20)
    drawn = grid_lines([sheet(*series)], Size(60, 6), Times(cursor=15), columns=1)
    assert "84 % (50 %)" in text(drawn[0])
    assert text(drawn[1])[59 - 15] == "┊"


def test_before_anything_was_measured_the_cursor_finds_nothing() -> None:
    drawn = grid_lines([sheet(50.0)], Size(60, 6), Times(cursor=30), columns=1)
    assert "(–)" in text(drawn[0])


def test_a_longer_span_has_longer_steps() -> None:
    grid = Grid(111, 2)
    assert [grid.window(span).step_s for span in SPANS_S] == [2, 10, 40, 240, 900]
    assert grid.window(SPANS_S[0]).cells == 49


@given(st.integers(7, 300), st.integers(1, 3), st.sampled_from(SPANS_S[1:]))
def test_each_graph_covers_its_span_in_whole_fine_steps(
    width: int, columns: int, span_s: float
) -> None:
    window = Grid(width, columns).window(span_s)
    cells = max(1, window.cells)
    assert cells * window.cell_s >= span_s
    assert window.step_s % window.fine_s == 0
    shorter = window._replace(step_s=window.step_s - window.fine_s)
    assert cells * shorter.cell_s < span_s, "no longer than needed"


def test_the_hours_are_drawn_from_tiers_that_keep_them() -> None:
    keep_s = {float(tier.step_s): tier.keep_s for tier in TIERS}
    for span_s, fine_s in FINE_S.items():
        if span_s > 900:
            assert keep_s[fine_s] >= span_s


@pytest.mark.parametrize(
    ("width", "right"),
    [(44, "min 3 %  mean 40 %  max 97 %"), (43, "mean 40 %  max 97 %"), (34, "max 97 %"), (23, "")],
)
def test_a_heading_keeps_its_figure_and_drops_the_least_of_the_rest(width: int, right: str) -> None:
    load = sheet(40, extremes=Extremes(3, 40, 97))
    (head, *_) = grid_lines([load], Size(width, 6), Times(), columns=1)
    assert text(head).split(None, 3)[:3] == ["Load", "84", "%"]
    assert text(head).partition("84 %")[2].strip() == right


@pytest.mark.parametrize(
    ("step_s", "shown"),
    [(2.0, "min 3 %  mean"), (10.0, "lowest 10 s 3 %  mean"), (60.0, "lowest minute 3 %  mean")],
)
def test_the_least_is_called_what_it_is(step_s: float, shown: str) -> None:
    """A tier of the history keeps means and maxima, but no minima."""
    load = sheet(40, extremes=Extremes(3, 40, 97, step_s))
    (head, *_) = grid_lines([load], Size(80, 6), Times(), columns=1)
    assert f"  {shown}" in text(head)


@pytest.mark.parametrize(("width", "columns"), [(116, 2), (117, 2), (43, 1), (90, 3)])
def test_a_column_of_the_screen_is_a_cell_of_a_graph(width: int, columns: int) -> None:
    grid = Grid(width, columns)
    sheets = [sheet(50.0, title=f"G{n}") for n in range(columns)]
    for cell in (0, 1, grid.cells - 1):
        (_, row, *_) = grid_lines(sheets, Size(width, 6), Times(cursor=cell), columns=columns)
        shown = [x for x, sign in enumerate(text(row)) if sign == "┊"]
        assert len(shown) == columns
        assert [grid.cell_at(x) for x in shown] == [cell] * columns
    beside = [x for x in range(-2, width + 9) if grid.cell_at(x) is None]
    assert len(beside) == width + 11 - grid.cells * columns


def test_ticks_leave_room_for_their_names() -> None:
    assert "10 min" in text(axis_line(56, cell_s=20.0))
    assert "5 min" in text(axis_line(56, cell_s=20.0))
    assert "1 h" in text(axis_line(56, cell_s=80.0))


@given(
    st.lists(st.none() | st.floats(0, 100), max_size=30), st.integers(1, 6), st.integers(0, 140),
    st.integers(0, 50), st.sampled_from(SPANS_S), st.none() | st.integers(0, 80),
    st.integers(1, 3),
)  # fmt: skip
def test_a_grid_stays_in_its_space(
    series: list[float | None], count: int, width: int, height: int, span: float,
    cursor: int | None, columns: int,
) -> None:  # fmt: skip
    sheets = [sheet(*series)] * count
    drawn = grid_lines(sheets, Size(width, height), Times(span, cursor), columns=columns)
    assert len(drawn) <= height
    assert all(width_of(row) <= width for row in drawn)


@pytest.mark.parametrize("height", [3, 4, 9])
def test_rows_that_do_not_fit_are_left_out_whole(height: int) -> None:
    drawn = grid_lines([sheet(1), sheet(2), sheet(3)], Size(60, height), Times(), columns=1)
    headings = sum("Load" in text(row) for row in drawn)
    assert headings == (height - 1) // 3 if height < 10 else 3
