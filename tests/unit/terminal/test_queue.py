"""The bounded key queue. Tests take keys explicitly, like the slowest of all applications."""

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


def test_keys_keep_their_order(keys: KeyQueue) -> None:
    put(keys, "g", "down", "down", "enter", "g")
    assert taken(keys) == ["g", "down", "down", "enter", "g"]
    assert keys.take() is None


def test_a_key_held_down_is_limited(keys: KeyQueue) -> None:
    put(keys, *["tab"] * 500, "down", *["tab"] * 500)
    assert taken(keys) == ["tab"] * MAX_REPEATS + ["down"] + ["tab"] * MAX_REPEATS


def test_a_repeated_letter_is_limited_less(keys: KeyQueue) -> None:
    put(keys, *["j"] * 200_000)
    assert len(keys) == MAX_TYPED


def test_taking_a_key_makes_room(keys: KeyQueue) -> None:
    put(keys, *["tab"] * 9)
    keys.take()
    put(keys, "tab")
    assert taken(keys) == ["tab"] * MAX_REPEATS


@pytest.mark.parametrize("first", ["q", "escape", "ctrl+q", "ctrl+c"])
def test_urgent_keys_replace_everything_before_them(keys: KeyQueue, first: str) -> None:
    put(keys, "tab", "j", "b", "y", first, "g")
    assert taken(keys) == [first, "g"]


def test_q_is_a_letter_while_text_is_typed(keys: KeyQueue) -> None:
    put(keys, *"queue")
    assert taken(keys, typing=True) == [*"queue"]


def test_q_is_a_letter_after_a_key_that_opens_a_field(keys: KeyQueue) -> None:
    put(keys, "slash", *"aq")
    assert taken(keys) == ["slash", "a", "q"]


def test_q_is_urgent_again_once_the_field_is_left(keys: KeyQueue) -> None:
    put(keys, "slash", "a", "enter")
    assert taken(keys) == ["slash", "a", "enter"]
    put(keys, "tab", "q")
    assert taken(keys) == ["q"]


def test_escape_is_urgent_even_while_text_is_typed(keys: KeyQueue) -> None:
    put(keys, "slash", *"abc", "escape", "j")
    assert taken(keys, typing=True) == ["escape", "j"]


def test_the_queue_is_bounded_but_has_room_for_urgent_keys(keys: KeyQueue) -> None:
    put(keys, *["j", "k"] * LIMIT)
    assert len(keys) == LIMIT
    put(keys, "q")
    assert len(keys) == LIMIT
    assert taken(keys) == ["q"]


def test_in_a_flood_a_paste_is_not_lost_and_repeats_are_limited(keys: KeyQueue) -> None:
    put(keys, "a")
    for text in ("one", "two", "three", "four"):
        keys.put(events.Paste(text))
    assert taken(keys) == ["a"] + ["Paste"] * MAX_REPEATS


def test_of_mouse_movements_the_last_is_kept(keys: KeyQueue) -> None:
    for x in range(1000):
        keys.put(mouse(events.MouseMove, x))
    keys.put(mouse(events.MouseDown, 5))
    keys.put(mouse(events.MouseUp, 5))
    moved = keys.take()
    assert isinstance(moved, events.MouseMove)
    assert moved.x == 999
    assert taken(keys) == ["MouseDown", "MouseUp"]


@pytest.mark.parametrize("kind", [events.AppFocus, events.AppBlur])
def test_of_terminal_reports_the_last_is_kept(keys: KeyQueue, kind: type[Message]) -> None:
    for _ in range(1000):
        keys.put(kind())
    assert len(keys) == 1
