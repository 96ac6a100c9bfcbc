"""Signals, heard on a thread of their own.

Python runs the handler of a signal between two instructions of the main thread. A main thread
that hangs hears nothing, and a handler may meet it in the middle of what both do. So the handlers
here do nothing; the number of each signal comes to a thread through a pipe
(``signal.set_wakeup_fd``, written by Python's own handler in C).
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
    # Faults: machine code that goes on after one meets it again, for ever.
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS,
}  # fmt: skip

TERMINATING = tuple(sorted(int(number) for number in signal.valid_signals() - _NOT_TERMINATING))
"""The signals that end a process by default and can be caught (signal(7)), those of real time
included."""

READ_SIZE = 512


def _do_nothing(_number: int, _frame: object) -> None:
    """A handler, and not SIG_IGN: programs that are started do not inherit it."""


class Signals:
    """Calls ``heard`` with the number of each signal that is listened to, on one thread. All but
    ``heard`` is for the main thread."""

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._handle = heard
        self._before: dict[int, Any] = {}
        self._read = self._write = self._wakeup_before = -1

    def open(self) -> None:
        """Raises ``RuntimeError`` where no thread can be started."""
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
        """Hear these; one that is ignored stays so (nohup(1)). Without ``open`` nothing changes."""
        if self._write < 0:
            return
        for number in numbers:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None, _do_nothing):
                self._before[number] = before
                signal.signal(number, _do_nothing)

    def restore(self, *numbers: int) -> None:
        """They do again what they did before."""
        for number in numbers:
            if number in self._before:
                signal.signal(number, self._before.pop(number))

    def inject(self, number: int) -> bool:
        """Have this one heard as if it had come. From any thread; whether somebody listens."""
        with contextlib.suppress(OSError):
            return os.write(self._write, bytes([number])) == 1
        return False

    def close(self) -> None:
        """Hear nothing any more."""
        if self._write < 0:
            return
        self.restore(*self._before)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._write)  # which ends the thread
        self._write = -1

    def _run(self) -> None:
        while numbers := os.read(self._read, READ_SIZE):
            for number in numbers:
                with contextlib.suppress(Exception):  # the next one must be heard all the same
                    self._handle(number)
        os.close(self._read)


def end_by(number: int) -> NoReturn:
    """End this process as the signal does by default, so that whoever awaits it sees why. From
    any thread."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(number, signal.SIG_DFL)
    else:  # Python lets only the main thread do that, which may hang
        with contextlib.suppress(Exception):
            import ctypes  # noqa: PLC0415 - seldom needed

            ctypes.CDLL(None).signal(number, 0)
    os.kill(os.getpid(), number)
    time.sleep(1.0)
    os._exit(128 + number)


def stop_by(number: int) -> None:
    """Stop this process as the signal does by default; returns when it is continued, or at once
    where nobody could continue it (an orphaned process group). For the main thread."""
    before = signal.signal(number, signal.SIG_DFL)
    # To this thread, so that it has stopped by the time the call returns.
    signal.pthread_kill(threading.get_ident(), number)
    signal.signal(number, before)
