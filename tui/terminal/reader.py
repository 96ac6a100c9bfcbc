"""What is typed at the terminal, read on a thread of its own."""

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

ENDS_S = 1.0
"""Seconds for which the thread is waited for: it may be busy with what it has read."""

BACKGROUND_S = 0.1
"""Seconds between two looks at whether the shell has given us the terminal again."""


class Reader:
    """Reads ``tty`` and calls ``told`` on its thread for each event. Before its time it ends with
    a call of ``lost``, with why: nothing when the terminal is gone."""

    def __init__(
        self, tty: Tty, told: Callable[[Message], None], lost: Callable[[Exception | None], None]
    ) -> None:
        self._tty, self._told, self._lost = tty, told, lost
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
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN})
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
        typed, keys = InputParser(), self._tty.keys
        decode = getincrementaldecoder("utf-8")("replace").decode
        poll = select.poll()
        poll.register(keys, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._stopped:
            due_s = typed.due_s
            ready = poll.poll(None if due_s is None else due_s * 1000)
            for event in typed.tick():
                self._told(event)
            if self._stopped or not any(each == keys for each, _ in ready):
                continue
            try:
                data = os.read(keys, READ_SIZE)
            except BlockingIOError:  # somebody has made the terminal so, and was faster
                continue
            except OSError:
                if self._tty.foreground:
                    raise
                # It is the shell's now. Who reads it is stopped, or refused where SIGTTIN is
                # blocked: to be stopped is for the main thread, which may be about to end.
                select.select([self._wake], [], [], BACKGROUND_S)
                continue
            if not data:
                self._lost(None)
                return
            for event in typed.feed(decode(data)):
                self._told(event)
