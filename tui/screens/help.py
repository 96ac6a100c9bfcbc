"""The keys and what they do, from the one table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.commands import COMMANDS, bindings
from tui.live import Live
from tui.screens.base import HostScreen
from widgets.canvas import Panel
from widgets.lines import Line, Span, line, wrap

MOVING = (
    ("tab", "The next panel; shift+tab the one before"),
    ("up down", "Walk over the devices and through long lists; j and k too"),
)

ABOUT = (
    "vfiotop watches the GPUs, the guest and the IOMMU groups of this host. It never wakes a "
    "card that sleeps. What changes the host shows its plan and asks first. “–” stands for what "
    "cannot be measured."
)


class HelpScreen(HostScreen):
    """One page."""

    NAME = "help"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "#help"

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            page = Panel(id="help", can_focus=True)
            page.entitle("Help")
            yield page

    def on_resize(self) -> None:
        self.show()

    def draw(self, live: Live) -> None:
        page = self.query_one("#help", Panel)
        if page.room.width > 0:
            page.paint(help_lines(page.room.width))


def help_lines(width: int) -> list[Line]:
    """What vfiotop is, then a line a key."""
    rows = [(command.key_label, f"{command.label}: {command.help}") for command in COMMANDS]
    lines = [*wrap(ABOUT, width, "dim"), ()]
    for key, text in (*rows, *MOVING):
        first, *rest = wrap(text, max(width - 10, 10))
        lines.append(line(Span(f"{key:<10}", "accent"), *first))
        lines += [line(" " * 10, *more) for more in rest]
    return lines
