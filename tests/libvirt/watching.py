"""Reads a source of guests as the application does: by a sampler in its own thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from tui.host.libvirt.source import GuestsSource
from tui.model import Domain, Guests, Sample, Unavailable
from tui.sampler import Sampler

PATIENCE = 60.0
"""Seconds after which a test gives up waiting."""


class _Closing(GuestsSource):
    """Reports when its thread has closed it."""

    def __init__(self, uri: str, readonly: bool) -> None:
        super().__init__(uri, readonly)
        self.closed = threading.Event()

    def close(self) -> None:
        super().close()
        self.closed.set()


class Watched:
    """The readings of a source, in the order in which the application would get them."""

    def __init__(self) -> None:
        self._samples: queue.SimpleQueue[tuple[Sample, float]] = queue.SimpleQueue()

    def deliver(self, sample: Sample) -> None:
        self._samples.put((sample, time.monotonic()))

    def until(self, wanted: Callable[[Guests], bool]) -> tuple[Guests, float]:
        """Return the first reading that ``wanted`` accepts, and its monotonic time."""
        for sample, at in self._until_patience_ends():
            if isinstance(sample.reading, Guests) and wanted(sample.reading):
                return sample.reading, at
        raise AssertionError("no such reading came")

    def until_unavailable(self) -> str:
        """Return the reason of the first reading that fails."""
        for sample, _ in self._until_patience_ends():
            if isinstance(sample.reading, Unavailable):
                return sample.reading.reason
        raise AssertionError("every reading could be taken")

    def _until_patience_ends(self) -> Iterator[tuple[Sample, float]]:
        end = time.monotonic() + PATIENCE
        with suppress(queue.Empty):
            while True:
                yield self._samples.get(timeout=max(0.0, end - time.monotonic()))


@contextmanager
def watched(
    uri: str, *, interval: float | None = None, readonly: bool = False
) -> Iterator[Watched]:
    """Read ``uri`` every ``interval`` seconds, or with ``None`` only after events."""
    source, watch = _Closing(uri, readonly), Watched()
    sampler = Sampler("guests", source, watch.deliver, interval, lambda: datetime.now(UTC))
    sampler.start()
    try:
        yield watch
    finally:
        sampler.stop()
        assert source.closed.wait(PATIENCE), "the source's thread did not end"


def domain(guests: Guests, name: str) -> Domain | None:
    return next((found for found in guests.domains if found.name == name), None)


def state(guests: Guests, name: str) -> str | None:
    found = domain(guests, name)
    return found.state if found else None


def is_in(name: str, expected: str) -> Callable[[Guests], bool]:
    """Whether a reading has the domain in that state."""
    return lambda guests: state(guests, name) == expected
