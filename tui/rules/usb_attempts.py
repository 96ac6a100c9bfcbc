"""How often a lent USB device may be attached again: a plug with a loose contact, or a guest that
makes its device re-enumerate, can go on for ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from tui.model import EventKind
from tui.rules.usb_lendings import Replugged, place

LIMIT, WINDOW = 5, timedelta(seconds=60)
"""More attempts than this within the window are too many. Then the device has to stay plugged in
for that long before the next one."""

RETRY_S = (5.0, 20.0, 60.0)
"""Seconds to the next try after each attempt that failed. After the last one the device stays with
the host until it is replugged."""

Turn = Literal["now", "flaps", "later"]
"""When a device may be attached. ``flaps`` is ``later`` for the first time."""

FLAPS = f"comes and goes: it is attached once it has stayed plugged in for {WINDOW.seconds} s"
FLAPS_FIX = "try another cable or port"

_Key = tuple[str, str]


class Attempts:
    """The attempts of one run. Each lending is counted separately."""

    def __init__(self) -> None:
        self._began: dict[_Key, tuple[datetime, ...]] = {}
        self._failed: dict[_Key, tuple[tuple[str, int], int]] = {}
        self._due: dict[_Key, tuple[datetime, Replugged]] = {}
        self._flapping: set[_Key] = set()

    def turn(self, again: Replugged, at: datetime) -> Turn:
        """When a device that was plugged in may be attached. ``now`` counts as an attempt."""
        self._began = {
            key: kept
            for key, times in self._began.items()
            if (kept := tuple(each for each in times if at - each < WINDOW))
        }
        key = _key(again)
        if key not in self._flapping and len(self._began.get(key, ())) < LIMIT:
            self._began[key] = (*self._began.get(key, ()), at)
            self._due.pop(key, None)
            return "now"
        known = key in self._flapping
        self._flapping.add(key)
        self._due[key] = at + WINDOW, again
        return "later" if known else "flaps"

    def failed(self, again: Replugged, at: datetime) -> float | None:
        """Record that an attempt failed. Returns the seconds to the next one; ``None`` if it was
        the last."""
        key, where = _key(again), place(again.device)
        failed_at, tries = self._failed.get(key, (where, 0))
        tries = tries if failed_at == where else 0
        if tries >= len(RETRY_S):
            self._failed.pop(key, None)
            return None
        self._failed[key] = where, tries + 1
        if key not in self._flapping:
            self._due[key] = at + timedelta(seconds=RETRY_S[tries]), again
        return RETRY_S[tries]

    def due(self, at: datetime) -> tuple[Replugged, ...]:
        """The devices whose turn may have come: ask again. Each is returned once."""
        due = {key: again for key, (when, again) in self._due.items() if when <= at}
        for key in due:
            del self._due[key]
            self._flapping.discard(key)
        return tuple(due.values())


def failure(why: str, wait_s: float | None) -> tuple[str, EventKind] | None:
    """What to report of an attempt that failed; ``wait_s`` are the seconds to the next one.
    ``None`` if it was neither the first nor the last."""
    text = f"not attached again: {why}"
    if wait_s is None:
        return text, "failed"
    return (f"{text}; trying again in {wait_s:.0f} s", "warn") if wait_s == RETRY_S[0] else None


def _key(again: Replugged) -> _Key:
    return again.lending.uuid, again.lending.mark.who
