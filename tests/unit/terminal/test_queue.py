"""Which keys wait, how many, and which is next. Nothing is taken until a test takes it: that is
the slowest of all applications."""

from __future__ import annotations

import pytest
from textual import events
from textual.message import Message

from tui.terminal.queue import LIMIT, MAX_REPEATS, MAX_TYPED, KeyQueue


def key(name: str) -> events.Key:
    return events.Key(name, name if len(name) == 1 else None)


def mouse(kind: type[events.MouseEvent], x: int) -> events.MouseEvent:
    return kind(None, x, 0, 0, 0, 0, False, False, False)


@pytest.fixture
def keys() -> KeyQueue:
    return KeyQueue(urgent={"q", "escape", "ctrl+q", "ctrl+c"}, opens_field={"slash"})


def put(keys: KeyQueue, *names: str) -> None:
    for name in names:
        keys.put(key(name))


def taken(keys: KeyQueue, *, typing: bool = False) -> list[str]:
    found = []
    while (event := keys.take(typing=typing)) is not None:
        found.append(event.key if isinstance(event, events.Key) else type(event).__name__)
    return found


def test_keys_come_in_order(keys: KeyQueue) -> None:
    put(keys, "g", "down", "down", "enter", "g")
    assert taken(keys) == ["g", "down", "down", "enter", "g"]
    assert keys.take() is None


def test_of_a_key_held_down_a_few_wait(keys: KeyQueue) -> None:
    put(keys, *["tab"] * 500, "down", *["tab"] * 500)
    assert taken(keys) == ["tab"] * MAX_REPEATS + ["down"] + ["tab"] * MAX_REPEATS


def test_of_a_letter_as_many_wait_as_anybody_types(keys: KeyQueue) -> None:
    put(keys, *["j"] * 200_000)
    assert len(keys) == MAX_TYPED


def test_a_key_that_was_taken_makes_room(keys: KeyQueue) -> None:
    put(keys, *["tab"] * 9)
    keys.take()
    put(keys, "tab")
    assert taken(keys) == ["tab"] * MAX_REPEATS


@pytest.mark.parametrize("first", ["q", "escape", "ctrl+q", "ctrl+c"])
def test_keys_that_leave_take_the_place_of_all_before_them(keys: KeyQueue, first: str) -> None:
    put(keys, "tab", "j", "b", "y", first, "g")
    assert taken(keys) == [first, "g"]


def test_while_text_is_typed_q_is_a_letter(keys: KeyQueue) -> None:
    put(keys, *"queue")
    assert taken(keys, typing=True) == [*"queue"]


def test_behind_the_key_of_a_field_q_is_a_letter(keys: KeyQueue) -> None:
    put(keys, "slash", *"aq")
    assert taken(keys) == ["slash", "a", "q"]


def test_once_the_field_is_left_q_comes_first_again(keys: KeyQueue) -> None:
    put(keys, "slash", "a", "enter")
    assert taken(keys) == ["slash", "a", "enter"]
    put(keys, "tab", "q")
    assert taken(keys) == ["q"]


def test_escape_comes_first_also_while_text_is_typed(keys: KeyQueue) -> None:
    put(keys, "slash", *"abc", "escape", "j")
    assert taken(keys, typing=True) == ["escape", "j"]


def test_what_waits_is_bounded_and_who_wants_to_leave_finds_room(keys: KeyQueue) -> None:
    put(keys, *["j", "k"] * LIMIT)
    assert len(keys) == LIMIT
    put(keys, "q")
    assert len(keys) == LIMIT
    assert taken(keys) == ["q"]


def test_of_a_flood_a_paste_is_not_lost_and_not_repeated_without_end(keys: KeyQueue) -> None:
    put(keys, "a")
    for text in ("one", "two", "three", "four"):
        keys.put(events.Paste(text))
    assert taken(keys) == ["a"] + ["Paste"] * MAX_REPEATS


def test_of_movements_the_last_counts(keys: KeyQueue) -> None:
    for x in range(1000):
        keys.put(mouse(events.MouseMove, x))
    keys.put(mouse(events.MouseDown, 5))
    keys.put(mouse(events.MouseUp, 5))
    moved = keys.take()
    assert isinstance(moved, events.MouseMove)
    assert moved.x == 999
    assert taken(keys) == ["MouseDown", "MouseUp"]


@pytest.mark.parametrize("kind", [events.AppFocus, events.AppBlur])
def test_what_the_terminal_says_of_itself_counts_once(keys: KeyQueue, kind: type[Message]) -> None:
    for _ in range(1000):
        keys.put(kind())
    assert len(keys) == 1
