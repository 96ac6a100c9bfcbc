"""What changed between two views, as events.

Only what was known before and is known now can have changed. The first reading of a source, or
the first after an outage, reports no change but the source's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from tui.model import NOT_READ_YET, SOURCE_NAMES, Event, EventCause, HostView, PastSwap, Swap
from tui.rules import (
    card_events,
    device_events,
    domain_events,
    kernel_events,
    usb_events,
    watch_events,
)
from tui.rules.change import Change, all_read, never_read


class Changed(NamedTuple):
    """What samples of one moment have changed: the view, and the addresses of the cards that have
    another owner; with the ``events`` that are new since the samples before, newest first."""

    before: HostView
    after: HostView
    events: tuple[Event, ...] = ()
    owners: frozenset[str] = frozenset()


def changes(
    before: HostView, after: HostView, at: datetime, asked: Collection[str] = ()
) -> tuple[Event, ...]:
    """The events between two views, stamped ``at``: sources, swap, kernel, devices, cards,
    domains, USB devices, watch, rules. Changes of the domains with the UUIDs ``asked`` are ours."""
    if before is after:
        return ()
    found: list[Change] = [*_sources(before, after)]
    if all_read("swap", before, after):
        found += _swap(before.swap, after.swap)
    found += kernel_events.changes(before, after)
    if all_read("pci", before, after):
        found += device_events.changes(before, after)
        found += card_events.changes(before, after)
    if all_read("guests", before, after):
        found += domain_events.changes(before, after)
    if before.usb is not None and after.usb is not None:
        found += usb_events.changes(before, after)
    found += watch_events.changes(before, after)
    found += _rules(before, after)
    ours: dict[str, EventCause] = dict.fromkeys(
        (*asked, *_cards_of(asked, before, after)), "vfiotop"
    )
    ours |= {**_moving(before.swap), **_moving(after.swap)}
    return tuple(
        Event(at, each.subject, each.text, each.kind, _cause(each, ours), each.fix)
        for each in found
    )


def _cause(change: Change, ours: Mapping[str, EventCause]) -> EventCause:
    """Who did it. What the kernel says about a card that we move is still attributed to the
    kernel."""
    if change.by == "kernel":
        return change.by
    return ours.get(change.key or change.subject, change.by)


def claimed(events: Sequence[Event], swap: Swap) -> tuple[Event, ...]:
    """The events with the first changes of a swap attributed to it. A function may change before
    the journal that says why is read."""
    ours = _moving(swap)
    return tuple(
        replace(event, by=ours[event.subject])
        if event.by == "external" and event.subject in ours and event.at >= swap.began_at
        else event
        for event in events
    )


def _rules(before: HostView, after: HostView) -> Iterator[Change]:
    """The rules that are violated now and were not before."""
    old = {check.id for check in before.checks if check.verdict == "fail"}
    for check in after.checks if before.checks else ():
        if check.verdict == "fail" and check.id not in old:
            yield Change(check.subject or "host", f"violates {check.id}: {check.why}", "failed")


def _cards_of(domains: Collection[str], *views: HostView) -> set[str]:
    """The cards that these domains have or had."""
    return {gpu.address for view in views for gpu in view.gpus if gpu.guest_uuid in domains}


def _moving(swap: Swap | None) -> dict[str, EventCause]:
    """The functions that a running swap moves, each with who asked for it."""
    if swap is None or not swap.under_way:
        return {}
    return dict.fromkeys(swap.moves, "watch" if swap.by == "watch" else "vfiotop")


def _sources(before: HostView, after: HostView) -> Iterator[Change]:
    for source, name in SOURCE_NAMES.items():
        was, now = before.problem(source), after.problem(source)
        if (
            never_read(source, before)
            or was == now
            or source in before.expected
            or source in after.expected
        ):
            continue
        if now is None:
            yield Change(name, "answers again", "done", by="host")
        elif now != NOT_READ_YET.reason:
            yield Change(name, now, "warn", by="host")


def _swap(was: Swap | None, now: Swap | None) -> Iterator[Change]:
    """The beginning and the end of a swap. ``card_events`` reports a stuck one."""
    if now is None:
        return
    same = was is not None and was.id == now.id
    if now.under_way and not (same and was is not None and was.under_way):
        yield Change(now.address, f"{now.direction} {'continues' if same else 'began'}", "note")
    elif was is None or not same or (was.state, was.under_way) == (now.state, now.under_way):
        return
    elif now.state == "done":
        yield Change(now.address, swap_done(now), "done")
    elif now.state == "undone":
        why = now.message or "the previous state is restored"
        yield Change(now.address, f"{now.direction} undone: {why}", "warn")
    elif now.interrupted:
        why = f": {now.message}" if now.message else ""
        yield Change(now.address, f"{now.direction} interrupted{why}", "failed")


def swap_done(swap: Swap | PastSwap) -> str:
    """How long a finished swap took."""
    end = swap.step_began_at if isinstance(swap, Swap) else swap.ended_at
    seconds = (end - swap.began_at).total_seconds()
    return f"{swap.direction} done in {seconds:.{0 if seconds >= 10 else 1}f} s"
