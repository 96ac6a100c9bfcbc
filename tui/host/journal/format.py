"""The journal as JSON: a writer and a strict parser.

Only root writes the journal, but the parser trusts nothing: every value has a shape and a limit,
and a file that breaks one is refused as a whole.
"""

from __future__ import annotations

import json
import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from pathlib import Path
from typing import Literal

from msgspec import Struct, convert, to_builtins
from msgspec.json import Decoder
from msgspec.structs import replace

from tui.host.journal.entry import DRIVER, Entry, JournalError

SCHEMA = 1
SIZE_LIMIT = 256 * 1024
"""Bytes of a journal."""


class _Schema(Struct):
    schema: Literal[1]


for _type in (_Schema, Entry):
    # msgspec describes a type when it is first used, and crashes if a second thread uses the type
    # meanwhile. An import runs in one thread.
    Decoder(_type)


def is_driver(name: str) -> bool:
    """Whether an entry may hold ``name`` as the name of a driver."""
    return re.search(DRIVER, name) is not None


def dump(entry: Entry) -> str:
    """Return the entry as JSON, without the optional fields that are unknown."""
    return json.dumps({"schema": SCHEMA, **to_builtins(entry)}, indent=1) + "\n"


def parse(data: bytes, path: Path = Path("swap.json")) -> Entry:
    """Parse what ``dump`` wrote. ``path`` is named in the error.

    Raises ``JournalError`` for anything else: a torn file, or somebody else's.
    """
    try:
        if len(data) > SIZE_LIMIT:
            raise ValueError("too long")
        return _entry(json.loads(data))
    except (ValueError, OverflowError, RecursionError) as error:
        raise JournalError(
            f"{path} is damaged, so vfiotop cannot tell whether a swap is under way: check the "
            "cards, then remove it as root"
        ) from error


def _entry(value: object) -> Entry:
    convert(value, _Schema)
    entry = convert(value, Entry)
    if entry.step > len(entry.steps):
        raise ValueError("no such step")
    for origins in (entry.origins, entry.home):
        if len({origin.address for origin in origins}) < len(origins):
            raise ValueError("duplicate function")
    return replace(entry, began_at=_time(entry.began_at), step_began_at=_time(entry.step_began_at))


def _time(text: str) -> str:
    """Require an offset from UTC; without one, two times cannot be compared.

    A time in the first or the last year that datetime knows may have no local time.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    time = time.astimezone(UTC)
    if not MINYEAR < time.year < MAXYEAR:
        raise ValueError("year out of range")
    return time.isoformat()
