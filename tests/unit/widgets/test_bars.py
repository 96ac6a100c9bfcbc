"""Bars: four columns that stay where they are, and colours by place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from widgets.bars import bar, bar_line
from widgets.glyphs import PLAIN
from widgets.lines import Line, width_of


def text(line: Line) -> str:
    return "".join(span.text for span in line)


def test_label_figure_bar_and_limit() -> None:
    assert text(bar_line("Load", "84 %", 0.84, "2655 MHz", 56, ramp="load")) == (
        "Load      84 % ■■■■■■■■■■■■■■■■■■■■■■■■■■■····· 2655 MHz"
    )
    assert text(bar_line("VRAM", "6.8 GiB", 6.8 / 24, "24.0 GiB", 56, ramp="heat")) == (
        "VRAM   6.8 GiB ■■■■■■■■■······················· 24.0 GiB"
    )


def test_what_is_not_known_is_a_dash_and_an_empty_bar() -> None:
    assert text(bar_line("Power", None, None, "", 30, ramp="heat")) == (
        "Power        – ······         "
    )


def test_cells_have_the_tone_of_their_place() -> None:
    assert [(s.text, s.tone) for s in bar(0.5, 8, "heat")] == [
        ("■", "heat-1"), ("■", "heat-2"), ("■", "heat-3"), ("■", "heat-4"), ("····", "track")
    ]  # fmt: skip


def test_a_little_is_not_nothing() -> None:
    assert text(bar(0.001, 10, "load", PLAIN)) == "█░░░░░░░░░"
    assert text(bar(0.0, 10, "load", PLAIN)) == "░░░░░░░░░░"


@given(st.none() | st.floats(-1, 5), st.integers(0, 60))
def test_a_bar_fills_its_cells_in_at_most_nine_runs(share: float | None, width: int) -> None:
    drawn = bar(share, width, "load")
    assert width_of(drawn) == width
    assert len(drawn) <= 9
