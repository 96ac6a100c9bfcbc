"""The base of all panels: a widget that draws lines, and redraws only the rows that changed.

``tui.terminal.diff`` decides which of their cells reach the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.lines import Line, fit, merge_spans
from widgets.tones import Ink, ink


class Canvas(ScrollView):
    """Draws lines, one of them under the cursor; scrolls if they do not fit. There is no scrollbar:
    it would take its column from the lines."""

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
    """The room that it is drawn for, if it need not be drawn again for the same one."""

    def __init__(
        self, *, id: str | None = None, classes: str | None = None, can_focus: bool = False
    ) -> None:
        super().__init__(id=id, classes=classes, can_focus=can_focus)
        self._lines: list[Line] = []
        self._cursor: int | None = None
        self._inks: dict[Ink, Style] = {}

    def notify_style_update(self) -> None:
        """Forget the colours: the theme may be another one."""
        super().notify_style_update()
        self._inks.clear()

    def on_resize(self, _: Resize) -> None:
        self._draw_for_room()

    def _draw_for_room(self) -> None:
        """Draw for the present room, unless that has been done."""
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
        before, self._lines = (
            self._lines,
            [merge_spans(fit(line, self.room.width)) for line in lines],
        )
        cursor_before, self._cursor = self._cursor, cursor
        if len(before) != len(self._lines):
            self.virtual_size = Size(self.room.width, len(self._lines))
            # Otherwise the next layout may keep a scrollbar that is no longer needed.
            self._refresh_scrollbars()
        for y in range(max(len(before), len(self._lines))):
            old = before[y] if y < len(before) else ()
            new = self._lines[y] if y < len(self._lines) else ()
            if old != new:
                self._refresh_row(y)
        if cursor_before != cursor:
            for row in (cursor_before, cursor):
                if row is not None:
                    self._refresh_row(row)

    def _refresh_row(self, y: int) -> None:
        self.refresh(Region(0, y - self.scroll_offset.y, self.room.width, 1))

    def render_line(self, y: int) -> Strip:
        index = y + self.scroll_offset.y
        base = self.rich_style
        if index >= len(self._lines):
            return Strip.blank(self.room.width, base)
        strip = Strip(self._segments(self._lines[index], base)).adjust_cell_length(
            self.room.width, base
        )
        if index == self._cursor and self.has_focus:
            # The cursor's background must override that of the segments.
            cursor = self._ink("cursor")
            row = [Segment(text, (style or base) + cursor) for text, style, _ in strip]
            strip = Strip(row, strip.cell_length)
        return strip

    def _segments(self, spans: Line, base: Style) -> list[Segment]:
        return [
            Segment(
                span.text,
                base + self._ink(span.tone)
                + (Style.from_meta({"@click": span.action}) if span.action else Style.null()),
            )
            for span in spans
        ]  # fmt: skip

    def _ink(self, name: Ink) -> Style:
        if name not in self._inks:
            self._inks[name] = ink(self.app, name)
        return self._inks[name]
