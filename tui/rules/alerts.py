"""Which events are worth the terminal's bell, or a notification on the desktop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tui.model import Event, EventKind, HostView, Swap

WORTH: tuple[EventKind, ...] = ("failed", "warn")


def alerts(
    before: HostView,
    after: HostView,
    known: Sequence[Event],
    events: Sequence[Event],
    since: datetime,
) -> tuple[Event, ...]:
    """Those of ``events`` that are not ``known`` yet: failures, warnings, and the end of a swap,
    the worst first. What happened before ``since`` is past: nobody is called for it."""
    if events is known:
        return ()
    seen = set(map(id, known))
    moved = _moved(before.swap, after.swap)
    found = (
        event
        for event in events
        if id(event) not in seen
        and event.at >= since
        and (event.kind in WORTH or (event.kind == "done" and event.subject == moved))
        and not _passes(event, after.swap)
    )
    return tuple(sorted(found, key=lambda event: (*WORTH, "done").index(event.kind)))


def _passes(event: Event, swap: Swap | None) -> bool:
    """Whether it is a step of a swap: a function is without a driver until the next one."""
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
