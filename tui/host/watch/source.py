"""What the watch of this host is about to do, read from its record."""

from __future__ import annotations

import threading

from tui.host import HostError, NothingToRead, Wake
from tui.host.proc.process import is_alive
from tui.host.untrusted import clean
from tui.host.watch.record import Record, RecordedEvent, RecordError, RecordFile
from tui.model import CLOCK, Event, Watch
from tui.model.bounded import TEXT_LIMIT
from tui.model.watch import PendingReturn, WatchMemory

POLL_S = 0.2
"""Seconds between two checks for a new record; each costs one stat(2)."""

ALIVE_POLLS = 10
"""Polls between two checks whether the process still runs."""


class WatchSource:
    """Reads the record, and wakes its thread when it is replaced or the watch ends."""

    def __init__(self, record: RecordFile | None = None) -> None:
        self._file = record or RecordFile()
        self._closed = threading.Event()
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
        return found

    def watch(self, wake: Wake) -> None:
        # Its version now, before the first reading: one replaced after that must wake.
        arguments = (wake, self._file.version())
        threading.Thread(target=self._watch, args=arguments, name="watch", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def _watch(self, wake: Wake, seen: tuple[int, int] | None) -> None:
        polls = 0
        while not self._closed.wait(POLL_S):
            polls += 1
            now = self._file.version()
            record = self._running
            ended = polls % ALIVE_POLLS == 0 and record and not is_alive(record.process)
            if now != seen or ended:
                seen = now
                wake()


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
