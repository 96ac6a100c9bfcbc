"""A panel that says why there is nothing to show."""

from __future__ import annotations

from widgets.canvas import Panel
from widgets.lines import wrap


class Notice(Panel):
    """One sentence in place of a panel."""

    _text = ""

    def show(self, text: str) -> None:
        """Draw ``text``."""
        self._text = text
        self._draw()

    def _draw(self) -> None:
        if self.room.width > 0:
            self.paint(wrap(self._text, self.room.width, "dim"))


if __name__ == "__main__":
    from widgets.preview import preview

    preview(Notice(), lambda widget: widget.show("No GPU found on this host."))
