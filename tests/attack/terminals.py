"""Terminals for attacks: a program on one, and whether it restores what it changed."""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyte

from tests.bench.terminal import Terminal

HERE = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "tui", "--demo")
CHANGED = (sys.executable, "-m", "tests.attack.program")

_MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_COLOURS = re.compile(rb"\x1b\[([\d;]*)m")
_KITTY = re.compile(rb"\x1b\[([<>])\d*u")

AT_FIRST = {"7": "h", "25": "h"}
"""The private modes that are on in a new terminal: wrapping and the cursor."""


NO_STATE = "/proc/vfiotop"
"""A state folder that nobody can create, not even root, who would refuse one in /tmp."""


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    here = {"PYTHONPATH": str(HERE), "XDG_STATE_HOME": NO_STATE, "LC_ALL": "C.UTF-8"}
    return {**kept, **here, **more}


def opened(
    command: Sequence[str] = PROGRAM,
    env: Mapping[str, str] | None = None,
    rate: float | None = None,
) -> Terminal:
    """Start the program, without core dumps."""
    return Terminal(["prlimit", "--core=0", *command], env or environment(), rate=rate)


def ready(terminal: Terminal) -> None:
    """Wait until the overview shows the guests. Before that, more keys have an effect."""
    terminal.until(lambda text: "? help" in text and "Waiting for libvirt" not in text)


def attributes(terminal: Terminal) -> list[object]:
    """The terminal's attributes (termios(3)); both ends of a pty share them."""
    return termios.tcgetattr(terminal._pty)


def reads_lines(terminal: Terminal) -> bool:
    """Whether the terminal echoes input, and reads it a line at a time."""
    wanted = termios.ICANON | termios.ECHO | termios.ISIG
    flags = attributes(terminal)[3]
    assert isinstance(flags, int)
    return flags & wanted == wanted


def left_over(output: bytes) -> dict[str, str]:
    """What the program's output has changed on the terminal and not restored: private modes,
    kitty's keyboard modes, colours."""
    modes: dict[str, str] = {}
    for names, letter in _MODE.findall(output):
        for name in names.decode().split(";"):
            modes[name] = letter.decode()
    left = {name: is_on for name, is_on in modes.items() if is_on != AT_FIRST.get(name, "l")}
    pushed = [1 if sign == b">" else -1 for sign in _KITTY.findall(output)]
    if sum(pushed) > 0:
        left["kitty"] = str(sum(pushed))
    colours = _COLOURS.findall(output)
    if colours and colours[-1] not in (b"", b"0"):
        left["colours"] = colours[-1].decode()
    return left


def given_back(terminal: Terminal, before: list[object]) -> bool:
    """Whether the terminal is as it was before the program, which has ended."""
    assert left_over(terminal.output()) == {}
    assert attributes(terminal) == before
    return reads_lines(terminal)


def drawn_since(terminal: Terminal, since: float) -> str:
    """What a terminal shows that has received only the output after ``since``."""
    screen = pyte.Screen(*terminal._size)
    stream = pyte.ByteStream(screen)
    for piece in terminal.pieces(since):
        stream.feed(piece.data)
    return "\n".join(row.rstrip() for row in screen.display)


def send(terminal: Terminal, number: int) -> None:
    os.kill(terminal.process.pid, number)


def ended_by(terminal: Terminal, number: int) -> bool:
    """Wait for the program to end; returns whether this signal ended it."""
    return terminal.end() == -number


SIGNALS = {int(number): number.name for number in signal.Signals}
