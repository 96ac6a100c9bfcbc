"""Cards in one line each: shared columns, the most important ones where there is little room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.widgets.cards import GUEST, HOST, IRIS, text, tones, unread
from tests.values import replace
from widgets.card import Card
from widgets.card_list import list_edges, list_lines
from widgets.glyphs import PLAIN
from widgets.lines import width_of

FREE = replace(unread(HOST), number=3)
CARDS = [GUEST, HOST, FREE, replace(IRIS, number=4)]


def shown(cards: list[Card], width: int, height: int = 8) -> list[str]:
    return [text(row).rstrip() for row in list_lines(cards, width, height)]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (94, [
            "1 RTX 4090  01:00.0  ◆ in win11   84 % ■■■■■■■■■■■■■···   6.8 GiB of 24.0 GiB  "
            "64 °C   381 W",
            "3 RTX 3060  0a:00.0  ○ free          – ················         –              "
            "    –       –",
        ]),
        (76, [
            "1 RTX 4090  01:00.0  ◆ in win11   84 % ■■■■■■■■··   6.8 GiB  64 °C   381 W",
            "3 RTX 3060  0a:00.0  ○ free          – ··········         –      –       –",
        ]),
        (43, [
            "1 4090 ◆ in win11  84 % ■■■■■·  6.8 G 64 °C",
            "3 3060 ○ free         – ······      –     –",
        ]),
        (28, ["1 4090 ◆ in win11  84 %", "3 3060 ○ free         –"]),
    ],
)  # fmt: skip
def test_the_columns_follow_the_room(width: int, expected: list[str]) -> None:
    assert shown([GUEST, FREE], width) == [row.rstrip() for row in expected]


def test_the_last_line_counts_the_rest() -> None:
    assert shown(CARDS, 76, 3)[2] == "  2 more"
    assert len(shown(CARDS, 76, 4)) == 4
    assert shown(CARDS, 76, 1) == ["  4 more"]


def test_cards_of_one_name_have_their_address_first() -> None:
    twins = [replace(GUEST, twin=True), replace(HOST, twin=True)]
    assert shown(twins, 28) == ["1 4090 01:00.0 ◆  84 % 64 °C", "2 3060 0a:00.0 ●  22 % 53 °C"]


def test_the_owner_has_its_colour_and_old_figures_have_none() -> None:
    (row,) = list_lines([GUEST], 76, 1)
    assert tones(row, "◆", "in win11") == ["guest", "guest"]
    assert tones(row, "84 %") == ["strong"]
    (row,) = list_lines([replace(GUEST, age_s=99.0)], 76, 1)
    assert tones(row, "84 %") == ["dim"]


def test_the_title_counts_cards_and_those_in_guests() -> None:
    edges = list_edges(CARDS, "Further GPUs")
    assert (text(edges.title), text(edges.state)) == ("Further GPUs · 4", "◆ 1 in guests")
    assert list_edges([HOST], "GPUs").state == ()


@given(width=st.integers(26, 220), height=st.integers(1, 9), plain=st.booleans())
def test_a_list_fits_its_space(width: int, height: int, plain: bool) -> None:
    drawn = list_lines(CARDS * 3, width, height, *([PLAIN] if plain else []))
    assert len(drawn) <= height
    assert all(width_of(row) <= width for row in drawn)
    assert "None" not in "".join(map(text, drawn))
