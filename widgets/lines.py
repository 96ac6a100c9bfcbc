"""Lines of text in tones: what panels draw.

A panel is a pure function from the model to lines. Only the canvas turns tones into colours,
so every theme works, and tests read what a person reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len, set_cell_size

Tone = Literal["text", "strong", "label", "dim", "good", "warn", "bad", "accent", "graph", "rest"]

DASH = "–"
"""Stands for a value that a source does not give; never shown as zero."""


class Span(NamedTuple):
    """A run of text in one tone."""

    text: str
    tone: Tone = "text"


Line = tuple[Span, ...]


def line(*parts: Span | str) -> Line:
    """A line of spans; plain strings get the tone ``text``."""
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts)


def width_of(spans: Iterable[Span]) -> int:
    """The terminal cells that the spans occupy."""
    return sum(cell_len(span.text) for span in spans)


def fit(spans: Line, width: int) -> Line:
    """The line cut to at most ``width`` cells; an ellipsis marks the cut."""
    if width_of(spans) <= width:
        return spans
    kept: list[Span] = []
    room = max(width - 1, 0)
    for span in spans:
        cells = cell_len(span.text)
        if cells > room:
            kept.append(Span(set_cell_size(span.text, room), span.tone))
            kept.append(Span("…" if width > 0 else "", span.tone))
            break
        kept.append(span)
        room -= cells
    return tuple(kept)


def pad(spans: Line, width: int) -> Line:
    """The line cut or padded to exactly ``width`` cells."""
    fitted = fit(spans, width)
    missing = width - width_of(fitted)
    return (*fitted, Span(" " * missing)) if missing else fitted


def spread(left: Line, right: Line, width: int) -> Line:
    """``left`` and ``right`` at the ends of ``width`` cells; ``left`` is cut first."""
    right = fit(right, width)
    room = width - width_of(right)
    if not right:
        return fit(left, width)
    return (*pad(left, max(room - 1, 0)), Span(" " if room else ""), *right)


def fields(pairs: Sequence[tuple[str, Line]], width: int, column: int, label: int) -> list[Line]:
    """Label and value pairs on a grid, so a value's length moves nothing else.

    ``column`` is the minimum width of a column, ``label`` the width of its labels.
    """
    count = max(1, min(width // column, len(pairs)))
    room = width // count
    rows: list[Line] = []
    for start in range(0, len(pairs), count):
        row: list[Span] = []
        for name, value in pairs[start : start + count]:
            row.append(Span(f"{name:<{label}}", "label"))
            row.extend(pad(value, room - label - 1))
            row.append(Span(" "))
        rows.append(tuple(row))
    return rows


def merge_spans(spans: Line) -> Line:
    """The line in as few spans as possible; blanks join the span before them.

    Each span costs a full set of colour sequences on the terminal.
    """
    merged: list[Span] = []
    for span in spans:
        if not span.text:
            continue
        if merged and (span.tone == merged[-1].tone or span.text.isspace()):
            merged[-1] = Span(merged[-1].text + span.text, merged[-1].tone)
        elif merged and merged[-1].text.isspace():
            merged[-1] = Span(merged[-1].text + span.text, span.tone)
        else:
            merged.append(span)
    return tuple(merged)


def wrap(text: str, width: int, tone: Tone = "text") -> list[Line]:
    """``text`` broken at blanks into lines of at most ``width`` cells.

    A longer word, such as a path on a phone, is broken after a slash if it has one.
    """
    rows: list[str] = []
    for word in text.split():
        pieces = _pieces(word, max(width, 2))
        if rows and cell_len(rows[-1]) + 1 + cell_len(pieces[0]) <= width:
            rows[-1] += f" {pieces.pop(0)}"
        rows += pieces
    return [line(Span(row, tone)) for row in rows]


def _pieces(word: str, width: int) -> list[str]:
    pieces = []
    while cell_len(word) > width:
        room = len(set_cell_size(word, width).rstrip())
        cut = word.rfind("/", 1, room) + 1 or room
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]
