"""The base of all panels: a widget that draws lines, and redraws only the rows that changed.

``tui.terminal.diff`` decides which of their cells reach the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat, zip_longest
from typing import Literal

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.lines import Line, Tone, fit, merge_spans
from widgets.tones import ink


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
        self._lines: list[Line] = []
        self._given: tuple[Line, ...] = ()
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
        return self.scrollable_content_region.size

    @property
    def lines(self) -> Sequence[Line]:
        return self._lines

    def paint(self, lines: Sequence[Line], cursor: int | None = None) -> None:
        """Show ``lines``, redrawing only the rows that changed."""
        width, height = self.room
        self._inside = Region(*self.styles.gutter.top_left, width, height)
        before, self._lines = self._lines, self._fitted(lines, width)
        cursor_before, self._cursor = self._cursor, cursor
        if len(before) != len(self._lines):
            self.virtual_size = Size(width, len(self._lines))
            # Otherwise the next layout may keep a scrollbar that is no longer needed.
            self._refresh_scrollbars()
        pairs = zip_longest(before, self._lines, fillvalue=())
        changed = {y for y, (old, new) in enumerate(pairs) if old != new}
        if cursor_before != cursor:
            changed |= {row for row in (cursor_before, cursor) if row is not None}
        if changed:
            self.refresh(*(Region(0, self._row_of(y), width, 1) for y in sorted(changed)))

    def _fitted(self, lines: Sequence[Line], width: int) -> list[Line]:
        """The lines cut to ``width``, in few spans. Most of them are the same as last time."""
        last = zip(self._given, self._lines, strict=True) if width == self._width else ()
        self._given, self._width = tuple(lines), width
        return [
            drawn if given == each else merge_spans(fit(each, width))
            for each, (given, drawn) in zip(lines, chain(last, repeat((None, ()))), strict=False)
        ]

    def _row_of(self, y: int) -> int:
        """The row of the content area that line ``y`` is drawn in."""
        return y - self.scroll_offset.y

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows inside the frame unchanged. Textual would frame, filter and crop each of
        them, which takes as long as drawing it; no style of a canvas changes its content."""
        inside = self._inside
        is_whole = crop.column_span == inside.column_span and inside.contains_region(crop)
        if not is_whole or self._is_altered:
            return super().render_lines(crop)
        return [self.render_line(row - inside.y) for row in crop.line_range]

    @property
    def _is_altered(self) -> bool:
        """Whether Textual alters what is drawn: on a terminal without colours, or while the mouse
        is over a key."""
        return bool(self.get_line_filters() or self.hover_style)

    def render_line(self, y: int) -> Strip:
        index, base = y + self.scroll_offset.y, self._style("base")
        if index >= len(self._lines):
            return Strip.blank(self._width, base)
        strip = Strip(self._segments(self._lines[index])).adjust_cell_length(self._width, base)
        if index == self._cursor and self.has_focus:
            # The cursor's background must override that of the segments.
            cursor = ink(self.app, "cursor")
            row = [Segment(text, (style or base) + cursor) for text, style, _ in strip]
            strip = Strip(row, strip.cell_length)
        return strip

    def _segments(self, spans: Line) -> list[Segment]:
        return [
            Segment(
                text,
                self._style(tone) + Style.from_meta({"@click": action})
                if action
                else self._style(tone),
            )
            for text, tone, action in spans
        ]

    def _style(self, tone: Tone | Literal["base"]) -> Style:
        """The canvas's own style, with a tone in it."""
        if tone not in self._styles:
            base = self.rich_style
            self._styles[tone] = base if tone == "base" else base + ink(self.app, tone)
        return self._styles[tone]
