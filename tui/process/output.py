"""Everything the command line writes goes through here, to descriptors 1 and 2.

Three things hold for all of it. It cannot act on a terminal: a character that does not print is
escaped, wherever it came from. It fits the locale: what the encoding lacks is spelled in ASCII.
It never raises: output that cannot be written is remembered in ``Channel.lost``, so that a full
disk or a closed pipe does not end a command in the middle of what it does.

Nothing is buffered here, so nothing is left for Python to write at exit. The module imports
nothing of ours: ``tui.__main__`` needs it when other imports fail.
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
"""Characters of an error. It is one line, of which the first words matter most."""

QUOTE_LIMIT = 40
"""Characters of a user's words that an error quotes."""

_ASCII = {
    "–": "-", "—": "-", "→": "->", "“": '"', "”": '"', "‘": "'", "’": "'", "…": "...",
    "·": "-", "×": "x", "°": "", "µ": "u", "≤": "<=", "≥": ">=", "✓": "ok", "✗": "x",
}  # fmt: skip


class Channel:
    """One of the two descriptors that the command line writes to."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.lost: OSError | None = None
        """Why something could not be written. Nothing is written after that."""

    @property
    def encoding(self) -> str:
        """The locale's, or that of PYTHONIOENCODING, as Python found it at start."""
        stream = sys.stdout if self.descriptor == 1 else sys.stderr
        return getattr(stream, "encoding", None) or "ascii"

    def write(self, text: str) -> None:
        """Write ``text`` as it is, but for what the encoding lacks. For a text of ours only."""
        left = memoryview(text.encode(self.encoding, "vfiotop.ascii"))
        try:
            while left and self.lost is None:
                left = left[self._write_some(left) :]
        except OSError as error:
            self.lost = error

    def _write_some(self, data: memoryview) -> int:
        """Write some bytes; how many. Whoever shares the terminal may have made it
        non-blocking."""
        try:
            return os.write(self.descriptor, data)
        except BlockingIOError:
            select.select([], [self.descriptor], [])
            return 0


STDOUT, STDERR = Channel(1), Channel(2)


def printable(text: str, *, lines: bool = False) -> str:
    """``text`` with every character that does not print as a Python escape: control and format
    characters (bidi overrides too), separators but the blank, surrogates, unassigned ones. With
    ``lines`` its newlines stay."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or (lines and c == "\n") else c.encode("unicode_escape").decode()
        for c in text
    )


def short(text: str, limit: int = QUOTE_LIMIT) -> str:
    """At most ``limit`` characters of ``text``, for a quotation."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def say(text: str = "") -> None:
    """Print a line, or a text of several."""
    STDOUT.write(printable(text, lines=True) + "\n")


def say_line(text: str) -> None:
    """Print one line, whatever is in it."""
    STDOUT.write(printable(text) + "\n")


def ask(question: str) -> bool:
    """Print a question without a newline behind it; whether it, and all before it, came out."""
    STDOUT.write(printable(question, lines=True))
    return STDOUT.lost is None


def say_json(value: Any, indent: int | None = 1) -> None:
    """Print a value as JSON. What does not print in its strings is escaped, which JSON reads as
    the same value; where the encoding is not UTF-8, everything beyond ASCII is."""
    ascii_only = codecs.lookup(STDOUT.encoding).name != "utf-8"
    STDOUT.write(json_text(value, indent, ascii_only=ascii_only) + "\n")


def json_text(value: Any, indent: int | None = None, *, ascii_only: bool = False) -> str:
    """JSON in which nothing but the newlines between values does not print."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def note(text: str) -> None:
    """Tell something in one line on stderr, beside the output."""
    line = printable(text[: LINE_LIMIT + 1].replace("\n", " "))
    STDERR.write(short(line, LINE_LIMIT) + "\n")


def report_error(text: str) -> None:
    """Tell an error in one line on stderr."""
    note(f"vfiotop: {text}")


def lost() -> str | None:
    """Why output is missing, in a sentence; ``None`` where all was written, or where its reader
    had enough and went away."""
    error = STDOUT.lost
    if error is None or error.errno == errno.EPIPE:
        return None
    return f"the output could not be written: {error.strerror}"


def open_missing_streams() -> None:
    """Open /dev/null in place of a standard stream that whoever started this has closed. Else
    the next file, lock or socket gets its number, and is written to as if it was a terminal."""
    while True:
        try:
            descriptor = os.open(os.devnull, os.O_RDWR)
        except OSError:  # no /dev here: a descriptor for nothing fills the place as well
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
    """A codec's error handler: what an encoding lacks, in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ASCII.get(c, "?") for c in lacking), error.end


codecs.register_error("vfiotop.ascii", _to_ascii)
