"""The record of the watch: a file in /run that root writes and everybody reads.

It is how a screen knows what the watch will do, and how a restarted watch knows what it has
seen. The parser trusts nothing: a file that breaks a limit is refused as a whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, ValidationError
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from tui.host.proc.process import Process
from tui.host.run_folder import FOLDER, RunFolder, Untrusted
from tui.model import EventCause, EventKind
from tui.model.bounded import Seconds, Text, Uuid
from tui.model.errors import VfiotopError
from tui.model.watch import WatchMemory, WatchPolicy

NAME, LOCK, KEEP = "watch.json", "watch.lock", "watch.keep"
SIZE_LIMIT = 256 * 1024
"""Bytes of a record."""

RECORDED_EVENTS = 50
"""Events in a record, the newest first."""

KEEP_LIMIT = 32
"""Bytes of a request to keep a card: the id of the return that it cancels."""


class RecordError(VfiotopError):
    """The record cannot be used: what happened, why, what to do, in a sentence."""


class RecordedEvent(Struct, frozen=True, omit_defaults=True):
    """An event of the watch. ``at_s``: seconds since boot."""

    at_s: Seconds
    subject: Text
    text: Text
    kind: EventKind = "note"
    by: EventCause = "watch"
    fix: Text | None = None


class Record(Struct, frozen=True, omit_defaults=True):
    """The whole content of the file. ``process`` is that of the watch. The rest is as in
    ``tui.model.Watch``. ``stopped``: it was asked to end."""

    boot_id: Uuid
    process: Process
    schema: Literal[1] = 1
    acts: bool = True
    policy: WatchPolicy = WatchPolicy()
    file: Text | None = None
    stays_awake: bool = False
    stopped: bool = False
    memory: WatchMemory = WatchMemory()
    events: Annotated[tuple[RecordedEvent, ...], Meta(max_length=RECORDED_EVENTS)] = ()


_DECODER = Decoder(Record)
_ENCODER = Encoder()


class RecordFile:
    """The record in a folder that belongs to root; ``owner`` is root's user id."""

    def __init__(self, folder: Path = FOLDER, owner: int = 0, proc: Path = Path("/proc")) -> None:
        self.files = RunFolder(folder, owner, proc)

    def read(self) -> Record | None:
        """Return the record of this boot, ``None`` if there is none. Raises ``RecordError``."""
        path = self.files.path / NAME
        try:
            data = self.files.read(NAME, SIZE_LIMIT)
            if data is None:
                return None
            if len(data) > SIZE_LIMIT:
                raise RecordError(f"{path} is too long to be the watch's: remove it as root")
            record = _DECODER.decode(data)
            return record if record.boot_id == self.files.boot_id else None
        except Untrusted as error:
            raise RecordError(str(error)) from error
        except OSError as error:
            raise RecordError(f"{path} cannot be read: {error.strerror}") from error
        except (ValidationError, ValueError, RecursionError) as error:
            raise RecordError(f"{path} is damaged: remove it as root") from error

    def write(self, record: Record) -> None:
        """Replace the record, without the oldest events if they do not fit. Raises
        ``RecordError``."""
        kept = replace(record, events=record.events[:RECORDED_EVENTS])
        while len(text := _ENCODER.encode(kept)) > SIZE_LIMIT and kept.events:
            kept = replace(kept, events=kept.events[:-1])
        try:
            self.files.make()
            self.files.write(NAME, text.decode())
        except Untrusted as error:
            raise RecordError(str(error)) from error
        except OSError as error:
            path = self.files.path / NAME
            raise RecordError(f"{path} cannot be written: {error.strerror}") from error

    def version(self) -> tuple[int, int] | None:
        """A value that changes when the record is replaced; ``None`` if there is none."""
        return self.files.version(NAME)

    # --- keeping a card ---

    def request_keep(self, pending: str) -> None:
        """Ask the watch to keep the card on vfio-pci: cancels the return with that id. Raises
        ``RecordError``."""
        try:
            self.files.make()
            self.files.write(KEEP, pending)
        except Untrusted as error:
            raise RecordError(str(error)) from error
        except OSError as error:
            path = self.files.path / KEEP
            raise RecordError(f"{path} cannot be written: {error.strerror}") from error

    def take_keep(self) -> str | None:
        """Remove a request to keep the card, and return the id of the return that it cancels."""
        try:
            data = self.files.read(KEEP, KEEP_LIMIT)
            if data is None:
                return None
            self.files.remove(KEEP)
            return data.decode("ascii", "replace")
        except (Untrusted, OSError):
            return None
