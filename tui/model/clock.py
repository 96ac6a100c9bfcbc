"""The time, for stamps that are subtracted from each other.

The wall clock is set: by hand, by NTP after a start without a battery, by a host that wakes its
guest. Differences of its times are then wrong by as much. So ``now`` is read from the wall clock
once, and goes on from there with the time since boot (CLOCK_BOOTTIME of clock_gettime(2), which
runs in suspend, too). What a person is shown is the time of day as the wall clock is set then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def since_boot() -> float:
    """Seconds since the machine was booted; the same for all its processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def utc_now() -> datetime:
    """The wall clock as it is set now, in UTC."""
    return datetime.now(UTC)


class Clock:
    """Gives times in UTC that only go forward. ``wall`` and ``since_boot`` are for tests."""

    def __init__(
        self,
        wall: Callable[[], datetime] = utc_now,
        since_boot: Callable[[], float] = since_boot,
    ) -> None:
        self._wall = utc_now
        self._since_boot = since_boot
        self._booted = utc_now() - timedelta(seconds=since_boot())

    def now(self) -> datetime:
        return self.at(self._since_boot())

    def at(self, seconds: float) -> datetime:
        """The time that was ``seconds`` after boot."""
        return self._booted + timedelta(seconds=seconds)

    def time_of_day(self, moment: datetime) -> str:
        """A time of this clock as a person's own clock tells it: local, HH:MM:SS. The wall
        clock counts as set anew when it is off by a second or more."""
        step = round((self._wall() - self.now()).total_seconds())
        return f"{(moment + timedelta(seconds=step)).astimezone():%H:%M:%S}"


CLOCK = Clock()
"""The clock of this run. All times of readings, events and swaps are its own."""
