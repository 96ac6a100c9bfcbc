"""A screen with one panel."""

from __future__ import annotations

from tui.screens.arrangement import has_frames
from tui.screens.base import HostScreen
from widgets.panel import Panel


class PanelScreen(HostScreen):
    """Its panel has a frame if there is room for one, else a rule."""

    def show(self) -> None:
        for panel in self.query(Panel):
            panel.set_ruled(not has_frames(self.app.size))
        super().show()
