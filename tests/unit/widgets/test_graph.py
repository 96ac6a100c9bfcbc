"""Graphs have rows of the right size; a gap and a zero look different."""

from hypothesis import given
from hypothesis import strategies as st

from widgets.gauges import graph_lines
from widgets.graph import PLAIN, RICH, Glyphs, graph, meter
from widgets.lines import width_of

VALUES = st.lists(st.none() | st.floats(0, 200), max_size=40)


@given(VALUES, st.integers(1, 6), st.sampled_from([RICH, PLAIN]))
def test_every_row_has_a_character_for_two_values(
    values: list[float | None], rows: int, glyphs: Glyphs
) -> None:
    drawn = graph(values, rows, glyphs=glyphs)
    assert len(drawn) == rows
    assert {len(row) for row in drawn} == {(len(values) + 1) // 2}


def test_full_zero_and_unmeasured() -> None:
    assert graph([100, 100, 0, 0, None, None], 2) == ["⣿  ", "⣿⣀ "]
    assert graph([100, 100, 0, 0, None, None], 2, glyphs=PLAIN) == ["█  ", "█▄ "]


def test_the_newest_value_is_at_the_right_edge() -> None:
    (row,) = graph_lines([None, 100.0], 1, 10, RICH)
    assert width_of(row) == 10
    assert "".join(span.text for span in row) == " " * 9 + "⢸"


def test_nothing_measured_draws_nothing() -> None:
    assert graph_lines([None, None], 3, 10, RICH) == []


def test_meter() -> None:
    assert meter(50, 10) == ("━" * 5, "─" * 5)
    assert meter(None, 4) == ("", "─" * 4)
    assert meter(250, 4) == ("━" * 4, "")
