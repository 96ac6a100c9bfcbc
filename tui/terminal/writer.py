"""What is written to the terminal, beside the event loop: a terminal may be slow, or gone."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import threading
from collections.abc import Callable

from tui.terminal.tty import Tty, hold_output

AHEAD = 30
"""Pieces that may wait; whoever writes more waits with them."""

PIECE = 4096
"""Bytes that are written at once: less than the kernel has room for, so that the last words
find some."""

LOOK_S = 0.2
"""Seconds between two looks at whether what waits is still to be written."""


class Writer:
    """Writes text to ``tty``, as UTF-8 whatever the locale. What comes while the terminal is the
    shell's is dropped. ``lost`` is called once, on another thread, when nothing can be written any
    more."""

    def __init__(self, tty: Tty, lost: Callable[[], None] = lambda: None) -> None:
        self._tty, self._lost = tty, lost
        self._waiting: queue.Queue[str | None] = queue.Queue(AHEAD)
        self._thread = threading.Thread(target=self._run, name="terminal-output", daemon=True)
        self._abandoned = False
        self._last_words = ""

    def start(self) -> None:
        """Raises ``RuntimeError`` where no thread can be started."""
        self._thread.start()

    def write(self, text: str) -> None:
        """Returns when there is room for it. What comes after the end is dropped."""
        while not self._abandoned:
            try:
                self._waiting.put(text, timeout=LOOK_S)
                return
            except queue.Full:
                continue

    def finish(self, patience: float, last_words: str = "") -> None:
        """Wait, for so many seconds at most, until all is written, and at the end ``last_words``,
        whosever the terminal is then; the rest is dropped."""
        if self._thread.ident is not None:
            self._last_words = last_words
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=patience)
                self._thread.join(patience)
        self._abandoned = True

    def _run(self) -> None:
        hold_output()
        over = False
        while not over:
            texts = [self._waiting.get()]
            while not self._waiting.empty():
                texts.append(self._waiting.get())
            over = None in texts
            text = "".join(text for text in texts if text is not None)
            self._write(text.encode(), lambda: self._tty.foreground)
        self._write(self._last_words.encode(), lambda: True)

    def _write(self, data: bytes, may: Callable[[], bool]) -> None:
        # A program that was stopped and continued by signals learns of it too late.
        while data and may() and not self._abandoned and not self._tty.over:
            try:
                data = data[os.write(self._tty.screen, data[:PIECE]) :]
            except BlockingIOError:  # somebody has made the terminal so
                select.select([], [self._tty.screen], [], LOOK_S)
            except OSError:
                self._abandoned = True
                self._lost()
