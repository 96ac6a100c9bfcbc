"""What the frames of the history hold. The decoder refuses what breaks a limit."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct, ValidationError
from msgspec.msgpack import Decoder, Encoder

from tui.model import EventCause, EventKind
from tui.model.address import ADDRESS
from tui.model.bounded import SECONDS_LIMIT, UUID, Address, Seconds, Text, Uuid
from tui.model.past import Bucket, Buckets, SeriesKey
from tui.model.swaps import Direction, SwapState

RUN_LIMIT = 4096
"""Steps of one run."""

FRAME_EVENTS, FRAME_SWAPS = 512, 64
"""Events and swaps in one frame."""

BRIDGED = 8
"""Empty steps within a run, at most: a new run takes about as many bytes."""

_COLUMNS = 3
_LARGEST = 1e12
_OWNER = rf"(?:{ADDRESS.pattern}|{UUID})"
Owner = Annotated[str, Meta(pattern=rf"^{_OWNER}\Z")]
"""A card's address, or a domain's UUID."""

Name = Annotated[str, Meta(pattern=r"^[a-z]{1,16}(?:\.[0-9]{1,4})?\Z")]
"""The name of a series of that owner."""

Step = Annotated[int, Meta(ge=0, lt=10**10)]


class Run(Struct, frozen=True, array_like=True):
    """Consecutive buckets of one series, from the step ``first`` on. ``columns`` are the counts,
    then the means, then the maxima, as little-endian 32-bit floats."""

    first: Step
    columns: Annotated[bytes, Meta(max_length=4 * _COLUMNS * RUN_LIMIT)]

    @property
    def end(self) -> int:
        """The step after the last one."""
        return self.first + len(self.columns) // (4 * _COLUMNS)

    def buckets(self) -> Iterator[tuple[int, Bucket]]:
        """Each step in which something was measured, and its bucket."""
        counts, means, maxima = self._columns()
        for at, (count, mean, maximum) in enumerate(zip(counts, means, maxima, strict=True)):
            if _plausible(count, mean) and -_LARGEST < maximum < _LARGEST:
                yield self.first + at, Bucket(int(count), mean, maximum)

    def means(self) -> Iterator[tuple[int, float]]:
        """Each step in which something was measured, and its mean."""
        counts, means, _ = self._columns()
        for at, (count, mean) in enumerate(zip(counts, means, strict=True)):
            if _plausible(count, mean):
                yield self.first + at, mean

    def _columns(self) -> tuple[array[float], array[float], array[float]]:
        values = array("f")
        width = 4 * _COLUMNS
        values.frombytes(self.columns[: len(self.columns) // width * width])
        if sys.byteorder == "big":
            values.byteswap()
        length = len(values) // _COLUMNS
        return values[:length], values[length : 2 * length], values[2 * length :]


def _plausible(count: float, mean: float) -> bool:
    """Whether something was measured, and neither is NaN or too large to be summed."""
    return 1 <= count < 1e9 and -_LARGEST < mean < _LARGEST


Runs = Annotated[tuple[Run, ...], Meta(max_length=RUN_LIMIT)]
Series = Annotated[dict[Name, Runs], Meta(max_length=512)]


class Block(Struct, frozen=True, array_like=True):
    """Buckets of one tier."""

    step_s: Annotated[int, Meta(ge=1, le=60)]
    owners: Annotated[dict[Owner, Series], Meta(max_length=512)]


class StoredEvent(Struct, frozen=True, array_like=True):
    """An event. ``at_s``: seconds since boot."""

    at_s: Seconds
    subject: Text
    text: Text
    kind: EventKind = "note"
    by: EventCause = "external"
    fix: Text | None = None


class StoredSwap(Struct, frozen=True, array_like=True):
    """A swap that has ended or was interrupted. Times are in seconds since boot."""

    id: Text
    direction: Direction
    address: Address
    state: SwapState
    began_s: Seconds
    ended_s: Seconds


class Entry(Struct, frozen=True, array_like=True):
    """The content of one frame. ``booted_at`` is when that boot began, in seconds since 1970 by
    the wall clock as it was set ``at_s`` seconds later. It is negative if that clock showed less
    than the uptime, as it may without a battery."""

    boot_id: Uuid
    booted_at: Annotated[float, Meta(gt=-SECONDS_LIMIT, lt=SECONDS_LIMIT)]
    at_s: Seconds
    blocks: Annotated[tuple[Block, ...], Meta(max_length=64)] = ()
    events: Annotated[tuple[StoredEvent, ...], Meta(max_length=FRAME_EVENTS)] = ()
    swaps: Annotated[tuple[StoredSwap, ...], Meta(max_length=FRAME_SWAPS)] = ()


_DECODER = Decoder(Entry)
_ENCODER = Encoder()


def is_owner(text: str) -> bool:
    """Whether ``text`` can own series in the history."""
    return re.fullmatch(_OWNER, text) is not None


def encoded(entry: Entry) -> bytes:
    """The content of the frame with this entry."""
    return _ENCODER.encode(entry)


def decoded(content: bytes | memoryview) -> Entry | None:
    """The entry in a frame; ``None`` if it is not one of ours."""
    try:
        return _DECODER.decode(content)
    except (ValidationError, ValueError, RecursionError):
        return None


def block(step_s: int, buckets: Buckets) -> Block:
    """The block with these buckets."""
    owners: dict[str, dict[str, tuple[Run, ...]]] = {}
    for key, of_steps in buckets.items():
        owners.setdefault(key.owner, {})[key.name] = tuple(_runs(of_steps))
    return Block(step_s, owners)


def buckets_of(found: Block) -> Iterator[tuple[SeriesKey, int, Bucket]]:
    """Each bucket of a block, with its series and the number of its step since boot."""
    for owner, series in found.owners.items():
        for name, runs in series.items():
            key = SeriesKey(owner, name)
            for run in runs:
                for step, bucket in run.buckets():
                    yield key, step, bucket


def _runs(buckets: dict[int, Bucket]) -> Iterator[Run]:
    steps = sorted(buckets)
    begin = 0
    for at in range(1, len(steps) + 1):
        ends = at == len(steps) or steps[at] - steps[at - 1] > BRIDGED
        if ends or steps[at] - steps[begin] >= RUN_LIMIT:
            yield _run(steps[begin], steps[at - 1], buckets)
            begin = at


def _run(first: int, last: int, buckets: dict[int, Bucket]) -> Run:
    found = [buckets.get(step) for step in range(first, last + 1)]
    values = array("f", [bucket.readings if bucket else 0 for bucket in found])
    values.extend(bucket.mean if bucket else 0 for bucket in found)
    values.extend(bucket.maximum if bucket else 0 for bucket in found)
    if sys.byteorder == "big":
        values.byteswap()
    return Run(first, values.tobytes())
