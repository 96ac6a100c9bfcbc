"""Terminals for attacks: what a program leaves of one, and one that is as large as it claims."""

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
"""Private modes that a terminal begins with, if they are on: wrapping, and the cursor."""


NO_STATE = "/proc/vfiotop"
"""A folder for the state that nobody can make, not even root, who would not use one of /tmp."""


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    here = {"PYTHONPATH": str(HERE), "XDG_STATE_HOME": NO_STATE, "LC_ALL": "C.UTF-8"}
    return {**kept, **here, **more}


def opened(
    command: Sequence[str] = PROGRAM,
    env: Mapping[str, str] | None = None,
    rate: float | None = None,
) -> Terminal:
    """The program without core files."""
    return Terminal(["prlimit", "--core=0", *command], env or environment(), rate=rate)


def ready(terminal: Terminal) -> None:
    """Wait until the overview is there, with the guests: before that, more keys do something."""
    terminal.until(lambda text: "? help" in text and "Waiting for libvirt" not in text)


def attributes(terminal: Terminal) -> list[object]:
    """Those of the terminal's line (termios(3)); those of a pty are one on both ends."""
    return termios.tcgetattr(terminal._pty)


def reads_lines(terminal: Terminal) -> bool:
    """Whether what is typed is echoed, and read a line at a time."""
    wanted = termios.ICANON | termios.ECHO | termios.ISIG
    flags = attributes(terminal)[3]
    assert isinstance(flags, int)
    return flags & wanted == wanted


def left_over(output: bytes) -> dict[str, str]:
    """What the program has changed on the terminal by all that it has written, and not changed
    back: private modes, key modes of kitty's, colours."""
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
    """What a terminal shows that knows nothing of what was written before."""
    screen = pyte.Screen(*terminal._size)
    stream = pyte.ByteStream(screen)
    for piece in terminal.pieces(since):
        stream.feed(piece.data)
    return "\n".join(row.rstrip() for row in screen.display)


def send(terminal: Terminal, number: int) -> None:
    os.kill(terminal.process.pid, number)


def ended_by(terminal: Terminal, number: int) -> bool:
    """Wait for the end; whether it was this signal."""
    return terminal.end() == -number


SIGNALS = {int(number): number.name for number in signal.Signals}
