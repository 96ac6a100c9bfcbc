"""Writes only the cells that differ from what the terminal shows, in few bytes.

Textual repaints whole regions: two panels when the focus moves, everything when a screen opens.
That is up to twenty times the bytes that have changed, which matters on a slow link. This module
relies on internals of the pinned Textual release; its tests fail when they change.

How it saves bytes, and what that requires:

- Colours stay set between frames. ``CellBuffer.invalidate`` forgets them, together with the cells;
  call it after other programs may have written to the terminal.
- The runs of a frame are ordered by colour (``SgrWriter.write_all``). No run may depend on another
  one. A frame that is cut is written from the top.
- A graph that advances by a cell is moved (``runs``): one cell is deleted and another one inserted,
  and the rest of the row stays where it is. Terminals differ in the colours of blanks that they
  insert or erase; the inserted cell is therefore written at once, and blanks are never erased (ECH,
  EL).
- Characters are not repeated (REP), since some terminals lack that. Palette colours never replace
  24-bit ones, since themes change the palette.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from rich.cells import split_graphemes
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

from tui.terminal.compositor import RowsUpdate, RowUpdate
from tui.terminal.runs import VISIBLE_ON_BLANKS, Cell, runs
from tui.terminal.sgr import Run, SgrState, SgrWriter, parse_sgr

UNKNOWN: Cell = ("", "?")

NARROW = re.compile("[ -~\u2500-\u259f\u2800-\u28ff]*")
"""Characters that take one cell, whatever is beside them: ASCII, frames, blocks, braille."""


class CellBuffer:
    """The cells of the terminal as last written, and the SGR state that it was left in. ``budget``
    returns how many bytes may be written now, ``None`` for any number."""

    def __init__(self, budget: Callable[[], int | None] = lambda: None) -> None:
        self._budget = budget
        self._size = Size(0, 0)
        self._rows: list[list[Cell]] = []
        self._state: SgrState | None = None
        self.unfinished = False
        """Whether the last update exceeded the budget. Redrawing the screen writes the rest."""

    def invalidate(self) -> None:
        """Assume nothing about what the terminal shows or which colours are set: it was resized, or
        others wrote to it."""
        self._size = Size(0, 0)

    def write(self, update: CompositorUpdate, size: Size, colors: ColorSystem) -> str:
        """Return the control sequences for an update, and record what they show."""
        if size != self._size:
            self._size = size
            self._rows = [[UNKNOWN] * size.width for _ in range(size.height)]
            self._state = None
        if isinstance(update, LayoutUpdate):
            self.unfinished = False
        changes: list[tuple[Run, list[Cell]]] = []
        for piece in _row_updates(update):
            # Textual may still draw a layout for a size that the terminal no longer has.
            if not (0 <= piece.y < size.height and 0 <= piece.x < size.width):
                continue
            row, cells = self._rows[piece.y], _cells(piece.strip, colors)
            cells = cells[: size.width - piece.x]
            end = piece.x + len(cells)
            if row[piece.x : end] == cells:
                continue
            for run in runs(piece.y, piece.x, row[piece.x : end], cells):
                changes.append((run, row[run.first : run.end]))
                row[run.first : run.end] = cells[run.first - piece.x : run.end - piece.x]
        budget, writer = self._budget(), SgrWriter(size.width, self._state)
        writer.write_all(run for run, _ in changes)
        if budget is not None and writer.size > budget:
            writer = self._write_part(changes, budget)
        self._state = writer.state
        return writer.text

    def _write_part(self, changes: list[tuple[Run, list[Cell]]], budget: int) -> SgrWriter:
        """Write runs from the top until the budget is used up, and record what the others would
        have replaced as still shown."""
        writer, written = SgrWriter(self._size.width, self._state), 0
        while written < len(changes) and writer.size < budget:
            writer.write(changes[written][0])
            written += 1
        for run, before in reversed(changes[written:]):
            self._rows[run.y][run.first : run.end] = before
        self.unfinished |= written < len(changes)
        return writer


def _row_updates(update: CompositorUpdate) -> Iterator[RowUpdate]:
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield RowUpdate(y, update.region.x, Strip.join(strips))
    elif isinstance(update, RowsUpdate):
        yield from update.rows
    elif isinstance(update, ChopsUpdate):
        for y, start, end in update.spans:
            chops = zip(update.chop_ends[y], update.chops[y].items(), strict=False)
            for chop_end, (x, strip) in chops:
                first, last = max(start, x), min(end, chop_end)
                if strip is not None and first < last:
                    yield RowUpdate(y, first, strip.crop(first - x, last - x))
    else:
        raise TypeError(f"unknown kind of update from Textual: {type(update).__name__}")


def _cells(segments: Iterable[Segment], colors: ColorSystem) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, control in segments:
        if not control:
            cells += _cells_of(text, "" if style is None else _sgr_codes(style, colors))
    return cells


@lru_cache(maxsize=512)
def _cells_of(text: str, codes: str) -> tuple[Cell, ...]:
    """The cells of a segment. Cached: most segments of a changed row have been drawn before."""
    if NARROW.fullmatch(text):
        return tuple(map(_narrow_cells(codes).__getitem__, text))
    cells: list[Cell] = []
    for start, end, width in split_graphemes(text)[0]:
        if width:
            cells.append((text[start:end], codes))
            cells += [("", codes)] * (width - 1)
    return tuple(cells)


class _NarrowCells(dict[str, Cell]):
    """The cell of each character in one set of colours. Identical objects compare fast, and a graph
    that moves has hundreds of cells."""

    def __init__(self, codes: str) -> None:
        super().__init__({" ": (" ", _visible_on_blank(codes))})
        self._codes = codes

    def __missing__(self, character: str) -> Cell:
        cell = self[character] = (character, self._codes)
        return cell


_narrow_cells = lru_cache(maxsize=512)(_NarrowCells)


@lru_cache(maxsize=4096)
def _visible_on_blank(codes: str) -> str:
    """The codes that show on a blank, so that more blanks compare equal."""
    found = parse_sgr(codes)
    shown = found.attributes & VISIBLE_ON_BLANKS
    parts = [*sorted(shown), found.foreground if shown else "", found.background]
    return ";".join(part for part in parts if part)


@lru_cache(maxsize=4096)
def _sgr_codes(style: Style, colors: ColorSystem) -> str:
    return Strip.render_ansi(style, colors)
