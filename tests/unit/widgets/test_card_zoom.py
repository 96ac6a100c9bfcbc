"""A card on the whole screen: its graphs with figures, the time cursor, and its details below."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Size

from tests.unit.widgets.cards import GUEST, HOST, IRIS, moving, text, unread
from tests.values import replace
from tui.model import Event
from widgets.card import Card
from widgets.card_zoom import zoomed_lines
from widgets.graph_grid import Times
from widgets.lines import width_of

EVENT = Event(GUEST.at, "0000:01:00.0", "held back by its power limit", "warn")


def shown(card: Card, width: int = 116, height: int = 35, times: Times | None = None) -> list[str]:
    return [text(row) for row in zoomed_lines(card, Size(width, height), times or Times()).lines]


def test_each_graph_has_its_figure_and_its_extremes() -> None:
    heads = [row for row in shown(GUEST) if " max " in row or "memory" in row]
    assert [row.split() for row in heads] == [
        ["Load", "84", "%", "min", "3", "%", "mean", "70", "%", "max", "98", "%",
         "Power", "381", "W", "mean", "310", "max", "441", "of", "450"],
        ["VRAM", "6.8", "GiB", "min", "0.5", "max", "6.8", "of", "24.0",
         "Temp", "64", "°C", "max", "72,", "slows", "at", "83"],
        ["Clock", "2655", "MHz", "memory", "10501", "MHz"],
    ]  # fmt: skip


def test_above_the_graphs_stands_why_they_do_not_reach_back() -> None:
    sentence = "No watch keeps a history: these graphs begin when this screen did."
    times = Times(86400.0, problem=sentence)
    assert shown(GUEST, times=times)[0] == sentence
    assert " ".join(shown(GUEST, 43, times=times)[:2]) == sentence


def test_the_details_end_with_the_screen() -> None:
    drawn = shown(GUEST)
    assert len(drawn) == 35
    assert drawn[-1].split()[0] in ("Rules", "Held")
    assert [row for row in drawn if row.startswith("Group     14 ✓ viable")]


def test_on_a_phone_the_details_are_below_what_fits() -> None:
    drawn = shown(GUEST, 43, 17)
    assert [row.split()[0] for row in drawn[:16:3]] == [
        "Load", "Power", "VRAM", "Temp", "Clock", "───────┬2"
    ]  # fmt: skip
    assert len(drawn) > 17


def test_the_cursor_has_its_time_and_the_figures_there() -> None:
    at = GUEST.at - timedelta(seconds=92)
    first, second, *_ = shown(GUEST, times=Times(cursor=23, at=at))
    assert "1 min 32 s ago" in first
    assert first.endswith("figures in ( ) are those at the cursor")
    assert "Load 84 % (84 %)" in second


def test_a_card_that_tells_little_has_fewer_graphs() -> None:
    text_of = "\n".join(shown(IRIS))
    assert "Power 4 W" in text_of
    assert "VRAM" not in text_of
    assert "Temp" not in text_of


def test_the_reason_for_no_reading_and_a_swap_are_above_the_graphs() -> None:
    assert shown(unread(GUEST))[0].startswith("On vfio-pci: the host cannot read it.")
    assert shown(moving())[0].startswith("Swap    6 of 8 ■")


@given(width=st.integers(26, 200), height=st.integers(5, 60), cursor=st.none() | st.integers(0, 40))
def test_no_line_is_wider_than_the_screen(width: int, height: int, cursor: int | None) -> None:
    for card in (GUEST, HOST, IRIS, moving(), unread(GUEST), replace(GUEST, checks=())):
        times = Times(cursor=cursor, at=None if cursor is None else card.at, event=EVENT)
        drawn = zoomed_lines(card, Size(width, height), times)
        assert all(width_of(row) <= width for row in drawn.lines)


def test_the_graphs_are_known_to_the_mouse() -> None:
    at = GUEST.at - timedelta(seconds=8)
    for card, times in ((GUEST, Times()), (moving(), Times(cursor=2, at=at))):
        lines, graphs = zoomed_lines(card, Size(116, 35), times)
        assert text(lines[graphs[0]]).strip().startswith("Load ")
        assert text(lines[graphs[-1]]).endswith("now")
        assert not any("┊" in text(row) for row in lines[graphs.stop :])
