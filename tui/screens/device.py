"""The details of one PCI function. A guest, and cards with a panel, show theirs on the overview."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.commands import bindings
from tui.live import Live
from tui.screens.base import HostScreen
from tui.screens.card_users_scan import CardUsersScan
from tui.screens.panel_screen import PanelScreen
from tui.session import Session
from widgets.device_panel import DevicePanel


class DeviceScreen(PanelScreen):
    """``subject`` is a PCI address. The function may disappear while it is shown."""

    NAME = "device"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "DevicePanel"

    def __init__(self, session: Session, subject: str) -> None:
        super().__init__(session)
        self._subject = subject
        self._scan = CardUsersScan(self)

    @property
    def subject(self) -> str | None:
        return self._subject

    @property
    def shows_cards(self) -> bool:
        return self.session.live.view.gpu(self._subject) is not None

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield DevicePanel(glyphs=self.glyphs)

    def on_screen_suspend(self) -> None:
        self._scan.stop()

    def draw(self, live: Live) -> None:
        gpu = live.view.gpu(self._subject)
        shown = self.is_current
        users = self._scan.of(gpu) if gpu is not None and shown else None
        self.query_one(DevicePanel).show(self._subject, live.view, users)


def open_device(app: App[Any], address: str) -> None:
    """Open the device at ``address``, if it is not open yet: the key and the focused panel may both
    request it, or a key may be pressed twice."""
    screen = app.screen
    if isinstance(screen, HostScreen) and not isinstance(screen, DeviceScreen):
        app.push_screen(DeviceScreen(screen.session, address))
