"""The journal as JSON: a writer and a strict parser.

Only root writes the journal, but the parser trusts nothing: every value has a shape and a limit,
and a file that breaks one is refused as a whole.
"""

from __future__ import annotations

import json
import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from pathlib import Path
from typing import Any, get_args

from msgspec import to_builtins

from tui.host.journal.entry import TEXT_LIMIT, Entry, JournalError, Origin
from tui.host.proc.process import Process
from tui.model import Direction, PowerControl, SwapState
from tui.model.address import ADDRESS

SCHEMA = 1
SIZE_LIMIT = 256 * 1024
"""Bytes of a journal."""

FUNCTIONS_LIMIT = 64
PID_LIMIT = 1 << 22
"""PID_MAX_LIMIT of include/linux/threads.h."""

SECONDS_LIMIT = 1e10
"""Seconds since boot: three hundred years."""

_OPTIONAL_FIELDS = ("power", "began_s", "step_began_s")
"""Fields that older versions did not write."""

_ID = re.compile(r"[0-9a-f]{32}")
_BOOT_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DRIVER = re.compile(r"(?!\.{1,2}$)[ -.0-~]{1,128}")
"""A name in /sys/bus/pci/drivers or the value of driver_override: one component of a path."""


def is_driver(name: str) -> bool:
    """Whether an entry may hold ``name`` as the name of a driver."""
    return _DRIVER.fullmatch(name) is not None


def dump(entry: Entry) -> str:
    """Return the entry as JSON, without the optional fields that are unknown."""
    value = to_builtins(entry)
    for part in (value, *value["origins"], *value["home"]):
        for key in _OPTIONAL_FIELDS:
            if key in part and part[key] is None:
                del part[key]
    return json.dumps({"schema": SCHEMA, **value}, indent=1) + "\n"


def parse(data: bytes, path: Path = Path("swap.json")) -> Entry:
    """Parse what ``dump`` wrote. ``path`` is named in the error.

    Raises ``JournalError`` for anything else: a torn file, or somebody else's.
    """
    try:
        if len(data) > SIZE_LIMIT:
            raise ValueError("too long")
        return _entry(json.loads(data))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise JournalError(
            f"{path} is damaged, so vfiotop cannot tell whether a swap is under way: check the "
            "cards, then remove it as root"
        ) from error


def _entry(value: Any) -> Entry:
    if value["schema"] != SCHEMA:
        raise ValueError("unknown schema")
    writer = value["writer"]
    steps = tuple(_text(each) for each in _list(value["steps"], 16 * FUNCTIONS_LIMIT))
    return Entry(
        id=_matching(_ID, value["id"]),
        boot_id=_matching(_BOOT_ID, value["boot_id"]),
        direction=_one_of(value["direction"], Direction),
        address=_matching(ADDRESS, value["address"]),
        state=_one_of(value["state"], SwapState),
        origins=_origins(value["origins"]),
        home=_origins(value["home"]),
        steps=steps,
        step=_integer(value["step"], most=len(steps)),
        began_at=_time(value["began_at"]),
        step_began_at=_time(value["step_began_at"]),
        runner=_process(value["runner"]),
        writer=None if writer is None else _process(writer),
        message=_text_or_none(value["message"]),
        began_s=_seconds_or_none(value.get("began_s")),
        step_began_s=_seconds_or_none(value.get("step_began_s")),
    )


def _origins(value: Any) -> tuple[Origin, ...]:
    found = tuple(_origin(each) for each in _list(value))
    if len({origin.address for origin in found}) < len(found):
        raise ValueError("duplicate function")
    return found


def _origin(value: Any) -> Origin:
    driver, override, power = value["driver"], value["override"], value.get("power")
    return Origin(
        _matching(ADDRESS, value["address"]),
        None if driver is None else _matching(_DRIVER, driver),
        None if override is None else _matching(_DRIVER, override),
        None if power is None else _one_of(power, PowerControl),
    )


def _process(value: Any) -> Process:
    """Refuse pid 0: for kill(2) it means the caller, which is always alive."""
    return Process(_integer(value["pid"], PID_LIMIT, least=1), _integer(value["start"]))


def _list(value: Any, limit: int = FUNCTIONS_LIMIT) -> list[Any]:
    if not isinstance(value, list) or len(value) > limit:
        raise ValueError("not a list")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        raise ValueError("not a text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if pattern.fullmatch(_text(value)) is None:
        raise ValueError("malformed")
    return str(value)


def _time(value: Any) -> str:
    """Require an offset from UTC; without one, two times cannot be compared.

    A time in the first or the last year that datetime knows may have no local time.
    """
    time = datetime.fromisoformat(_text(value))
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    time = time.astimezone(UTC)
    if not MINYEAR < time.year < MAXYEAR:
        raise ValueError("year out of range")
    return time.isoformat()


def _integer(value: Any, most: int = (1 << 63) - 1, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("not an integer in range")
    return value


def _seconds_or_none(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < SECONDS_LIMIT:  # refuses NaN, too
        raise ValueError("not a time since boot")
    return float(value)


def _one_of(value: Any, literal: Any) -> Any:
    if value not in get_args(literal):
        raise ValueError("unknown word")
    return value
