"""Writes the history: files that only grow, a new one every hour, the oldest removed.

A file is never continued by another process, so what a crash has cut short stays at its end. On
disk, each entry is forced there (fdatasync(2)), so that a power loss costs only what is not
written yet. Nothing is locked, so no reader can hold up the writer. What is kept depends on the
time that the files cover, never on the wall clock.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress

from tui.host.history.entry import (
    FRAME_EVENTS,
    FRAME_SWAPS,
    Entry,
    block,
    buckets_of,
    decoded,
    encoded,
)
from tui.host.history.folder import (
    ASIDE_LIMIT,
    FILES_LIMIT,
    Shape,
    aside_name,
    segment_name,
    segments,
    set_aside,
)
from tui.host.history.frames import MAGIC, OtherVersion, contents, framed
from tui.host.run_folder import RunFolder, Untrusted
from tui.model.past import Buckets, Tier, merged
from tui.process.files import sync_folder, write_atomically

_PACKED = 2
"""Entries of a file that was packed."""


class Store:
    """The files of one folder. For one thread of one process."""

    def __init__(self, files: RunFolder, shape: Shape) -> None:
        self._files, self._shape = files, shape
        self._open: int | None = None
        self._part, self._size = -1, 0
        self._covers: dict[int, float] = {}
        self._packed: set[int] = set()

    def write(self, entry: Entry) -> None:
        """Add an entry. Raises ``OSError`` and ``Untrusted``; the file is then as before, or is
        abandoned and the next entry goes into another."""
        frame = framed(encoded(entry))
        part = int(entry.at_s // self._shape.segment_s)
        full = self._size + len(frame) > self._shape.segment_limit
        if self._open is None or part != self._part or full or not os.fstat(self._open).st_nlink:
            self._begin(part)
        self._append(frame)
        self._sync()

    def close(self) -> None:
        """End the file."""
        if self._open is not None:
            os.close(self._open)
            self._open = None

    def _begin(self, part: int) -> None:
        self.close()
        RunFolder(self._files.path.parent, self._files.owner).make()
        self._files.make()
        self._tidy()
        number = max([*segments(self._files), *set_aside(self._files)], default=0) + 1
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._open = os.open(self._files.path / segment_name(number), flags, 0o644)
        os.fchmod(self._open, 0o644)  # open(2) obeys root's umask, but everybody may read it
        self._part, self._size = part, 0
        self._append(MAGIC)
        if self._shape.synced:
            sync_folder(self._files.path)

    def _sync(self) -> None:
        """Force the file to the disk. If that fails, the next entry goes into another file."""
        if self._shape.synced and self._open is not None:
            try:
                os.fdatasync(self._open)
            except OSError:
                self.close()
                raise

    def _append(self, data: bytes) -> None:
        assert self._open is not None
        try:
            written = os.write(self._open, data)
            if written < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            try:
                os.ftruncate(self._open, self._size)
            except OSError:
                self.close()
            if not self._size:
                self.close()
            raise
        self._size += written

    # --- what is kept ---

    def _tidy(self) -> None:
        """Remove what is too old or too much, and pack what is kept."""
        for half_written in self._files.path.glob(".*.history.*"):
            with suppress(OSError):
                half_written.unlink()
        shape, covered, size = self._shape, 0.0, 0
        numbers = segments(self._files)
        self._covers = {
            number: self._covers[number] for number in numbers if number in self._covers
        }
        self._packed &= set(numbers)
        for at, number in enumerate(reversed(numbers)):
            path = self._files.path / segment_name(number)
            with suppress(OSError, Untrusted):
                own = path.lstat().st_size
                if own > shape.segment_limit:  # not written by a store
                    path.unlink()
                    continue
                size += own
                if covered >= shape.keep_s or at >= FILES_LIMIT or size > shape.total_limit:
                    path.unlink()
                    continue
                if covered >= shape.pack_s:
                    self._pack(number)
                covers = self._covered(number)
                if covers is None:
                    path.unlink()
                    continue
                covered += covers
        for number in set_aside(self._files)[:-ASIDE_LIMIT]:
            with suppress(OSError):
                self._files.remove(aside_name(number))

    def _covered(self, number: int) -> float | None:
        """Seconds covered by a file that no longer changes; ``None`` if it is empty, as when the
        disk was full."""
        if number not in self._covers:
            entries = self._entries(number)
            if not entries:
                return None
            self._covers[number] = entries[-1].at_s - entries[0].at_s
        return self._covers[number]

    def _pack(self, number: int) -> None:
        """Rewrite a file in one piece, with only the tiers that are kept."""
        if number in self._packed:
            return
        self._covered(number)  # the first entry's time will be lost
        entries = self._entries(number)
        if len(entries) > _PACKED:
            packed = map(framed, map(encoded, _packed(entries, self._shape.kept_tiers)))
            data = MAGIC + b"".join(packed)
            if len(data) <= self._shape.segment_limit:
                write_atomically(self._files.path / segment_name(number), data, mode=0o644)
        self._packed.add(number)

    def _entries(self, number: int) -> list[Entry]:
        """The entries of a file. One of another version has none, and is set aside."""
        found = self._files.read(segment_name(number), self._shape.segment_limit)
        try:
            return [*filter(None, map(decoded, contents(found or b"")))]
        except OtherVersion:
            path = self._files.path / segment_name(number)
            path.rename(path.with_name(aside_name(number)))
            return []


def _packed(entries: Sequence[Entry], tiers: Sequence[Tier]) -> tuple[Entry, ...]:
    """The entries of a file as ``_PACKED``. The first only tells when it began."""
    first, last = entries[0], entries[-1]
    blocks = tuple(block(tier.step_s, _merged(entries, tier)) for tier in tiers)
    events = tuple(event for entry in entries for event in entry.events)[-FRAME_EVENTS:]
    swaps = tuple(swap for entry in entries for swap in entry.swaps)[-FRAME_SWAPS:]
    return (
        Entry(first.boot_id, first.booted_at, first.at_s),
        Entry(last.boot_id, last.booted_at, last.at_s, blocks, events, swaps),
    )


def _merged(entries: Sequence[Entry], tier: Tier) -> Buckets:
    return merged(
        bucket
        for entry in entries
        for found in entry.blocks
        if found.step_s == tier.step_s
        for bucket in buckets_of(found)
    )
