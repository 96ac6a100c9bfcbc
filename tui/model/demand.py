"""What is looked at now, said to the sources, which then read that and no more; and what
their reading costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

CountedService = Literal["nvml", "libvirt", "agent"]
"""Who is asked for readings, and is not the kernel: each call costs somebody something."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What readings are for.

    ``kept`` are the addresses of the GPUs that are for a guest, ``None`` where that is not
    known: nothing of ours may be in their way. ``guests`` are the UUIDs of the running guests
    that have a card which they could tell of. ``shown``: readings of the cards are on the
    screen. ``quiet``: as few calls as can be.
    """

    reserved: tuple[str, ...] | None = ()
    guests: tuple[str, ...] = ()
    shown: bool = True
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class SourceState:
    """How one source does: ``when`` it is read, in words, when it last came back with a
    reading, and how many seconds that took. ``reading_s``: for how many seconds it has been
    read now, ``None`` while it is not."""

    name: str
    when: str
    read_at: datetime | None = None
    took_s: float | None = None
    reading_s: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What watching costs: the calls of the last minute by whom they asked, and how each
    source does."""

    calls: Mapping[CountedService, int]
    sources: tuple[SourceState, ...]
