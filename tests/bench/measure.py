"""How each figure is measured; one run of a program gives its values."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench import subjects, usage
from tests.bench.places import HISTORY
from tests.bench.subjects import Subject
from tests.bench.terminal import PATIENCE, Piece, Seen, Terminal
from tui.host.nvml.command import PROGRAM

SETTLE = 4.0
"""Seconds from the first values to the start of a measurement."""

QUIET = 0.015
"""Seconds without output after which a frame is complete."""

ANSWERED = 0.25
"""Seconds without output after which the answer to a key is complete. Programs wait longer than
a frame after a lone escape, because it may begin another key."""

NO_ANSWER = 2.0
"""Seconds after which a key counts as changing nothing."""

UNSEEN = re.compile(rb"\x1b\][^\x07\x1b]*\x07|\x1b\[[?>][0-9;]*[a-z]|\x1b\[6n")
"""Sequences that change no cell: the pointer's shape, modes, the cursor query."""

KEYS = {"tab": "\t", "g": "g", "esc": "\x1b", "?": "?", "down": "\x1b[B"}

ROUND = ("tab", "tab", "tab", "g", "down", "down", "esc", "tab", "?", "esc")
"""A walk through the panels, to the groups and back, to the help and back."""


class Steady(NamedTuple):
    """A running program that shows readings: bytes per second to its terminal, percent of a
    core, MiB, those of its process for NVML, ``None`` if it has none, and the percent of a core
    that other programs used in the meantime."""

    bytes_per_s: float
    cpu_pct: float
    pss_mib: float
    rss_mib: float
    child_mib: float | None
    others_pct: float


class Pressed(NamedTuple):
    """A key press: milliseconds to the first byte of its answer, to the first complete frame and
    to the last one, ``None`` if it changed nothing; the bytes of the answer; and the CPU time
    of the thread that draws, in milliseconds, with that of a reading that came meanwhile."""

    key: str
    first_ms: float | None
    frame_ms: float | None
    last_ms: float | None
    written: int
    cpu_ms: float = 0.0


def first_shown(terminal: Terminal, seen: Seen) -> float:
    """Milliseconds from the start until the screen shows something.

    Reads the screen only between outputs, so that reading does not slow the program down.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        last = terminal.quiet(0.25, since=time.monotonic() - 0.01)
        at = terminal.shown(seen)
        if at is not None:
            return (at - terminal.began) * 1000
        if terminal.process.poll() is not None:
            break
        terminal.next_piece(last)
    raise TimeoutError(f"the screen never came; it shows\n{terminal.text()}")


def start(subject: Subject, folder: Path) -> tuple[float, float]:
    """Milliseconds from the start to the first reading on the screen, and to NVML's values."""
    with subject.open(folder) as terminal:
        values = first_shown(terminal, subject.values)
        reading = terminal.shown(subject.reading)
        assert reading is not None
        return (reading - terminal.began) * 1000, values


def steady(subject: Subject, folder: Path, seconds: float, *, still: bool = False) -> Steady:
    """What a program uses while it shows readings, over ``seconds``."""
    with subject.open(folder, still=still) as terminal:
        first_shown(terminal, subject.values)
        _let_pass(SETTLE)
        pid, ours = terminal.process.pid, os.getpid()
        began, written = time.monotonic(), terminal.written
        cpu, busy, own = usage.cpu_seconds(pid), usage.busy_seconds(), time.process_time()
        _let_pass(seconds)
        took = time.monotonic() - began
        cpu, busy = usage.cpu_seconds(pid) - cpu, usage.busy_seconds() - busy
        written, own = terminal.written - written, time.process_time() - own
        held, child = usage.memory(pid), usage.memory(pid, str(PROGRAM))
        assert terminal.process.poll() is None, f"process {pid} of {ours} has ended"
    others = max(0.0, busy - cpu - own)
    return Steady(written / took, 100 * cpu / took, held.pss / 1024, held.rss / 1024,
                  child.pss / 1024 or None, 100 * others / took)  # fmt: skip


def watch(folder: Path, seconds: float) -> float:
    """MiB of a watch with a history and its processes, ``seconds`` after it began to keep it."""
    before = set((folder / HISTORY).glob("*.history"))
    with Terminal(subjects.watch(folder), subjects.environment(folder)) as terminal:
        deadline = time.monotonic() + PATIENCE
        while before.issuperset((folder / HISTORY).glob("*.history")):
            if time.monotonic() > deadline or terminal.process.poll() is not None:
                raise TimeoutError(f"the watch keeps no history; it says\n{terminal.text()}")
            _let_pass(0.1)
        _let_pass(SETTLE + seconds)
        assert terminal.process.poll() is None, f"the watch has ended:\n{terminal.text()}"
        return usage.memory(terminal.process.pid).pss / 1024


def keys(subject: Subject, folder: Path, count: int, seed: int = 1) -> Iterator[Pressed]:
    """Press ``count`` keys on a host where nothing changes: readings continue, and everything
    written is the answer to a key."""
    moments = random.Random(seed)
    with subject.open(folder, still=True) as terminal:
        first_shown(terminal, subject.values)
        _let_pass(SETTLE)
        for number in range(count):
            key = ROUND[number % len(ROUND)]
            cpu = usage.main_thread_ms(terminal.process.pid)
            at = terminal.press(KEYS[key])
            pieces = _answer(terminal, at)
            cpu = usage.main_thread_ms(terminal.process.pid) - cpu
            found = pressed(key, at, pieces) if pieces else Pressed(key, None, None, None, 0)
            yield found._replace(cpu_ms=cpu)
            _let_pass(moments.uniform(0.0, 0.1))


def _answer(terminal: Terminal, at: float) -> list[Piece]:
    """The output that a key causes, without invisible sequences; empty if it changes
    nothing."""
    last, deadline = at, at + NO_ANSWER
    while not any(shows(piece.data) for piece in terminal.pieces(at)):
        try:
            last = terminal.next_piece(last, deadline - time.monotonic())
        except TimeoutError:
            return []
    terminal.quiet(ANSWERED, at)
    return [piece for piece in terminal.pieces(at) if shows(piece.data)]


def shows(data: bytes) -> bool:
    """Whether output has more than queries and settings, which are invisible."""
    return bool(UNSEEN.sub(b"", data))


def pressed(key: str, at: float, pieces: Sequence[Piece]) -> Pressed:
    """The times of the answer to a key pressed at ``at``."""
    frame = pieces[0].at
    for piece in pieces:
        if piece.at - frame > QUIET:
            break
        frame = piece.at
    first, frame, last = (1000 * (moment - at) for moment in (pieces[0].at, frame, pieces[-1].at))
    return Pressed(key, first, frame, last, sum(len(piece.data) for piece in pieces))


def _let_pass(seconds: float) -> None:
    """Wait, leaving the program alone."""
    threading.Event().wait(seconds)
