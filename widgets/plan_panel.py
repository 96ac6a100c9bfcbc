"""The panel of a plan: what it would do, its progress, and how it ended.

It keeps track of the lines that have been on the screen: on a phone, nobody may agree to a plan
after seeing half of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message

from widgets.footer import Hint, hint_line
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Span, join, line, width_of
from widgets.panel import FRAME_CELLS, Accent, Edges, Panel, hidden_lines
from widgets.plan_lines import Drawn, plan_lines, state_line, title_line
from widgets.plan_page import PlanPage

GAP = 4
"""Minimum cells of the frame between the two texts of an edge."""

RULE_CELLS = 4
"""Cells of a rule besides its texts."""


class PlanPanel(Panel):
    """Draws a ``PlanPage``; scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown", "more", "More", show=False),
        Binding("pageup", "less", "Less", show=False),
    ]

    class Scrolled(Message):
        """The number of lines out of sight has changed."""

    def __init__(self, glyphs: Glyphs = RICH, accent: Accent = "guest-gpu") -> None:
        super().__init__(accent, id="plan", glyphs=glyphs)
        self._page: PlanPage | None = None
        self._keys: tuple[Hint, ...] = ()
        self._asked: Hashable = None
        self._drawn: Drawn | None = None
        self._seen: set[int] = set()
        """The lines of the current drawing that were on the screen before scrolling."""
        self._told = (0, 0)

    def show(self, page: PlanPage) -> None:
        """Draw ``page``."""
        if page == self._page:
            return
        before, self._page = self._page, page
        asked = (page.key, page.asks) if page.asks else None
        if asked != self._asked:
            self._asked, self._drawn = asked, None
        if (asked and self._drawn is None) or before is None or before.tone != page.tone:
            self.scroll_home(animate=False, immediate=True)
        self._draw()

    def show_whole(self, page: PlanPage, screen: Size) -> None:
        """Draw ``page`` with as many rows as it needs, up to two thirds of the screen."""
        lines, _ = plan_lines(page, screen.width - FRAME_CELLS + 2, 0, self.glyphs)
        rows = min(len(lines) + 2, max(3, screen.height * 2 // 3))
        if self.styles.height is None or self.styles.height.value != rows:
            self.styles.height = rows
        self.show(page)

    def show_keys(self, keys: Sequence[Hint]) -> None:
        """Show ``keys`` in the lower edge."""
        if tuple(keys) != self._keys:
            self._keys = tuple(keys)
            self._draw()

    # --- what was on the screen ---

    @property
    def unseen(self) -> int:
        """How many lines the user has not seen yet and must see before agreeing."""
        if self._page is None or self._page.asks is None:
            return 0
        if self._drawn is None:
            return 1
        return len(set(range(self._drawn.needed)) - self._seen - self._visible(self.scroll_y))

    @property
    def below(self) -> int:
        """How many lines are below those that are shown."""
        return self.hidden[1]

    def _visible(self, top: float) -> set[int]:
        """The lines that are visible if the first one is ``top``."""
        return set(range(int(top), int(top) + self.space.height))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        if self._drawn is not None:
            self._seen |= self._visible(old_value)
        super().watch_scroll_y(old_value, new_value)

    def _after_scroll(self) -> None:
        super()._after_scroll()
        now = (self.unseen, self.below)
        if now != self._told:
            self._told = now
            self.post_message(self.Scrolled())

    # --- drawing ---

    def _draw(self) -> None:
        page = self._page
        width, height = self.space
        if page is None or width <= 0 or height <= 0:
            return
        drawn = plan_lines(page, width, height, self.glyphs)
        if drawn != self._drawn:
            self._drawn, self._seen = drawn, set()
        self.set_edges(self._edges_of(page, drawn))
        self.paint_panel(drawn.lines)

    def _edges_of(self, page: PlanPage, drawn: Drawn) -> Edges:
        width, height = self.outer_size.width, self.space.height
        room = width - (RULE_CELLS if self.ruled else FRAME_CELLS)
        state = state_line(page.state, width, self.glyphs)
        keys = join(hint_line(hint) for hint in self._keys)
        hidden = (
            width_of(hidden_lines(*self.hidden, self.glyphs)) if len(drawn.lines) > height else 0
        )
        note = line(Span(page.note, "label")) if page.note else ()
        if width_of(note) + GAP + width_of(keys) + hidden > room:
            note = ()
        in_title = hidden if self.ruled else 0
        title = title_line(page, room - width_of(state) - GAP - in_title)
        return Edges(title, state, keys=note, note=keys)

    def action_more(self) -> None:
        """Scroll down by a page, keeping one line for context."""
        self.scroll_relative(y=max(1, self.space.height - 1), animate=False)

    def action_less(self) -> None:
        """Scroll up by a page."""
        self.scroll_relative(y=-max(1, self.space.height - 1), animate=False)


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import PLAN_PAGE

    preview(PlanPanel(), lambda widget: widget.show(PLAN_PAGE))
