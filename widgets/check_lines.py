"""Checks and headings as lines."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import Check, Verdict
from widgets.lines import Line, Span, Tone, line, pad, wrap

TONES: dict[Verdict, Tone] = {"pass": "good", "warn": "warn", "fail": "bad", "unknown": "warn"}
NAME, WORD = 24, 9
"""Cells of a check's id and of its verdict."""

NARROW = 60
"""Cells below which a check's reason goes under its id."""


def heading(text: str) -> Iterator[Line]:
    """A blank line, then the heading."""
    yield ()
    yield line(Span(text, "accent"))


def check_lines(check: Check, width: int) -> Iterator[Line]:
    """A check: its verdict as a word, so it reads without colour; its id, reason and fix."""
    head = line(Span(f"{check.verdict:<{WORD}}", TONES[check.verdict]),
                Span(f"{check.id:<{NAME}}", "label"))  # fmt: skip
    indent = WORD if width < NARROW else WORD + NAME
    rows = wrap(check.why, max(width - indent, 8))
    if check.fix and check.verdict != "pass":
        rows += wrap(f"→ {check.fix}", max(width - indent, 8), "strong")
    if width < NARROW:
        yield head
    elif rows:
        yield (*pad(head, indent), *rows.pop(0))
    for row in rows:
        yield line(" " * indent, *row)
