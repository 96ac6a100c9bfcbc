"""The base of all panels: a widget that draws lines, and redraws only the rows that changed.

``tui.terminal.diff`` decides which of their cells reach the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, repeat, zip_longest
from typing import Literal, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.lines import Line, Tone, fit, merge_spans, width_of
from widgets.tones import ink


class _Painted(NamedTuple):
    """A line as it was given, and cut to the width in few spans, with the ``cells`` that it then
    takes."""

    given: Line | None
    spans: Line
    cells: int


NOTHING = _Painted(None, (), 0)
"""Stands for a line that is not there."""


class Canvas(ScrollView):
    """Draws lines, one of them under the cursor; scrolls if they do not fit. There is no scrollbar:
    it would cost the lines a column."""

    DEFAULT_CSS = """
    Canvas {
        height: 1fr;
        background: $background;
        color: $foreground;
        overflow-x: hidden;
        scrollbar-size: 0 0;
    }
    """

    ALLOW_SELECT = False

    _drawn_for: Size | None = None
    """The size that the content was drawn for; ``None`` if it must be drawn again anyway."""

    def __init__(
        self, *, id: str | None = None, classes: str | None = None, can_focus: bool = False
    ) -> None:
        super().__init__(id=id, classes=classes, can_focus=can_focus)
        self._painted: list[_Painted] = []
        self._lines: list[Line] = []
        self._width = 0
        """The width of a line at the last paint, in cells."""
        self._inside = Region()
        """The region inside the frame at the last paint."""
        self._cursor: int | None = None
        self._styles: dict[Tone | Literal["base"], Style] = {}

    def notify_style_update(self) -> None:
        """Forget the styles: the theme may have changed."""
        super().notify_style_update()
        self._styles.clear()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Without Textual's filter that turns ANSI colours into 24-bit ones: tones that need 24-bit
        colours have them already."""
        found = super().get_line_filters()
        return [each for each in found if not isinstance(each, ANSIToTruecolor)]

    def on_resize(self, _: Resize) -> None:
        self._draw_for_room()

    def _draw_for_room(self) -> None:
        """Draw for the current size, unless that has been done."""
        if self._drawn_for != self.room:
            self._draw()

    def _draw(self) -> None:
        """Paint the current content into ``room``; for subclasses to override."""

    @property
    def room(self) -> Size:
        """The cells that lines can use: the content area without border."""
        return self.content_size

    @property
    def lines(self) -> Sequence[Line]:
        return self._lines

    def paint(self, lines: Sequence[Line], cursor: int | None = None) -> None:
        """Show ``lines``, redrawing only the rows that changed."""
        width, height = self.room
        self._inside = Region(*self.styles.gutter.top_left, width, height)
        self._painted = self._fitted(lines, width)
        before, self._lines = self._lines, [each.spans for each in self._painted]
        cursor_before, self._cursor = self._cursor, cursor
        if len(before) != len(self._lines):
            self.virtual_size = Size(width, len(self._lines))
            # Otherwise the next layout may keep a scrollbar that is no longer needed.
            self._refresh_scrollbars()
        pairs = zip_longest(before, self._lines, fillvalue=())
        changed = {y for y, (old, new) in enumerate(pairs) if old != new}
        if cursor_before != cursor:
            changed |= {row for row in (cursor_before, cursor) if row is not None}
        top = self._top
        rows = {row for y in changed if 0 <= (row := self._row_of(y, top)) < height}
        if rows:
            self.refresh(*_regions(rows, width))

    def _fitted(self, lines: Sequence[Line], width: int) -> list[_Painted]:
        """The lines cut to ``width``, in few spans. Many of them are the same as last time."""
        last = self._painted if width == self._width else ()
        self._width = width
        return [
            old if old.given == each else _fit_line(each, width)
            for each, old in zip(lines, chain(last, repeat(NOTHING)), strict=False)
        ]

    @property
    def _top(self) -> int:
        """The first line that is shown."""
        return round(self.scroll_y)

    def _row_of(self, line: int, top: int) -> int:
        """The row of the content area that a line is drawn in, if ``top`` is the first."""
        return line - top

    def _line_in(self, row: int, top: int) -> int:
        """The line that is drawn in a row of the content area, if ``top`` is the first."""
        return row + top

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows inside the frame unchanged. Textual would frame, filter and crop each of
        them, which takes as long as drawing it; no style of a canvas changes its content."""
        inside = self._inside
        is_whole = crop.column_span == inside.column_span and inside.contains_region(crop)
        if not is_whole or self._is_altered:
            return super().render_lines(crop)
        top = self._top
        return [self._strip(self._line_in(row - inside.y, top)) for row in crop.line_range]

    @property
    def _is_altered(self) -> bool:
        """Whether Textual alters what is drawn: on a terminal without colours, or while the mouse
        is over a key."""
        return bool(self.get_line_filters() or self.hover_style)

    def render_line(self, y: int) -> Strip:
        return self._strip(self._line_in(y, self._top))

    def _strip(self, index: int) -> Strip:
        """A line in its colours."""
        base = self._style("base")
        if index >= len(self._painted):
            return Strip.blank(self._width, base)
        drawn = self._painted[index]
        strip = Strip(self._segments(drawn.spans), drawn.cells)
        strip = strip.adjust_cell_length(self._width, base)
        if index == self._cursor and self.has_focus:
            # The cursor's background must override that of the segments.
            cursor = ink(self.app, "cursor")
            row = [Segment(text, (style or base) + cursor) for text, style, _ in strip]
            strip = Strip(row, strip.cell_length)
        return strip

    def _segments(self, spans: Line) -> list[Segment]:
        styles = self._styles
        return [
            Segment(text, self._style(tone) + Style.from_meta({"@click": action}))
            if action
            else Segment(text, styles.get(tone) or self._style(tone))
            for text, tone, action in spans
        ]

    def _style(self, tone: Tone | Literal["base"]) -> Style:
        """The canvas's own style, with a tone in it."""
        style = self._styles.get(tone)
        if style is None:
            base = self.rich_style
            style = self._styles[tone] = base if tone == "base" else base + ink(self.app, tone)
        return style


def _fit_line(line: Line, width: int) -> _Painted:
    spans = merge_spans(fit(line, width))
    return _Painted(line, spans, width_of(spans))


def _regions(rows: Iterable[int], width: int) -> Iterator[Region]:
    """The rows as regions of the content area, those next to each other as one."""
    for _, together in groupby(enumerate(sorted(rows)), key=lambda each: each[1] - each[0]):
        (_, first), *more = together
        yield Region(0, first, width, 1 + len(more))
