"""Writes to the terminal on a thread of its own, since a terminal may be slow or gone."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import threading
from collections.abc import Callable

from tui.terminal.tty import Tty, block_sigttou

QUEUE_SIZE = 30
"""How many texts may wait; ``write`` blocks while the queue is full."""

CHUNK = 4096
"""Bytes per write: less than the kernel buffers, so that the last write finds room."""

POLL_S = 0.2
"""Seconds between two checks whether the pending text is still wanted."""


class Writer:
    """Writes text to ``tty``, as UTF-8 in every locale. Drops it while we are in the background.
    Calls ``on_lost`` once, on its thread, when the terminal cannot be written to any more."""

    def __init__(self, tty: Tty, on_lost: Callable[[], None] = lambda: None) -> None:
        self._tty, self._on_lost = tty, on_lost
        self._queue: queue.Queue[str | None] = queue.Queue(QUEUE_SIZE)
        self._thread = threading.Thread(target=self._run, name="terminal-output", daemon=True)
        self._abandoned = False
        self._closing = ""

    def start(self) -> None:
        """Start the thread. Raises ``RuntimeError`` if it cannot start."""
        self._thread.start()

    def write(self, text: str) -> None:
        """Queue text; blocks while the queue is full. Drops it after ``finish``."""
        while not self._abandoned:
            try:
                self._queue.put(text, timeout=POLL_S)
                return
            except queue.Full:
                continue

    def finish(self, patience: float, closing: str = "") -> None:
        """Wait for at most ``patience`` seconds until everything is written, then ``closing``, even
        in the background. Drops the rest."""
        if self._thread.ident is not None:
            self._closing = closing
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=patience)
                self._thread.join(patience)
        self._abandoned = True

    def _run(self) -> None:
        block_sigttou()
        over = False
        while not over:
            texts = [self._queue.get()]
            while not self._queue.empty():
                texts.append(self._queue.get())
            over = None in texts
            text = "".join(text for text in texts if text is not None)
            self._write(text.encode(), lambda: self._tty.foreground)
        self._write(self._closing.encode(), lambda: True)

    def _write(self, data: bytes, may: Callable[[], bool]) -> None:
        # Checked here, since we learn only afterwards that we were stopped and continued.
        while data and may() and not self._abandoned and not self._tty.closed:
            try:
                data = data[os.write(self._tty.output_fd, data[:CHUNK]) :]
            except BlockingIOError:  # another program made the terminal non-blocking
                select.select([], [self._tty.output_fd], [], POLL_S)
            except OSError:
                self._abandoned = True
                self._on_lost()
