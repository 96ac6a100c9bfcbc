"""The time, for time stamps that are subtracted from each other.

The wall clock can be set: by hand, by NTP after a boot without a battery, by a host that resumes
its guest. Differences of its times are then wrong by that much. So the wall clock is read once,
and time advances from there with CLOCK_BOOTTIME (clock_gettime(2)), which also runs in suspend.
Times of day on the screen follow the wall clock as it is set at that moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta


def since_boot() -> float:
    """Seconds since boot; the same for all processes of the machine."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def utc_now() -> datetime:
    """The wall clock as it is set now, in UTC."""
    return datetime.now(UTC)


class Clock:
    """A clock in UTC that never goes back. ``wall`` and ``since_boot`` are for tests."""

    def __init__(
        self,
        wall: Callable[[], datetime] = utc_now,
        since_boot: Callable[[], float] = since_boot,
    ) -> None:
        self._wall = wall
        self._since_boot = since_boot
        self._booted = wall() - timedelta(seconds=since_boot())

    def now(self) -> datetime:
        return self.at(self._since_boot())

    def at(self, seconds: float) -> datetime:
        """The time ``seconds`` after boot."""
        return self._booted + timedelta(seconds=seconds)

    def seconds(self, moment: datetime) -> float:
        """The seconds since boot of a time of this clock: the opposite of ``at``."""
        return (moment - self._booted).total_seconds()

    def booted_by_wall(self) -> float:
        """When this boot began by the wall clock as it is set now, in seconds since 1970."""
        return self._wall().timestamp() - self._since_boot()

    def time_of_day(self, moment: datetime) -> str:
        """A time of this clock as local HH:MM:SS. It follows the wall clock if that was set
        by a second or more since start."""
        return f"{self._local(moment):%H:%M:%S}"

    def day(self, moment: datetime) -> date:
        """The local day of a time of this clock, which follows the wall clock as well."""
        return self._local(moment).date()

    def _local(self, moment: datetime) -> datetime:
        step = round((self._wall() - self.now()).total_seconds())
        return (moment + timedelta(seconds=step)).astimezone()


CLOCK = Clock()
"""The clock of this process. All times of readings, events and swaps come from it."""
