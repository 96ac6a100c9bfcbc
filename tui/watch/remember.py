"""Feeds the history of the watch: readings as the screen's graphs get them, events and swaps."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from tui.history import History
from tui.host.history.entry import (
    FRAME_SWAPS,
    Block,
    Entry,
    StoredEvent,
    StoredSwap,
    block,
    is_owner,
)
from tui.host.run_folder import Untrusted
from tui.host.untrusted import clean
from tui.live import Live, series_key
from tui.model import CLOCK, Clock, Event
from tui.model.past import MINUTES, SECONDS, TENS
from tui.model.swaps import SwapState
from tui.watch.thinning import Thinner

WRITE_S = 60
"""Seconds between two writes to the disk: what a crash may cost."""

LATE_S = 1.0
"""Seconds that a reading may take to arrive. One that takes longer is still counted."""

EVENTS_AT_ONCE, EVENT_TEXT = 100, 500
"""Events in one entry, of which the oldest are dropped, and characters of one text."""

WAITING_LIMIT = 5
"""Entries that wait for a disk which does not answer; the next ones are lost."""

CLOSE_S = 3.0
"""Seconds that the disk gets for the last entry."""


class Writer(Protocol):
    """Where entries go."""

    def write(self, entry: Entry) -> None:
        """Add an entry. Raises ``OSError`` and ``Untrusted``."""
        ...

    def close(self) -> None:
        """End the file."""
        ...


class Fed(History):
    """The history of a ``Live`` that nobody looks at: each value goes on to ``thinner``. ``guest``
    gives the UUID of the allowed guest."""

    def __init__(self, thinner: Thinner, guest: Callable[[], str | None], clock: Clock) -> None:
        super().__init__()
        self._thinner, self._guest = thinner, guest
        self._booted = clock.at(0.0).timestamp()

    def record(self, key: str, at: float, value: float | None, *, brief: bool = False) -> None:
        """Pass on a value measured at ``at``, the time stamp of a time of the clock."""
        if value is None:
            return
        series = series_key(key, self._guest())
        if is_owner(series.owner):
            self._thinner.add(series, at - self._booted, value)


class Remember:
    """Keeps what ``live`` takes from now on: in memory at each ``look``, on disk once a minute.

    The disk has a thread of its own, because one that does not answer must not hold up the watch.
    """

    def __init__(
        self, live: Live, disk: Writer, memory: Writer, boot_id: str, clock: Clock = CLOCK
    ) -> None:
        self._live, self._memory, self._boot_id, self._clock = live, memory, boot_id, clock
        self._thinner = Thinner()
        live.history = Fed(self._thinner, self._guest, clock)
        self._new: list[StoredEvent] = []
        self._events: list[StoredEvent] = []
        self._swaps: list[StoredSwap] = []
        self._swap: tuple[str, SwapState] | None = None
        self._written_s = self._until_s()
        self._memory_problem = Problem("its newest part is not kept")
        self._disk = DiskThread(disk)

    def tell(self, event: Event) -> None:
        """Keep an event. Returns at once."""
        stored = StoredEvent(
            max(0.0, self._clock.seconds(event.at)),
            clean(event.subject),
            clean(event.text, EVENT_TEXT),
            event.kind,
            event.by,
            event.fix and clean(event.fix, EVENT_TEXT),
        )
        self._new = [*self._new, stored][-EVENTS_AT_ONCE:]
        self._events = [*self._events, stored][-EVENTS_AT_ONCE:]

    def look(self) -> str | None:
        """Write what is due. Returns why that fails, once for each reason."""
        self._see_swap()
        self._write_memory(self._now_s() - LATE_S)
        if self._until_s() > self._written_s:
            self._written_s = self._until_s()
            self._write_disk(self._written_s)
        return self._memory_problem.told() or self._disk.problem.told()

    def close(self) -> None:
        """Write what is left. Waits for a slow disk for a few seconds."""
        self._write_memory(math.inf)
        self._write_disk(math.inf)
        self._memory.close()
        self._disk.close(CLOSE_S)

    def _now_s(self) -> float:
        return self._clock.seconds(self._clock.now())

    def _until_s(self) -> float:
        """The end of the last minute whose readings have arrived."""
        return (self._now_s() - LATE_S) // WRITE_S * WRITE_S

    def _guest(self) -> str | None:
        guest = self._live.view.guest
        return None if guest is None else guest.domain.uuid

    def _see_swap(self) -> None:
        swap = self._live.view.swap
        if swap is None or swap.under_way or (swap.id, swap.state) == self._swap:
            return
        self._swap = (swap.id, swap.state)
        began_s, ended_s = map(self._clock.seconds, (swap.began_at, swap.step_began_at))
        if is_owner(swap.address):
            stored = StoredSwap(
                clean(swap.id), swap.direction, swap.address, swap.state,
                max(0.0, began_s), max(0.0, ended_s),
            )  # fmt: skip
            self._swaps = [*self._swaps, stored][-FRAME_SWAPS:]

    def _entry(
        self, blocks: tuple[Block, ...], events: list[StoredEvent], swaps: list[StoredSwap]
    ) -> Entry | None:
        """What is to be written; ``None`` if that is nothing."""
        kept = tuple(block for block in blocks if block.owners)
        if not kept and not events and not swaps:
            return None
        booted_at, now_s = self._clock.booted_by_wall(), self._now_s()
        return Entry(self._boot_id, booted_at, now_s, kept, tuple(events), tuple(swaps))

    def _write_memory(self, until_s: float) -> None:
        seconds = block(SECONDS.step_s, self._thinner.take(SECONDS, until_s))
        entry = self._entry((seconds,), self._new, [])
        self._new = []
        if entry is not None:
            self._memory_problem.attempt(self._memory, entry)

    def _write_disk(self, until_s: float) -> None:
        blocks = tuple(
            block(tier.step_s, self._thinner.take(tier, until_s)) for tier in (TENS, MINUTES)
        )
        entry = self._entry(blocks, self._events, self._swaps)
        self._events, self._swaps = [], []
        if entry is not None:
            self._disk.put(entry)


class Problem:
    """Why writing fails, reported once for each reason until it succeeds again."""

    def __init__(self, means: str) -> None:
        self._means = means
        self._now: str | None = None
        self._told: str | None = None

    def attempt(self, writer: Writer, entry: Entry) -> None:
        """Have an entry written."""
        try:
            writer.write(entry)
        except (OSError, Untrusted) as error:
            self._now = str(error) if isinstance(error, Untrusted) else error.strerror or "unknown"
        except Exception as error:  # a bug of ours must not end the watch, or this thread
            self._now = f"vfiotop failed here ({error!r}); please report it"
        else:
            self._now = None

    def fail(self, why: str) -> None:
        """Record that nothing can be written, because of ``why``."""
        self._now = why

    def told(self) -> str | None:
        """The sentence to report now; ``None`` if there is nothing new."""
        why, before = self._now, self._told
        self._told = why
        return None if why is None or why == before else f"history: {self._means}: {why}"


class DiskThread:
    """Writes entries one after another. A thread, because a disk may hang."""

    def __init__(self, writer: Writer) -> None:
        self.problem = Problem("the last minutes are not on disk")
        self._writer = writer
        self._waiting: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Write an entry soon. Returns at once; without room it is lost."""
        if self._waiting.qsize() < WAITING_LIMIT:
            self._waiting.put(entry)
        else:
            self.problem.fail("the disk does not answer")

    def close(self, timeout_s: float) -> None:
        """Write what waits, and wait for it."""
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (entry := self._waiting.get()) is not None:
            self.problem.attempt(self._writer, entry)
        self._writer.close()
