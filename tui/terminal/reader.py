"""Reads the terminal's input on a thread."""

from __future__ import annotations

import os
import select
import signal
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable

from textual.message import Message

from tui.terminal.input import InputParser
from tui.terminal.tty import Tty

READ_SIZE = 4096

JOIN_TIMEOUT_S = 1.0
"""Seconds that ``stop`` waits for the thread, which may be busy with its last input."""

BACKGROUND_POLL_S = 0.1
"""Seconds between two checks whether we are in the foreground again."""


class Reader:
    """Reads ``tty`` and calls ``on_event`` on its thread for each event. If it ends before
    ``stop``, it calls ``on_end`` with the error, or with ``None`` if the terminal is gone."""

    def __init__(
        self,
        tty: Tty,
        on_event: Callable[[Message], None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        self._tty, self._on_event, self._on_end = tty, on_event, on_end
        self._may_read, self._stopped = threading.Event(), False
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="terminal-input", daemon=True)

    def start(self) -> None:
        """Start the thread, which reads from ``begin`` on. Raises ``RuntimeError`` if it cannot."""
        self._thread.start()

    def begin(self) -> None:
        """Start reading."""
        self._may_read.set()

    def stop(self) -> None:
        """Stop reading. Call it from another thread."""
        self._stopped = True
        self._may_read.set()
        if self._wake_write >= 0:
            os.close(self._wake_write)
            self._wake_write = -1
        if self._thread.ident is not None:
            self._thread.join(JOIN_TIMEOUT_S)

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN})
        self._may_read.wait()
        try:
            self._read()
        except OSError:  # EIO: the terminal was hung up
            self._on_end(None)
        except Exception as error:  # a bug must not leave a screen without keys
            self._on_end(error)
        finally:
            os.close(self._wake_read)

    def _read(self) -> None:
        parser, descriptor = InputParser(), self._tty.input_fd
        decode = getincrementaldecoder("utf-8")("replace").decode
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while not self._stopped:
            timeout_s = parser.timeout_s
            ready = poll.poll(None if timeout_s is None else timeout_s * 1000)
            if self._stopped or not any(each == descriptor for each, _ in ready):
                # Not if there is input: it may have arrived in time, and this thread may be late.
                for event in parser.tick():
                    self._on_event(event)
                continue
            try:
                data = os.read(descriptor, READ_SIZE)
            except BlockingIOError:  # another program made the tty non-blocking, and read first
                continue
            except OSError:
                if self._tty.foreground:
                    raise
                # We are in the background, where a read raises SIGTTIN, or fails if that is
                # blocked. This thread blocks it: the main thread decides whether to stop, since the
                # program may be ending.
                select.select([self._wake_read], [], [], BACKGROUND_POLL_S)
                continue
            if not data:
                self._on_end(None)
                return
            for event in parser.feed(decode(data)):
                self._on_event(event)
