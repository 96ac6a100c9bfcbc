"""A panel that says why there is nothing to show."""

from __future__ import annotations

from textual.events import Resize

from widgets.canvas import Canvas
from widgets.lines import wrap


class Notice(Canvas):
    """One sentence in place of a panel."""

    DEFAULT_CSS = """
    Notice { border: round $border-blurred; padding: 0 1; }
    """

    _text = ""

    def show(self, text: str) -> None:
        """Draw ``text``."""
        self._text = text
        self._draw()

    def on_resize(self, _: Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        if self.room.width > 0:
            self.paint(wrap(self._text, self.room.width, "dim"))
