"""What changed, when, and by whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from textual.geometry import Size

from tui.model import CLOCK, Event, EventKind
from widgets.check_lines import arrow_lines
from widgets.figures import short
from widgets.footer import Hint, hint_line
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, fit, join, line, pad, spread, width_of, wrap
from widgets.panel import Edges, Panel

NUMBER = "5"

TEXT = 72
"""Width of the text column, in cells. The cause is right after it, or after a longer text."""

FULL_EDGE = 40
"""Minimum width in cells for a frame that spells everything out."""

ADDRESS = 44
"""Width, in cells, below which a text that does not fit drops the address it is about."""

SECONDS = 60
"""Minimum width in cells for times to the second in the full-screen list."""

RECENT = timedelta(hours=1)
"""For how long a warning counts in the title."""

KEYS = (Hint("e", "all", "app.events"),)

ZOOMED_KEYS = (Hint("0", "back", "screen.zoom"),)

SIGNS: dict[EventKind, tuple[str, Tone]] = {
    "done": ("passed", "good"), "change": ("changed", "text"), "note": ("noted", "label"),
    "warn": ("warned", "warn"), "failed": ("failed", "bad"),
}  # fmt: skip
"""The name of each kind's sign, and its tone."""


class EventList(Panel):
    """The events, newest first."""

    def __init__(self, *, id: str | None = None, glyphs: Glyphs = RICH) -> None:
        super().__init__("events", id=id, glyphs=glyphs)
        self._shown: tuple[object, ...] = ()
        self._events: Sequence[Event] = ()
        self._since: datetime | None = None
        self._look = Look()
        self._state: Line = ()
        self._keys: Sequence[Hint] = KEYS

    def show(
        self,
        events: Sequence[Event],
        at: datetime,
        since: datetime,
        *,
        zoomed: bool = False,
        fresh: int = 0,
        aside: Line = (),
        keys: Sequence[Hint] | None = None,
    ) -> None:
        """Draw ``events``, newest first, as of ``at``; ``since`` is when watching began.

        The lines of the ``fresh`` newest ones are in reverse video. ``aside`` replaces the state,
        for what has no panel of its own.
        """
        keys = (ZOOMED_KEYS if zoomed else KEYS) if keys is None else keys
        state = aside or recent_line(events, at, self.glyphs)
        today = CLOCK.day(at)
        shown = (events, since, zoomed, fresh, state, tuple(keys), today)
        if shown != self._shown:
            self._shown = shown
            self._events, self._since, self._keys = events, since, keys
            self._look, self._state = Look(zoomed, fresh, today), state
            self._draw()

    def _draw(self) -> None:
        if self._since is None or self.space.width <= 0:
            return
        width = self.space.width
        self.set_edges(event_edges(self._state, width, self._keys))
        lines = event_lines(self._events, self._since, self.space, self.glyphs, self._look)
        self.paint_panel(lines)


class Look(NamedTuple):
    """``zoomed``: all events, with their texts in full. ``fresh``: how many are new.
    ``today``: the day that needs no line of its own."""

    zoomed: bool = False
    fresh: int = 0
    today: date | None = None


def event_lines(
    events: Sequence[Event],
    since: datetime,
    space: Size,
    glyphs: Glyphs = RICH,
    look: Look = Look(),  # noqa: B008  # a named tuple cannot change
) -> list[Line]:
    """A line for each event: time, sign, text and cause. Identical events in a row share a line.

    The text has a column of its own. On the full-screen list it wraps there, and below it, in the
    width of the panel, is what to do about the event. There, a line with the day precedes the
    events of each day before today.
    """
    width, height = space
    if not events:
        started = CLOCK.time_of_day(since)[:5]
        told = f"Nothing since {started}. Swaps, guests, drivers and limits appear here."
        return wrap(told, width, "label")[:height]
    lines: list[Line] = []
    left, last_day = look.fresh, look.today
    for event, count in folded(events):
        if look.zoomed and last_day is not None and (day := CLOCK.day(event.at)) != last_day:
            lines.append(line(Span(f"{day:%a} {day.day} {day:%b}", "label")))
            last_day = day
        rows = _rows(event, count, width, glyphs, zoomed=look.zoomed)
        if left > 0:
            rows = [tuple(span._replace(tone="flash") for span in pad(row, width)) for row in rows]
            left -= count
        lines += rows
        if not look.zoomed and len(lines) >= height:
            break
    return lines if look.zoomed else lines[:height]


def folded(events: Sequence[Event]) -> Iterator[tuple[Event, int]]:
    """The newest of each run of identical events, and how many there are."""
    for _, run in groupby(events, key=lambda e: (e.subject, e.text, e.kind, e.by)):
        first, *rest = run
        yield first, 1 + len(rest)


def _rows(event: Event, count: int, width: int, glyphs: Glyphs, *, zoomed: bool) -> list[Line]:
    name, tone = SIGNS[event.kind]
    time = CLOCK.time_of_day(event.at)
    time = time if zoomed and width >= SECONDS else time[:5]
    head = line(Span(f"{time} ", "label"), Span(getattr(glyphs, name), tone), " ")
    cause = line(Span(event.by, "label"))
    times = f" {glyphs.times}{count}" if count > 1 else ""
    full = f"{event_text(event, glyphs)}{times}"
    total = min(width, width_of(head) + max(TEXT, len(full)) + 1 + len("external"))
    room = total - width_of(head) - width_of(cause) - 1
    if not zoomed:
        bare = len(full) > room and width < ADDRESS
        shown = f"{event_text(event, glyphs, bare=bare)}{times}"
        return [spread((*head, *_cut(shown, times, room)), cause, total)]
    first, *rest = wrap(full, max(room, 8)) or [()]
    if event.fix:
        rest += arrow_lines(event.fix, max(width - width_of(head), 8), glyphs)
    indent = Span(" " * width_of(head))
    return [spread((*head, *first), cause, total), *(line(indent, *row) for row in rest)]


def event_text(event: Event, glyphs: Glyphs = RICH, *, bare: bool = False) -> str:
    """What happened, and to what. ``bare``: without the address of a PCI function."""
    about = "" if bare and _is_address(event.subject) else f"{short(event.subject)} "
    return f"{about}{event.text}".replace("→", glyphs.changed)


def _cut(text: str, times: str, room: int) -> Line:
    """The text in ``room`` cells; its count is never cut."""
    if not times:
        return fit(line(text), room)
    return (*fit(line(text.removesuffix(times)), room - len(times)), Span(times))


def _is_address(subject: str) -> bool:
    """Whether the subject is a PCI function, which the cause or another row may name as well."""
    return subject.count(":") == 2


# --- the frame ---


def event_edges(state: Line, width: int, keys: Sequence[Hint] = KEYS) -> Edges:
    """Title, state and keys of a panel with ``width`` cells for its lines."""
    title = line(Span(NUMBER, "events"), Span(" Events", "strong"))
    if state and width < FULL_EDGE and state[-1].text == IN_THE_LAST_HOUR:
        state = state[:-1]
    return Edges(title, state, join([hint_line(hint) for hint in keys]))


IN_THE_LAST_HOUR = " in the last hour"


def recent_line(events: Sequence[Event], at: datetime, glyphs: Glyphs = RICH) -> Line:
    """``! 2 in the last hour``: what needs attention; empty if nothing does."""
    kinds = [event.kind for event in events if at - event.at <= RECENT]
    failed, warned = kinds.count("failed"), kinds.count("warn")
    if not failed and not warned:
        return ()
    sign: Span = Span(glyphs.failed, "bad") if failed else Span(glyphs.warned, "warn")
    return line(sign._replace(text=f"{sign.text} {failed + warned}"), Span(IN_THE_LAST_HOUR))


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import AT, EVENTS

    preview(EventList(), lambda widget: widget.show(EVENTS, AT, AT - timedelta(hours=2)))
