"""Swaps of the last 24 hours as events: a swap that no screen watched has none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from tui.model import Event, PastSwap
from tui.rules.events import swap_done

SEEN = timedelta(seconds=60)
"""Within this time after the end of a swap, whoever watches has seen it."""


def of_past_swaps(swaps: Iterable[PastSwap], known: Sequence[Event]) -> tuple[Event, ...]:
    """An event for each of the swaps that no ``known`` event reports."""
    return tuple(_event(swap) for swap in swaps if not any(_tells(each, swap) for each in known))


def _tells(event: Event, swap: PastSwap) -> bool:
    return (
        event.subject == swap.address
        and event.text.startswith(f"{swap.direction} ")
        and swap.began_at <= event.at <= swap.ended_at + SEEN
    )


def _event(swap: PastSwap) -> Event:
    if swap.state == "done":
        return Event(swap.ended_at, swap.address, swap_done(swap), "done", "vfiotop")
    if swap.state == "undone":
        return Event(swap.ended_at, swap.address, f"{swap.direction} undone", "warn", "vfiotop")
    text = f"{swap.direction} interrupted"
    return Event(swap.ended_at, swap.address, text, "failed", "vfiotop")
