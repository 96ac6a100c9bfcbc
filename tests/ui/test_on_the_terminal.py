"""The whole program on a pty: it shows what Textual's compositor has."""

from __future__ import annotations

import re
import sys
from base64 import b64decode
from pathlib import Path

import pyte

from tests.attack.terminals import environment, opened, ready
from tests.bench.terminal import Terminal

PROGRAM = (sys.executable, "-m", "tests.ui.dump_screen")

KEYS = ("tab", "g", "j", "escape", "e", "escape", "d", "j", "escape", "?", "escape", "t", "z")

CODES = {"tab": "\t", "escape": "\x1b"}

TRIES = 20
"""Attempts; readings may change while the screen is dumped."""


def dumped(terminal: Terminal, number: int, file: Path) -> tuple[list[object], list[object]]:
    """What the terminal shows when the program dumps its screen, and the dump."""
    at = terminal.press("!")
    mark = f"\x1b]2;dumped {number}\x07".encode()
    while mark not in terminal.output():
        at = terminal.next_piece(at)
    return cells(terminal.output().partition(mark)[0].decode()), cells(file.read_text())


def cells(text: str) -> list[object]:
    """The cells of a terminal that has been sent ``text``. A blank has no colour of its own, or in
    reverse video only that: nobody sees whether it is bold."""
    screen = pyte.Screen(120, 40)
    pyte.Stream(screen).feed(re.sub(r"\x1b\[[<>?]?[\d;]*[uh]", "", text))
    found: list[object] = []
    for row in range(40):
        for column in range(120):
            cell = screen.buffer[row][column]
            blank, seen = not cell.data.strip(), cell.reverse or cell.underscore
            front = (
                cell.fg if not blank or seen else "",
                () if blank else (cell.bold, cell.italics),
            )
            found.append((row, column, cell.data, cell.bg, cell.underscore, cell.reverse, front))
    return found


def test_the_terminal_shows_what_the_compositor_has(tmp_path: Path) -> None:
    file = tmp_path / "dump"
    with opened((*PROGRAM, str(file)), environment(TERM="xterm-256color")) as terminal:
        ready(terminal)
        number = 0
        for key in ("", *KEYS):
            terminal.press(CODES.get(key, key))
            for _ in range(TRIES):
                number += 1
                shown, wanted = dumped(terminal, number, file)
                if shown == wanted:
                    break
            assert shown == wanted, key


def test_a_fix_that_is_copied_reaches_the_terminal() -> None:
    """As OSC 52, which terminals take as the content of their clipboard."""
    program = (sys.executable, "-m", "tui", "--demo", "bad-acs")
    with opened(program, environment(TERM="xterm-256color")) as terminal:
        ready(terminal)
        at = terminal.press("d")
        while b"2 fail" not in terminal.output():
            at = terminal.next_piece(at)
        at = terminal.press("y")
        while not (copied := re.search(rb"\x1b\]52;c;([^\x07]+)\x07", terminal.output())):
            at = terminal.next_piece(at)
    assert "another slot" in b64decode(copied[1], validate=True).decode()


def test_events_are_told_with_the_bell_and_on_the_desktop() -> None:
    """Each is tried when it is switched on."""
    with opened(env=environment(TERM="xterm-256color")) as terminal:
        ready(terminal)
        terminal.press("o")
        at = terminal.press("\x1b[B" * 3 + " ")
        while b"\x07" not in terminal.output():
            at = terminal.next_piece(at)
        at = terminal.press("\x1b[B ")
        while b"\x1b]777;notify;vfiotop;events are told here\x1b\\" not in terminal.output():
            at = terminal.next_piece(at)


def test_the_palette_opens_although_it_is_not_imported_at_the_start() -> None:
    program = (sys.executable, "-m", "tui", "--demo", "gaming")
    with opened(program, environment(TERM="xterm-256color")) as terminal:
        ready(terminal)
        terminal.press("\x10")  # ctrl+p
        terminal.until(lambda text: "Search for commands" in text)


def test_the_first_frame_is_written_once() -> None:
    """Nothing in the footer changes after it."""
    program = (sys.executable, "-m", "tui", "--demo", "idle")
    with opened(program, environment(TERM="xterm-256color")) as terminal:
        ready(terminal)
        terminal.quiet(0.5)
        assert terminal.output().count(b"quit") == 1
