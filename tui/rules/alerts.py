"""Which events are worth the terminal's bell, or a notification on the desktop."""

from __future__ import annotations

from datetime import datetime

from tui.model import Event, EventKind, Swap
from tui.rules.events import Changed

WORTH: tuple[EventKind, ...] = ("failed", "warn")


def alerts(changed: Changed, since: datetime) -> tuple[Event, ...]:
    """Those of the new events that are failures, warnings, or the end of a swap, the worst first.
    Events before ``since`` raise no alert."""
    swap = changed.after.swap
    moved = _moved(changed.before.swap, swap)
    found = (
        event
        for event in changed.events
        if event.at >= since
        and (event.kind in WORTH or (event.kind == "done" and event.subject == moved))
        and not _passes(event, swap)
    )
    return tuple(sorted(found, key=lambda event: (*WORTH, "done").index(event.kind)))


def _passes(event: Event, swap: Swap | None) -> bool:
    """Whether the event is only a step of a swap: a function has no driver until the next step."""
    return (
        swap is not None
        and swap.under_way
        and event.kind == "warn"
        and event.by in ("vfiotop", "watch")
        and event.subject in swap.moves
    )


def _moved(was: Swap | None, now: Swap | None) -> str | None:
    """The address of the card whose swap has just ended."""
    if was is None or now is None or was.id != now.id or was.ended or not now.ended:
        return None
    return now.address
