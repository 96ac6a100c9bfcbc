"""The last swap of this host, as everybody may read it in the journal."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from tui.host import HostError, NothingToRead, Wake
from tui.host.journal.file import Entry, Journal, JournalError
from tui.host.proc.process import is_alive
from tui.host.untrusted import clean
from tui.model import CLOCK, PowerControl, Swap

LOOK_S = 0.1
"""Seconds between two looks at whether the journal is another one; a look is one stat(2)."""


MESSAGE_LIMIT = 500


class SwapSource:
    """Reads the journal, and wakes its thread when somebody replaces it."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal or Journal()
        self._closed = threading.Event()
        self._lives: Entry | None = None

    def read(self) -> Swap:
        """The last swap since the boot. Raises ``NothingToRead`` where there was none,
        ``HostError`` where the journal is not to be believed."""
        try:
            entry = self._journal.read()
        except (JournalError, OSError) as error:
            raise HostError(str(error)) from error
        if entry is None:
            raise NothingToRead("no card was moved since the host was booted")
        swap = reading(entry)
        if swap.interrupted:
            # Its last entry may have come between the first look and the end of its runner.
            with suppress(JournalError, OSError):
                entry = self._journal.read() or entry
            swap = reading(entry)
        self._lives = entry if swap.under_way else None
        return swap

    def watch(self, wake: Wake) -> None:
        threading.Thread(target=self._watch, args=(wake,), name="journal", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def _watch(self, wake: Wake) -> None:
        seen = self._mark()
        while not self._closed.wait(LOOK_S):
            now = self._mark()
            if now != seen:
                seen = now
                wake()

    def _mark(self) -> object:
        """Another one when the journal is replaced, or when a process of its swap ends."""
        entry = self._lives
        if entry is None:
            return self._journal.mark()
        writer = entry.writer is not None and is_alive(entry.writer)
        return self._journal.mark(), is_alive(entry.runner), writer


def home_power(journal: Journal | None = None) -> Mapping[str, PowerControl]:
    """The power/control that functions had on the host before they were moved; empty where no
    journal tells."""
    try:
        entry = (journal or Journal()).read()
    except (JournalError, OSError):
        return {}
    return {} if entry is None else entry.host_power


def reading(entry: Entry) -> Swap:
    """What an entry tells now: a process that has ended since then is gone. Its times are on
    our clock, so that how long it takes is right whenever the wall clock was set."""
    began_at = datetime.fromisoformat(entry.began_at)
    step_began_at = datetime.fromisoformat(entry.step_began_at)
    if entry.began_s is not None and entry.step_began_s is not None:
        began_at, step_began_at = CLOCK.at(entry.began_s), CLOCK.at(entry.step_began_s)
    return Swap(
        id=clean(entry.id),
        direction=entry.direction,
        address=clean(entry.address),
        moves=tuple(sorted(clean(origin.address) for origin in entry.origins)),
        state=entry.state,
        steps=tuple(clean(step) for step in entry.steps),
        step=entry.step,
        began_at=began_at,
        step_began_at=step_began_at,
        message=None if entry.message is None else clean(entry.message, MESSAGE_LIMIT),
        runner_alive=entry.ended or is_alive(entry.runner),
        writer_alive=not entry.ended and entry.writer is not None and is_alive(entry.writer),
    )
