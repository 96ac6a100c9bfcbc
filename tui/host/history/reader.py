"""Reads the history: what the files hold, placed in time.

Within a boot, times are seconds since boot. The wall clock only places the boots: each where it
was last known to have begun, but none later than the next one allows. So a clock that was wrong
at first, or was set back, makes no two boots overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from tui.host.history.entry import Block, Entry, Run, StoredEvent, decoded
from tui.host.history.folder import (
    FILES_LIMIT,
    IN_MEMORY,
    ON_DISK,
    Shape,
    segment_name,
    segments,
)
from tui.host.history.frames import OtherVersion, contents
from tui.host.run_folder import RunFolder, Untrusted
from tui.host.untrusted import clean
from tui.model import CLOCK, Clock, Event
from tui.model.bounded import TEXT_LIMIT
from tui.model.past import MINUTES, TIERS, Bucket, PastSwap, SeriesKey, Tier, merged


class Past:
    """The readings, swaps and events of the last 24 hours. ``events`` and ``swaps`` are newest
    first. Times are those of ``clock``; buckets are made when they are asked for."""

    def __init__(self, entries: list[Entry], boot_id: str, clock: Clock = CLOCK) -> None:
        self._clock, self._boot_id = clock, boot_id
        self._zero = clock.at(0.0)
        self._began = self._placed(entries)
        self._runs: dict[tuple[int, SeriesKey], list[tuple[float, Run]]] = {}
        for entry in entries:
            for block in entry.blocks:
                self._index(self._began[entry.boot_id], block)
        events = {
            _event(event, at)
            for entry in entries
            for event in entry.events
            if (at := self._at(entry, event.at_s)) is not None
        }
        self.events = tuple(sorted(events, key=lambda event: event.at, reverse=True))
        swaps = {
            swap.id: PastSwap(swap.id, swap.direction, swap.address, swap.state, began_at, ended_at)
            for entry in entries
            for swap in entry.swaps
            if (began_at := self._at(entry, swap.began_s)) is not None
            and (ended_at := self._at(entry, swap.ended_s)) is not None
        }
        self.swaps = tuple(sorted(swaps.values(), key=lambda swap: swap.ended_at, reverse=True))

    @property
    def keys(self) -> frozenset[SeriesKey]:
        """The series that it has."""
        return frozenset(key for _, key in self._runs)

    def means(self, key: SeriesKey, tier: Tier, last_s: float) -> Iterator[tuple[float, float]]:
        """The middle of each step of a tier, in seconds since 1970 as ``clock`` counts, and its
        mean. Covers the last ``last_s`` seconds and perhaps more. Faster than ``buckets``, but in
        no order, and a step may appear in two parts."""
        since = self._clock.now().timestamp() - last_s
        for began, run in self._runs.get((tier.step_s, key), ()):
            if began + run.end * tier.step_s >= since:
                for number, mean in run.means():
                    yield began + (number + 0.5) * tier.step_s, mean

    def buckets(self, key: SeriesKey, tier: Tier) -> dict[int, Bucket]:
        """The buckets of a series by the number of their step since 1970, as ``clock`` counts.

        A step that the tier does not have yet is made of the buckets of the finer ones.
        """
        return merged(self._parts(key, tier)).get(key, {})

    def _parts(self, key: SeriesKey, tier: Tier) -> Iterator[tuple[SeriesKey, int, Bucket]]:
        """The buckets to put together, with the number of their step since 1970."""
        oldest = (self._clock.now().timestamp() - tier.keep_s) // tier.step_s
        known: set[tuple[float, int]] = set()
        for stored in reversed([each for each in TIERS if each.step_s <= tier.step_s]):
            new: set[tuple[float, int]] = set()
            for began, run in self._runs.get((stored.step_s, key), ()):
                for number, bucket in run.buckets():
                    at_s = number * stored.step_s
                    # By the steps of that boot, which are not those since 1970.
                    within = (began, at_s // tier.step_s)
                    step = int((began + at_s + stored.step_s / 2) // tier.step_s)
                    if within not in known and step >= oldest:
                        new.add(within)
                        yield key, step, bucket
            known |= new

    def _index(self, began: float, block: Block) -> None:
        for owner, series in block.owners.items():
            for name, runs in series.items():
                key = SeriesKey(owner, name)
                self._runs.setdefault((block.step_s, key), []).extend((began, run) for run in runs)

    def _placed(self, entries: list[Entry]) -> dict[str, float]:
        """When each boot began, in seconds since 1970."""
        last = {entry.boot_id: entry for entry in entries}
        next_began = self._zero.timestamp()
        began = {self._boot_id: next_began}
        for boot_id in reversed([*dict.fromkeys(entry.boot_id for entry in entries)]):
            if boot_id != self._boot_id:
                entry = last[boot_id]
                began[boot_id] = next_began = min(entry.booted_at, next_began - entry.at_s)
        return began

    def _at(self, entry: Entry, at_s: float) -> datetime | None:
        """The time ``at_s`` seconds after the boot of an entry; ``None`` if that is not within the
        last 24 hours."""
        since_this_boot = self._began[entry.boot_id] - self._zero.timestamp() + at_s
        age_s = self._clock.seconds(self._clock.now()) - since_this_boot
        return self._clock.at(since_this_boot) if 0 <= age_s <= MINUTES.keep_s else None


def _event(event: StoredEvent, at: datetime) -> Event:
    fix = None if event.fix is None else clean(event.fix, TEXT_LIMIT)
    text = clean(event.text, TEXT_LIMIT)
    return Event(at, clean(event.subject), text, event.kind, event.by, fix)


def read(disk: RunFolder | None, memory: RunFolder, clock: Clock = CLOCK) -> Past:
    """Read what two folders hold, or only the last minutes without ``disk``. What cannot be read
    or trusted is left out."""
    try:
        boot_id = memory.boot_id
    except (OSError, ValueError):
        boot_id = ""
    return Past(stored(disk, memory), boot_id, clock)


def stored(disk: RunFolder | None, memory: RunFolder) -> list[Entry]:
    """The entries of these folders, the oldest first."""
    found = [] if disk is None else [*_believed(disk, ON_DISK)]
    return [*found, *_believed(memory, IN_MEMORY)]


def _believed(files: RunFolder, shape: Shape) -> Iterator[Entry]:
    try:
        numbers = segments(files)
    except OSError:
        return
    yield from entries(numbers, files.read, shape)


def entries(
    numbers: Sequence[int], read_file: Callable[[str, int], bytes | None], shape: Shape
) -> Iterator[Entry]:
    """The entries of the files with these numbers, the oldest first. If the store is too
    large, only the newest. ``read_file`` takes a name and the bytes that the file may have."""
    found: list[bytes] = []
    left = shape.total_limit + shape.segment_limit
    for number in reversed(numbers[-FILES_LIMIT:]):
        with suppress(OSError, Untrusted):
            data = read_file(segment_name(number), shape.segment_limit) or b""
            left -= len(data)
            if left < 0:
                break
            if len(data) <= shape.segment_limit:
                found.append(data)
    for data in reversed(found):
        with suppress(OtherVersion):
            yield from filter(None, map(decoded, contents(data)))
