"""Turns samples into what is shown: the snapshot, its view, events and past values."""

from __future__ import annotations

from datetime import datetime

from tui.history import History
from tui.model import (
    SOURCES,
    CardReading,
    Event,
    Gpu,
    HostView,
    Sample,
    Snapshot,
    SourceName,
    card_read_at,
)
from tui.rules.events import changes
from tui.rules.roles import Choice
from tui.rules.view import assess

EVENT_LIMIT = 500
"""Events to keep. The history of a host that changes more often is in its log."""

GUEST_CPU = "guest.cpu"
"""The history's key for the allowed guest's CPU load."""


def util_key(address: str) -> str:
    """The history's key for a GPU's utilisation."""
    return f"{address}.util"


class Live:
    """The readings of one run. Not thread-safe: samples are taken on one thread.

    ``events`` are newest first.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.snapshot = Snapshot()
        self.view = HostView()
        self.history = History()
        self.events: tuple[Event, ...] = ()
        self._expected: dict[str, datetime] = {}

    def expect_change(self, uuid: str, until: datetime) -> None:
        """Attribute to us what the domain with that UUID does until then."""
        self._expected[uuid] = until

    def choose(self, choice: Choice) -> None:
        """Use the card and the guest that the user chose from now on."""
        self.choice = choice
        self.view = assess(self.snapshot, choice)

    def age(self, gpu: Gpu, at: datetime) -> float | None:
        """Seconds since the card was read; ``None`` if it has no reading."""
        read_at = card_read_at(gpu.reading, self.snapshot.read_at) if gpu.reading else None
        return None if read_at is None else (at - read_at).total_seconds()

    def take(self, sample: Sample, *, finished: bool = True) -> None:
        """Merge one sample; an equal reading changes nothing but its time and the history. One
        that is not ``finished`` stands for a source that does not answer."""
        known = getattr(self.snapshot, sample.source)
        self.snapshot = self.snapshot.updated(sample, finished=finished)
        if known != sample.reading:
            before, self.view = self.view, assess(self.snapshot, self.choice)
            at = sample.taken_at
            ours = {uuid for uuid, until in self._expected.items() if at <= until}
            happened = changes(before, self.view, at, ours)
            self.events = (*happened, *self.events)[:EVENT_LIMIT]
        self._record(sample)

    def _record(self, sample: Sample) -> None:
        at = sample.taken_at.timestamp()
        if sample.source == "guests":
            guest = self.view.guest
            self.history.record(GUEST_CPU, at, guest.domain.cpu_pct if guest else None)
            return
        for gpu in self.view.gpus:
            reading = gpu.reading
            if _tick(reading) == sample.source:
                value = reading.metrics.util_pct if reading and not reading.problem else None
                self.history.record(util_key(gpu.address), at, value)


def _tick(reading: CardReading | None) -> SourceName:
    """The source whose every sample records a card's value in the history. A guest's own
    reading is valid until the guest is asked again, so the vitals record it."""
    if reading is None or reading.source == "guest-agent":
        return "vitals"
    return SOURCES[reading.source]
