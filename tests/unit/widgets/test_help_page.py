"""The help on one page."""

from __future__ import annotations

import pytest

from widgets.help_page import WIDE, Chapter, Entry, help_lines, matching
from widgets.lines import Line, width_of

CHAPTERS = [
    Chapter("Move the card", [
        Entry("b", "Bind", "Hand the guest GPU to vfio-pci; asks first"),
        Entry("f2 ctrl+alt+delete", "Unbind", "Take the guest GPU back"),
    ]),
    Chapter("The program", [
        Entry("z", "Quiet", "Read less often and leave the guest alone while a game runs"),
        Entry("y", "Copy", "Copy the fix", "In the checks"),
    ]),
    Chapter("Good to know", [Entry("", "", "Every change asks first.")]),
]  # fmt: skip


def text(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in row).rstrip() for row in lines]


def test_one_column_has_a_row_for_each_key() -> None:
    assert text(help_lines(CHAPTERS, 76)) == [
        "Move the card",
        "b             Hand the guest GPU to vfio-pci; asks first",
        "f2 ctrl+alt+delete",
        "              Take the guest GPU back",
        "",
        "The program",
        "z      Read less often and leave the guest alone while a game runs",
        "y      In the checks: Copy the fix",
        "",
        "Good to know",
        "Every change asks first.",
    ]


def test_two_columns_keep_the_order_of_the_chapters() -> None:
    assert text(help_lines(CHAPTERS, WIDE)) == [
        "Move the card                                      The program",
        "b             Hand the guest GPU to vfio-pci;      z      Read less often and leave the "
        "guest alone",
        "              asks first                                  while a game runs",
        "f2 ctrl+alt+delete                                 y      In the checks: Copy the fix",
        "              Take the guest GPU back",
        "                                                   Good to know",
        "                                                   Every change asks first.",
    ]


@pytest.mark.parametrize("width", range(12, 240, 7))
def test_every_word_is_there_at_any_width(width: int) -> None:
    lines = help_lines(CHAPTERS, width)
    assert all(width_of(row) <= width or width < 24 for row in lines)
    words = sorted(" ".join(text(lines)).split())
    assert words == sorted(" ".join(text(help_lines(CHAPTERS, 400))).split())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("QUIET", ["z"]), ("z", ["z"]), ("checks", ["y"]), ("move", ["b", "f2 ctrl+alt+delete"]),
        ("asks first", ["b", ""]), ("nothing of it", []), (" game ", ["z"]),
    ],
)  # fmt: skip
def test_the_filter_finds_keys_words_and_titles(wanted: str, found: list[str]) -> None:
    assert [e.keys for chapter in matching(CHAPTERS, wanted) for e in chapter.entries] == found


def test_an_empty_filter_shows_everything() -> None:
    assert matching(CHAPTERS, "") == CHAPTERS
