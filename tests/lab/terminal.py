"""A terminal of the lab: a program on a pty, what its screen shows, and when."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import pwd
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.lab.host import PATIENCE
from tests.svg import with_own_fonts

Seen = Callable[[str], bool]


class Terminal:
    """A program on a pty of its own; a thread follows its screen."""

    def __init__(
        self, command: Sequence[str], size: tuple[int, int], user: str | None = None
    ) -> None:
        width, height = size
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self._changed = threading.Condition()
        self._at = time.monotonic()
        self.written = 0
        self._pty, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.process = subprocess.Popen(
            # The controlling terminal of a session: password prompts open /dev/tty, and when
            # it closes, every process on it gets SIGHUP.
            ["setsid", "--ctty", *command], stdin=end, stdout=end, stderr=end, user=user,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **_home(user)},
        )  # fmt: skip
        os.close(end)
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def _follow(self) -> None:
        while True:
            try:
                data = os.read(self._pty, 1 << 16)
            except OSError:  # the program has ended
                return
            at = time.monotonic()
            with self._changed:
                self._stream.feed(data)
                self._at = at
                self.written += len(data)
                self._changed.notify_all()

    def text(self) -> str:
        """The screen, one line per row."""
        with self._changed:
            return self._text()

    def _text(self) -> str:
        return "\n".join(row.rstrip() for row in self.screen.display)

    def until(self, seen: Seen, patience: float = PATIENCE) -> float:
        """Wait until the screen shows something; returns the monotonic time at which the
        decisive bytes came."""
        deadline = time.monotonic() + patience
        with self._changed:
            while not seen(self._text()):
                left = deadline - time.monotonic()
                assert self._changed.wait(left) if left > 0 else False, self._text()
            return self._at

    def picture(self, title: str, below: Sequence[str] = ()) -> str:
        """The screen as SVG, with lines of text below it."""
        width = self.screen.columns
        console = Console(
            width=width, height=self.screen.lines + len(below), file=io.StringIO(),
            record=True, force_terminal=True, color_system="truecolor", legacy_windows=False,
        )  # fmt: skip
        with self._changed:
            for row in range(self.screen.lines):
                cells = self.screen.buffer[row]
                line = Text(no_wrap=True, end="\n")
                for column in range(width):
                    line.append(cells[column].data, _style(cells[column]))
                console.print(line)
        for text in below:
            console.print(Text(text, no_wrap=True, overflow="ellipsis"))
        return with_own_fonts(console.export_svg(title=title))

    def press(self, keys: str) -> None:
        os.write(self._pty, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal, as when an SSH connection is lost."""
        os.close(self._pty)
        self._pty = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)
        if self._pty >= 0:
            self._reader.join(PATIENCE)
            os.close(self._pty)


def _home(user: str | None) -> dict[str, str]:
    if user is None:
        return {}
    home = pwd.getpwnam(user).pw_dir
    return {"HOME": home, "USER": user, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home}


def _style(cell: pyte.screens.Char) -> Style:
    return Style(
        color=_colour(cell.fg), bgcolor=_colour(cell.bg),
        bold=cell.bold, reverse=cell.reverse, underline=cell.underscore,
    )  # fmt: skip


def _colour(value: str) -> str:
    """A CSS colour: pyte's are six hex digits or one of a few names."""
    return f"#{value}" if re.fullmatch("[0-9a-f]{6}", value) else value


@contextmanager
def terminal(
    *command: str, size: tuple[int, int] = (120, 40), user: str | None = None
) -> Iterator[Terminal]:
    opened = Terminal(command, size, user)
    try:
        yield opened
    finally:
        opened.close()
