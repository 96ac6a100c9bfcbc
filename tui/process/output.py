"""Writes all output of the command line, to descriptors 1 and 2.

All of it is safe for a terminal: characters that do not print are escaped, wherever they come from.
It fits the locale: characters that the encoding lacks are spelled in ASCII. Writing never raises:
an error is recorded in ``Channel.lost``, so that a full disk or a closed pipe does not end a
command halfway.

Nothing is buffered, so Python has nothing left to write at exit. The module imports none of our
modules: ``tui.__main__`` needs it when other imports fail.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import select
import sys
from typing import Any

LINE_LIMIT = 1000
"""Characters of an error, which is one line."""

QUOTE_LIMIT = 40
"""Characters of the user's input that an error quotes."""

_ASCII = {
    "–": "-", "—": "-", "→": "->", "“": '"', "”": '"', "‘": "'", "’": "'", "…": "...",
    "·": "-", "×": "x", "°": "", "µ": "u", "≤": "<=", "≥": ">=", "✓": "ok", "✗": "x",
}  # fmt: skip


class Channel:
    """Standard output or standard error."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.lost: OSError | None = None
        """The error of the first failed write. Nothing is written after it."""

    @property
    def encoding(self) -> str:
        """The encoding of the locale, or of PYTHONIOENCODING, as Python found it at start."""
        stream = sys.stdout if self.descriptor == 1 else sys.stderr
        return getattr(stream, "encoding", None) or "ascii"

    def write(self, text: str) -> None:
        """Write text unescaped, spelling in ASCII what the encoding lacks."""
        self.write_bytes(text.encode(self.encoding, "vfiotop.ascii"))

    def write_bytes(self, data: bytes) -> None:
        """Write data that is not text, such as an archive."""
        left = memoryview(data)
        try:
            while left and self.lost is None:
                left = left[self._write_some(left) :]
        except OSError as error:
            self.lost = error

    def _write_some(self, data: memoryview) -> int:
        """Write some bytes and return how many. Another process may have made the terminal
        non-blocking."""
        try:
            return os.write(self.descriptor, data)
        except BlockingIOError:
            select.select([], [self.descriptor], [])
            return 0


STDOUT, STDERR = Channel(1), Channel(2)


def printable(text: str, *, lines: bool = False) -> str:
    """Replace each character that does not print with its Python escape: control and format
    characters (bidi overrides included), separators other than the blank, surrogates, unassigned
    code points. ``lines`` keeps newlines."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or (lines and c == "\n") else c.encode("unicode_escape").decode()
        for c in text
    )


def short(text: str, limit: int = QUOTE_LIMIT) -> str:
    """Shorten text to ``limit`` characters, with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def say(text: str = "", channel: Channel | None = None) -> None:
    """Print one or more lines, on stdout by default."""
    (channel or STDOUT).write(printable(text, lines=True) + "\n")


def say_line(text: str) -> None:
    """Print one line; newlines in it are escaped."""
    STDOUT.write(printable(text) + "\n")


def conversation() -> Channel | None:
    """Where a person at the terminal reads a question and what it is about: standard output, or
    standard error if that one goes to a file or a pipe; ``None`` if both do."""
    return next((each for each in (STDOUT, STDERR) if os.isatty(each.descriptor)), None)


def ask(question: str, channel: Channel) -> bool:
    """Print a question without a trailing newline. Returns whether all output so far was
    written."""
    channel.write(printable(question, lines=True))
    return channel.lost is None


def say_json(value: Any, indent: int | None = 1) -> None:
    """Print a value as JSON. Characters in strings that do not print are escaped; unless the
    encoding is UTF-8, so are all outside ASCII."""
    ascii_only = codecs.lookup(STDOUT.encoding).name != "utf-8"
    STDOUT.write(json_text(value, indent, ascii_only=ascii_only) + "\n")


def json_text(value: Any, indent: int | None = None, *, ascii_only: bool = False) -> str:
    """Encode a value as JSON in which every character prints, except newlines between values."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def note(text: str) -> None:
    """Print one line on stderr."""
    line = printable(text[: LINE_LIMIT + 1].replace("\n", " "))
    STDERR.write(short(line, LINE_LIMIT) + "\n")


def report_error(text: str) -> None:
    """Print an error as one line on stderr."""
    note(f"vfiotop: {text}")


def lost() -> str | None:
    """Why output is missing, in a sentence; ``None`` if all was written, or if the reader closed
    the pipe."""
    error = STDOUT.lost
    if error is None or error.errno == errno.EPIPE:
        return None
    return f"the output could not be written: {error.strerror}"


def open_missing_streams() -> None:
    """Open /dev/null for each standard stream that our parent closed. Otherwise the next file,
    lock or socket gets its number and receives our output."""
    while True:
        try:
            descriptor = os.open(os.devnull, os.O_RDWR)
        except OSError:  # no /dev: a descriptor that cannot be used takes the number
            descriptor = os.open("/", os.O_PATH)
        if descriptor > 2:
            os.close(descriptor)
            break
        os.set_inheritable(descriptor, True)
    for name, descriptor, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _to_ascii(error: UnicodeError) -> tuple[str, int]:
    """Spell in ASCII what an encoding lacks (a codec error handler)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ASCII.get(c, "?") for c in lacking), error.end


codecs.register_error("vfiotop.ascii", _to_ascii)
