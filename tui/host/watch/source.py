"""What the watch of this host is about to do, read from its record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.host import HostError, NothingToRead, Wake
from tui.host.proc.process import is_alive
from tui.host.untrusted import clean
from tui.host.watch.record import Record, RecordedEvent, RecordError, RecordFile
from tui.model import CLOCK, Event, Watch
from tui.model.bounded import TEXT_LIMIT
from tui.model.watch import PendingReturn, WatchMemory

if TYPE_CHECKING:
    from tui.host.folder_watch import FolderWatch

ALIVE_CHECK_S = 2.0
"""Seconds between two checks of whether the process still runs."""


class WatchSource:
    """Reads the record, and wakes its thread when it is replaced or the watch ends."""

    def __init__(self, record: RecordFile | None = None) -> None:
        self._file = record or RecordFile()
        self._watch: FolderWatch | None = None
        self._running: Record | None = None

    def read(self) -> Watch:
        """Return what the watch says. Raises ``NothingToRead`` if none has run since boot, and
        ``HostError`` for a record that cannot be trusted."""
        try:
            record = self._file.read()
        except RecordError as error:
            raise HostError(str(error)) from error
        if record is None:
            raise NothingToRead("no watch has run since boot")
        found = reading(record)
        self._running = record if found.running else None
        self._check_process()
        return found

    def watch(self, wake: Wake) -> None:
        from tui.host.folder_watch import FolderWatch  # noqa: PLC0415 - ctypes loads slowly

        self._watch = FolderWatch("watch", self._file.files.path, self._version, wake)
        self._check_process()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()

    def _check_process(self) -> None:
        """Check now and then whether a running watch has ended: that changes no file."""
        if self._watch is not None:
            self._watch.look_every(None if self._running is None else ALIVE_CHECK_S)

    def _version(self) -> object:
        """A value that changes when the record is replaced or its process ends."""
        record = self._running
        return self._file.version(), record is not None and is_alive(record.process)


def reading(record: Record) -> Watch:
    """The watch that a record describes, with its process checked now."""
    running = is_alive(record.process)
    return Watch(
        running=running,
        stopped=record.stopped,
        acts=record.acts,
        policy=record.policy,
        file=None if record.file is None else clean(record.file, TEXT_LIMIT),
        pending=pending_return(record.memory) if running else None,
        stays_awake=record.stays_awake and running,
        events=tuple(map(_event, record.events)),
    )


def pending_return(memory: WatchMemory) -> PendingReturn | None:
    """The return that is to come, for display."""
    found = memory.pending
    if found is None:
        return None
    reason = None if found.reason is None else clean(found.reason, TEXT_LIMIT)
    return PendingReturn(found.id, found.address, clean(found.guest), CLOCK.at(found.due_s), reason)


def _event(event: RecordedEvent) -> Event:
    fix = None if event.fix is None else clean(event.fix, TEXT_LIMIT)
    at = CLOCK.at(event.at_s)
    text = clean(event.text, TEXT_LIMIT)
    return Event(at, clean(event.subject), text, event.kind, event.by, fix)
