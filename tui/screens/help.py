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
from widgets.help_page import HelpPage

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
            rows = [(each.key_label, f"{each.label}: {each.help}") for each in COMMANDS]
            yield HelpPage(ABOUT, (*rows, *MOVING), id="help")

    def draw(self, live: Live) -> None:
        """The page draws itself: nothing on it changes with the host."""
