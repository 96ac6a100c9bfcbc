"""Takes samples from the samplers' threads into the session, on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from tui.inbox import Inbox
from tui.model import Sample, SourceName
from tui.rules.events import Changed
from tui.session import Session

QUIET_S = 1.5
"""Seconds without samples after which to look for sources that do not answer."""


class Intake:
    """Merges the samples of one moment together. ``wake`` is called on the event loop when there is
    something to take, and ``tell`` with what it changed: samples, or the silence of a source.
    After a while without samples, ``wake`` is also called if ``waits`` returns true. Must be
    created on the event loop."""

    def __init__(
        self,
        session: Session,
        wake: Callable[[], object],
        tell: Callable[[Changed], None],
        *,
        waits: Callable[[], bool] = lambda: False,
    ) -> None:
        self._session, self._wake, self._tell, self._waits = session, wake, tell, waits
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox[Sample](lambda: self._loop.call_soon_threadsafe(wake))
        self._listen()

    def put(self, sample: Sample) -> None:
        """Hand over a sample, from any thread."""
        self._inbox.put(sample)

    def take(self) -> None:
        """Merge all waiting samples, then a sample for each source that does not answer."""
        for samples in moments(self._inbox.take()):
            self._tell(self._session.take(*samples))
        for sample in self._session.stalled():
            self._tell(self._session.take(sample, finished=False))
        self._quiet.cancel()
        self._listen()

    def close(self) -> None:
        """Look for silent sources no more."""
        self._quiet.cancel()

    def _listen(self) -> None:
        self._quiet = self._loop.call_later(QUIET_S, self._end_quiet)

    def _end_quiet(self) -> None:
        if self._waits() or any(self._session.stalled()):
            self._wake()
        else:
            self._listen()


def moments(samples: Iterable[Sample]) -> Iterator[tuple[Sample, ...]]:
    """Samples that can be merged together, oldest first: one of each source, so that two changes
    are not taken for one or for none."""
    batch: dict[SourceName, Sample] = {}
    for sample in samples:
        if sample.source in batch:
            yield from _agent_last(batch)
            batch = {}
        batch[sample.source] = sample
    yield from _agent_last(batch)


def _agent_last(batch: dict[SourceName, Sample]) -> Iterator[tuple[Sample, ...]]:
    """Put the agent's sample last, in whatever order the samples arrived: the vitals record what
    the guest had reported of its card until then."""
    others = tuple(sample for name, sample in batch.items() if name != "agent")
    if others:
        yield others
    if "agent" in batch:
        yield (batch["agent"],)
