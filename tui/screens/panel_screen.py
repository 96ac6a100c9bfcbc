"""A screen with one panel."""

from __future__ import annotations

from tui.screens.arrangement import size_class
from tui.screens.base import HostScreen
from widgets.panel import Panel


class PanelScreen(HostScreen):
    """Its panel has a frame where there is room for one, else a rule."""

    def show(self) -> None:
        small = size_class(self.app.size) in ("phone", "sideways")
        for panel in self.query(Panel):
            panel.set_ruled(small)
        super().show()
