"""The help: the keys, grouped by what the user wants, in two columns where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, line, pad, wrap
from widgets.panel import Edges, Panel

WIDE = 100
"""Minimum width in cells for two columns."""

GAP = 3
"""Cells between the columns."""

KEYS = 12
"""Maximum width of an entry's keys, in cells; longer ones go above their text."""


class Entry(NamedTuple):
    """What a key does. ``label`` is its word in the footer; ``place`` says where the key does
    this, if it does something else in other places."""

    keys: str
    label: str
    text: str
    place: str = ""


class Chapter(NamedTuple):
    """What the user wants, and the keys for it. Entries without keys are remarks."""

    title: str
    entries: Sequence[Entry]


class HelpPage(Panel):
    """The help on one page; scrolls."""

    def __init__(self, *, glyphs: Glyphs = RICH) -> None:
        super().__init__("key", id="help", glyphs=glyphs)
        self._shown: tuple[Sequence[Chapter], str] = ((), "")

    def show(self, chapters: Sequence[Chapter], text: str = "") -> None:
        """Draw the entries that contain ``text``."""
        if (chapters, text) != self._shown:
            again = text == self._shown[1]
            self._shown = (chapters, text)
            if not again:
                self.scroll_home(animate=False)
            self._draw()

    def _draw(self) -> None:
        if self.space.width <= 0:
            return
        chapters, text = self._shown
        found = matching(chapters, text)
        count = sum(len(chapter.entries) for chapter in found)
        state = line(Span(f"{count} with “{text}”", "label")) if text and count else ()
        self.set_edges(Edges(line(Span("Help", "strong")), state))
        if found:
            self.paint_panel(help_lines(found, self.space.width))
        else:
            nothing = f"Nothing in the help contains “{text}”."
            self.paint_panel(wrap(nothing, self.space.width, "dim"))


def matching(chapters: Sequence[Chapter], text: str) -> list[Chapter]:
    """The chapters with the entries that contain ``text``, ignoring case. A title that contains it
    matches all of its entries."""
    wanted = text.casefold().strip()
    found = []
    for chapter in chapters:
        entries = [
            entry
            for entry in chapter.entries
            if wanted in chapter.title.casefold()
            or any(wanted in part.casefold() for part in entry)
        ]
        if entries:
            found.append(Chapter(chapter.title, entries))
    return found


def help_lines(chapters: Sequence[Chapter], width: int) -> list[Line]:
    """The lines of the page."""
    if width < WIDE:
        return _joined([_chapter_lines(chapter, width) for chapter in chapters])
    column = (width - GAP) // 2
    blocks = [_chapter_lines(chapter, column) for chapter in chapters]
    return min(
        (
            _side_by_side(_joined(blocks[:cut]), _joined(blocks[cut:]), column)
            for cut in range(1, len(blocks) + 1)
        ),
        key=len,
    )


def _joined(blocks: Sequence[list[Line]]) -> list[Line]:
    """The blocks with a blank line between them."""
    return [row for block in blocks for row in ((), *block)][1:]


def _side_by_side(left: Sequence[Line], right: Sequence[Line], column: int) -> list[Line]:
    rows: list[Line] = []
    for index in range(max(len(left), len(right))):
        one = left[index] if index < len(left) else ()
        other = right[index] if index < len(right) else ()
        rows.append((*pad(one, column + GAP), *other) if other else one)
    return rows


def _chapter_lines(chapter: Chapter, width: int) -> list[Line]:
    longest = max((len(entry.keys) for entry in chapter.entries), default=0)
    indent = min(max(longest, 5), KEYS) + 2 if longest else 0
    lines = [line(Span(chapter.title, "strong"))]
    for entry in chapter.entries:
        text = f"{entry.place}: {entry.text}" if entry.place else entry.text
        rows = wrap(text, max(width - indent, 10))
        if entry.keys and len(entry.keys) <= indent - 2:
            first, *rows = rows
            lines.append(line(Span(f"{entry.keys:<{indent}}", "key"), *first))
        elif entry.keys:
            lines.append(line(Span(entry.keys, "key")))
        lines += [line(" " * indent, *row) for row in rows]
    return lines


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import CHAPTERS

    preview(HelpPage(), lambda widget: widget.show(CHAPTERS))
