"""The graphs of a card: which series, against which limit, in how many rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.widgets.cards import GUEST, HOST, IRIS, text, unread
from tests.values import replace
from tui.model import CARD_SERIES, CardSeries
from widgets.card_graphs import (
    available,
    graph_block,
    graph_of,
    graphs_below,
    next_series,
    wide_graph_block,
    wide_graphs,
)
from widgets.graph import Mark
from widgets.lines import width_of

ALL: tuple[CardSeries, ...] = tuple(CARD_SERIES)


def test_a_series_that_was_never_measured_is_not_offered() -> None:
    card = replace(GUEST, series={"load": (1.0,), "temp": (None,), "power": (None, 20.0)})
    assert available(card) == ("load", "power")


def test_the_key_goes_through_the_series_below_the_load() -> None:
    seen: list[CardSeries] = []
    name: CardSeries | None = None
    for _ in range(5):
        name = next_series(name, ALL)
        seen.append(name)
    assert seen == ["power", "vram", "clock", "temp", "power"]
    assert next_series(None, ("load", "power")) == "power"


def test_a_graph_that_is_alone_can_show_every_series() -> None:
    assert next_series(None, ALL, alone=True) == "temp"
    assert next_series("clock", ALL, alone=True) == "load"
    assert next_series(None, (), alone=True) == "load"


def test_the_chosen_series_is_below_the_load() -> None:
    assert graphs_below(GUEST, 9) == ("load", "temp")
    assert graphs_below(replace(GUEST, lower="power"), 9) == ("load", "power")
    assert graphs_below(replace(GUEST, lower="power"), 2) == ("power",)
    assert graphs_below(replace(IRIS, lower="temp"), 9) == ("load", "power")


@pytest.mark.parametrize(
    ("name", "top", "scale"),
    [("load", 100, "100 %"), ("vram", 24564, "24 G"), ("power", 450, "450 W"),
     ("temp", 83, "83 °C"), ("clock", 2700, "2.7 G")],
)  # fmt: skip
def test_a_scale_ends_at_the_limit(name: CardSeries, top: float, scale: str) -> None:
    graph = graph_of(name, GUEST)
    assert (graph.top, graph.scale) == (top, scale)
    assert len(graph.scale) <= 5


def test_a_card_that_cannot_be_read_now_keeps_its_scales() -> None:
    assert graph_of("temp", replace(unread(GUEST), last=GUEST.gpu.reading)).scale == "83 °C"
    assert graph_of("temp", unread(GUEST)).scale == "100°C"
    assert graph_of("power", replace(unread(GUEST), series={"power": (41.0,)})).scale == "50 W"


def test_load_gets_two_thirds_of_the_rows() -> None:
    names = [text(row)[:5] for row in graph_block(GUEST, 9, 56)]
    assert names == [
        "100 %",
        "     ",
        "     ",
        "     ",
        "     ",
        " load",
        "83 °C",
        " temp",
        "     ",
    ]


def test_one_row_has_span_and_maximum_in_the_columns_of_the_bars() -> None:
    (row,) = graph_block(replace(GUEST, series={"load": (100.0,) * 200}), 1, 43)
    assert text(row) == f"load 1 min     {'⣿' * 19} max 100%"
    (row,) = graph_block(replace(GUEST, lower="clock"), 1, 36)
    assert text(row).startswith("clock 52 s    ")
    assert text(row).endswith(" max 2.7G")


def test_two_rows_name_the_unit() -> None:
    assert [text(row)[:8] for row in graph_block(GUEST, 2, 50)] == ["load % ⣶", " 2 min ⣿"]
    temp = replace(GUEST, lower="temp")
    assert [text(row)[:8] for row in graph_block(temp, 2, 50)] == ["temp °C ", "  2 min "]


def test_marks_are_on_every_axis() -> None:
    card = replace(GUEST, marks=(Mark(88, "!", "warn"),))
    assert text(graph_block(card, 9, 56)[-1]).count("!") == 1
    assert sum(text(row).count("!") for row in wide_graph_block(card, 20, 96)) == 3


def test_in_two_columns_there_are_four_or_all() -> None:
    assert wide_graphs(GUEST, 20, table=False) == ("load", "power", "vram", "temp", "clock")
    assert wide_graphs(GUEST, 20, table=True) == ("load", "power", "vram", "temp")
    assert wide_graphs(GUEST, 4, table=False) == ("load", "power")
    clock = replace(HOST, lower="clock")
    assert wide_graphs(clock, 20, table=True) == ("load", "power", "vram", "clock")


@given(
    rows=st.integers(0, 40), width=st.integers(26, 140), wide=st.booleans(), table=st.booleans(),
    lower=st.sampled_from([None, *ALL]), card=st.sampled_from([GUEST, HOST, IRIS, unread(GUEST)]),
)  # fmt: skip
def test_graphs_fill_their_rows(
    rows: int, width: int, wide: bool, table: bool, lower: CardSeries | None, card: object
) -> None:
    assert isinstance(card, type(GUEST))
    chosen = replace(card, lower=lower)
    if wide and width >= 60:
        drawn = wide_graph_block(chosen, rows, width, table=table)
    else:
        drawn = graph_block(chosen, rows, width)
    assert len(drawn) == rows
    assert all(width_of(row) <= width for row in drawn)
