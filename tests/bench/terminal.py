"""A terminal for measuring: a program on a pty that is always read, with the arrival time of every
piece of output.

pyte draws the screen only on request, so it does not slow the program down. With a ``rate`` the
terminal is a slow link: the program waits, as over SSH.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Self

import pyte

PATIENCE = 30.0
"""Seconds after which waiting fails."""

READ_SIZE = 1 << 16

ANSWERS: Mapping[bytes, bytes] = {
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",  # synchronized output: supported, off
    b"\x1b[?2048$p": b"\x1b[?2048;0$y",  # in-band size reports: unsupported
    b"\x1b[5n": b"\x1b[0n",
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[c": b"\x1b[?62;22c",
}
"""Terminal queries and the answers to them (ECMA-48, xterm's control sequences), so that no
program waits for a timeout."""

_QUERY = re.compile(b"|".join(re.escape(query) for query in ANSWERS))
_LONGEST = max(map(len, ANSWERS))

Seen = Callable[[str], bool]


class Piece(NamedTuple):
    """The output of one read, and its time in monotonic seconds."""

    at: float
    data: bytes


class Terminal:
    """``command`` on a controlling terminal of its own.

    ``env`` is its whole environment except TERM and COLORTERM, which are those of a terminal with
    24-bit colours. ``rate`` is the maximum number of bytes read per second.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        columns: int = 120,
        rows: int = 40,
        rate: float | None = None,
    ) -> None:
        self._size = (columns, rows)
        self._rate = rate
        self._pieces: list[Piece] = []
        self._tail = b""
        self._written = 0
        self.answers = True
        """Whether the terminal answers queries."""
        self.writing = threading.Lock()
        """Held while something is written to the program, so that an answer does not split it."""
        self._ended = False
        self._came = threading.Condition()
        self._stop = threading.Event()
        self._pty, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.began = time.monotonic()
        """When the program started, in monotonic seconds."""
        # setsid execs the program, so the process id is the program's.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=end, stdout=end, stderr=end,
            env={**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )  # fmt: skip
        os.close(end)
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what the program writes ---

    @property
    def written(self) -> int:
        """The number of bytes written so far."""
        with self._came:
            return self._written

    def pieces(self, since: float = 0.0) -> list[Piece]:
        """The output after ``since``, in order."""
        with self._came:
            return [piece for piece in self._pieces if piece.at > since]

    def output(self, since: float = 0.0) -> bytes:
        return b"".join(piece.data for piece in self.pieces(since))

    def next_piece(self, since: float, patience: float = PATIENCE) -> float:
        """Wait for output after ``since``; returns the time at which the first of it came."""
        return self._wait(lambda: next((p.at for p in self._pieces if p.at > since), None),
                          patience, "more output")  # fmt: skip

    def more_than(self, written: int, patience: float = PATIENCE) -> None:
        """Wait until more than ``written`` bytes have been written.

        For a wait between two checks: a piece is recorded a moment after the time it came at, so
        the time of a check does not tell which pieces the check saw.
        """
        self._wait(lambda: self.began if self._written > written else None, patience, "more output")

    def quiet(self, seconds: float, since: float = 0.0, patience: float = PATIENCE) -> float:
        """Wait until nothing has come for ``seconds``; returns when the last piece came, or
        ``since`` if none did."""
        deadline = time.monotonic() + patience
        with self._came:
            while True:
                last = max(since, self._pieces[-1].at if self._pieces else 0.0)
                left = last + seconds - time.monotonic()
                if left <= 0 or self._ended:
                    return last
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the terminal was never quiet for {seconds} s")
                self._came.wait(left)

    def end(self, patience: float = PATIENCE) -> int:
        """Wait for the program's end and all its output; returns the exit status."""
        self._wait(lambda: time.monotonic() if self._ended else None, patience, "the end")
        return self.process.wait(patience)

    def _wait(self, found: Callable[[], float | None], patience: float, what: str) -> float:
        deadline = time.monotonic() + patience
        with self._came:
            while (at := found()) is None:
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    raise TimeoutError(f"waited for {what}; the terminal shows\n{self._text()}")
                self._came.wait(left)
            return at

    # --- what the terminal shows ---

    def screen(self) -> pyte.Screen:
        """The screen as it is now, drawn from all output."""
        with self._came:
            return self._draw(self._pieces)

    def text(self) -> str:
        """The screen, one line per row."""
        with self._came:
            return self._text()

    def shown(self, seen: Seen) -> float | None:
        """When the piece of output came that first made ``seen`` true; ``None`` if none has."""
        screen = pyte.Screen(*self._size)
        stream = pyte.ByteStream(screen)
        for piece in self.pieces():
            stream.feed(piece.data)
            if seen(_rows(screen)):
                return piece.at
        return None

    def until(self, seen: Seen, patience: float = PATIENCE, since: float = 0.0) -> float:
        """Wait until the screen shows something after ``since``; returns when it first did.

        Checks the screen whenever the program has written.
        """
        screen = pyte.Screen(*self._size)
        stream = pyte.ByteStream(screen)
        drawn = 0

        def look() -> float | None:
            nonlocal drawn
            while drawn < len(self._pieces):
                piece = self._pieces[drawn]
                stream.feed(piece.data)
                drawn += 1
                if piece.at > since and seen(_rows(screen)):
                    return piece.at
            return None

        return self._wait(look, patience, "something on the screen")

    def _draw(self, pieces: Sequence[Piece]) -> pyte.Screen:
        screen = pyte.Screen(*self._size)
        stream = pyte.ByteStream(screen)
        for piece in pieces:
            stream.feed(piece.data)
        return screen

    def _text(self) -> str:
        return _rows(self._draw(self._pieces))

    # --- what the user does ---

    def press(self, keys: str) -> float:
        """Type ``keys``; returns the time."""
        at = time.monotonic()
        with self.writing:
            os.write(self._pty, keys.encode())
        return at

    def resize(self, columns: int, rows: int) -> None:
        """Resize the window; what was drawn before is then unknown."""
        with self._came:
            self._size = (columns, rows)
            self._pieces.clear()
        fcntl.ioctl(self._pty, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hurry(self) -> None:
        """Accept output as fast as it comes from now on."""
        self._rate = None

    def close(self) -> None:
        """End the program if it still runs, and close the terminal."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(2.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait(PATIENCE)
        self._stop.set()
        self._reader.join(PATIENCE)
        if self._pty >= 0:
            os.close(self._pty)
            self._pty = -1

    # --- the reader's thread ---

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._pty, select.POLLIN)
        size = READ_SIZE if self._rate is None else max(1, int(self._rate / 50))
        while not self._stop.is_set():
            if not poll.poll(100):
                continue
            try:
                data = os.read(self._pty, size)
            except OSError:  # the other end is closed
                break
            self._take(data)
            rate = self._rate
            if rate is not None:
                self._stop.wait(len(data) / rate)
        with self._came:
            self._ended = True
            self._came.notify_all()

    def _take(self, data: bytes) -> None:
        """Answer queries, then record the output: keys typed later follow the answers."""
        at = time.monotonic()
        # A query may be split; the tail is shorter than any query, so none is answered twice.
        asked = self._tail + data
        last = 0
        for query in _QUERY.finditer(asked):
            if self.answers:
                with self.writing:
                    os.write(self._pty, ANSWERS[query[0]])
            last = query.end()
        self._tail = asked[max(last, len(asked) - _LONGEST + 1) :]
        with self._came:
            self._pieces.append(Piece(at, data))
            self._written += len(data)
            self._came.notify_all()


def _rows(screen: pyte.Screen) -> str:
    return "\n".join(row.rstrip() for row in screen.display)
