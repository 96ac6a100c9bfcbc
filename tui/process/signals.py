"""Handles signals on a thread of their own.

Python runs signal handlers between two instructions of the main thread. If that thread hangs, they
do not run, and if it does not, they may interrupt it in the middle of what they need. The handlers
here do nothing; a thread reads the number of each signal from a pipe, to which Python's own
handler in C writes it (``signal.set_wakeup_fd``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

_NOT_TERMINATING = {
    signal.SIGKILL, signal.SIGSTOP,  # cannot be caught
    signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH,  # are ignored by default
    signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,  # stop and continue
    # Faults: machine code that continues after one runs into it again, forever.
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS,
}  # fmt: skip

TERMINATING = tuple(sorted(int(number) for number in signal.valid_signals() - _NOT_TERMINATING))
"""The signals that end a process by default and can be caught, real-time signals included
(signal(7))."""

READ_SIZE = 512


def _do_nothing(_number: int, _frame: object) -> None:
    """A handler that does nothing. Unlike SIG_IGN it is not inherited by child programs."""


class Signals:
    """Calls ``handle`` on a thread with the number of each signal that is listened for. The
    methods are for the main thread, except ``inject``."""

    def __init__(self, handle: Callable[[int], None]) -> None:
        self._handle = handle
        self._before: dict[int, Any] = {}
        self._read = self._write = self._wakeup_before = -1

    def open(self) -> None:
        """Start the thread. Raises ``RuntimeError`` if it cannot start."""
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        thread = threading.Thread(target=self._run, name="signals", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            os.close(self._read)
            os.close(self._write)
            raise
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def listen(self, *numbers: int) -> None:
        """Listen for signals, except ignored ones (nohup(1)). Does nothing before ``open``."""
        if self._write < 0:
            return
        for number in numbers:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None, _do_nothing):
                self._before[number] = before
                signal.signal(number, _do_nothing)

    def restore(self, *numbers: int) -> None:
        """Restore the previous handlers of signals."""
        for number in numbers:
            if number in self._before:
                signal.signal(number, self._before.pop(number))

    def inject(self, number: int) -> bool:
        """Handle a signal as if it had arrived; thread safe. Returns whether the thread listens."""
        with contextlib.suppress(OSError):
            return os.write(self._write, bytes([number])) == 1
        return False

    def close(self) -> None:
        """Restore all handlers and end the thread."""
        if self._write < 0:
            return
        self.restore(*self._before)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._write)  # ends the thread
        self._write = -1

    def _run(self) -> None:
        while numbers := os.read(self._read, READ_SIZE):
            for number in numbers:
                with contextlib.suppress(Exception):  # the next one must still be handled
                    self._handle(number)
        os.close(self._read)


def end_by(number: int) -> NoReturn:
    """End this process by a signal's default action, so that its parent sees why. Thread
    safe."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(number, signal.SIG_DFL)
    else:  # only Python's main thread may set handlers, and it may hang
        with contextlib.suppress(Exception):
            import ctypes  # noqa: PLC0415 - rarely needed

            ctypes.CDLL(None).signal(number, 0)
    os.kill(os.getpid(), number)
    time.sleep(1.0)
    os._exit(128 + number)


def stop_by(number: int) -> None:
    """Stop this process by a signal's default action. Returns when it is continued, or at once in
    an orphaned process group, which nobody could continue. For the main thread."""
    before = signal.signal(number, signal.SIG_DFL)
    # Sent to this thread, so that it has stopped by the time the call returns.
    signal.pthread_kill(threading.get_ident(), number)
    signal.signal(number, before)
