"""What is typed at the terminal, read on a thread of its own."""

from __future__ import annotations

import os
import select
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable

from textual.message import Message

from tui.typed import Typed

READ_SIZE = 4096

ENDS_S = 1.0
"""Seconds for which the thread is waited for: it may be busy with what it has read."""


class Reader:
    """Reads ``keys``, a file descriptor, and calls ``told`` on its thread for each event. In the
    end it calls ``lost``, with why: nothing when the terminal is gone."""

    def __init__(
        self, keys: int, told: Callable[[Message], None], lost: Callable[[Exception | None], None]
    ) -> None:
        self._keys, self._told, self._lost = keys, told, lost
        self._go, self._stopped = threading.Event(), False
        self._wake, self._awake = os.pipe()
        self._thread = threading.Thread(target=self._run, name="terminal-input", daemon=True)

    def start(self) -> None:
        """Be ready to read. Raises ``RuntimeError`` where no thread can be started."""
        self._thread.start()

    def begin(self) -> None:
        self._go.set()

    def stop(self) -> None:
        """Read nothing more. From another thread."""
        self._stopped = True
        self._go.set()
        if self._awake >= 0:
            os.close(self._awake)
            self._awake = -1
        if self._thread.ident is not None:
            self._thread.join(ENDS_S)

    def _run(self) -> None:
        self._go.wait()
        try:
            self._read()
        except OSError:  # EIO: it was hung up
            self._lost(None)
        except Exception as error:  # a defect of ours must not leave a screen without keys
            self._lost(error)
        finally:
            os.close(self._wake)

    def _read(self) -> None:
        typed = Typed()
        decode = getincrementaldecoder("utf-8")("replace").decode
        poll = select.poll()
        poll.register(self._keys, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._stopped:
            due_s = typed.due_s
            ready = poll.poll(None if due_s is None else due_s * 1000)
            for event in typed.tick():
                self._told(event)
            if self._stopped or not any(each == self._keys for each, _ in ready):
                continue
            try:
                data = os.read(self._keys, READ_SIZE)
            except BlockingIOError:  # somebody has made the terminal so, and was faster
                continue
            if not data:
                self._lost(None)
                return
            for event in typed.feed(decode(data)):
                self._told(event)
