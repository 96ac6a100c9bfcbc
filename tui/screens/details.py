"""All that is known of one GPU, one PCI function or one guest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.commands import bindings
from tui.live import Live
from tui.screens.base import HostScreen
from widgets.details import DetailsPanel


class DetailsScreen(HostScreen):
    """``subject``: a PCI address or a domain's name. It may go away while it is shown."""

    NAME = "details"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "DetailsPanel"

    def __init__(self, subject: str) -> None:
        super().__init__()
        self._subject = subject

    @property
    def subject(self) -> str | None:
        return self._subject

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield DetailsPanel()

    def draw(self, live: Live) -> None:
        self.query_one(DetailsPanel).show(self._subject, live.view, self.vfiotop.host.now())
