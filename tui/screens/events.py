"""What changed since the start, on the whole screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.commands import bindings
from tui.live import Live
from tui.screens.base import HostScreen
from widgets.event_list import EventList


class EventsScreen(HostScreen):
    """Every event of ``Live``, newest first."""

    NAME = "events"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "EventList"

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield EventList(id="events")

    def draw(self, live: Live) -> None:
        self.query_one(EventList).show(live.events)
