"""A panel that says why there is nothing to show."""

from __future__ import annotations

from widgets.lines import Line, Span, line, wrap
from widgets.panel import Edges, Panel


class Notice(Panel):
    """A few sentences in place of a panel."""

    _title: Line = ()
    _text = ""

    def show(self, text: str, title: str = "") -> None:
        """Draw ``text``, and ``title`` in the frame."""
        shown = (text, line(Span(title, "strong")) if title else ())
        if shown != (self._text, self._title):
            self._text, self._title = shown
            self._draw()

    def _draw(self) -> None:
        if self.space.width > 0:
            self.set_edges(Edges(self._title))
            self.paint_panel(wrap(self._text, self.space.width, "dim"))


if __name__ == "__main__":
    from widgets.preview import preview

    preview(Notice("groups"), lambda widget: widget.show("No GPU found on this host.", "GPUs"))
