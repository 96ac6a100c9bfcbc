"""The whole program on a pty: it shows what Textual's compositor has."""

from __future__ import annotations

import re
import sys
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
    """The cells of a terminal that has been sent ``text``; a blank has no colour of its own."""
    screen = pyte.Screen(120, 40)
    pyte.Stream(screen).feed(re.sub(r"\x1b\[[<>?]?[\d;]*[uh]", "", text))
    found: list[object] = []
    for row in range(40):
        for column in range(120):
            cell = screen.buffer[row][column]
            blank = not cell.data.strip() and not cell.reverse and not cell.underscore
            front = () if blank else (cell.fg, cell.bold, cell.italics)
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
