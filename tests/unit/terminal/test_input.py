"""Any input from a terminal, in any pieces, gives valid events or none."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual import events
from textual.message import Message

from tests.examples import examples
from tui.terminal.input import (
    ESCAPE_TIMEOUT_S,
    LATE_S,
    LONG_PIECE,
    MAX_PARAMETERS,
    PASTE_LIMIT,
    PASTE_TIMEOUT_S,
    SEQUENCE_TIMEOUT_S,
    InputParser,
)
from tui.terminal.sequences import MAX_CELL

NINES = "9" * 5000


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def words(found: list[Message]) -> list[str]:
    """Keys by name, pastes by text, other events by type."""
    parsed = []
    for event in found:
        if isinstance(event, events.Key):
            parsed.append(event.key)
        elif isinstance(event, events.Paste):
            parsed.append(f"paste {event.text}")
        else:
            parsed.append(type(event).__name__)
    return parsed


def parsed(*pieces: str | float) -> list[str]:
    """The events of pieces of text and of pauses between them, in seconds."""
    clock = Clock()
    typed, found = InputParser(clock), list[Message]()
    for piece in pieces:
        if isinstance(piece, float):
            clock.now += piece
            found += typed.tick()
        else:
            found += typed.feed(piece)
    return words(found)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("jq ?/Y", ["j", "q", "space", "question_mark", "slash", "Y"]),
        ("\t\r\x7f\x08\x03\x1a", ["tab", "enter", "backspace", "backspace", "ctrl+c", "ctrl+z"]),
        ("é語", ["é", "語"]),
        ("\x1b[A\x1b[1;5C\x1bOB", ["up", "ctrl+right", "down"]),
        ("\x1b[5~\x1b[3~\x1b[Z\x1b[H", ["pageup", "delete", "shift+tab", "home"]),
        ("\x1bOP\x1b[[A\x1b[11~\x1b[15;5~", ["f1", "f1", "f1", "ctrl+f5"]),
        ("\x1b[3$q", ["shift+delete", "q"]),
        ("\x1bx\x1b\t", ["alt+x", "shift+tab"]),
        ("\x1b\x1b[A", ["escape", "up"]),
        ("\x1b\r", ["escape", "enter"]),
        ("\x1b\x03", ["escape", "ctrl+c"]),
        ("\x1b[97u\x1b[97;5u\x1b[27u\x1b[13u\x1b[57358u", ["a", "ctrl+a", "escape", "enter",
                                                           "caps_lock"]),
        ("\x1b[97:65;2;65u\x1b[97;1:1;97u\x1b[97;1:2;97u", ["A", "a", "a"]),
        ("\x1b[0;;28450:23383u", ["漢", "字"]),
        ("\x1b[27;5;105~", ["ctrl+i"]),
        ("\x1b[I\x1b[O", ["AppFocus", "AppBlur"]),
        ("\x1b[12;40R", ["CursorPosition"]),
        ("\x1b[?2026;2$y", ["TerminalSupportsSynchronizedOutput"]),
        ("\x1b[<0;5;7M\x1b[<0;5;7m\x1b[<64;5;7M\x1b[<35;5;7M",
         ["MouseDown", "MouseUp", "MouseScrollUp", "MouseMove"]),
        ("\x1b[200~two words\x1b[201~q", ["paste two words", "q"]),
        ("\x1b[200~a\x1bb\x1b[201\x1b[201~q", ["paste a\x1bb\x1b[201", "q"]),
    ],
)  # fmt: skip
def test_keys_that_people_type(text: str, keys: list[str]) -> None:
    assert parsed(text) == keys
    assert parsed(*text) == keys, "in pieces of a character"


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[99999999999;99999u", f"\x1b[{NINES}u", f"\x1b[97;{NINES}u", f"\x1b[97;1;{NINES}u",
        "\x1b[55296u", "\x1b[97;1;56320u", "\x1b[1114112u", "\x1b[57999u", "\x1b[97;1;3u",
        "\x1b[97;1:3u", "\x1b[98;1A", "\x1b[98~", "\x1b[98;1;98~",
        "\x1b[97;1;98:98:98:98:98:98:98:98:98u", "\x1b[<0;99999;9M", "\x1b[<0;9;0M",
        "\x1b[<0;-9;9M", "\x1b[<0;9M", "\x1b[0;1;1M", f"\x1b[<0;{NINES};1M", "\x1b[48;0;0;0;0t",
        "\x1b[48;99999;99999;9;9t", "\x1b[8;24;80t", "\x1b[?2048;2$y", "\x1b[?2026;0$y",
        "\x1b[?62;22c", "\x1b[>0;276;0c", "\x1b[=1c", "\x1b[0n", "\x1b[?1u", "\x1b[?997;1n",
        "\x1b[x", "\x1b]11;rgb:0/0/0\x07", "\x1b]0;bbb\x1b\\", "\x1bPb\x1b\\", "\x1b_b\x1b\\",
        "\x1b^b\x1b\\", "\x1bXb\x9c", "\x9db\x07", "\x90b\x9c", "\x1b[Mbbb", "\x1b[12\x18",
        "\x1b[12\x1a", "\x1b[é9b", "\x1b[1\r2b", "\x1bOz", f"\x1bO{NINES}b", "\x1b\\", "\ufffd",
        "\ud800", "\x1b[[b",
    ],
)  # fmt: skip
def test_unknown_sequences_are_dropped_whole(text: str) -> None:
    assert parsed(f"j{text}k") == ["j", "k"]
    assert parsed(*f"j{text}k") == ["j", "k"], "in pieces of a character"


@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        (("\x1b", ESCAPE_TIMEOUT_S, "q"), ["escape", "q"]),
        (("\x1b\x1b", ESCAPE_TIMEOUT_S), ["escape", "escape"]),
        (("\x1b", ESCAPE_TIMEOUT_S, "[A"), ["escape", "up"]),
        (("\x1b", ESCAPE_TIMEOUT_S, "OAq"), ["escape", "up", "q"]),
        (("\x1b", ESCAPE_TIMEOUT_S, "q[A"), ["escape", "q", "left_square_bracket", "A"]),
        (("\x1b", ESCAPE_TIMEOUT_S, LATE_S, "[A"), ["escape", "left_square_bracket", "A"]),
        (("\x1b[", ESCAPE_TIMEOUT_S, "A"), ["up"]),
        (("\x1b[1;", SEQUENCE_TIMEOUT_S, "q"), ["q"]),
        ((f"\x1b[{NINES}", SEQUENCE_TIMEOUT_S, "q"), ["q"]),
        (("\x1bO", SEQUENCE_TIMEOUT_S, "q"), ["q"]),
        (("\x1b]0;b", SEQUENCE_TIMEOUT_S, "q"), ["q"]),
        (("\x1bPb", 0.9 * SEQUENCE_TIMEOUT_S, "b\x1b\\q"), ["q"]),
        (("\x1b[Mb", SEQUENCE_TIMEOUT_S, "q"), ["q"]),
        (("\x1b[200~b", SEQUENCE_TIMEOUT_S, "b", PASTE_TIMEOUT_S, "q"), ["paste bb", "q"]),
        (("\x1b[200~b\x1b", SEQUENCE_TIMEOUT_S, "q"), ["paste b", "escape", "q"]),
        (("\x1b[200~b\x1b[27uq",), ["paste b", "escape", "q"]),
        (("q", 60.0), ["q"]),
    ],
)
def test_unfinished_sequences_time_out(pieces: tuple[str | float, ...], keys: list[str]) -> None:
    assert parsed(*pieces) == keys


def test_the_time_to_the_next_timeout() -> None:
    clock = Clock()
    typed = InputParser(clock)
    assert typed.timeout_s is None
    typed.feed("\x1b")
    clock.now += ESCAPE_TIMEOUT_S / 2
    assert typed.tick() == []
    assert typed.timeout_s == pytest.approx(ESCAPE_TIMEOUT_S / 2)
    clock.now += ESCAPE_TIMEOUT_S
    assert words(typed.tick()) == ["escape"]
    clock.now += LATE_S
    assert typed.tick() == []
    assert typed.timeout_s is None


def test_the_escape_key_of_kittys_protocol_does_not_wait() -> None:
    typed = InputParser(Clock())
    assert words(typed.feed("\x1b[27u")) == ["escape"]
    assert typed.timeout_s is None


@pytest.mark.parametrize(
    ("text", "keys"),
    [("[A", ["up"]), ("OA", ["up"]), ("q", ["escape", "q"]), ("\x1b[A", ["escape", "up"])],
)
def test_what_came_in_time_may_be_read_late(text: str, keys: list[str]) -> None:
    clock = Clock()
    typed = InputParser(clock)
    typed.feed("\x1b")
    clock.now += 2 * ESCAPE_TIMEOUT_S
    assert words(typed.feed(text)) == keys


KEYS = (
    "\x1b[A", "\x1bOB", "\x1b[1;5C", "\x1b[15;5~", "\x1b[[A", "\x1b[3$", "\x1b[97;5u", "\x1b[27u",
    "\x1b[<0;5;7M", "\x1b[200~two\x1b[201~", "\x1b[27;5;105~", "q", "é", "\r",
)  # fmt: skip
TYPED = st.lists(st.sampled_from(KEYS), min_size=1, max_size=6).map("".join)
"""What keyboards send, without the escape key and Alt."""


def typed_slowly(text: str, pauses: list[float]) -> list[str]:
    """The events of ``text`` in pieces of a character, with these pauses between them."""
    pieces: list[str | float] = []
    for index, character in enumerate(text):
        pieces += [character, pauses[index % len(pauses)]]
    return parsed(*pieces)


@pytest.mark.parametrize("rest", ["[0n", "[A", "]52;c;x\x07", "O", "[0;0R"])
@pytest.mark.parametrize("pause_s", [LATE_S * 3, SEQUENCE_TIMEOUT_S * 2])
def test_a_sequence_that_a_full_buffer_has_cut_types_nothing(rest: str, pause_s: float) -> None:
    flood = "\x1b[0n" * (LONG_PIECE // 4)
    found = parsed(f"{flood}\x1b", pause_s, rest)
    # Until it times out, it is the sequence that it would have been in one piece.
    assert found == (parsed(f"\x1b{rest}") if pause_s < SEQUENCE_TIMEOUT_S else parsed(rest))
    assert "escape" not in found


@examples(200)
@given(TYPED, st.lists(st.floats(0.0, 0.99 * ESCAPE_TIMEOUT_S), min_size=1, max_size=9))
def test_a_split_sequence_is_one_key(text: str, pauses: list[float]) -> None:
    assert typed_slowly(text, pauses) == parsed(text)


@examples(200)
@given(TYPED, st.lists(st.floats(0.0, 0.99 * LATE_S), min_size=1, max_size=9))
def test_a_sequence_that_is_split_for_longer_types_no_letters(
    text: str, pauses: list[float]
) -> None:
    found = [key for key in typed_slowly(text, pauses) if key != "escape"]
    assert found == [key for key in parsed(text) if key != "escape"]


def held(typed: InputParser) -> int:
    return len(typed._collected) + len(typed._tail)


@pytest.mark.parametrize(
    ("begins", "most"),
    [
        ("\x1b[", MAX_PARAMETERS),
        ("\x1bO", MAX_PARAMETERS),
        ("\x1b]", 0),
        ("\x1bP", 0),
        ("\x1b[200~", PASTE_LIMIT),
    ],
)
def test_endless_sequences_take_no_memory(begins: str, most: int) -> None:
    typed = InputParser(Clock())
    typed.feed(begins)
    for _ in range(20):
        assert typed.feed("1" * 1000) == []
    assert held(typed) <= most


ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
PARTS = st.one_of(
    st.sampled_from([
        "\x1b[", "\x1bO", "\x1b]", "\x1bP", "\x1b", "\x9b", "\x07", "\x1b\\", "\x18", "u", "~",
        "M", "m", "R", "t", "$y", "<", "?", ";", ":", "-", "200~", "201~", "[", "A", "9" * 30,
        "1114111", "55296", "\x1b[<0;1;1M", "\x1b[97;5u", "\x1b[200~", "\x1b[201~",
        "\x1b[?2026;2$y", "q", "é", "\x00", "\ufffd",
    ]),
    st.integers(-5, 10**12).map(str),
    st.text(max_size=3),
)  # fmt: skip
PAUSES = st.sampled_from([0.0, ESCAPE_TIMEOUT_S, SEQUENCE_TIMEOUT_S, PASTE_TIMEOUT_S])
STREAMS = st.lists(st.tuples(st.one_of(ANYTHING, st.lists(PARTS, max_size=8).map("".join)), PAUSES),
                   max_size=8)  # fmt: skip


def is_sane(event: Message) -> bool:
    """Whether an event is valid for an application."""
    if isinstance(event, events.Key):
        character = event.character or ""
        character.encode()
        return 0 < len(event.key) < 200 and len(character) <= 1
    if isinstance(event, events.Paste):
        return len(event.text) <= PASTE_LIMIT and "\x00" not in event.text
    if isinstance(event, events.MouseEvent):
        return 0 <= event.x < MAX_CELL and 0 <= event.y < MAX_CELL
    return isinstance(event, events.AppFocus | events.AppBlur | events.CursorPosition) or (
        type(event).__name__ == "TerminalSupportsSynchronizedOutput"
    )


@examples(400)
@given(STREAMS)
@example([("\x1b[0;1;0:0u", 0.0), ("\x1b[;;u\x1b[u\x1b[~\x1b[;~", 0.0)])
def test_any_input_gives_valid_events(stream: list[tuple[str, float]]) -> None:
    clock = Clock()
    typed = InputParser(clock)
    for text, pause in stream:
        found = typed.feed(text)
        clock.now += pause
        found += typed.tick()
        assert all(map(is_sane, found)), found
        assert held(typed) <= PASTE_LIMIT + MAX_PARAMETERS
    # Whatever came before: after a pause the keyboard works.
    clock.now += PASTE_TIMEOUT_S
    typed.tick()
    assert words(typed.feed("q")) == ["q"]


@examples(200)
@given(st.binary(max_size=200), st.integers(1, 7))
def test_splitting_the_input_changes_nothing(data: bytes, size: int) -> None:
    text = data.decode("utf-8", "replace")
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert parsed(*pieces, PASTE_TIMEOUT_S) == parsed(text, PASTE_TIMEOUT_S)
