"""Graphs: rows of the right size, scale and name beside them, a time axis with marks below."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.glyphs import PLAIN, RICH, Glyphs
from widgets.graph import (
    Graph,
    Mark,
    _column,
    axis_line,
    bars_of,
    graph_lines,
    short_graph_lines,
    span_text,
)
from widgets.lines import Line, width_of

VALUES = st.lists(st.none() | st.floats(0, 200), max_size=40)
GLYPHS = st.sampled_from([RICH, PLAIN])


def text(line: Line) -> str:
    return "".join(span.text for span in line)


def load(*series: float | None) -> Graph:
    return Graph("load", series, 100, "100 %", "load")


@given(VALUES, st.integers(0, 6), st.integers(0, 60), GLYPHS)
def test_a_graph_fills_exactly_its_cells(
    values: list[float | None], rows: int, width: int, glyphs: Glyphs
) -> None:
    for drawn in (
        graph_lines(load(*values), rows, width, glyphs),
        short_graph_lines(load(*values), rows, width, glyphs),
    ):
        assert len(drawn) in (0, rows)
        assert all(width_of(row) == width for row in drawn)


def test_full_zero_and_unmeasured() -> None:
    series = [100, 100, 0, 0, None, None]
    assert bars_of(series, 100, 2, 3) == ["⣿  ", "⣿⣀ "]
    assert bars_of(series, 100, 2, 3, PLAIN) == ["█  ", "█▄ "]


def test_the_newest_value_is_at_the_right_edge() -> None:
    assert bars_of([None, 100.0], 100, 1, 10) == [" " * 9 + "⢸"]


def test_values_are_drawn_against_the_limit() -> None:
    assert bars_of([225, 225], 450, 2, 1) == [" ", "⣿"]
    assert bars_of([900, 900], 450, 2, 1) == ["⣿", "⣿"]


def test_only_the_new_cell_of_a_graph_that_moves_is_worked_out() -> None:
    series = [value * 7 % 100 for value in range(60)]
    bars_of(series, 100, 9, 30)
    before = _column.cache_info().misses
    bars_of([*series[2:], 13.0, 87.0], 100, 9, 30)
    assert _column.cache_info().misses == before + 1


def test_scale_and_name_stand_in_the_label_column() -> None:
    drawn = [text(row) for row in graph_lines(load(100, 100), 3, 8)]
    assert drawn == ["100 %  ⣿", "       ⣿", " load  ⣿"]


def test_two_rows_say_unit_and_span() -> None:
    drawn = [text(row) for row in short_graph_lines(load(0, 0), 2, 37)]
    assert [row[:7] for row in drawn] == ["load % ", " 2 min "]


def test_a_row_has_the_colour_of_its_height() -> None:
    tones = [row[-1].tone for row in graph_lines(load(100, 100), 4, 8)]
    assert tones == ["load-8", "load-6", "load-4", "load-2"]


def test_the_axis_ticks_every_minute() -> None:
    assert text(axis_line(56)) == "      ─────┬3 min─────────┬2 min─────────┬1 min──────now"


def test_ticks_stay_within_an_axis_of_one_cell() -> None:
    assert text(axis_line(7, cell_s=86400.0)) == "      ┬"


def test_a_mark_stands_where_it_happened() -> None:
    drawn = axis_line(56, (Mark(88, "!", "warn"),))
    assert text(drawn) == "      ─────┬3 min─────────┬2 min─!───────┬1 min──────now"
    assert [span for span in drawn if span.tone == "warn"] == [("!", "warn", "")]


def test_a_mark_never_cuts_a_word() -> None:
    drawn = text(axis_line(56, (Mark(0, "▲", "events"), Mark(52, "!", "warn"))))
    assert "now" not in drawn
    assert drawn.endswith("▲")
    assert "1 min" not in drawn
    assert "2 min" in drawn


@given(st.integers(0, 80), st.lists(st.floats(-10, 1e6), max_size=6), GLYPHS)
def test_the_axis_is_as_wide_as_its_graph(width: int, ages: list[float], glyphs: Glyphs) -> None:
    drawn = axis_line(width, tuple(Mark(age, "!", "warn") for age in ages), glyphs)
    assert width_of(drawn) == max(width, 6)


@pytest.mark.parametrize(
    ("seconds", "words"), [(40, "40 s"), (119, "1 min"), (120, "2 min"), (3600, "1 h")]
)
def test_a_span_in_whole_units(seconds: float, words: str) -> None:
    assert span_text(seconds) == words
