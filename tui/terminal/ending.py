"""Ends the program while the screen is open: after a key, a signal, or a hangup.

A signal asks the screen to close, and the process then ends by that same signal. If the screen
does not close within ``CLOSE_TIMEOUT_S`` because a thread hangs, the terminal is restored anyway
and the process ends. A swap runs in another session and is not affected.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Self

from tui.process.signals import TERMINATING, Signals, end_by
from tui.terminal.tty import Tty

CLOSE_TIMEOUT_S = 2.0
"""Seconds the screen has to close."""

TOOL_SIGNALS = frozenset({signal.SIGINT, signal.SIGQUIT})
"""Signals meant for the program that uses the terminal for a while, as with system(3)."""


class Ending:
    """A context in which every terminating signal ends the program cleanly.

    ``close`` releases what the program holds; it never raises and may be called twice. ``settle``
    waits, once the terminal is restored, for actions that must not be left half done."""

    def __init__(
        self,
        close: Callable[[], None] = lambda: None,
        tty: Tty | None = None,
        settle: Callable[[], object] = lambda: None,
    ) -> None:
        self.tty = tty or Tty()
        self._close = close
        self._settle = settle
        self.signals = Signals(self._handle)
        self._handlers: dict[int, Callable[[], None]] = {}
        self._close_screen: Callable[[], object] | None = None
        self.ended_by: int | None = None
        """The signal that ends the program, if one does."""
        self.begun = threading.Event()
        """Set when a signal has begun to end the program."""
        self._over = threading.Event()

    def __enter__(self) -> Self:
        """Start handling signals. Raises ``RuntimeError`` if no thread can be started."""
        self.signals.open()
        self.signals.listen(*TERMINATING)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the terminal. Does not return if a signal has ended the program."""
        self._over.set()
        self.tty.give_back_at_once()
        self.signals.close()
        if self.ended_by is not None:
            self._settle()
            self._close()
            end_by(self.ended_by)

    def set_exit(self, close_screen: Callable[[], object]) -> None:
        """Set the call that asks the screen to close; a signal makes it on another thread. Until it
        is set, a signal ends the program at once."""
        self._close_screen = close_screen

    def on_signal(self, number: int, handler: Callable[[], None]) -> None:
        """Call ``handler``, on another thread, for a signal that does not end the program."""
        self._handlers[number] = handler

    def hang_up(self) -> None:
        """End the program because the terminal is gone. Thread-safe; may be called repeatedly."""
        # The kernel sends SIGHUP too, but a process under nohup(1) ignores that.
        if not self.signals.inject(signal.SIGHUP) and self._close_screen is not None:
            self._close_screen()

    def _handle(self, number: int) -> None:
        if number in self._handlers:
            self._handlers[number]()
        elif number in TOOL_SIGNALS and self.tty.lent:
            return
        elif number in TERMINATING:
            self._end(number)

    def _end(self, number: int) -> None:
        """Ask the screen to close; end the process if it does not. Returns if the screen closes, or
        if the program is ending already."""
        if self.ended_by is not None or self._over.is_set():
            return
        self.ended_by = number
        self.begun.set()
        if self._close_screen is None:
            self._end_now(number)
        with contextlib.suppress(RuntimeError):  # its event loop may have ended
            self._close_screen()
        if self.tty.lent:
            _end_tool()
        # Wait for a program that reads a password: it would share the terminal with the shell.
        while not self._over.wait(CLOSE_TIMEOUT_S):
            if not self.tty.lent or number == signal.SIGHUP:
                self._end_now(number)

    def _end_now(self, number: int) -> NoReturn:
        self.tty.give_back_at_once()
        with contextlib.suppress(RuntimeError):  # no thread can be started
            self._close()
        end_by(number)


def _end_tool() -> None:
    """Send SIGTERM to the program that uses the terminal, a child that the main thread waits for.
    One that runs as root cannot be signalled."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with contextlib.suppress(OSError):
        for child in children.read_text().split():
            with contextlib.suppress(OSError):
                os.kill(int(child), signal.SIGTERM)
