"""The base of all panels: a widget that draws lines, and redraws only the rows that changed.

``tui.terminal.diff`` decides which of their cells reach the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.events import Resize
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.lines import Line, Tone, fit, merge_spans

TONE_CLASSES: set[str] = {
    "ink--text", "ink--strong", "ink--label", "ink--dim", "ink--good", "ink--warn", "ink--bad",
    "ink--accent", "ink--graph", "ink--rest", "ink--cursor",
}  # fmt: skip
"""The component classes of the tones. The screen declares them for all its canvases, because
Textual restyles every component class of every widget."""

TONE_RULES = """
    & .ink--text { color: $foreground; }
    & .ink--strong { color: $foreground; text-style: bold; }
    & .ink--label { color: $text-muted; }
    & .ink--dim { color: $text-muted; }
    & .ink--good { color: $text-success; }
    & .ink--warn { color: $text-warning; }
    & .ink--bad { color: $text-error; text-style: bold; }
    & .ink--accent { color: $text-accent; }
    & .ink--graph { color: $accent; }
    & .ink--rest { color: $panel; }
    &:ansi .ink--label, &:ansi .ink--dim, &:ansi .ink--rest { text-style: dim; }
    & .ink--cursor { background: $panel; }
"""
"""Their styles, to nest in the CSS of the screen."""


class Canvas(ScrollView):
    """Draws lines, one of them under the cursor; scrolls if they do not fit."""

    DEFAULT_CSS = """
    Canvas {
        height: 1fr;
        background: $background;
        color: $foreground;
        overflow-x: hidden;
        border-title-color: $foreground;
        border-subtitle-color: $text-muted;
        border-title-style: bold;
        &:focus { border-title-color: $accent; }
    }
    """

    ALLOW_SELECT = False

    def __init__(
        self, *, id: str | None = None, classes: str | None = None, can_focus: bool = False
    ) -> None:
        super().__init__(id=id, classes=classes, can_focus=can_focus)
        self._lines: list[Line] = []
        self._cursor: int | None = None
        self._titles = ("", "", "")

    def set_titles(self, title: str, subtitle: str = "", tone: str = "") -> None:
        """Set the border's titles as text, not markup; the subtitle gets the style ``tone``.

        Textual repaints the whole widget for a new title, so equal ones are not set again.
        """
        if (title, subtitle, tone) != self._titles:
            self._titles = (title, subtitle, tone)
            self.border_title = Content(title)
            self.border_subtitle = Content.styled(subtitle, tone)

    def on_resize(self, _: Resize) -> None:
        self._draw()

    def watch_show_vertical_scrollbar(self) -> None:
        """Redraw: a scrollbar takes its columns from the lines."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        """Paint the current content into ``room``; for subclasses to override."""

    @property
    def room(self) -> Size:
        """The cells that lines can use: the content area without border and scrollbar."""
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
        styles = [Segment(span.text, base + self._ink(span.tone)) for span in self._lines[index]]
        strip = Strip(styles).adjust_cell_length(self.room.width, base)
        if index == self._cursor and self.has_focus:
            # The cursor's background must override that of the segments.
            cursor = self._ink("cursor")
            row = [Segment(text, (style or base) + cursor) for text, style, _ in strip]
            strip = Strip(row, strip.cell_length)
        return strip

    def _ink(self, tone: Tone | Literal["cursor"]) -> Style:
        return self.screen.get_component_rich_style(f"ink--{tone}", partial=True)


class Panel(Canvas):
    """A canvas with a border that carries titles and shows the focus."""

    DEFAULT_CSS = """
    Panel { border: round $border-blurred; padding: 0 1; }
    Panel:focus { border: round $border; }
    """
