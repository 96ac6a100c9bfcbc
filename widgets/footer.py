"""The keys at the bottom: one row, or two on a narrow terminal.

Keys that do not fit are dropped in a fixed order, never cut. The reason why a key does nothing
replaces the footer for a moment, so that it covers no panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from widgets.canvas import Canvas
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, join, line, width_of, wrap_rows

NARROW = 72
"""Width, in cells, below which there are two rows, with one space between keys."""


NOTICE_ROWS = 3


class Hint(NamedTuple):
    """A key, the word for what it does now, and its Textual action. Keys with the highest ``rank``
    are dropped first; 0 is never dropped."""

    key: str
    word: str
    action: str = ""
    rank: int = 0
    enabled: bool = True


class KeyFooter(Canvas):
    """The keys that work on the screen, and for a moment the reason why one did not."""

    DEFAULT_CSS = """
    KeyFooter { height: auto; dock: bottom; padding: 0 1; background: $surface; }
    """

    def __init__(self, glyphs: Glyphs = RICH) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._hints: tuple[Hint, ...] = ()
        self._notice, self._warns = "", False

    def show(self, hints: Sequence[Hint], notice: str = "", *, warns: bool = False) -> None:
        """Draw ``hints`` in their order, or ``notice`` in their place. ``warns``: it says why a
        key does nothing."""
        shown = (tuple(hints), notice, warns)
        if shown != (self._hints, self._notice, self._warns):
            self._hints, self._notice, self._warns = shown
            self._draw()

    @property
    def rows(self) -> int:
        """The rows that the keys take on a terminal of this width."""
        return 2 if self.app.size.width < NARROW else 1

    def _draw(self) -> None:
        width = self.app.size.width - 2
        if width <= 0:
            return
        rows = self.rows
        lines = footer_lines(self._hints, width, rows)
        if self._notice:
            told = notice_lines(self._notice, width, self._glyphs, warns=self._warns)
            lines = [*told, *[()] * (len(lines) - len(told))]
        if self.styles.height is None or self.styles.height.value != len(lines):
            self.styles.height = len(lines)
        self.paint(lines)


def notice_lines(
    text: str, width: int, glyphs: Glyphs = RICH, *, warns: bool = False
) -> list[Line]:
    """A notice in as many rows as it needs, at most ``NOTICE_ROWS``; an ellipsis replaces the
    words that do not fit."""
    sign = f"{glyphs.warned} " if warns else ""
    return wrap_rows(f"{sign}{text}", width, NOTICE_ROWS, "warn" if warns else "text")


def footer_lines(hints: Sequence[Hint], width: int, rows: int = 1) -> list[Line]:
    """The hints that fit into ``rows`` of ``width`` cells. An empty row is left out."""
    gap = "  " if rows == 1 else " "
    kept = list(hints)
    while (laid := _laid_out(kept, width, gap)) and len(laid) > rows:
        droppable = [hint for hint in kept if hint.rank]
        if not droppable:
            return laid[:rows]
        worst = max(hint.rank for hint in droppable)
        kept.remove([hint for hint in droppable if hint.rank == worst][-1])
    return laid or [()]


def _laid_out(hints: Sequence[Hint], width: int, gap: str) -> list[Line]:
    rows: list[list[Line]] = []
    used = width
    for drawn in map(hint_line, hints):
        if used + len(gap) + width_of(drawn) > width:
            rows.append([])
            used = -len(gap)
        rows[-1].append(drawn)
        used += len(gap) + width_of(drawn)
    return [join(row, gap) for row in rows]


def hint_line(hint: Hint) -> Line:
    """``b bind``: the key, and what it does now. One that cannot work now is dim."""
    if not hint.enabled:
        return line(Span(f"{hint.key} {hint.word}", "disabled", hint.action))
    return line(Span(hint.key, "key", hint.action), Span(f" {hint.word}", "text", hint.action))


if __name__ == "__main__":
    from widgets.preview import preview

    preview(KeyFooter(), lambda widget: widget.show([Hint("q", "quit", "app.quit")]))
