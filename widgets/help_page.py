"""The help: what vfiotop is, then one line per key."""

from __future__ import annotations

from collections.abc import Sequence

from widgets.canvas import Panel
from widgets.lines import Line, Span, line, wrap

KEY = 10
"""Cells of a key's name."""


class HelpPage(Panel):
    """The help on one page; scrolls."""

    def __init__(self, about: str, rows: Sequence[tuple[str, str]], *, id: str) -> None:
        super().__init__(id=id, can_focus=True)
        self._about, self._rows = about, rows
        self.set_titles("Help")

    def _draw(self) -> None:
        if self.room.width > 0:
            self.paint(help_lines(self._about, self._rows, self.room.width))


def help_lines(about: str, rows: Sequence[tuple[str, str]], width: int) -> list[Line]:
    """The lines of the page; ``rows`` are pairs of a key and what it does."""
    lines = [*wrap(about, width, "dim"), ()]
    for key, text in rows:
        first, *rest = wrap(text, max(width - KEY, 10))
        lines.append(line(Span(f"{key:<{KEY}}", "accent"), *first))
        lines += [line(" " * KEY, *more) for more in rest]
    return lines


if __name__ == "__main__":
    from widgets.preview import preview

    preview(HelpPage("Top for GPU passthrough.", [("b", "bind"), ("u", "unbind")], id="help"))
