"""The sensors of a card below its ``hwmon`` folder, judged (kernel:
Documentation/hwmon/sysfs-interface.rst).

Each read of a sensor keeps the card awake, and of most drivers wakes one that sleeps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tui.host.sysfs import Attributes
from tui.host.tree import Tree

SHORTEST = 0.4
"""Seconds between two samples below which a rate would be noise."""

HOTTEST, FASTEST_FAN, MOST_WATTS, MOST_MHZ = 200, 100_000, 10_000, 50_000
"""What no card exceeds: degrees Celsius, rotations per minute, watts, MHz."""

MIB = 1024 * 1024
MOST_MIB = 1 << 30

FOLDERS_LIMIT = 16

_SENSORS = re.compile(r"hwmon[0-9]{1,4}")
_WHOLE = re.compile(r"[0-9]{1,20}")


def whole(text: str) -> int:
    """A number of at most 64 bits that is not negative. Raises ``ValueError``."""
    if not _WHOLE.fullmatch(text) or (value := int(text)) >= 1 << 64:
        raise ValueError(text)
    return value


def within(
    at: Attributes, name: str, high: float, *, low: float = 0, unit: int = 1
) -> float | None:
    """The attribute ``name`` in its ``unit`` (1000 where the file has thousandths), if it
    is from ``low`` to ``high``."""
    value = at.read(name, whole)
    return value / unit if value is not None and low <= value / unit <= high else None


def sensors(directory: Tree, name: str) -> Attributes:
    """The sensors of the device in ``directory`` whose ``name`` file says ``name``, for i915
    has those of its parts beside (``i915_gt0``); where there are none, all are unknown."""
    home = directory / "hwmon"
    try:
        entries = sorted(entry for entry in home.names() if _SENSORS.fullmatch(entry))
    except OSError:
        entries = []
    folders = (Attributes(home / entry) for entry in entries[:FOLDERS_LIMIT])
    return next((at for at in folders if at.read("name", str) == name), Attributes(home))


def temperature(at: Attributes, sensor: int) -> float | None:
    """temp<n>_input, in degrees Celsius."""
    return within(at, f"temp{sensor}_input", HOTTEST, unit=1000)


def watts(at: Attributes, *names: str) -> float | None:
    """The first of the attributes that tells, in watts."""
    told = (within(at, name, MOST_WATTS, unit=1_000_000) for name in names)
    return next((value for value in told if value is not None), None)


def limit(at: Attributes, *names: str) -> float | None:
    """The first limit that is in force, in watts: 0 is one that is switched off."""
    told = (within(at, name, MOST_WATTS, unit=1_000_000) for name in names)
    return next((value for value in told if value), None)


def fan(at: Attributes) -> float | None:
    """The speed in percent of the fastest: fan1_input of fan1_max, else the duty cycle pwm1
    of pwm1_max. Rotations per minute alone are no percentage."""
    for now, most in (("fan1_input", "fan1_max"), ("pwm1", "pwm1_max")):
        speed, fastest = (within(at, name, FASTEST_FAN) for name in (now, most))
        if speed is not None and fastest and speed <= 2 * fastest:
            return round(100 * speed / fastest, 1)
    return None


# --- power from energy ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Energy:
    """What a card has used up, in microjoules, ``at`` monotonic seconds."""

    at: float
    microjoules: int


def power(before: Energy, after: Energy) -> float | None:
    """The watts between two samples; ``None`` where the counter went backwards, as after a
    wrap or when the driver was loaded anew, or grew by what no card uses."""
    seconds, grown = after.at - before.at, after.microjoules - before.microjoules
    if seconds <= 0 or grown < 0 or grown > MOST_WATTS * 1e6 * seconds:
        return None
    return round(grown / 1e6 / seconds, 1)


class PowerMeter:
    """The power of one card, from its counter in the order in which it is read."""

    def __init__(self) -> None:
        self._before: Energy | None = None
        self._watts: float | None = None

    def read(self, now: Energy) -> float | None:
        """The watts since the last sample; those of before if that is too fresh."""
        if self._before is not None:
            if 0 <= now.at - self._before.at < SHORTEST:
                return self._watts
            self._watts = power(self._before, now)
        self._before = now
        return self._watts
