"""What readings cost: how often other services are called, and how each source performs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.commands import bindings
from tui.live import Live
from tui.screens.panel_screen import PanelScreen
from widgets.cost_table import CostTable


class CallsScreen(PanelScreen):
    """The debug view. While it is open the cards are read, to show the cost of that."""

    NAME = "calls"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "CostTable"

    @property
    def shows_cards(self) -> bool:
        return True

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield CostTable(glyphs=self.glyphs)

    def draw(self, live: Live) -> None:
        self.query_one(CostTable).show(self.session.cost(), self.session.host.now())
