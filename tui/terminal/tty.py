"""The terminal: taken for the screen, and given back as it was.

All that is changed on it stands in this module, beside what undoes it.
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
"""Private modes of xterm: buttons, all movements, and two ways of telling large coordinates."""

KITTY_KEYS = 1 | 8 | 16
"""Keys told apart, all of them, with their text (kitty's keyboard protocol)."""

LARGEST = (1000, 500)
"""Columns and rows that are drawn at most. A size is what the terminal says it is."""

USUAL = (80, 24)
"""The size of a terminal that does not know its own."""

_DEV_TTY = os.makedev(5, 0)
"""kernel: Documentation/admin-guide/devices.txt."""

PATIENCE = 0.5
"""Seconds for which the last words are waited for on a terminal that takes nothing."""


def _modes(letter: str, *modes: str) -> str:
    return "".join(f"\x1b[?{mode}{letter}" for mode in modes)


def enter(*, mouse: bool = True, kitty: bool = True) -> str:
    """What takes the terminal: the other screen, no cursor, no wrapping; the mouse, the focus,
    pastes and keys told as sequences."""
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
    + "\x1b[<u"  # the main screen has key modes of its own, so first this
    + _modes("l", "1049")
    + _modes("h", "25")
)
"""What gives the terminal back, whatever of it was taken."""

CANCEL = "\x18"
"""Ends a sequence that was written in part (CAN, ECMA-48)."""


class NoTerminal(VfiotopError):
    """There is none for the screen: why, as in "the screen needs one, and …"."""


class Tty:
    """The terminal with ``keys`` to read from and ``screen`` to write to: file descriptors."""

    def __init__(self, keys: int = 0, screen: int = 2) -> None:
        self.keys, self.screen = keys, screen
        self._before: list[Any] | None = None
        self.taken = False
        """Whether it is the screen's now."""
        self.lent = False
        """Whether somebody else has it for a while."""
        self.over = False
        """Whether nothing more is written to it but the last words."""

    @property
    def foreground(self) -> bool:
        """Whether the shell has given it to us. One without job control is always ours."""
        try:
            return os.tcgetpgrp(self.keys) == os.getpgrp()
        except OSError:
            return True

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            size = os.get_terminal_size(self.screen)
        except OSError:
            return USUAL
        return (
            min(size.columns or USUAL[0], LARGEST[0]),
            min(size.lines or USUAL[1], LARGEST[1]),
        )

    def take(self) -> None:
        """Have every key told at once, unchanged and without echo. What it was before is kept
        until it is given back."""
        self.taken = True
        with contextlib.suppress(termios.error):
            if self._before is None:
                self._before = termios.tcgetattr(self.keys)
            termios.tcsetattr(self.keys, termios.TCSANOW, _raw(self._before))

    def give_back(self) -> None:
        """Make it read lines again; what was typed ahead is dropped. A terminal that is the
        shell's by now is left alone."""
        before, self._before, self.taken = self._before, None, False
        with contextlib.suppress(termios.error):
            if before is not None and self.foreground:
                termios.tcflush(self.keys, termios.TCIFLUSH)
                termios.tcsetattr(self.keys, termios.TCSANOW, before)

    def give_back_at_once(self) -> None:
        """Give it back where the rest of the program hangs: from any thread. What waits to be
        written is dropped."""
        if not self.taken:
            return
        self.over = True
        with contextlib.suppress(termios.error):
            if self.foreground:
                termios.tcflush(self.screen, termios.TCOFLUSH)
        self.give_back()
        # A terminal that takes nothing would hang this thread, too.
        last_words = threading.Thread(target=self._write, args=(CANCEL + LEAVE,), daemon=True)
        try:
            last_words.start()
            last_words.join(PATIENCE)
        except RuntimeError:  # no thread can be started
            self._write(CANCEL + LEAVE)

    def _write(self, text: str) -> None:
        hold_output()
        with contextlib.suppress(OSError):
            os.write(self.screen, text.encode())


def standard() -> Tty:
    """The terminal that stdout is, with its keys from whichever standard stream may be read;
    stderr and stdin may lead elsewhere. Raises ``NoTerminal``."""
    if not os.isatty(1) or not _may(1, os.O_WRONLY):
        raise NoTerminal("stdout is none")
    for stream in (0, 1, 2):
        if os.isatty(stream) and _may(stream, os.O_RDONLY) and _same(stream, 1):
            return Tty(stream, 1)
    try:
        return Tty(os.open(os.ttyname(1), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC), 1)
    except OSError as error:
        raise NoTerminal(
            f"no key can be read from the terminal that stdout is ({error.strerror})"
        ) from error


def _may(stream: int, wanted: int) -> bool:
    """Whether a stream was opened for reading, or for writing."""
    return fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_ACCMODE in (wanted, os.O_RDWR)


def _same(one: int, other: int) -> bool:
    """Whether two streams are one terminal: it answers where it is asked. /dev/tty is a name
    of the one that controls this process."""
    numbers = {os.fstat(each).st_rdev for each in (one, other)} - {_DEV_TTY}
    return len(numbers) < 2


def shows_utf8(encoding: str) -> bool:
    """Whether a terminal shows UTF-8, as far as the locale's encoding tells. That of the C locale
    says nothing of the terminal; today's show UTF-8 (as PEP 538 and PEP 540 reason)."""
    try:
        return codecs.lookup(encoding).name in ("utf-8", "ascii")
    except LookupError:
        return False


def hold_output() -> None:
    """Let this thread write also where the terminal is the shell's, without being stopped."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})


def _raw(attributes: list[Any]) -> list[Any]:
    """Attributes (termios(3)) for reading keys."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = attributes
    iflag &= ~(
        termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.IXON | termios.IXOFF
        | termios.ICRNL | termios.INLCR | termios.IGNCR
    )  # fmt: skip
    lflag &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
    cc = [*cc]
    cc[termios.VMIN], cc[termios.VTIME] = 1, 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, cc]
