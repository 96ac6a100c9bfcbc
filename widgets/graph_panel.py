"""A panel with graphs that the mouse can point at while it is full-screen."""

from __future__ import annotations

from textual.events import Click, MouseEvent, MouseScrollDown, MouseScrollUp, Resize
from textual.message import Message

from widgets.graph_grid import GraphLines, Grid, Times
from widgets.panel import Panel


class GraphPanel(Panel):
    """``times`` is the time that its graphs cover while it is full-screen, else ``None``. A click
    on a graph points at a cell; the wheel changes the span there, and scrolls anywhere else."""

    times: Times | None = None
    _graphs = range(0)
    """The lines with graphs."""

    class Pointed(Message):
        """The user points at a cell of the graphs; the newest one is 0."""

        def __init__(self, cell: int) -> None:
            super().__init__()
            self.cell = cell

    class Turned(Message):
        """The user turns the wheel over a graph: for less time with -1, for more with 1."""

        def __init__(self, steps: int) -> None:
            super().__init__()
            self.steps = steps

    class Reshaped(Message):
        """The full-screen graphs have another size, and may show other steps."""

    @property
    def grid(self) -> Grid:
        """The columns of the full-screen graphs."""
        return Grid(self.space.width)

    def paint_graphs(self, drawn: GraphLines) -> None:
        """Paint lines, and remember which of them are graphs."""
        self.paint_panel(drawn.lines)
        self._graphs = drawn.graphs

    def _graph_x(self, event: MouseEvent) -> int | None:
        """The column of a mouse event on a graph; ``None`` if it is not on one."""
        offset = event.get_content_offset(self)
        if self.times is None or offset is None or (self.ruled and offset.y == 0):
            return None
        y = offset.y + self.scroll_offset.y - self.ruled
        return offset.x - self.ruled if y in self._graphs else None

    def on_resize(self, _: Resize) -> None:
        if self.times is not None:
            self.post_message(self.Reshaped())

    def on_click(self, event: Click) -> None:
        x = self._graph_x(event)
        cell = self.grid.cell_at(x) if x is not None else None
        if cell is not None:
            self.post_message(self.Pointed(cell))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self._turn(event, -1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self._turn(event, 1)

    def _turn(self, event: MouseEvent, steps: int) -> None:
        if self._graph_x(event) is not None:
            event.stop().prevent_default()  # Textual would scroll
            self.post_message(self.Turned(steps))
