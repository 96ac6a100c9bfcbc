"""A board whose graph panels, when full-screen, show a chosen time span with a time cursor."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from tui.model import Window
from tui.screens.panel_board import CARD_PANELS, PanelBoard
from tui.screens.time_cursor import TimeCursor
from tui.session import Session
from widgets.graph import span_text
from widgets.graph_grid import Times
from widgets.graph_panel import GraphPanel


class GraphBoard(PanelBoard):
    """Moves the time cursor and changes the span of the full-screen panel. Each panel begins with
    the shortest span."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._cursor = TimeCursor()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that would do nothing now."""
        if action in ("move_cursor", "span") and self._graph_panel is None:
            return False
        return super().check_action(action, parameters)

    def zoom_changed(self) -> None:
        self._cursor = TimeCursor()

    def action_move_cursor(self, key: str) -> None:
        """Move the time cursor of a full-screen panel."""
        panel, live = self._graph_panel, self.session.live
        if panel is not None:
            step = -1 if key == "right" else 1
            self._cursor.move(step, self.session.host.now(), panel.grid, live.events)
            self.show()

    def on_graph_panel_pointed(self, event: GraphPanel.Pointed) -> None:
        """Set the time cursor at the cell that was clicked."""
        panel, live = self._graph_panel, self.session.live
        if panel is not None:
            self._cursor.point(event.cell, self.session.host.now(), panel.grid, live.events)
            self.show()

    def on_graph_panel_reshaped(self) -> None:
        self.show()

    def on_graph_panel_turned(self, event: GraphPanel.Turned) -> None:
        self._change_span(event.steps)

    def action_span(self, key: str) -> None:
        """Show more or less time in a full-screen panel."""
        self._change_span(-1 if key == "minus" else 1)

    def _change_span(self, steps: int) -> None:
        if self._graph_panel is not None:
            self._cursor.span(steps)
            self.show()
            self.say(f"Span: {span_text(self._cursor.span_s)}")

    @property
    def _graph_panel(self) -> GraphPanel | None:
        """The full-screen panel, if it has graphs."""
        found = self.zoomed in (*CARD_PANELS, "guest")
        return self.query_one(f"#{self.zoomed}", GraphPanel) if found else None

    @property
    def window(self) -> Window | None:
        """The window that the full-screen graphs show."""
        panel = self._graph_panel
        return self._cursor.window(panel.grid) if panel else None

    def times(self, at: datetime) -> Times | None:
        """The time that the full-screen graphs cover."""
        panel, live = self._graph_panel, self.session.live
        times = self._cursor.times(at, panel.grid, live.events) if panel else None
        return times and replace(times, problem=self.session.spans.problem(times.span_s, at))
