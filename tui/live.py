"""How samples become what is shown: snapshot, view, events and past values, one way."""

from __future__ import annotations

from datetime import datetime

from tui.history import History
from tui.model import (
    CardReading,
    Event,
    Gpu,
    HostView,
    MetricsSource,
    Sample,
    Snapshot,
    SourceName,
)
from tui.rules.events import changes
from tui.rules.roles import Choice
from tui.rules.view import assess

EVENT_LIMIT = 500
"""Events that are kept; a host that changes more often than that is read in its log."""

GUEST_CPU = "guest.cpu"
"""The history's key for the allowed guest's CPU load."""


def util_key(address: str) -> str:
    """The history's key for a GPU's utilisation."""
    return f"{address}.util"


class Live:
    """The state of one run. Not thread-safe: samples are taken on one thread.

    ``events`` are newest first; ``read_at`` is when each source was read last.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.snapshot = Snapshot()
        self.view = HostView()
        self.history = History()
        self.events: tuple[Event, ...] = ()
        self.read_at: dict[SourceName, datetime] = {}
        self._asked: dict[str, datetime] = {}

    def ask(self, uuid: str, until: datetime) -> None:
        """What the domain with that UUID does until then is what we have asked of it."""
        self._asked[uuid] = until

    def choose(self, choice: Choice) -> None:
        """What the user chose holds from now on."""
        self.choice = choice
        self.view = assess(self.snapshot, choice)

    def age(self, gpu: Gpu, at: datetime) -> float | None:
        """Seconds since the card was read; ``None`` where there is no reading."""
        reading = gpu.reading
        if reading is None:
            return None
        # A reading that equals the one before it is not taken over; its source was read still.
        from_guest = reading.source == "guest-agent"
        taken_at = reading.taken_at if from_guest else self.read_at.get(SOURCES[reading.source])
        return None if taken_at is None else (at - taken_at).total_seconds()

    def take(self, sample: Sample, *, finished: bool = True) -> None:
        """Merge one sample; an equal reading changes nothing but the history. One that is not
        ``finished`` stands for a source that does not answer: it was not read."""
        if finished:
            self.read_at[sample.source] = sample.taken_at
        if getattr(self.snapshot, sample.source) != sample.reading:
            self.snapshot = self.snapshot.updated(sample)
            before, self.view = self.view, assess(self.snapshot, self.choice)
            at = sample.taken_at
            asked = {uuid for uuid, until in self._asked.items() if at <= until}
            happened = changes(before, self.view, at, asked)
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
                value = reading.metrics.util_pct if reading and not reading.lost else None
                self.history.record(util_key(gpu.address), at, value)


SOURCES: dict[MetricsSource, SourceName] = {
    "nvml": "nvml", "amdgpu": "drm", "i915": "drm", "xe": "drm", "guest-agent": "agent",
}  # fmt: skip
"""The source that a card's readings come with."""


def _tick(reading: CardReading | None) -> SourceName:
    """The source with each of whose samples a card's value goes into the history. What a guest
    said holds until it is asked again."""
    if reading is None or reading.source == "guest-agent":
        return "vitals"
    return SOURCES[reading.source]
