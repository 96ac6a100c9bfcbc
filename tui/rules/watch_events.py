"""What the watch reports, and that it began or ended."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import Event, HostView
from tui.rules.change import Change, all_read


def told(before: HostView, after: HostView) -> tuple[Event, ...]:
    """The events of the watch that are new, newest first. Those from before the first reading are
    new as well: nobody has seen them."""
    if after.watch is None:
        return ()
    known = before.watch.events if before.watch is not None else ()
    return tuple(event for event in after.watch.events if event not in known)


def changes(before: HostView, after: HostView) -> Iterator[Change]:
    """Whether the watch began or ended."""
    if not all_read("watch", before, after):
        return
    ran = before.watch is not None and before.watch.running
    runs = after.watch is not None and after.watch.running
    if runs and not ran:
        yield Change("watch", "began", "note", by="host")
    elif ran and not runs and after.watch is not None:
        failed = after.watch.failed
        text = f"{'ended' if failed else 'stopped'}: nothing returns the card automatically now"
        yield Change("watch", text, "warn" if failed else "note", by="host")
