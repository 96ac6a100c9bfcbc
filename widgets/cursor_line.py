"""The line of the time cursor: its time, how long ago that is, and what happened then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tui.model import CLOCK, Event
from widgets.card import WIDE
from widgets.event_list import SIGNS, event_text
from widgets.figures import ago, uptime
from widgets.glyphs import RICH, Glyphs
from widgets.graph_grid import Times
from widgets.lines import Line, Span, fit, line, spread, width_of

NOTE = "figures in ( ) are those at the cursor"


def cursor_lines(times: Times, now: datetime, width: int, glyphs: Glyphs = RICH) -> list[Line]:
    """The line above the graphs; none without a cursor. If it does not fit, it drops the note, then
    how long ago that was, then what the event is about."""
    if times.at is None:
        return []
    note = line(Span(NOTE, "label"))
    forms = list(_forms(times.at, now, times.event, glyphs))
    if width >= WIDE and width_of(forms[0]) + 2 + width_of(note) <= width:
        return [spread(forms[0], note, width)]
    return [next((form for form in forms if width_of(form) <= width), fit(forms[-1], width))]


def _forms(at: datetime, now: datetime, event: Event | None, glyphs: Glyphs) -> Iterator[Line]:
    """The forms of the line, the longest first."""
    whole = max(0, round((now - at).total_seconds()))
    before = uptime(at, now) if whole >= 3600 else ago(whole)
    if 60 <= whole < 3600:
        before = f"{whole // 60} min {whole % 60} s"
    time, since = Span(CLOCK.time_of_day(at), "strong"), Span(f"  {before} ago", "label")
    if event is None:
        yield line(time, since)
        yield line(time)
        return
    name, tone = SIGNS[event.kind]
    sign = Span(f"  {getattr(glyphs, name)} ", tone)
    yield line(time, since, sign, event_text(event, glyphs))
    yield line(time, sign, event_text(event, glyphs))
    yield line(time, sign, event_text(event, glyphs, bare=True))
