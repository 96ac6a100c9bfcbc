"""Over a slow link, a key is answered before the screen of the previous key is complete, readings
are current or marked as late, and in the end the screen is complete."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.terminals import NO_STATE
from tests.bench.terminal import Terminal

RATE = 4000.0
"""Bytes per second of the link."""

PROGRAM = [sys.executable, "-m", "tui", "--demo", "gaming"]


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    here = {"PYTHONPATH": str(Path.cwd()), "XDG_STATE_HOME": NO_STATE, "LC_ALL": "C.UTF-8"}
    return kept | here


@pytest.fixture(scope="module")
def opened() -> Iterator[Terminal]:
    with Terminal(PROGRAM, environment(), rate=RATE) as terminal:
        terminal.until(lambda text: "q quit" in text, 60)
        # The first frame shows how slow the link is; later frames are cut to that.
        terminal.quiet(0.25)
        yield terminal


@pytest.fixture
def slow(opened: Terminal) -> Iterator[Terminal]:
    """The complete overview, shared by all tests because a start takes seconds."""
    yield opened
    if "esc " in opened.text() or "0 back" in opened.text():
        opened.press("\x1b")
    is_whole(opened)


def is_whole(terminal: Terminal) -> None:
    """Wait until the overview is complete and none of it is in transit."""
    terminal.until(lambda text: text.count("╯") == 5 and "q quit" in text, since=time.monotonic())
    terminal.quiet(0.25)


def answered(terminal: Terminal, key: str, seen: str) -> int:
    """Press ``key``; returns the bytes written until ``seen`` appears on the screen."""
    assert seen not in terminal.text()
    at = terminal.press(key)
    shown = terminal.until(lambda text: seen in text, since=at)
    return sum(len(piece.data) for piece in terminal.pieces(at) if piece.at <= shown)


HELP, OVERVIEW = "─ Help ──", "─ 1 Guest GPU ·"


def test_keys_are_answered_also_in_the_middle_of_a_screen_that_is_drawn(slow: Terminal) -> None:
    """Each key comes while the screen of the previous key is in transit, which takes seconds."""
    began = slow.written
    answered(slow, "?", HELP)
    slow.quiet(0.25)
    whole = slow.written - began
    answered(slow, "\x1b", OVERVIEW)
    keys = (("g", "\n╭─ 4 IOMMU groups"), ("\x1b", OVERVIEW), ("?", HELP), ("\x1b", OVERVIEW))
    before = [answered(slow, key, seen) for key, seen in keys]
    print(f"a screen has {whole} bytes; written before each answer: {before}")
    assert max(before) < whole / 2


def test_what_is_drawn_in_pieces_is_whole_in_the_end(slow: Terminal) -> None:
    with Terminal(PROGRAM, environment()) as fast:
        fast.until(lambda text: "q quit" in text)
        at = fast.press("?")
        fast.until(lambda text: HELP in text, since=at)
        fast.quiet(0.5)
        wanted = below_the_header(fast.text())
    at = time.monotonic()
    answered(slow, "?", HELP)
    slow.until(lambda text: below_the_header(text) == wanted, since=at)


def below_the_header(text: str) -> list[str]:
    """The screen without the header, which reports the slow link."""
    return text.splitlines()[1:]


def test_readings_keep_their_pace_and_do_not_pile_up(slow: Terminal) -> None:
    """Once the screen is drawn, the link has room left and nothing waits in it."""
    is_whole(slow)
    began, written = time.monotonic(), slow.written
    slow.quiet(0.15, began)
    for _ in range(3):
        slow.quiet(0.15, slow.next_piece(time.monotonic()))
    assert (slow.written - written) / (time.monotonic() - began) < 0.8 * RATE


@pytest.mark.thorough  # it takes half a minute; tests/unit/widgets has the words
def test_a_link_that_is_too_slow_says_so() -> None:
    with Terminal(PROGRAM, environment(), rate=600.0) as terminal:
        terminal.until(lambda text: re.search(r"slow link: up to \d+ s old", text) is not None, 120)


def test_a_window_that_is_dragged_to_another_size_is_drawn_right() -> None:
    with Terminal(PROGRAM, environment()) as terminal:
        terminal.until(lambda text: "q quit" in text)
        for columns in (*range(118, 60, -4), *range(62, 122, 6), 100):
            terminal.resize(columns, 30)
            terminal.quiet(0.02)
        terminal.until(framed)
        assert terminal.process.poll() is None


def framed(text: str) -> bool:
    """Whether two panels stand side by side, and every row below the header ends with a frame."""
    rows = text.splitlines()[1:29]
    return rows[0].count("╮") == 2 and all(row[-1:] in ("╮", "│", "╯") for row in rows)


@pytest.mark.thorough
def test_an_answer_that_is_lost_does_not_freeze_the_screen(slow: Terminal) -> None:
    slow.answers = False
    slow.press("g")
    slow.quiet(1.0)
    slow.answers = True
    at = slow.press("\x1b")
    slow.until(lambda text: below_the_header(text)[0].startswith("╭─ 1 Guest GPU"), since=at)
