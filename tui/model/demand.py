"""What the sources should read now, and what reading costs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

CountedService = Literal["nvml", "libvirt", "agent"]
"""The services that we call besides the kernel. Each call costs them something."""


class Demand(Struct, frozen=True):
    """What readings are needed for.

    ``reserved`` are the addresses of the GPUs that are for a guest, ``None`` if that is not known:
    nothing of ours may keep them open. ``guests`` are the UUIDs of the running guests that can
    report on their cards. ``threads_of`` is the UUID of the guest whose threads are to be read,
    ``None`` while it does not run. ``shown``: card readings are on the screen. ``quiet``: make as
    few calls as possible.
    """

    reserved: tuple[str, ...] | None = ()
    guests: tuple[str, ...] = ()
    threads_of: str | None = None
    shown: bool = True
    quiet: bool = False


class SourceState(Struct, frozen=True):
    """The state of one source. ``when`` says in words how often it is read. ``read_at`` and
    ``took_s`` are the time and the duration of its last reading; ``reading_s`` is the age in
    seconds of the read in progress, ``None`` without one."""

    name: str
    when: str
    read_at: datetime | None = None
    took_s: float | None = None
    reading_s: float | None = None
    problem: str | None = None


class Cost(Struct, frozen=True):
    """What watching costs: the calls of the last minute by service, and each source's state."""

    calls: Mapping[CountedService, int]
    sources: tuple[SourceState, ...]
