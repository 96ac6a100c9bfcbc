"""The last swap of this host, read from the journal."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from tui.host import HostError, NothingToRead, Wake
from tui.host.journal.entry import Entry, JournalError
from tui.host.journal.file import Journal
from tui.host.proc.process import is_alive
from tui.host.untrusted import clean
from tui.model import CLOCK, PowerControl, Swap

if TYPE_CHECKING:
    from tui.host.folder_watch import FolderWatch

ALIVE_CHECK_S = 0.1
"""Seconds between two checks of whether the processes of a swap under way still run."""

MESSAGE_LIMIT = 500
"""Characters of a message on the screen."""


class SwapSource:
    """Reads the journal, and wakes its thread when somebody replaces it."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal or Journal()
        self._watch: FolderWatch | None = None
        self._under_way: Entry | None = None

    def read(self) -> Swap:
        """Return the last swap since boot.

        Raises ``NothingToRead`` if there was none, and ``HostError`` for a journal that
        cannot be trusted.
        """
        try:
            entry = self._journal.read()
        except (JournalError, OSError) as error:
            raise HostError(str(error)) from error
        if entry is None:
            raise NothingToRead("no card has moved since boot")
        swap = reading(entry)
        if swap.interrupted:
            # The runner may have written its last entry after our read and before it exited.
            with suppress(JournalError, OSError):
                entry = self._journal.read() or entry
            swap = reading(entry)
        self._under_way = entry if swap.under_way else None
        self._check_processes()
        return swap

    def watch(self, wake: Wake) -> None:
        from tui.host.folder_watch import FolderWatch  # noqa: PLC0415 - ctypes loads slowly

        self._watch = FolderWatch("journal", self._journal.folder, self._version, wake)
        self._check_processes()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()

    def _check_processes(self) -> None:
        """Check often while a swap is under way: the end of a process changes no file."""
        if self._watch is not None:
            self._watch.look_every(None if self._under_way is None else ALIVE_CHECK_S)

    def _version(self) -> object:
        """A value that changes when the journal is replaced or a process of its swap ends."""
        entry = self._under_way
        if entry is None:
            return self._journal.version()
        writer = entry.writer is not None and is_alive(entry.writer)
        return self._journal.version(), is_alive(entry.runner), writer


def home_power(journal: Journal | None = None) -> Mapping[str, PowerControl]:
    """The power/control that functions had on the host before they moved, by address.

    Empty if the journal does not say.
    """
    try:
        entry = (journal or Journal()).read()
    except (JournalError, OSError):
        return {}
    return {} if entry is None else entry.host_power


def reading(entry: Entry) -> Swap:
    """The swap that an entry describes, with its processes checked now.

    Times since boot are preferred over wall-clock times: durations stay right when somebody
    sets the clock.
    """
    began_at = datetime.fromisoformat(entry.began_at)
    step_began_at = datetime.fromisoformat(entry.step_began_at)
    if entry.began_s is not None and entry.step_began_s is not None:
        began_at, step_began_at = CLOCK.at(entry.began_s), CLOCK.at(entry.step_began_s)
    origins = sorted(entry.origins, key=lambda origin: clean(origin.address))
    return Swap(
        id=clean(entry.id),
        direction=entry.direction,
        address=clean(entry.address),
        moves=tuple(clean(origin.address) for origin in origins),
        state=entry.state,
        steps=tuple(clean(step) for step in entry.steps),
        step=entry.step,
        began_at=began_at,
        step_began_at=step_began_at,
        message=None if entry.message is None else clean(entry.message, MESSAGE_LIMIT),
        runner_alive=entry.ended or is_alive(entry.runner),
        writer_alive=not entry.ended and entry.writer is not None and is_alive(entry.writer),
        drivers=tuple(None if o.driver is None else clean(o.driver) for o in origins),
        by=entry.by,
    )
