"""What the watch of the simulated host has kept of the 24 hours before the simulation began.

The day is a machine, too, whose times are negative: readings are functions of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property

from msgspec import Struct

from tui.host.demo.machine import DemoDomain, Machine
from tui.host.demo.traces import Cycle
from tui.model import CARD_SERIES, Direction, Event, EventCause, EventKind, PastSwap, value_of
from tui.model.past import SECONDS, TENS, Bucket, SeriesKey, Tier

DAY_S = 86400.0

SAMPLES = 2
"""Readings of the machine in each step. A real watch takes one a second."""

RECENT_S = 900.0
"""How far back the graphs go when a screen opens, in seconds."""

Values = Iterator[tuple[str, float]]


class Happened(Struct, frozen=True):
    """An event of the day, ``ago_s`` seconds before the simulation began."""

    ago_s: float
    subject: str
    text: str
    kind: EventKind = "note"
    by: EventCause = "external"


class Moved(Struct, frozen=True):
    """A swap that was done ``ago_s`` seconds before the simulation began."""

    ago_s: float
    direction: Direction
    address: str
    took_s: float


class Day(Struct, frozen=True):
    """The machine of the day before the simulation, when it was ``up``, what happened, and the
    guest whose load is kept."""

    machine: Machine
    guest: str
    up: Cycle
    events: tuple[Happened, ...] = ()
    swaps: tuple[Moved, ...] = ()


class DemoHistory:
    """The history of a ``day`` that ended when the simulation ``began``."""

    def __init__(self, day: Day, began: datetime) -> None:
        self._day, self._began = day, began
        self._known: dict[tuple[str, Tier, float], Mapping[str, dict[int, Bucket]]] = {}

    def newest(self) -> DemoHistory:
        for owner in {key.owner for key in self.keys}:
            for tier in (SECONDS, TENS):  # here, and not when a graph is drawn
                self._thinned(owner, tier, RECENT_S)
        return self

    def everything(self) -> DemoHistory:
        return self

    @cached_property
    def keys(self) -> frozenset[SeriesKey]:
        cards = (
            SeriesKey(c.address, name) for c in self._day.machine.cards for name in CARD_SERIES
        )
        return frozenset([*cards, *(SeriesKey(self._guest.uuid, name) for name in ("cpu", "wait"))])

    @cached_property
    def events(self) -> tuple[Event, ...]:
        found = (
            Event(self._time(each.ago_s), each.subject, each.text, each.kind, each.by)
            for each in self._day.events
        )
        return tuple(sorted(found, key=lambda event: event.at, reverse=True))

    @cached_property
    def swaps(self) -> tuple[PastSwap, ...]:
        found = (
            PastSwap(
                str(number), each.direction, each.address, "done",
                self._time(each.ago_s + each.took_s), self._time(each.ago_s),
            )
            for number, each in enumerate(self._day.swaps)
        )  # fmt: skip
        return tuple(sorted(found, key=lambda swap: swap.ended_at, reverse=True))

    def means(self, key: SeriesKey, tier: Tier, last_s: float) -> Iterator[tuple[float, float]]:
        for step, bucket in self._thinned(key.owner, tier, last_s).get(key.name, {}).items():
            yield (step + 0.5) * tier.step_s, bucket.mean

    def buckets(self, key: SeriesKey, tier: Tier) -> Mapping[int, Bucket]:
        return self._thinned(key.owner, tier, DAY_S).get(key.name, {})

    def _thinned(self, owner: str, tier: Tier, last_s: float) -> Mapping[str, dict[int, Bucket]]:
        """The buckets of all series of a card or of the guest."""
        known = self._known.get((owner, tier, last_s))
        if known is None:
            known = self._known[owner, tier, last_s] = self._made(owner, tier, last_s)
        return known

    def _made(self, owner: str, tier: Tier, last_s: float) -> dict[str, dict[int, Bucket]]:
        began_s = self._began.timestamp()
        ago_s = min(last_s, tier.keep_s)
        first, end = int((began_s - ago_s) // tier.step_s), int(began_s // tier.step_s)
        found: dict[str, dict[int, Bucket]] = {}
        for step in range(first, end):
            values: dict[str, list[float]] = {}
            for number in range(SAMPLES):
                at = (step + number / SAMPLES) * tier.step_s - began_s
                if at < -DAY_S or self._day.up.state(at) != "up":
                    continue
                for name, value in self._values(owner, at):
                    values.setdefault(name, []).append(value)
            for name, each in values.items():
                bucket = Bucket(tier.step_s, sum(each) / len(each), max(each))
                found.setdefault(name, {})[step] = bucket
        return found

    def _values(self, owner: str, at: float) -> Values:
        for card in self._day.machine.cards:
            if card.address == owner:
                metrics = card.reading(at).metrics
                for name in CARD_SERIES:
                    value = value_of(name, metrics)
                    if value is not None:
                        yield name, value
        if owner == self._guest.uuid:
            domain = self._guest.reading(at, self._began)
            if domain.cpu_pct is not None:
                yield "cpu", domain.cpu_pct
                yield "wait", max((cpu.wait_ms or 0.0 for cpu in domain.vcpu_times), default=0.0)

    @property
    def _guest(self) -> DemoDomain:
        return next(each for each in self._day.machine.domains if each.name == self._day.guest)

    def _time(self, ago_s: float) -> datetime:
        return self._began - timedelta(seconds=ago_s)
