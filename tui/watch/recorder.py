"""Keeps the record of the watch up to date."""

from __future__ import annotations

from tui.host.proc.process import this_process
from tui.host.untrusted import clean
from tui.host.watch.record import RECORDED_EVENTS, Record, RecordedEvent, RecordError, RecordFile
from tui.model import Event
from tui.model.bounded import TEXT_LIMIT
from tui.model.watch import WatchMemory, WatchPolicy
from tui.watch.policies import restarted


class Recorder:
    """Writes what the watch knows to ``file``; without a file nobody sees it.

    It begins ``now_s`` seconds after boot. ``memory`` is what an earlier watch of this boot has
    seen, and ``events`` what it has reported.
    """

    def __init__(
        self,
        file: RecordFile | None,
        policy: WatchPolicy,
        configuration: str | None,
        now_s: float,
        *,
        acts: bool,
    ) -> None:
        self.file = file
        self._policy, self._acts = policy, acts
        self._configuration = None if configuration is None else _text(configuration)
        self._written: Record | None = None
        self._problem: str | None = None
        found = self._read()
        self.memory = restarted(found.memory, now_s, policy) if found is not None else WatchMemory()
        self.events = found.events if found is not None else ()

    def _read(self) -> Record | None:
        try:
            return self.file.read() if self.file is not None else None
        except RecordError:
            return None

    def add(self, event: Event, at_s: float) -> None:
        """Keep an event, ``at_s`` seconds after boot, for the next ``write``."""
        fix = None if event.fix is None else _text(event.fix)
        kept = RecordedEvent(at_s, _text(event.subject), _text(event.text), event.kind, fix=fix)
        self.events = (kept, *self.events)[:RECORDED_EVENTS]

    def write(self, memory: WatchMemory, *, stays_awake: bool, stopped: bool = False) -> str | None:
        """Write the record if it says something new. Returns why that failed, once for each
        reason."""
        if self.file is None:
            return None
        try:
            record = Record(
                boot_id=self.file.files.boot_id,
                process=this_process(),
                acts=self._acts,
                policy=self._policy,
                file=self._configuration,
                stays_awake=stays_awake,
                stopped=stopped,
                memory=memory,
                events=self.events,
            )
            if record != self._written:
                self.file.write(record)
        except (RecordError, OSError, ValueError) as error:
            problem, self._problem = self._problem, str(error)
            return None if problem == self._problem else self._problem
        self._written, self._problem = record, None
        return None


def _text(text: str) -> str:
    """A text that the record can hold. One that cannot be encoded, or that breaks a limit, makes
    the whole record useless."""
    return clean(text, TEXT_LIMIT)
