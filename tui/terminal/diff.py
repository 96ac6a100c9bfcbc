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


class Colours(NamedTuple):
    """SGR codes by what they set; an empty colour is the terminal's own."""

    attributes: frozenset[str] = frozenset()
    front: str = ""
    back: str = ""


class Run(NamedTuple):
    """Cells of a row that are written in the same colours, from the column ``x`` up to ``end``."""

    y: int
    x: int
    end: int
    text: str
    colours: Colours


class Piece(NamedTuple):
    """What a row is to show from a column on."""

    y: int
    x: int
    segments: Iterable[Segment]


class CellBuffer:
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

    def write(self, update: CompositorUpdate, size: Size, colors: ColorSystem) -> str:
        """The control sequences for an update."""
        if size != self._size:
            self._size = size
            self._rows = [[UNKNOWN] * size.width for _ in range(size.height)]
        budget, pen = self._budget(), SgrWriter()
        by_colours: dict[Colours, list[Run]] = {}
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
            for stroke in runs(piece.y, piece.x, row[piece.x : end], cells):
                if budget is not None and pen.size >= budget:
                    self.unfinished = True
                    return pen.lift()
                row[stroke.x : stroke.end] = cells[stroke.x - piece.x : stroke.end - piece.x]
                if budget is None:
                    by_colours.setdefault(stroke.colours, []).append(stroke)
                else:
                    pen.write(stroke)
        # A colour costs more than a jump: all that is to have it is written at once.
        for alike in by_colours.values():
            for stroke in alike:
                pen.write(stroke)
        return pen.lift()


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


def runs(y: int, left: int, old: list[Cell], new: list[Cell]) -> Iterator[Run]:
    """What is to be written so that a row, from the column ``left`` on, shows ``new`` in place
    of ``old``: cells that differ, with those between that are cheaper to write than to jump
    over. A wide character is written whole."""

    def stroke() -> Run:
        text = "".join(text for text, _ in new[start : last + 1])
        return Run(y, left + start, left + last + 1, text, inks)

    start = last = -1
    inks = PLAIN
    for x in (x for x, (was, now) in enumerate(zip(old, new, strict=True)) if was != now):
        while x > 0 and new[x][0] == "":
            x -= 1  # noqa: PLW2901 - its first half
        if x <= last:
            continue
        wanted = colours(new[x][1])
        between = new[last + 1 : x + 1]
        if start >= 0 and len(between) <= GAP + 1 and all(_fits(cell, inks) for cell in between):
            last = x
        else:
            if start >= 0:
                yield stroke()
            start, last, inks = x, x, wanted
        while last + 1 < len(new) and new[last + 1][0] == "":
            last += 1
    if start >= 0:
        yield stroke()


def _fits(cell: Cell, inks: Colours) -> bool:
    """Whether a cell is right in these colours; a blank is where what is behind it is."""
    wanted = colours(cell[1])
    if cell[0] == " " and not (wanted.attributes | inks.attributes) & ON_BLANKS:
        return wanted.back == inks.back
    return wanted == inks


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


class SgrWriter:
    """Collects control sequences."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._colours = PLAIN
        self._at = (-1, -1)
        self.size = 0
        """Bytes so far."""

    def write(self, stroke: Run) -> None:
        """Write it in its place; the screen's first cell is 0, 0."""
        self._move(stroke.x, stroke.y)
        if stroke.colours != self._colours:
            self._put(change(self._colours, stroke.colours))
            self._colours = stroke.colours
        self._put(stroke.text)
        self._at = (stroke.y, stroke.end)

    def lift(self) -> str:
        """All that was written, with the terminal's colours as they were."""
        if self._colours != PLAIN:
            self._put("\x1b[0m")
            self._colours = PLAIN
        return "".join(self._written)

    def _move(self, x: int, y: int) -> None:
        if self._at == (y, x):
            return
        if self._at[0] == y:
            self._put(f"\x1b[{x + 1}G")
        else:
            self._put(f"\x1b[{y + 1};{x + 1}H")

    def _put(self, text: str) -> None:
        self._written.append(text)
        self.size += len(text) if text.isascii() else len(text.encode())
