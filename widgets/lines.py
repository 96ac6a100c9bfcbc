"""Lines of text in tones: what panels draw.

A panel is a pure function from the model to lines. Only the canvas turns tones into colours,
so every theme works, and tests read what a person reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, cast

from rich.cells import cell_len, set_cell_size

Tone = Literal[
    "text", "strong", "label", "dim", "disabled", "good", "warn", "bad", "key", "track",
    "guest-gpu", "host-gpu", "guest", "groups", "events",
    "load-1", "load-2", "load-3", "load-4", "load-5", "load-6", "load-7", "load-8",
    "heat-1", "heat-2", "heat-3", "heat-4", "heat-5", "heat-6", "heat-7", "heat-8",
    "flash",
]  # fmt: skip
"""What a text means, not its colour. ``label`` and ``dim`` look the same: the one names a value,
the other is a value that matters little. The names of the five panels also mark what belongs to
them. ``flash`` is in reverse video: something that has just changed."""

Ramp = Literal["load", "heat"]
"""On ``load`` no end is bad; ``heat`` shows how close a value is to its limit."""

RAMP_STEPS = 8
"""Tones of a ramp. A bar has at most that many runs of one colour; a row of a graph has one."""


@lru_cache(maxsize=1024)
def ramp_tone(ramp: Ramp, share: float) -> Tone:
    """The ramp's tone at ``share``, from 0 to 1."""
    step = min(int(max(share, 0.0) * RAMP_STEPS), RAMP_STEPS - 1) + 1
    return cast(Tone, f"{ramp}-{step}")


DASH = "–"
"""Stands for a value that a source does not give; never shown as zero."""


class Span(NamedTuple):
    """A run of text in one tone. A click on it runs ``action``, a Textual action, if it has one."""

    text: str
    tone: Tone = "text"
    action: str = ""


Line = tuple[Span, ...]


def line(*parts: Span | str) -> Line:
    """A line of spans; plain strings get the tone ``text``."""
    return tuple([part if isinstance(part, Span) else Span(part) for part in parts])


def width_of(spans: Iterable[Span]) -> int:
    """The terminal cells that the spans occupy."""
    return sum([cell_len(span.text) for span in spans])


def fit(spans: Line, width: int) -> Line:
    """The line cut to at most ``width`` cells; an ellipsis marks the cut."""
    if width_of(spans) <= width:
        return spans
    kept: list[Span] = []
    room = max(width - 1, 0)
    for span in spans:
        cells = cell_len(span.text)
        if cells > room:
            kept.append(span._replace(text=set_cell_size(span.text, room)))
            kept.append(span._replace(text="…" if width > 0 else ""))
            break
        kept.append(span)
        room -= cells
    return tuple(kept)


def pad(spans: Line, width: int) -> Line:
    """The line cut or padded to exactly ``width`` cells."""
    fitted = fit(spans, width)
    missing = width - width_of(fitted)
    return (*fitted, Span(" " * missing)) if missing else fitted


def faded(spans: Line) -> Line:
    """The line without emphasis: its values are not current."""
    return tuple(
        span if span.tone in ("label", "track") else span._replace(tone="dim") for span in spans
    )


def join(parts: Iterable[Line], gap: str = "  ") -> Line:
    """The parts that are not empty, with ``gap`` between them."""
    joined: list[Span] = []
    for part in parts:
        if part:
            joined += [Span(gap), *part] if joined else part
    return tuple(joined)


def joined_to_fit(parts: Iterable[Line], width: int, gap: str = "  ") -> Line:
    """As many of the first parts as fit into ``width`` cells, none of them cut."""
    kept: list[Line] = []
    room = width
    for part in parts:
        needed = width_of(part) + (len(gap) if kept else 0)
        if part and needed <= room:
            kept.append(part)
            room -= needed
    return join(kept, gap)


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
    """The line in as few spans as possible; spaces join the span before them.

    Each span costs a full set of colour sequences on the terminal.
    """
    merged: list[Span] = []
    for span in spans:
        if not span.text:
            continue
        last = merged[-1] if merged else span
        blank = not span.action and span.text.isspace() and last.tone != "flash"
        if merged and (span[1:] == last[1:] or (blank and not last.action)):
            merged[-1] = Span(last.text + span.text, last.tone, last.action)
        elif merged and not last.action and last.text.isspace() and not span.action:
            merged[-1] = Span(last.text + span.text, span.tone)
        else:
            merged.append(span)
    return tuple(merged)


def wrap(text: str, width: int, tone: Tone = "text") -> list[Line]:
    """``text`` wrapped at spaces into lines of at most ``width`` cells.

    A longer word, such as a path on a phone, is broken after a slash if it has one.
    """
    rows: list[str] = []
    for word in text.split():
        pieces = _pieces(word, max(width, 2))
        if rows and cell_len(rows[-1]) + 1 + cell_len(pieces[0]) <= width:
            rows[-1] += f" {pieces.pop(0)}"
        rows += pieces
    return [line(Span(row, tone)) for row in rows]


def wrap_rows(text: str, width: int, rows: int, tone: Tone = "text") -> list[Line]:
    """``text`` wrapped like ``wrap``, in at most ``rows`` lines; an ellipsis replaces the words
    that do not fit."""
    lines = wrap(text, width, tone)
    if len(lines) <= rows:
        return lines
    if rows <= 0:
        return []
    words = lines[rows - 1][0].text.split()
    while words and cell_len(" ".join(words)) > width - 2:
        words.pop()
    return [*lines[: rows - 1], line(Span(" ".join([*words, "…"]), tone))]


def _pieces(word: str, width: int) -> list[str]:
    pieces = []
    while cell_len(word) > width:
        room = len(set_cell_size(word, width).rstrip())
        cut = word.rfind("/", 1, room) + 1 or room
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]
