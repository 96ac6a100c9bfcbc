"""Turns samples into what is shown: the snapshot, its view, events and past values."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from tui.history import History
from tui.model import (
    CARD_SERIES,
    SOURCES,
    CardReading,
    CardSeries,
    Event,
    Gpu,
    Guest,
    GuestCpus,
    Guests,
    HostView,
    Metrics,
    Owner,
    Sample,
    Snapshot,
    SourceName,
    Swap,
    card_read_at,
    value_of,
)
from tui.model.past import SeriesKey
from tui.rules import waits, watch_events
from tui.rules.change import never_read
from tui.rules.events import Changed, changes, claimed
from tui.rules.leaving import Leaving, is_any_stuck, leaving, without_leaving
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap_times import SwapTimes

SAME_EVENT = timedelta(seconds=1)
"""The times of one event differ by less than this: those in the record and in the history of the
watch agree to a fraction of a second."""

EVENTS_KEPT = 500
"""Events to keep. A host that changes more often has its history in its log."""

OWNERSHIP: tuple[SourceName, ...] = ("vitals", "guests", "swap")
"""The sources that together show who has a card, besides its driver."""

GUEST = "guest."
"""The prefix of the history's keys for the allowed guest."""

GUEST_CPU, GUEST_WAIT = f"{GUEST}cpu", f"{GUEST}wait"
"""The history's keys for the allowed guest's CPU load, and for the wait of its worst vCPU."""


def vcpu_key(number: int) -> str:
    """The history's key for the wait of one vCPU of the allowed guest."""
    return f"{GUEST_WAIT}.{number}"


def series_key(key: str, guest: str | None) -> SeriesKey:
    """The series that a key of the history stands for; ``guest`` is the UUID of the allowed one."""
    if key.startswith(GUEST):
        return SeriesKey(guest or "", key.removeprefix(GUEST))
    address, _, name = key.rpartition(".")
    return SeriesKey(address, name)


def card_key(address: str, series: CardSeries) -> str:
    """The history's key for a series of a GPU."""
    return f"{address}.{series}"


class LastReading(NamedTuple):
    """The last reading of a card that had values, and when it was taken."""

    reading: CardReading
    at: datetime


class LastGuests(NamedTuple):
    """The guests that libvirt reported last, and when. Only for the screen: while libvirt does not
    answer, no verdict and no action rests on them."""

    guests: tuple[Guest, ...]
    at: datetime

    @property
    def allowed(self) -> Guest | None:
        """The one that may have the guest GPU."""
        return next((guest for guest in self.guests if guest.allowed), None)


class Live:
    """The readings of one run. Not thread-safe: samples are taken on one thread.

    ``events`` are newest first; ``silent`` are the sources that do not answer. ``last_readings``
    are those of all cards by address, including cards that cannot be read now; ``last_guests`` stay
    while libvirt does not answer. ``ended_at`` is when domains that are off ended, by UUID; libvirt
    does not report that, so it is known only of those that were seen running. ``waits`` are those
    of the allowed guest's vCPUs in the last minute.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.snapshot = Snapshot()
        self.view = assess(self.snapshot, choice)
        self.history = History()
        self.swap_times = SwapTimes()
        self.events: tuple[Event, ...] = ()
        self.silent: set[SourceName] = set()
        self.waits = waits.Waits()
        self.last_readings: dict[str, LastReading] = {}
        self.last_guests: LastGuests | None = None
        self.ended_at: dict[str, datetime] = {}
        self._new: tuple[Event, ...] = ()
        self._leaving: Leaving = {}
        self._told = HostView()
        self._owners: dict[str, Owner] = {}
        self._expected: dict[str, datetime] = {}
        self._recorded: str | None = None
        self._vcpus: set[int] = set()

    def note(self, event: Event) -> None:
        """Add an event that no reading shows."""
        self._add((event,))

    def new_events(self) -> tuple[Event, ...]:
        """The events since the last call, the last added first. ``take`` returns them as well: an
        event is new only once."""
        new, self._new = self._new, ()
        return new

    def _add(self, events: tuple[Event, ...]) -> None:
        """Add events that are newer than all known ones."""
        if events:
            self._new = (*events, *self._new)
            self.events = (*events, *self.events)[:EVENTS_KEPT]

    def expect_change(self, uuid: str, until: datetime) -> None:
        """Attribute to us what the domain with that UUID does until then, or until a later time
        given before."""
        self._expected[uuid] = max(until, self._expected.get(uuid, until))

    def choose(self, choice: Choice) -> None:
        """Use the card and the guest that the user chose from now on."""
        self.choice = choice
        self._assess(None)
        self._keep_guests()
        self._begin_history()

    def _assess(self, at: datetime | None) -> None:
        """Judge the readings, the newest of which was taken ``at`` this time; ``None`` if none is
        new. ``_told`` is the view whose changes become events."""
        before, self.view = self.view, assess(self.snapshot, self.choice)
        if at is not None:
            self._leaving = leaving(self._leaving, before, self.view, at)
        self._told = without_leaving(self.view, self._leaving)

    def _begin_history(self) -> None:
        """Drop the past values of another guest than the allowed one."""
        guest = self.view.guest
        if guest is not None and guest.domain.uuid != self._recorded:
            self.history.forget(GUEST)
            self._recorded, self._vcpus = guest.domain.uuid, set()
            self.waits = waits.Waits(guest.domain.uuid)

    def _keep_guests(self) -> None:
        read_at = self.snapshot.read_at.get("guests")
        if read_at is not None and isinstance(self.snapshot.guests, Guests):
            self.last_guests = LastGuests(self.view.guests, read_at)

    def age(self, gpu: Gpu, at: datetime) -> float | None:
        """Seconds since the card was read; ``None`` if it has no reading."""
        read_at = card_read_at(gpu.reading, self.snapshot.read_at) if gpu.reading else None
        return None if read_at is None else (at - read_at).total_seconds()

    def series_of(self, key: str) -> SeriesKey:
        """The series that a key of the history stands for now."""
        guest = self.view.guest
        return series_key(key, guest.domain.uuid if guest else None)

    def card_series(self, address: str) -> dict[CardSeries, tuple[float | None, ...]]:
        """The past values of a card, as ``History.series``."""
        return {name: self.history.series(card_key(address, name)) for name in CARD_SERIES}

    def take(self, *samples: Sample, finished: bool = True) -> Changed:
        """Merge samples of one moment; an equal reading changes nothing but its time and the
        history. Those that are not ``finished`` stand for sources that do not answer. Returns what
        changed, with the events that are new since the last call."""
        before, known = self.view, self.snapshot
        for sample in samples:
            (self.silent.discard if finished else self.silent.add)(sample.source)
            self.snapshot = self.snapshot.updated(sample, finished=finished)
        at = max(sample.taken_at for sample in samples)
        if is_any_stuck(self._leaving, at) or any(map(known.differs_from, samples)):
            self._judge(before, at)
            for swap in (sample.reading for sample in samples):
                if isinstance(swap, Swap):
                    self.swap_times.see(swap)
                    if before.swap is None or before.swap.id != swap.id:
                        self.events = claimed(self.events, swap)
        for sample in samples:
            if sample.source == "guests":
                self._begin_history()
                self.waits, found = waits.seen(self.waits, self.view.guest, sample.taken_at)
                self._add(found)
            self._record(sample)
        self._keep_guests()
        return Changed(before, self.view, self.new_events(), self._new_owners())

    def _judge(self, before: HostView, at: datetime) -> None:
        """Judge readings that differ, the newest of which was taken ``at`` this time, and add what
        has changed since ``before`` to the events."""
        told = self._told
        self._assess(at)
        self._note_ends(before, at)
        ours = {uuid for uuid, until in self._expected.items() if at <= until}
        self._add(changes(told, self._told, at, ours))
        self.hear(watch_events.told(before, self.view))

    def _new_owners(self) -> frozenset[str]:
        """The cards whose owner is not the last one known."""
        if any(never_read(source, self.view) for source in OWNERSHIP):
            return frozenset()
        now = {g.address: g.owner for g in self._told.gpus if g.owner.kind != "unknown"}
        was, self._owners = self._owners, {**self._owners, **now}
        return frozenset(
            address for address, owner in now.items() if was.get(address, owner) != owner
        )

    def hear(self, told: tuple[Event, ...]) -> None:
        """Add the events that the watch reports, each at its own time, which may be before this
        run. Events that are known already come again after an outage of the watch's record, and
        from its history."""
        if not told:
            return
        known: dict[Event, list[datetime]] = {}
        for event in self.events:
            known.setdefault(_timeless(event), []).append(event.at)
        told = tuple(
            event
            for event in told
            if all(abs(at - event.at) >= SAME_EVENT for at in known.get(_timeless(event), ()))
        )
        if told:
            self._new = (*told, *self._new)
            every = sorted((*told, *self.events), key=lambda event: event.at, reverse=True)
            self.events = tuple(every[:EVENTS_KEPT])

    def _note_ends(self, before: HostView, at: datetime) -> None:
        ran = {guest.domain.uuid for guest in before.guests if guest.domain.active}
        for domain in (guest.domain for guest in self.view.guests):
            if not domain.off:
                self.ended_at.pop(domain.uuid, None)
            elif domain.uuid in ran:
                self.ended_at[domain.uuid] = at
        if self.view.problem("guests") is None:
            known = {guest.domain.uuid for guest in self.view.guests}
            self.ended_at = {uuid: end for uuid, end in self.ended_at.items() if uuid in known}

    def _record(self, sample: Sample) -> None:
        at = sample.taken_at.timestamp()
        if sample.source == "guests":
            guest = self.view.guest
            self.history.record(GUEST_CPU, at, guest.domain.cpu_pct if guest else None)
            self._record_waits(guest.cpus if guest else None, at)
            return
        for gpu in self.view.gpus:
            reading = gpu.reading
            if _tick(reading) == sample.source:
                metrics = reading.metrics if reading and not reading.problem else Metrics()
                for name in CARD_SERIES:
                    self.history.record(card_key(gpu.address, name), at, value_of(name, metrics))
                if reading is not None and not reading.problem:
                    read_at = card_read_at(reading, self.snapshot.read_at)
                    self.last_readings[gpu.address] = LastReading(
                        reading, read_at or sample.taken_at
                    )

    def _record_waits(self, cpus: GuestCpus | None, at: float) -> None:
        worst = cpus.worst if cpus else None
        self.history.record(GUEST_WAIT, at, worst.wait_ms if worst else None)
        found = {cpu.number: cpu.wait_ms for cpu in cpus.cpus} if cpus else {}
        self._vcpus |= found.keys()
        for number in self._vcpus:  # one that is gone has a gap
            self.history.record(vcpu_key(number), at, found.get(number), brief=True)


def _timeless(event: Event) -> Event:
    return replace(event, at=datetime.min)


def _tick(reading: CardReading | None) -> SourceName:
    """The source whose every sample records a card's value in the history. A guest's own
    reading is valid until the guest is asked again, so the vitals record it."""
    if reading is None or reading.source == "guest-agent":
        return "vitals"
    return SOURCES[reading.source]
