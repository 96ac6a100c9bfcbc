"""Entries as a watch writes them, and the store of a test."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tui.host.history.entry import Entry, StoredEvent, StoredSwap, block
from tui.host.history.folder import ON_DISK, Shape
from tui.host.history.store import Store
from tui.host.run_folder import RunFolder
from tui.model.clock import Clock
from tui.model.past import MINUTES, TENS, Bucket, SeriesKey

CARD, GUEST = "0000:02:00.0", "00000000-0000-0000-0000-000000000001"
LOAD, WAIT = SeriesKey(CARD, "load"), SeriesKey(GUEST, "wait.3")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
BOOTED = datetime(2026, 3, 1, 12, tzinfo=UTC)


def folder(path: Path) -> RunFolder:
    """A folder that belongs to whoever runs the tests."""
    return RunFolder(path, os.geteuid())


def store(path: Path, shape: Shape = ON_DISK) -> Store:
    return Store(folder(path), shape)


def minute(
    number: int,
    *,
    boot_id: str = BOOT_ID,
    booted: datetime = BOOTED,
    series: tuple[SeriesKey, ...] = (LOAD, WAIT),
    events: tuple[StoredEvent, ...] = (),
    swaps: tuple[StoredSwap, ...] = (),
) -> Entry:
    """The entry written after that minute since boot. Its means are the minute's number."""
    tens = {
        key: {number * 6 + ten: Bucket(10, float(number), number + 5.0) for ten in range(6)}
        for key in series
    }
    minutes = {key: {number: Bucket(60, float(number), number + 5.0)} for key in series}
    blocks = (block(TENS.step_s, tens), block(MINUTES.step_s, minutes))
    at_s = (number + 1) * 60.0
    return Entry(boot_id, booted.timestamp(), at_s, blocks, events, swaps)


def clock(minutes: float, booted: datetime = BOOTED) -> Clock:
    """A clock that stands still, that many minutes after boot."""
    return Clock(lambda: booted + timedelta(minutes=minutes), lambda: minutes * 60.0)
