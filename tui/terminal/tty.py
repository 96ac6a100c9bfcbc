"""Sets the terminal up for the screen, and restores it.

Every change to the terminal is in this module, next to what undoes it.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import signal
import termios
import threading
from typing import Any

from tui.model.errors import VfiotopError

MOUSE = ("1000", "1003", "1015", "1006")
"""xterm's private modes: buttons, all movement, and two encodings of large coordinates."""

KITTY_KEYS = 1 | 8 | 16
"""Flags of kitty's keyboard protocol: disambiguate keys, report all of them, with text."""

MAX_SIZE = (1000, 500)
"""Maximum columns and rows to draw. A terminal may report any size."""

DEFAULT_SIZE = (80, 24)
"""The size of a terminal that does not know its own."""

_DEV_TTY = os.makedev(5, 0)
"""kernel: Documentation/admin-guide/devices.txt."""

LEAVE_TIMEOUT_S = 0.5
"""Seconds to wait for the last write to a terminal that accepts nothing."""


def _modes(letter: str, *modes: str) -> str:
    return "".join(f"\x1b[?{mode}{letter}" for mode in modes)


def enter(*, mouse: bool = True, kitty: bool = True) -> str:
    """The sequences that set up the terminal: alternate screen, no cursor, no wrapping; mouse,
    focus, bracketed paste and keys reported as sequences."""
    return (
        _modes("h", "1049")
        + (_modes("h", *MOUSE) if mouse else "")
        + _modes("l", "25")
        + _modes("h", "1004")
        + (f"\x1b[>{KITTY_KEYS}u" if kitty else "")
        + _modes("h", "2004")
        + _modes("l", "7")
    )


LEAVE = (
    _modes("l", "2026")  # synchronized output
    + "\x1b[0m"
    + _modes("l", *MOUSE, "1002", "1016", "1004", "2004", "2048")
    + _modes("h", "7")
    + "\x1b[<u"  # each screen has its own key modes: reset them before leaving this one
    + _modes("l", "1049")
    + _modes("h", "25")
)
"""The sequences that restore the terminal, whatever of ``enter`` it has received."""

CANCEL = "\x18"
"""Aborts a partly written sequence (CAN, ECMA-48)."""


class NoTerminal(VfiotopError):
    """There is no terminal for the screen; the text completes "the screen needs one, and …"."""


class Tty:
    """The terminal, as a file descriptor to read from and one to write to."""

    def __init__(self, input_fd: int = 0, output_fd: int = 2) -> None:
        self.input_fd, self.output_fd = input_fd, output_fd
        self._before: list[Any] | None = None
        self.taken = False
        """Whether it is set up for the screen."""
        self.lent = False
        """Whether another program uses it temporarily, as sudo does for a password."""
        self.closed = False
        """Whether nothing more is written to it except the sequences that restore it."""

    @property
    def foreground(self) -> bool:
        """Whether we are its foreground process group; always true without job control."""
        try:
            return os.tcgetpgrp(self.input_fd) == os.getpgrp()
        except OSError:
            return True

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            size = os.get_terminal_size(self.output_fd)
        except OSError:
            return DEFAULT_SIZE
        return (
            min(size.columns or DEFAULT_SIZE[0], MAX_SIZE[0]),
            min(size.lines or DEFAULT_SIZE[1], MAX_SIZE[1]),
        )

    def take(self) -> None:
        """Switch to raw input: each key at once, unchanged and without echo. The first call saves
        the attributes that ``give_back`` restores."""
        self.taken = True
        with contextlib.suppress(termios.error):
            if self._before is None:
                self._before = termios.tcgetattr(self.input_fd)
            termios.tcsetattr(self.input_fd, termios.TCSANOW, _raw(self._before))

    def give_back(self) -> None:
        """Restore the saved attributes and drop what was typed ahead. Does neither while we are in
        the background: then the terminal belongs to the shell."""
        before, self._before, self.taken = self._before, None, False
        with contextlib.suppress(termios.error):
            if before is not None and self.foreground:
                termios.tcflush(self.input_fd, termios.TCIFLUSH)
                termios.tcsetattr(self.input_fd, termios.TCSANOW, before)

    def give_back_at_once(self) -> None:
        """Restore the terminal even if the rest of the program hangs. Drops pending output. May be
        called from any thread."""
        if not self.taken:
            return
        self.closed = True
        with contextlib.suppress(termios.error):
            if self.foreground:
                termios.tcflush(self.output_fd, termios.TCOFLUSH)
        self.give_back()
        # A terminal that accepts nothing would hang this thread too.
        writer = threading.Thread(target=self._write, args=(CANCEL + LEAVE,), daemon=True)
        try:
            writer.start()
            writer.join(LEAVE_TIMEOUT_S)
        except RuntimeError:  # no thread can be started
            self._write(CANCEL + LEAVE)

    def _write(self, text: str) -> None:
        block_sigttou()
        with contextlib.suppress(OSError):
            os.write(self.output_fd, text.encode())


def standard_tty() -> Tty:
    """The terminal on stdout, read through whichever standard stream of the same terminal is open
    for reading; stdin and stderr may be redirected. Raises ``NoTerminal``."""
    if not os.isatty(1) or not _is_open_for(1, os.O_WRONLY):
        raise NoTerminal("stdout is not one")
    for stream in (0, 1, 2):
        if os.isatty(stream) and _is_open_for(stream, os.O_RDONLY) and _is_same_terminal(stream, 1):
            return Tty(stream, 1)
    try:
        return Tty(os.open(os.ttyname(1), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC), 1)
    except OSError as error:
        raise NoTerminal(
            f"no keys can be read from the one on stdout ({error.strerror})"
        ) from error


def _is_open_for(stream: int, wanted: int) -> bool:
    """Whether a stream is open for reading (``O_RDONLY``) or writing (``O_WRONLY``)."""
    return fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_ACCMODE in (wanted, os.O_RDWR)


def _is_same_terminal(one: int, other: int) -> bool:
    """Whether two streams are the same terminal, so that its answers arrive where we read.
    /dev/tty is another name of the controlling terminal."""
    numbers = {os.fstat(each).st_rdev for each in (one, other)} - {_DEV_TTY}
    return len(numbers) < 2


def shows_utf8(encoding: str) -> bool:
    """Whether the terminal shows UTF-8, judging by the locale's encoding. The C locale says
    nothing about the terminal, and today's terminals show UTF-8 (see PEP 538 and PEP 540)."""
    try:
        return codecs.lookup(encoding).name in ("utf-8", "ascii")
    except LookupError:
        return False


def block_sigttou() -> None:
    """Let this thread write from the background without being stopped (SIGTTOU)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})


def _raw(attributes: list[Any]) -> list[Any]:
    """The attributes for raw input (termios(3))."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = attributes
    iflag &= ~(
        termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.IXON | termios.IXOFF
        | termios.ICRNL | termios.INLCR | termios.IGNCR
    )  # fmt: skip
    lflag &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
    cc = [*cc]
    cc[termios.VMIN], cc[termios.VTIME] = 1, 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, cc]
