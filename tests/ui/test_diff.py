"""What reaches the terminal: only changed cells, and in the end what Textual would have drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from tests.examples import examples
from tui.terminal.diff import CellBuffer
from tui.terminal.runs import runs
from tui.terminal.sgr import (
    DEFAULT,
    MANY,
    TURNS_OFF,
    Run,
    SgrState,
    SgrWriter,
    parse_sgr,
    sgr_change,
)

WIDTH, HEIGHT = 20, 4
SIZE = Size(WIDTH, HEIGHT)

RED, BOLD = Style(color="red"), Style(color="red", bold=True)
BLUE_BACK = Style(color="red", bgcolor="blue")


def whole(*rows: list[Segment]) -> LayoutUpdate:
    """A full update of these rows."""
    filled = [*rows, *([],) * (HEIGHT - len(rows))]
    strips: list[Iterable[Strip]] = [[Strip(row).adjust_cell_length(WIDTH)] for row in filled]
    return LayoutUpdate(strips, Region(0, 0, WIDTH, HEIGHT))


def part(y: int, start: int, end: int, *segments: Segment) -> ChopsUpdate:
    """A row's cells from ``start`` to ``end`` of a widget as wide as the screen."""
    chops: list[dict[int, Strip | None]] = [{0: None} for _ in range(HEIGHT)]
    chops[y] = {0: Strip(segments).adjust_cell_length(WIDTH)}
    return ChopsUpdate(chops, [(y, start, end)], [[WIDTH]] * HEIGHT)


def write(shown: CellBuffer, update: CompositorUpdate) -> str:
    return shown.write(update, SIZE, ColorSystem.STANDARD)


@pytest.fixture
def shown() -> CellBuffer:
    shown = CellBuffer()
    write(shown, whole([Segment("0123456789abcdefghij")]))
    return shown


def test_cells_already_shown_are_not_written(shown: CellBuffer) -> None:
    assert write(shown, whole([Segment("0123456789abcdefghij")])) == ""


def test_only_changed_cells_are_written(shown: CellBuffer) -> None:
    assert write(shown, whole([Segment("0123X56789abcdefghij")])) == "\x1b[1;5HX"
    assert write(shown, part(0, 0, WIDTH, Segment("0123Y56789abcdefghij"))) == "\x1b[1;5HY"


def test_cells_outside_a_span_are_not_touched(shown: CellBuffer) -> None:
    assert write(shown, part(0, 2, 4, Segment("XXXXXXXX"))) == "\x1b[1;3HXX"


def test_near_changes_are_one_run_and_far_ones_take_a_cursor_move(shown: CellBuffer) -> None:
    assert write(shown, whole([Segment("X12Y456789abcdefghij")])) == "\x1b[1;1HX12Y"
    assert write(shown, whole([Segment("Z12Y456789abcdefghiZ")])) == "\x1b[1;1HZ\x1b[20GZ"


def test_characters_of_several_bytes_are_jumped_over_sooner() -> None:
    shown = CellBuffer()
    write(shown, whole([Segment("a⣿b⣿⣿c1234d12345e")]))
    assert write(shown, whole([Segment("A⣿B⣿⣿C1234D12345E")])) == (
        "\x1b[1;1HA⣿B\x1b[6GC1234D\x1b[5CE"
    )


def test_only_changed_colours_are_written() -> None:
    shown = CellBuffer()
    written = write(shown, whole([Segment("a", RED), Segment("b", BOLD), Segment("c", BLUE_BACK)]))
    assert "\x1b[31ma\x1b[1mb\x1b[22;44mc" in written
    assert write(shown, part(1, 0, 1, Segment("d", BOLD))).endswith("\x1b[1;49md")


def test_the_colours_of_the_last_frame_are_not_set_again() -> None:
    shown = CellBuffer()
    write(shown, whole([], [], [], [Segment("a" * WIDTH, BOLD)]))
    assert write(shown, part(3, 0, 1, Segment("b", BOLD))) == "\x1b[4;1Hb"
    shown.invalidate()
    assert "\x1b[0;1;31m" in write(shown, part(3, 0, 1, Segment("b", BOLD)))


def test_a_blank_has_only_a_background_colour() -> None:
    shown = CellBuffer()
    write(shown, whole([Segment("a b", RED)]))
    assert write(shown, whole([Segment("a", RED), Segment(" ", BOLD), Segment("b", RED)])) == ""
    assert (
        write(shown, whole([Segment("a", RED), Segment(" ", BLUE_BACK), Segment("b", RED)])) != ""
    )
    underlined = Style(underline=True)
    assert (
        write(shown, whole([Segment("a", RED), Segment(" ", underlined), Segment("b", RED)])) != ""
    )


def test_forgotten_cells_are_written_again(shown: CellBuffer) -> None:
    shown.invalidate()
    assert "0123456789abcdefghij" in write(shown, whole([Segment("0123456789abcdefghij")]))


def test_a_new_size_is_drawn_whole(shown: CellBuffer) -> None:
    update = whole([Segment("0123456789abcdefghij")])
    assert "0123456789" in shown.write(update, Size(WIDTH, HEIGHT + 1), ColorSystem.STANDARD)


def test_a_frame_is_cut_to_the_budget_and_the_next_one_completes_it() -> None:
    budget: list[int | None] = [1]
    shown = CellBuffer(lambda: budget[0])
    update = whole(*[[Segment(letter * WIDTH)] for letter in "abcd"])
    first = write(shown, update)
    assert ("a" * WIDTH in first, "b" in first, shown.unfinished) == (True, False, True)
    budget[0] = None
    rest = write(shown, whole(*[[Segment(letter * WIDTH)] for letter in "abcd"]))
    assert ("a" in rest, "b" * WIDTH in rest, shown.unfinished) == (False, True, False)


def test_a_wide_character_is_written_whole() -> None:
    cells = [("語", ""), ("", ""), ("x", "")]
    assert list(runs(3, 5, [("語", ""), ("", "31"), ("x", "")], cells)) == [
        Run(3, 5, 7, "語", DEFAULT)
    ]


BEFORE, AFTER = "100 ⣀⣿⣀⣿⣀⣿⣀", "100 ⣿⣀⣿⣀⣿⣀⡇"


def test_cells_that_move_left_are_not_written_again() -> None:
    shown, right = CellBuffer(), Segment("│語 x│", BLUE_BACK)
    write(shown, whole([], [Segment(BEFORE, RED), right]))
    after = whole([], [Segment(AFTER, RED), right])
    assert write(shown, after) == "\x1b[2;5H\x1b[P\x1b[6C\x1b[@\x1b[49m⡇"
    assert write(shown, whole([], [Segment(AFTER, RED), right])) == ""


def test_no_more_cells_move_than_change() -> None:
    shown = CellBuffer()
    write(shown, whole([Segment("⣀⣿⣀⣿⣀⣿⣀   │")]))
    assert write(shown, whole([Segment("⣿⣀⣿⣀⣿⣀    │")])) == "\x1b[1;1H\x1b[P\x1b[7G\x1b[@ "


def test_cells_that_move_and_change_colour_are_written() -> None:
    shown = CellBuffer()
    write(shown, whole([Segment(BEFORE, RED)]))
    assert "⣿⣀⣿⣀⣿⣀⡇" in write(shown, whole([Segment(AFTER, BLUE_BACK)]))


def test_cells_whose_move_was_cut_off_move_later() -> None:
    budget: list[int | None] = [None]
    shown = CellBuffer(lambda: budget[0])
    write(shown, whole([Segment(BEFORE, RED)]))
    budget[0] = 0
    assert (write(shown, whole([Segment(AFTER, RED)])), shown.unfinished) == ("", True)
    budget[0] = None
    assert write(shown, whole([Segment(BEFORE, RED)])) == ""
    assert "\x1b[P" in write(shown, whole([Segment(AFTER, RED)]))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("⣀⣿⣀⣿", "⣿⣀⣿⡇"),
        ("⣀⣿⣀⣿語⣿⣀⣿", "⣿⣀⣿語⣿⣀⣿⡇"),
        ("⣀⣿⣀⣿⣀⣿語⣿", "⣿⣀⣿⣀⣿語⣿⣀"),
        ("⣀⣿⣀⣿⣀⣿⣀語", "⣿⣀⣿⣀⣿⣀語⣿"),
        ("⣀⣿⣀⣿⣀⣿⣀⣀⣀", "⣿⣀⣿⣀⣿⣀⣀語"),
    ],
)
def test_short_rows_and_wide_characters_are_not_moved(before: str, after: str) -> None:
    shown = CellBuffer()
    write(shown, whole([Segment(before)]))
    assert "\x1b[P" not in write(shown, whole([Segment(after)]))


def test_each_colour_is_written_once(shown: CellBuffer) -> None:
    red, bold = [Segment("a", RED), Segment("b", BOLD)], [Segment("c", RED), Segment("d", BOLD)]
    assert write(shown, whole(red, bold)).count("31") == 1


def test_all_of_a_colour_are_written_together_and_then_the_cheapest_colour() -> None:
    shown = CellBuffer()
    write(shown, whole())
    first = [Segment("abc"), Segment("d", BLUE_BACK), Segment("e", RED), Segment("f", BLUE_BACK)]
    second = [Segment("a12"), Segment("3", BLUE_BACK), Segment("e", RED)]
    assert write(shown, whole(first, second)) == (
        "\x1b[1;1Habc\b\b\b\x1bDa12\x1b[C\x1bM\x1b[31me\b\x1bDe\b\b\x1bM\x1b[44md\x1b[Cf\b\b\b\x1bD3"
    )


def test_many_colours_are_written_from_the_top_each_of_them_once() -> None:
    """24-bit colours, of which the first takes the most bytes."""
    shades = [Style(color=Color.from_rgb(255 - n, 100 - n, 0)) for n in range(MANY + 1)]
    texts = [chr(ord("a") + n) for n in range(MANY + 1)]
    cells = [Segment(text, shade) for text, shade in zip(texts, shades, strict=True)]

    def letters(count: int) -> str:
        rows = [cells[:count][at : at + 10] for at in range(0, count, 10)]
        shown = CellBuffer()
        shown.write(whole(), SIZE, ColorSystem.TRUECOLOR)
        written = shown.write(whole(*rows, cells[:1]), SIZE, ColorSystem.TRUECOLOR)
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\x1b.|\x08", "", written)

    assert letters(MANY + 1) == "a" + "".join(texts)
    assert sorted(letters(MANY)) == sorted(letters(MANY + 1)[:-1])
    assert letters(MANY) != letters(MANY + 1)[:-1]  # the cheapest next


def test_a_frame_within_the_budget_is_written_in_the_same_order() -> None:
    rows = [Segment("a", RED), Segment("b", BOLD)], [Segment("c", RED), Segment("d", BOLD)]
    in_full = write(CellBuffer(), whole(*rows))
    assert write(CellBuffer(lambda: len(in_full)), whole(*rows)) == in_full


def test_an_update_for_a_larger_terminal_is_cut(shown: CellBuffer) -> None:
    chops: list[dict[int, Strip | None]] = [
        {0: Strip([Segment("X" * 9)]), 30: Strip([Segment("Y" * 9)])}
    ]
    for end in (12, 39):
        update = ChopsUpdate(
            chops * (HEIGHT + 2), [(HEIGHT + 1, 0, end), (0, 5, end)], [[30, 39]] * 9
        )
        write(shown, update)


def test_a_combined_character_is_as_wide_as_it_is_drawn() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    written = write(CellBuffer(), whole([Segment(f"a{family}b")]))
    assert f"a{family}b" in written


def test_a_reversed_blank_shows_the_colour_of_its_text() -> None:
    shown = CellBuffer()
    red, blue = Style(color="red", reverse=True), Style(color="blue", reverse=True)
    write(shown, whole([Segment(" ", red)]))
    assert write(shown, whole([Segment(" ", blue)])) != ""


def test_an_unknown_kind_of_update_is_an_error(shown: CellBuffer) -> None:
    with pytest.raises(TypeError, match="unknown kind of update"):
        write(shown, CompositorUpdate())


def test_colour_codes_are_parsed() -> None:
    assert parse_sgr("") == DEFAULT
    assert parse_sgr("1;4;38;2;1;2;3;48;5;7") == SgrState(frozenset("14"), "38;2;1;2;3", "48;5;7")
    assert parse_sgr("91;107") == SgrState(frozenset(), "91", "107")
    assert parse_sgr("3;9;39") == SgrState(frozenset("39"), "39", "")


def test_a_colour_is_reset_to_the_terminals_default() -> None:
    assert sgr_change(parse_sgr("31;44"), parse_sgr("44")) == "\x1b[39m"
    assert sgr_change(parse_sgr("31;44"), DEFAULT) == "\x1b[0m"


def test_every_attribute_of_rich_can_be_turned_off() -> None:
    assert set(TURNS_OFF) == set(Style._style_map.values())


def test_an_attribute_is_turned_off_without_writing_the_colours_again() -> None:
    bright = "38;2;1;2;3;48;2;4;5;6"
    assert sgr_change(parse_sgr(f"1;{bright}"), parse_sgr(bright)) == "\x1b[22m"
    assert sgr_change(parse_sgr(f"1;2;{bright}"), parse_sgr(f"1;{bright}")) == "\x1b[22;1m"
    assert sgr_change(parse_sgr("1;7;31"), parse_sgr("31")) == "\x1b[0;31m"


@given(st.integers(0, 299), st.integers(0, 99), st.integers(0, 299), st.integers(0, 99))
def test_every_move_arrives_and_is_no_longer_than_an_absolute_one(
    x: int, y: int, to_x: int, to_y: int
) -> None:
    writer = SgrWriter(301, DEFAULT)
    writer.write(Run(y, x, x + 1, "a", DEFAULT))
    before = writer.size
    writer.write(Run(to_y, to_x, to_x + 1, "b", DEFAULT))
    assert writer.size - before <= len(f"\x1b[{to_y + 1};{to_x + 1}Hb")
    screen = pyte.Screen(301, 100)
    pyte.Stream(screen).feed(writer.text)
    assert screen.buffer[to_y][to_x].data == "b"


def test_after_the_last_column_the_place_of_the_cursor_is_not_relied_on() -> None:
    writer = SgrWriter(3, DEFAULT)
    writer.write(Run(0, 2, 3, "a", DEFAULT))
    writer.write(Run(1, 2, 3, "b", DEFAULT))
    assert writer.text == "\x1b[1;3Ha\x1b[2;3Hb"


STYLES = st.sampled_from([
    None, RED, BOLD, BLUE_BACK, Style(underline=True), Style(reverse=True), Style(bgcolor="green"),
    Style(color="bright_white", bgcolor="bright_black", italic=True),
])  # fmt: skip
SEGMENTS = st.tuples(st.text("ab 語é─⣿⡇", min_size=1, max_size=8), STYLES).map(
    lambda parts: Segment(*parts)
)
ROWS = st.lists(SEGMENTS, max_size=5).map(lambda row: Strip(row).adjust_cell_length(WIDTH))
FIRST = st.lists(ROWS, min_size=HEIGHT, max_size=HEIGHT)
SPANS = st.tuples(st.integers(0, WIDTH - 1), st.integers(1, WIDTH)).map(
    lambda span: (span[0], min(WIDTH, span[0] + span[1]))
)
CHANGES = st.tuples(
    st.integers(0, HEIGHT - 1), SPANS, ROWS, st.sets(st.integers(1, WIDTH - 1), max_size=3)
)
"""A row, the columns that change, their new content, and where widgets begin."""


class Scrolled(NamedTuple):
    """A step to the left of a graph in row ``y`` that begins and ends at these columns."""

    y: int
    start: int
    end: int
    new: Segment


SCROLLED = st.tuples(
    st.integers(0, HEIGHT - 1), st.integers(0, 8), st.integers(10, WIDTH),
    st.tuples(st.sampled_from(["⣿", "⡇", " ", "a", "語"]), STYLES).map(lambda it: Segment(*it)),
).map(lambda parts: Scrolled(*parts))  # fmt: skip
GRAPH = st.tuples(st.text("⣿⡇─ ", min_size=16, max_size=16), STYLES, SEGMENTS).map(
    lambda it: Strip([Segment(*it[:2]), it[2]]).adjust_cell_length(WIDTH)
)
GRAPHS = st.lists(GRAPH, min_size=HEIGHT, max_size=HEIGHT)


def edges(strip: Strip) -> list[int]:
    """The columns at which a character begins, and the row's end."""
    found = [0]
    for text, _, _ in strip:
        for character in text:
            found.append(found[-1] + cell_len(character))
    return found


def changed(rows: list[Strip], change: tuple[int, tuple[int, int], Strip, set[int]]) -> ChopsUpdate:
    """Change part of a row, and describe that as Textual does: with the widgets' whole rows, and
    spans for the columns that changed. No span begins within a character."""
    y, (start, end), new, widgets = change
    was = rows[y]
    rows[y] = Strip.join([was.crop(0, start), new.crop(start, end), was.crop(end, WIDTH)])
    whole_characters = sorted(set(edges(was)) & set(edges(rows[y])))
    start = max(edge for edge in whole_characters if edge <= max(0, start - 1))
    end = min(edge for edge in whole_characters if edge >= min(WIDTH, end + 1))
    starts = [0, *sorted(widgets & set(edges(rows[y])))]
    ends = [*starts[1:], WIDTH]
    chops: list[dict[int, Strip | None]] = [{} for _ in rows]
    chops[y] = {x: rows[y].crop(x, end) for x, end in zip(starts, ends, strict=True)}
    return ChopsUpdate(chops, [(y, start, end)], [ends] * HEIGHT)


def updated(rows: list[Strip], step: Any) -> LayoutUpdate | ChopsUpdate:
    """Change the rows by a step of any kind, and return Textual's update for that."""
    if isinstance(step, Scrolled):
        y, start, end, new = step
        was, size = rows[y], new.cell_length
        moved = [was.crop(0, start), was.crop(start + size, end), Strip([new]), was.crop(end)]
        return changed(rows, (y, (0, WIDTH), Strip.join(moved).adjust_cell_length(WIDTH), set()))
    if isinstance(step, tuple):
        return changed(rows, step)
    rows[:] = step
    return laid_out(rows)


def drawn(texts: list[str]) -> list[list[tuple[object, ...]]]:
    """What a terminal shows after these writes, a blank without the colour of its text."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    for text in texts:
        stream.feed(text)
    rows = []
    for y in range(HEIGHT):
        row: list[tuple[object, ...]] = []
        for x in range(WIDTH):
            cell = screen.buffer[y][x]
            front = cell.fg if cell.data.strip() or cell.reverse or cell.underscore else ""
            weight = (cell.bold, cell.italics) if cell.data.strip() else ()
            row.append((cell.data, front, cell.bg, cell.underscore, cell.reverse, *weight))
        rows.append(row)
    return rows


def by_textual(update: LayoutUpdate | ChopsUpdate) -> str:
    console = Console(color_system="standard", force_terminal=True, width=WIDTH)
    return update.render_segments(console)


def laid_out(rows: list[Strip]) -> LayoutUpdate:
    return LayoutUpdate([[row] for row in rows], Region(0, 0, WIDTH, HEIGHT))


def check(first: list[Strip], then: list[Any]) -> None:
    """Check that after each step a terminal shows the same, written by us or by Textual."""
    shown, rows = CellBuffer(), list(first)
    update: LayoutUpdate | ChopsUpdate = laid_out(rows)
    ours, theirs = [write(shown, update)], [by_textual(update)]
    for step in then:
        update = updated(rows, step)
        ours.append(write(shown, update))
        theirs.append(by_textual(update))
        assert drawn(ours) == drawn(theirs)


@examples(300)
@given(FIRST, st.lists(st.one_of(FIRST, CHANGES), max_size=6))
def test_the_terminal_shows_what_textual_draws(first: list[Strip], then: list[Any]) -> None:
    check(first, then)


@examples(150)
@given(GRAPHS, st.lists(st.one_of(SCROLLED, SCROLLED, CHANGES), min_size=1, max_size=6))
def test_graphs_that_move_show_what_textual_draws(first: list[Strip], then: list[Any]) -> None:
    check(first, then)


BUDGETS = st.one_of(st.none(), st.integers(0, 200))


@examples(100)
@given(
    st.one_of(FIRST, GRAPHS),
    st.lists(st.tuples(BUDGETS, st.one_of(FIRST, CHANGES, SCROLLED)), max_size=6),
)
def test_frames_that_are_cut_end_up_whole(
    first: list[Strip], then: list[tuple[int | None, Any]]
) -> None:
    budget: list[int | None] = [None]
    shown, rows = CellBuffer(lambda: budget[0]), list(first)
    texts = [write(shown, laid_out(rows))]
    for budget[0], step in then:
        texts.append(write(shown, updated(rows, step)))
        assert shown.unfinished or drawn(texts) == drawn([by_textual(laid_out(rows))])
    budget[0] = 1
    while texts[-1] or shown.unfinished:
        texts.append(write(shown, laid_out(rows)))
    assert drawn(texts) == drawn([by_textual(laid_out(rows))])


@examples(60)
@given(FIRST, st.sampled_from(["", "\x1b[1;4;7;35;46m", "\x1b[2J\x1b[9;9H\x1b[42m$ "]))
def test_after_others_have_written_the_screen_is_whole_again(
    rows: list[Strip], others: str
) -> None:
    shown = CellBuffer()
    texts = [write(shown, laid_out(rows)), others]
    shown.invalidate()
    texts.append(write(shown, laid_out(rows)))
    assert drawn(texts) == drawn([by_textual(laid_out(rows))])


def test_a_layout_update_is_drawn_at_its_region() -> None:
    update = LayoutUpdate([[Strip([Segment("corner", RED)])]], Region(3, 1, 6, 1))
    assert drawn([write(CellBuffer(), update)]) == drawn([by_textual(update)])


def test_colours_are_written_as_rich_writes_them() -> None:
    strip = Strip([Segment("a", BLUE_BACK), Segment("b", BOLD)]).adjust_cell_length(WIDTH)
    update = LayoutUpdate([[strip]], Region(0, 0, WIDTH, 1))
    ours = write(CellBuffer(), update)
    assert drawn([ours]) == drawn([by_textual(update)])
