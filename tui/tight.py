"""Only what differs from what the terminal shows is written to it, cell by cell, and of the
colours only what changes.

Textual repaints whole regions, a focus that moves two whole panels, a screen that opens
everything: over a slow link that is up to twenty times what has changed. This module rests on
internals of the pinned release, and its tests fail when they change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from rich.cells import split_graphemes
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

GAP = 6
"""Equal cells between two that differ which are cheaper to write than to jump over."""

Cell = tuple[str, str]
"""What a cell shows, and its colours and attributes as SGR codes (ECMA-48). The second cell
of a wide character shows nothing of its own."""

UNKNOWN: Cell = ("", "?")


class Piece(NamedTuple):
    """What a row is to show from a column on."""

    y: int
    x: int
    segments: Iterable[Segment]


class Shown:
    """The cells of the terminal as they were last written. ``budget`` tells how many bytes
    may be written now; ``None``: any number."""

    def __init__(self, budget: Callable[[], int | None] = lambda: None) -> None:
        self._budget = budget
        self._size = Size(0, 0)
        self._rows: list[list[Cell]] = []
        self.unfinished = False
        """Whether the last update was too much for the budget: the screen is then to be drawn
        again, which writes what is missing."""

    def forget(self) -> None:
        """The terminal may show anything: it was resized, or others have written to it."""
        self._size = Size(0, 0)

    def changes(
        self, update: CompositorUpdate, size: Size, colors: ColorSystem
    ) -> CompositorUpdate | None:
        """What ``update`` changes on a terminal of ``size``; it has to be written then."""
        text = self.write(update, size, colors)
        return Written(text) if text else None

    def write(self, update: CompositorUpdate, size: Size, colors: ColorSystem) -> str:
        """The control sequences for an update."""
        if size != self._size:
            self._size = size
            self._rows = [[UNKNOWN] * size.width for _ in range(size.height)]
        budget, pen = self._budget(), Pen()
        if isinstance(update, LayoutUpdate):
            self.unfinished = False
        for piece in _pieces(update):
            # Textual may still draw a layout for a size that the terminal has no more.
            if not (0 <= piece.y < size.height and 0 <= piece.x < size.width):
                continue
            row, cells = self._rows[piece.y], _cells(piece.segments, colors)
            cells = cells[: size.width - piece.x]
            end = piece.x + len(cells)
            if row[piece.x : end] == cells:
                continue
            for start, stop in runs(row[piece.x : end], cells):
                if budget is not None and pen.size >= budget:
                    self.unfinished = True
                    return pen.lift()
                pen.write(piece.x + start, piece.y, cells[start:stop])
                row[piece.x + start : piece.x + stop] = cells[start:stop]
        return pen.lift()


class Written(CompositorUpdate):
    """An update in control sequences."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render_segments(self, console: Console) -> str:
        """Called by Textual when it writes to the terminal."""
        return self._text


def _pieces(update: CompositorUpdate) -> Iterator[Piece]:
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield Piece(y, update.region.x, (segment for strip in strips for segment in strip))
    elif isinstance(update, ChopsUpdate):
        for y, start, end in update.spans:
            chops = zip(update.chop_ends[y], update.chops[y].items(), strict=False)
            for chop_end, (x, strip) in chops:
                first, last = max(start, x), min(end, chop_end)
                if strip is not None and first < last:
                    yield Piece(y, first, strip.crop(first - x, last - x))
    else:
        raise TypeError(f"Textual draws in a way that is not known here: {type(update).__name__}")


def _cells(segments: Iterable[Segment], colors: ColorSystem) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, control in segments:
        if control:
            continue
        codes = "" if style is None else _codes(style, colors)
        if text.isascii():
            blank = (" ", _of_a_blank(codes))
            cells += [blank if character == " " else (character, codes) for character in text]
            continue
        for start, end, width in split_graphemes(text)[0]:
            if width:
                cells.append((text[start:end], codes))
                cells += [("", codes)] * (width - 1)
    return cells


@lru_cache(maxsize=4096)
def _of_a_blank(codes: str) -> str:
    """Of the colours and attributes only what shows on a blank: many blanks are then alike."""
    found = colours(codes)
    shown = found.attributes & ON_BLANKS
    parts = [*sorted(shown), found.front if shown else "", found.back]
    return ";".join(part for part in parts if part)


@lru_cache(maxsize=4096)
def _codes(style: Style, colors: ColorSystem) -> str:
    return Strip.render_ansi(style, colors)


def runs(old: list[Cell], new: list[Cell]) -> list[tuple[int, int]]:
    """The runs ``[start, end)`` of cells that differ, near ones as one; a wide character is
    written whole."""
    found: list[tuple[int, int]] = []
    for x, (was, now) in enumerate(zip(old, new, strict=True)):
        if was == now:
            continue
        start, end = x, x + 1
        while start > 0 and new[start][0] == "":
            start -= 1
        while end < len(new) and new[end][0] == "":
            end += 1
        if found and start - found[-1][1] <= GAP:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


class Colours(NamedTuple):
    """SGR codes by what they set; an empty colour is the terminal's own."""

    attributes: frozenset[str] = frozenset()
    front: str = ""
    back: str = ""


PLAIN = Colours()

ON_BLANKS = frozenset({"4", "7", "9", "21", "53"})
"""Attributes that show where there is no character: lines, and the colours the other way
round."""


@lru_cache(maxsize=4096)
def colours(codes: str) -> Colours:
    """The parts of a sequence of SGR codes."""
    attributes, front, back = set(), "", ""
    left = codes.split(";") if codes else []
    while left:
        code = left.pop(0)
        if code in ("38", "48"):
            count = 4 if left[:1] == ["2"] else 2
            taken, left = left[:count], left[count:]
            code = ";".join((code, *taken))
        if code.startswith("38") or code[:-1] in ("3", "9"):
            front = code
        elif code.startswith("48") or code[:-1] in ("4", "10"):
            back = code
        else:
            attributes.add(code)
    return Colours(frozenset(attributes), front, back)


@lru_cache(maxsize=4096)
def change(before: Colours, after: Colours) -> str:
    """The shortest sequence from one to the other."""
    if before == after:
        return ""
    if not before.attributes <= after.attributes:
        parts = ["0", *sorted(after.attributes), after.front, after.back]
    else:
        parts = sorted(after.attributes - before.attributes)
        if after.front != before.front:
            parts.append(after.front or "39")
        if after.back != before.back:
            parts.append(after.back or "49")
    return f"\x1b[{';'.join(part for part in parts if part)}m"


class Pen:
    """Collects control sequences."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._colours = PLAIN
        self._row: int | None = None
        self.size = 0
        """Bytes so far."""

    def write(self, x: int, y: int, cells: list[Cell]) -> None:
        """Cells of a row, of which the first is at ``x``, ``y``; the screen's first is 0, 0."""
        self._move(x, y)
        for text, codes in cells:
            if not text:
                continue
            wanted = colours(codes)
            if text == " " and self._looks_blank_in(wanted):
                wanted = self._colours
            if wanted != self._colours:
                self._put(change(self._colours, wanted))
                self._colours = wanted
            self._put(text)
        self._row = y

    def lift(self) -> str:
        """All that was written, with the terminal's colours as they were."""
        if self._colours != PLAIN:
            self._put("\x1b[0m")
            self._colours = PLAIN
        return "".join(self._written)

    def _looks_blank_in(self, wanted: Colours) -> bool:
        """Whether a blank looks the same in the colours that are set."""
        set_now = self._colours
        plain = not (set_now.attributes | wanted.attributes) & ON_BLANKS
        return plain and set_now.back == wanted.back

    def _move(self, x: int, y: int) -> None:
        if self._row == y:
            self._put(f"\x1b[{x + 1}G")
        else:
            self._put(f"\x1b[{y + 1};{x + 1}H")

    def _put(self, text: str) -> None:
        self._written.append(text)
        self.size += len(text) if text.isascii() else len(text.encode())
