"""The last swap of this host, as everybody may read it in the journal."""

from __future__ import annotations

import threading
from datetime import datetime

from tui.host import HostError, NothingToRead, Wake
from tui.host.untrusted import clean
from tui.model import Swap
from tui.swap.journal import Entry, Journal, JournalError
from tui.swap.machine import alive

LOOK_S = 0.1
"""Seconds between two looks at whether the journal is another one; a look is one stat(2)."""


MESSAGE_LIMIT = 500


class SwapSource:
    """Reads the journal, and wakes its thread when somebody replaces it."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal or Journal()
        self._closed = threading.Event()

    def read(self) -> Swap:
        """The last swap since the boot. Raises ``NothingToRead`` where there was none,
        ``HostError`` where the journal is not to be believed."""
        try:
            entry = self._journal.read()
        except (JournalError, OSError) as error:
            raise HostError(str(error)) from error
        if entry is None:
            raise NothingToRead("no card was moved since the host was booted")
        return reading(entry)

    def watch(self, wake: Wake) -> None:
        threading.Thread(target=self._watch, args=(wake,), name="journal", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def _watch(self, wake: Wake) -> None:
        seen = self._journal.mark()
        while not self._closed.wait(LOOK_S):
            now = self._journal.mark()
            if now != seen:
                seen = now
                wake()


def reading(entry: Entry) -> Swap:
    """What an entry tells now: a process that has ended since then is gone."""
    return Swap(
        id=clean(entry.id),
        direction=entry.direction,
        address=clean(entry.address),
        moves=tuple(sorted(clean(origin.address) for origin in entry.origins)),
        state=entry.state,
        steps=tuple(clean(step) for step in entry.steps),
        step=entry.step,
        began_at=datetime.fromisoformat(entry.began_at),
        step_began_at=datetime.fromisoformat(entry.step_began_at),
        message=None if entry.message is None else clean(entry.message, MESSAGE_LIMIT),
        runner=entry.ended or alive(entry.runner),
        writer=not entry.ended and entry.writer is not None and alive(entry.writer),
    )
