"""A canvas in a frame. The upper edge has the title and, at the right, the state. The lower edge
has the keys that act on the panel, a note, and a count of the lines that do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size

from widgets.canvas import Canvas
from widgets.glyphs import PLAIN, RICH, Glyphs
from widgets.lines import Line, Span, fit, join, line, merge_spans, width_of
from widgets.tones import tone_style

Accent = Literal["guest-gpu", "host-gpu", "guest", "groups", "events", "key"]

FRAME_CELLS = 6
"""Cells of an edge that Textual's border needs for corners, dashes and spaces."""


class Edges(NamedTuple):
    """The texts in the edges of a panel's frame. If the two texts of an edge do not fit, the left
    one is cut."""

    title: Line = ()
    state: Line = ()
    keys: Line = ()
    note: Line = ()


class Panel(Canvas):
    """A canvas with a frame in its accent, brighter when focused.

    With ``-rule`` the frame is one rule above the lines, for small terminals.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
    ]

    DEFAULT_CSS = (
        "".join(
            f"""
        Panel.-{accent} {{ border: round ${accent}-edge; border-title-color: ${accent}-edge;
                           border-subtitle-color: ${accent}-edge; }}
        Panel.-{accent}:focus {{ border: round ${accent}; border-title-color: ${accent};
                                 border-subtitle-color: ${accent}; }}
        Panel.-square.-{accent} {{ border: solid ${accent}-edge; }}
        Panel.-square.-{accent}:focus {{ border: solid ${accent}; }}
        """
            for accent in ("guest-gpu", "host-gpu", "guest", "groups", "events")
        )
        + """
        Panel { padding: 0 1; border-subtitle-align: left; }
        Panel.-key { border: round $key; border-title-color: $key; border-subtitle-color: $key; }
        Panel.-square.-key { border: solid $key; }
        Panel.-rule, Panel.-rule:focus { border: none; padding: 0; }
    """
    )

    def __init__(
        self, accent: Accent, *, id: str | None = None, glyphs: Glyphs = RICH,
        can_focus: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=f"-{accent}", can_focus=can_focus)
        # The Linux console's fonts have no round corners.
        self.set_class(glyphs is PLAIN, "-square")
        self.glyphs = glyphs
        self.accent: Accent = accent
        self._edges = Edges()
        self._shown_edges: tuple[Edges, Line, int] | None = None
        self._placed: Size | None = None
        self.ruled = False

    def place(self, region: Region | None, *, framed: bool) -> None:
        """Move to a region of the parent, or hide if it is ``None``; for a screen that places its
        panels itself. From now on the panel draws for that size."""
        self.display = region is not None
        if region is None:
            self._drawn_for = None
            return
        self._placed = region.size
        self.set_ruled(not framed)
        self.styles.offset = region.offset
        self.styles.width, self.styles.height = region.size

    @property
    def room(self) -> Size:
        """The cells for lines once the panel is laid out; none while it is hidden."""
        if not self.display:
            return Size(0, 0)
        return self._frame_size - self.styles.gutter.totals

    @property
    def _frame_size(self) -> Size:
        """The cells of the panel with its frame, once it is laid out."""
        return self.outer_size if self._placed is None else self._placed

    def set_accent(self, accent: Accent) -> None:
        """Set the accent if it differs: a new class makes Textual lay everything out again."""
        if accent == self.accent:
            return
        self.set_class(False, f"-{self.accent}", update=False)
        self.set_class(True, f"-{accent}")
        self.accent = accent

    def set_ruled(self, ruled: bool) -> None:
        """Draw a single rule instead of the frame."""
        if ruled != self.ruled:
            self.ruled = ruled
            self.set_class(ruled, "-rule")
            # The style changes the room for lines, but not the widget's size.
            self._drawn_for = None
            self.call_after_refresh(self._draw_for_room)

    def set_edges(self, edges: Edges) -> None:
        """Show ``edges``, in the frame or in the rule."""
        self._edges = edges
        self._after_scroll()

    def _show_edges(self) -> None:
        """Set the edges if they differ: Textual repaints the whole widget for a new one."""
        edges, hidden = self._edges, hidden_lines(*self.hidden, self.glyphs)
        shown = (edges, hidden, self._frame_size.width)
        if self.ruled or shown == self._shown_edges or not self._frame_size.width:
            return
        self._shown_edges = shown
        note = join([hidden, edges.note])
        if width_of(edges.keys) + 3 + width_of(note) > self._frame_size.width - FRAME_CELLS:
            # The keys matter more than the word "more".
            note = join([hidden_lines(*self.hidden, self.glyphs, word=""), edges.note])
        self.border_title = self._edge(edges.title, edges.state)
        self.border_subtitle = self._edge(edges.keys, note)
        self.styles.border_subtitle_align = "left" if edges.keys else "right"

    def _edge(self, left: Line, right: Line) -> Content:
        """The text of an edge. If it has only one part, the border fills the rest."""
        room = self._frame_size.width - FRAME_CELLS
        return content(edge(left, right, room, self.glyphs.frame) if left else fit(right, room))

    @property
    def hidden(self) -> tuple[int, int]:
        """How many lines are above and below those that are shown."""
        above = self.scroll_offset.y
        return above, max(0, len(self.lines) - above - self.room.height)

    def rule(self, width: int) -> Line:
        """The rule that replaces the frame: ``─ title ─── state ─``."""
        frame = self.glyphs.frame
        room = width - 4
        title, state = self._edges.title, self._edges.state
        for word in (" more", ""):  # the title matters more than the word
            right = join([state, hidden_lines(*self.hidden, self.glyphs, word=word)])
            if width_of(title) + 3 + width_of(right) <= room:
                break
        middle = edge(title, right, room, frame)
        tone = self.accent
        if not width_of(middle):
            return line(Span(frame * width, tone))
        inner = tuple(
            span._replace(tone=tone) if span.text.strip(f"{frame} ") == "" else span
            for span in middle
        )
        rest = frame * (1 + room - width_of(middle))
        return line(Span(f"{frame} ", tone), *inner, Span(f" {rest}", tone))

    def paint(self, lines: Sequence[Line], cursor: int | None = None) -> None:
        super().paint(lines, cursor)
        self._drawn_for = self._inside.size
        self._after_scroll()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._after_scroll()

    def _after_scroll(self) -> None:
        """Update the count of hidden lines."""
        if not self.ruled:
            self._show_edges()
        elif self.lines and self.lines[0] != (rule := merge_spans(self.rule(self.room.width))):
            super().paint([rule, *self.lines[1:]], self._cursor)

    # The rule stays in place while the lines below it scroll.

    def _row_of(self, line: int, top: int) -> int:
        return 0 if self.ruled and line == 0 else super()._row_of(line, top)

    def _line_in(self, row: int, top: int) -> int:
        return 0 if self.ruled and row == 0 else super()._line_in(row, top)

    def paint_panel(self, lines: list[Line], cursor: int | None = None) -> None:
        """Paint the lines; without a frame, below the rule and indented by one cell. ``cursor`` is
        the index of the line under the cursor."""
        if self.ruled:
            lines = [self.rule(self.room.width), *(line(" ", *each) for each in lines)]
            cursor = cursor + 1 if cursor is not None else None
        self.paint(lines, cursor)

    @property
    def space(self) -> Size:
        """The cells for lines, without the rule and the space on each side of them."""
        width, height = self.room
        if self.ruled:
            return Size(max(0, width - 2), max(0, height - 1))
        return Size(width, height)


def hidden_lines(above: int, below: int, glyphs: Glyphs = RICH, *, word: str = " more") -> Line:
    """``↑ 3  ↓ 12 more``: how many lines are out of sight."""
    parts = ((above, glyphs.above), (below, glyphs.below))
    counts = [f"{sign} {count}" for count, sign in parts if count]
    return line(Span(f"{'  '.join(counts)}{word}", "label")) if counts else ()


def edge(left: Line, right: Line, width: int, frame: str) -> Line:
    """``left`` and ``right`` at the ends of ``width`` cells, with the frame between them. Without
    ``right`` it ends after ``left``: the border fills the rest."""
    right = fit(right, width)
    room = width - width_of(right)
    if not right:
        return fit(left, width)
    shown = fit(left, max(0, room - 3))
    rest = room - width_of(shown)
    gap = f" {frame * max(0, rest - 2)} " if shown else f"{frame * max(0, rest - 1)} "
    return (*shown, Span(gap if rest > 1 else " " * rest), *right)


def content(spans: Line) -> Content:
    """The spans as Textual content, for an edge. The frame's own characters keep its colour."""
    parts: list[tuple[str, str]] = []
    for span in spans:
        plain = not span.text.strip("─- ")
        style = "" if plain else tone_style(span.tone)
        if span.action:
            style = f"{style} @click={span.action}".strip()
        parts.append((span.text, style))
    return Content.assemble(*parts)
