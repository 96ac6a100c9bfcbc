"""How the program ends while the screen is open: by a key, by a signal, or with its terminal.

A signal asks the screen to close, and the process then ends by that same signal. Where the screen
does not close within ``GRACE_S``, because a thread hangs, the terminal is given back without it
and the process ends all the same. A swap runs elsewhere and hears nothing of this.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Self

from tui.process.signals import ENDS, Signals, end_by
from tui.terminal.tty import Tty

GRACE_S = 2.0
"""Seconds that the screen has to close."""

OF_THE_TOOL = frozenset({signal.SIGINT, signal.SIGQUIT})
"""What is typed at whoever has the terminal for a while, as with system(3)."""


class Ending:
    """Within it (``with``) every signal that can be caught ends the program in good order.
    ``close`` lets go of all that is held; it never raises and may be called twice. ``settle``
    waits for what must not be left half way, once the terminal is given back."""

    def __init__(
        self,
        close: Callable[[], None] = lambda: None,
        tty: Tty | None = None,
        settle: Callable[[], object] = lambda: None,
    ) -> None:
        self.tty = tty or Tty()
        self._close = close
        self._settle = settle
        self.signals = Signals(self._heard)
        self._others: dict[int, Callable[[], None]] = {}
        self._leave: Callable[[], object] | None = None
        self.by: int | None = None
        """The signal that ends the program."""
        self.begun = threading.Event()
        """Set when something has begun to end it."""
        self._over = threading.Event()

    def __enter__(self) -> Self:
        """Raises ``RuntimeError`` where no thread can be started."""
        self.signals.open()
        self.signals.listen(*ENDS)
        return self

    def __exit__(self, *_: object) -> None:
        """Does not return where a signal has ended the program."""
        self._over.set()
        self.tty.give_back_at_once()
        self.signals.close()
        if self.by is not None:
            self._settle()
            self._close()
            end_by(self.by)

    def asks(self, leave: Callable[[], object]) -> None:
        """From now on a signal calls ``leave``, on another thread, which asks the screen to
        close. Before, there is nothing to close, and the end comes at once."""
        self._leave = leave

    def on(self, number: int, call: Callable[[], None]) -> None:
        """Call ``call``, on another thread, for a signal that ends nothing."""
        self._others[number] = call

    def hang_up(self) -> None:
        """The terminal is gone. From any thread, any number of times."""
        # The kernel tells as well, but not whoever ignores that (nohup(1)).
        if not self.signals.tell(signal.SIGHUP) and self._leave is not None:
            self._leave()

    def _heard(self, number: int) -> None:
        if number in self._others:
            self._others[number]()
        elif number in OF_THE_TOOL and self.tty.lent:
            return
        elif number in ENDS:
            self._end(number)

    def _end(self, number: int) -> None:
        """Returns only where the program is about to end by itself, or ends already."""
        if self.by is not None or self._over.is_set():
            return
        self.by = number
        self.begun.set()
        if self._leave is None:
            self._end_now(number)
        with contextlib.suppress(RuntimeError):  # its event loop may be over
            self._leave()
        if self.tty.lent:
            _end_tool()
        # Who still reads a password from the terminal would share it with the shell.
        while not self._over.wait(GRACE_S):
            if not self.tty.lent or number == signal.SIGHUP:
                self._end_now(number)

    def _end_now(self, number: int) -> NoReturn:
        self.tty.give_back_at_once()
        with contextlib.suppress(RuntimeError):  # no thread can be started
            self._close()
        end_by(number)


def _end_tool() -> None:
    """Ask the program that has the terminal to end: a child of the main thread, which waits for
    it. One that is root's does not hear it."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with contextlib.suppress(OSError):
        for child in children.read_text().split():
            with contextlib.suppress(OSError):
                os.kill(int(child), signal.SIGTERM)
