"""Records in the journal what a swap is doing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from tui.host.journal.entry import Entry, JournalError, updated
from tui.host.journal.file import Journal
from tui.model import SwapState


class Progress:
    """The journal's side of one run; ``now`` and ``since_boot`` are for tests."""

    def __init__(
        self, journal: Journal, now: Callable[[], datetime], since_boot: Callable[[], float]
    ) -> None:
        self._journal = journal
        self._now = now
        self._since_boot = since_boot
        self._error: JournalError | None = None
        self.undoing = False
        """Set once an undo has begun, or nothing is left to do: a journal that cannot be written
        must not stop the run from then on."""
        self.unjournaled = False
        """Whether an entry could not be written: then nobody can follow this run."""

    @property
    def state(self) -> SwapState:
        return "undoing" if self.undoing else "running"

    def note(self, entry: Entry, **changes: object) -> Entry:
        """Journal a change before anything follows from it. Raises ``JournalError``.

        An undo continues if the journal cannot be written, because it improves matters whether or
        not anybody can follow it. It leaves nothing half done, so the old entry may be removed to
        make room for the last one.
        """
        changed = updated(entry, self._now(), self._since_boot(), **changes)
        try:
            self._journal.write(changed)
        except JournalError:
            if not self.undoing:
                raise
            self.unjournaled = True
            if changed.ended:
                with suppress(JournalError):
                    self._journal.clear()
                    self._journal.write(changed)
        return changed

    def note_later(self, entry: Entry, **changes: object) -> Entry:
        """Journal a change during a write, and leave an error to ``raise_error``."""
        try:
            return self.note(entry, **changes)
        except JournalError as error:
            self._error = error
            return updated(entry, self._now(), self._since_boot(), **changes)

    def raise_error(self) -> None:
        """Raise the error that ``note_later`` has left, except during an undo."""
        error, self._error = self._error, None
        if error is not None and not self.undoing:
            raise error

    def end(self, entry: Entry, state: SwapState, message: str | None) -> Entry:
        return self.note(entry, state=state, message=message, writer=None)
