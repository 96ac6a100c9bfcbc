"""Takes samples from the samplers' threads into the session, on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from tui.inbox import Inbox
from tui.model import Sample, SourceName
from tui.rules.events import Changed
from tui.session import Session


class Intake:
    """Merges the samples of one moment together. ``wake`` is called on the event loop when samples
    arrive, and ``tell`` with what they changed. Must be created on the event loop."""

    def __init__(
        self, session: Session, wake: Callable[[], object], tell: Callable[[Changed], None]
    ) -> None:
        self._session, self._tell = session, tell
        loop = asyncio.get_running_loop()
        self._inbox = Inbox[Sample](lambda: loop.call_soon_threadsafe(wake))

    def put(self, sample: Sample) -> None:
        """Hand over a sample, from any thread."""
        self._inbox.put(sample)

    def take(self) -> None:
        """Merge all waiting samples."""
        for samples in moments(self._inbox.take()):
            self._tell(self._session.take(*samples))

    def take_stalls(self) -> bool:
        """Merge the samples delivered so far, then a sample for each source that does not answer.
        Returns whether there are any of the latter."""
        self.take()
        stalled = tuple(self._session.stalled())
        for sample in stalled:
            self._tell(self._session.take(sample, finished=False))
        return bool(stalled)


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
