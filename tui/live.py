"""How samples become what is shown: snapshot, view, events and past values, one way."""

from __future__ import annotations

from datetime import datetime

from tui.history import History
from tui.model import Event, HostView, Sample, Snapshot
from tui.rules.changes import changes
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

    ``events`` are newest first.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.snapshot = Snapshot()
        self.view = HostView()
        self.history = History()
        self.events: tuple[Event, ...] = ()
        self._asked: dict[str, datetime] = {}

    def ask(self, name: str, until: datetime) -> None:
        """What the domain does until then is what we have asked of it."""
        self._asked[name] = until

    def choose(self, choice: Choice) -> None:
        """What the user chose holds from now on."""
        self.choice = choice
        self.view = assess(self.snapshot, choice)

    def take(self, sample: Sample) -> None:
        """Merge one sample; an equal reading changes nothing but the history."""
        if getattr(self.snapshot, sample.source) != sample.reading:
            self.snapshot = self.snapshot.updated(sample)
            before, self.view = self.view, assess(self.snapshot, self.choice)
            at = sample.taken_at
            asked = {name for name, until in self._asked.items() if at <= until}
            happened = changes(before, self.view, at, asked)
            self.events = (*happened, *self.events)[:EVENT_LIMIT]
        self._record(sample)

    def _record(self, sample: Sample) -> None:
        at = sample.taken_at.timestamp()
        if sample.source == "nvml":
            for gpu in self.view.gpus:
                reading = gpu.reading
                value = reading.metrics.util_pct if reading and not reading.lost else None
                self.history.record(util_key(gpu.address), at, value)
        elif sample.source == "guests":
            guest = self.view.guest
            self.history.record(GUEST_CPU, at, guest.domain.cpu_pct if guest else None)
