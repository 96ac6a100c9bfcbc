"""What changed, when and by whom, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from tui.model import CLOCK, Event
from widgets.canvas import Panel
from widgets.figures import short
from widgets.lines import Line, Span, Tone, line, spread

TONES: dict[str, Tone] = {"info": "text", "good": "good", "warn": "warn", "bad": "bad"}


class EventList(Panel):
    """The events, newest first."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, can_focus=True)
        self._events: Sequence[Event] = ()
        self.set_titles("Events")

    def show(self, events: Sequence[Event]) -> None:
        """Draw ``events``, newest first."""
        if events is not self._events:
            self._events = events
            self._draw()

    def _draw(self) -> None:
        if self.room.width > 0:
            self.paint(event_lines(self._events, self.room.width))


def event_lines(events: Sequence[Event], width: int) -> list[Line]:
    """One line an event: local time, subject, what happened, and by whom."""
    if not events:
        return [line(Span("Nothing has changed since the start.", "dim"))]
    return [
        spread(
            line(
                Span(f"{CLOCK.time_of_day(event.at)}  ", "dim"),
                Span(f"{short(event.subject)}  ", "label"),
                Span(event.text, TONES[event.tone]),
            ),
            line(Span("by us" if event.by == "us" else "external", "dim")) if width >= 60 else (),
            width,
        )
        for event in events
    ]
