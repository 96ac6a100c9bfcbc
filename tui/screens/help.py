"""The keys and what they do, from the table of commands."""

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

NAVIGATION = (
    ("tab", "Next panel; shift+tab for the previous one"),
    ("up down", "Move through devices and long lists; j and k do the same"),
)

ABOUT = (
    "vfiotop watches the GPUs, the guest and the IOMMU groups of this host. It never wakes a "
    "sleeping card. Every change to the host shows its plan and asks first. “–” stands for what "
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
            yield HelpPage(ABOUT, (*rows, *NAVIGATION), id="help")

    def draw(self, live: Live) -> None:
        """The page draws itself: nothing on it changes with the host."""
