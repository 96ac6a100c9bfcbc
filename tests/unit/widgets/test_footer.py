"""The footer: keys in one order, dropped whole when there is no room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from widgets.footer import Hint, footer_lines, notice_lines
from widgets.lines import Line, width_of

HINTS = [
    Hint("b", "bind", rank=7), Hint("u", "unbind", rank=7), Hint("s", "start", rank=2),
    Hint("x", "stop", rank=2), Hint("1-5", "panel", rank=3), Hint("0", "zoom", rank=4),
    Hint("l", "layout", rank=5), Hint("m", "series", rank=9), Hint("d", "checks", rank=8),
    Hint("o", "settings", rank=6), Hint("?", "help"), Hint("q", "quit"),
]  # fmt: skip


def text(line: Line) -> str:
    return "".join(span.text for span in line)


def test_all_of_them_where_there_is_room() -> None:
    assert [text(row) for row in footer_lines(HINTS, 118)] == [
        "b bind  u unbind  s start  x stop  1-5 panel  0 zoom  l layout  m series  d checks  "
        "o settings  ? help  q quit"
    ]


def test_the_least_important_go_first_and_help_and_quit_stay() -> None:
    assert [text(row) for row in footer_lines(HINTS, 78)] == [
        "s start  x stop  1-5 panel  0 zoom  l layout  o settings  ? help  q quit"
    ]
    assert [text(row) for row in footer_lines(HINTS, 16)] == ["? help  q quit"]


def test_two_rows_on_a_phone() -> None:
    rows = [text(row) for row in footer_lines(HINTS, 43, rows=2)]
    assert len(rows) == 2
    assert rows[1].endswith("? help q quit")


def test_a_key_that_cannot_work_now_is_dim_and_stays_where_it_is() -> None:
    (row,) = footer_lines([Hint("u", "unbind", "app.unbind", enabled=False)], 20)
    assert row == ((" u unbind".strip(), "disabled", "app.unbind"),)


LONG = (
    "u unbind: the group of 01:00.0 also holds 05:00.0 and 06:00.0, which stay with the host, and "
    "nobody has said which of them the guest may have; put the card into another slot"
)


def test_a_long_notice_wraps_and_ends_with_an_ellipsis_after_a_word() -> None:
    assert [text(row) for row in notice_lines(LONG, 43, warns=True)] == [
        "! u unbind: the group of 01:00.0 also holds",
        "05:00.0 and 06:00.0, which stay with the",
        "host, and nobody has said which of them …",
    ]
    assert "…" not in text(notice_lines(LONG, 78)[-1])


@given(st.lists(st.text("ab", min_size=1, max_size=12), min_size=1, max_size=60),
       st.integers(34, 120))  # fmt: skip
def test_no_word_of_a_notice_is_cut(words: list[str], width: int) -> None:
    rows = [text(row) for row in notice_lines(" ".join(words), width)]
    assert len(rows) <= 3 and all(len(row) <= width for row in rows)
    shown = " ".join(rows).split()
    whole = shown[:-1] if shown[-1] == "…" else shown
    assert whole == words[: len(whole)] and (whole == words or shown[-1] == "…")


HINT = st.builds(
    Hint, st.text("abc", min_size=1, max_size=3), st.text("xyz", min_size=1, max_size=9),
    rank=st.integers(1, 9),
)  # fmt: skip


@given(st.lists(HINT, max_size=14), st.integers(14, 120), st.integers(1, 2))
def test_no_row_is_too_long_and_order_is_kept(hints: list[Hint], width: int, rows: int) -> None:
    drawn = footer_lines(hints, width, rows)
    assert len(drawn) <= rows
    assert all(width_of(row) <= width for row in drawn)
    words = [word for row in drawn for word in text(row).split()]
    every = iter(word for hint in hints for word in (hint.key, hint.word))
    assert all(word in every for word in words)
