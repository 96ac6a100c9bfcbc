"""The sensors of a card below its ``hwmon`` folder, judged (kernel:
Documentation/hwmon/sysfs-interface.rst).

Each read of a sensor keeps the card awake, and of most drivers wakes one that sleeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.model.plausible import MOST_WATTS, Number, first

MIN_INTERVAL = 0.4
"""Seconds between two samples below which a rate would be noise."""

STALLED_AFTER = 5.0
"""Seconds after which a counter that has stopped counts for dead."""

MAX_RPM = 60_000
"""Rotations per minute that no fan exceeds."""

MIB = 1024 * 1024
MILLI, MICRO = 1000, 1_000_000

FOLDERS_LIMIT = 16

_SENSORS = re.compile(r"hwmon[0-9]{1,4}")
_WHOLE = re.compile(r"[0-9]{1,20}")


def parse_uint64(text: str) -> int:
    """A number of at most 64 bits that is not negative. Raises ``ValueError``."""
    if not _WHOLE.fullmatch(text) or (value := int(text)) >= 1 << 64:
        raise ValueError(text)
    return value


def scaled(at: Attributes, name: str, unit: int = 1) -> Number:
    """The attribute ``name`` in its ``unit``: 1000 where the file has thousandths."""
    value = at.read(name, parse_uint64)
    return None if value is None else value / unit


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


def temperature(at: Attributes, sensor: int) -> Number:
    """temp<n>_input, in degrees Celsius."""
    return scaled(at, f"temp{sensor}_input", MILLI)


def watts(at: Attributes, *names: str) -> Number:
    """The first of the attributes that tells, in watts."""
    return first("power_w", *(scaled(at, name, MICRO) for name in names))


def limit(at: Attributes, *names: str) -> Number:
    """The first limit that is in force, in watts: 0 is one that is switched off."""
    return first("power_limit_w", *(scaled(at, name, MICRO) for name in names))


def fan(at: Attributes) -> Number:
    """The speed in percent of the fastest: fan1_input of fan1_max, else the duty cycle pwm1
    of pwm1_max. Rotations per minute alone are no percentage."""
    return first("fan_pct", *(
        _share(at, now, most) for now, most in (("fan1_input", "fan1_max"), ("pwm1", "pwm1_max"))
    ))  # fmt: skip


def _share(at: Attributes, now: str, most: str) -> Number:
    speed, fastest = scaled(at, now), scaled(at, most)
    if speed is None or not fastest or max(speed, fastest) > MAX_RPM:
        return None
    return round(100 * speed / fastest, 1)


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
    """The power that one counter tells of, which is read in order. ``counts``: it moves, and
    not by next to nothing."""

    def __init__(self) -> None:
        self.is_live = False
        self._before: Energy | None = None
        self._watts: float | None = None

    def read(self, now: Energy) -> float | None:
        """The watts since the counter moved last; those of before if that is too fresh, and
        ``None`` where it does not move: a card that is awake uses something."""
        before = self._before
        if before is not None:
            age = now.at - before.at
            if 0 <= age < MIN_INTERVAL:
                return self._watts
            if age > 0 and now.microjoules == before.microjoules:
                if age >= STALLED_AFTER:
                    self._watts, self.is_live = None, False
                return self._watts
            self._watts = power(before, now)
            self.is_live = self.is_live or bool(self._watts)
        self._before = now
        return self._watts


@dataclass(frozen=True, slots=True)
class Channel:
    """What is told of one part of a card, its whole or its package: the energy that it has
    used up, in microjoules, and its power limit in watts."""

    name: str
    microjoules: int | None
    limit_w: Number


class CardPower:
    """The power of one card and its limit, from the first of its channels that counts."""

    def __init__(self) -> None:
        self._meters: dict[str, PowerMeter] = {}

    def read(self, at: float, channels: Iterable[Channel]) -> tuple[float | None, Number]:
        """Watts and limit, both of the same channel, ``at`` monotonic seconds. Until it is
        known which one counts, the limit is that of the first one that tells its energy."""
        told = list(channels)
        read: dict[str, float | None] = {}
        for channel in told:
            if channel.microjoules is not None:
                meter = self._meters.setdefault(channel.name, PowerMeter())
                read[channel.name] = meter.read(Energy(at, channel.microjoules))
        self._meters = {name: meter for name, meter in self._meters.items() if name in read}
        counting = [c for c in told if c.name in read and self._meters[c.name].is_live]
        chosen = next(iter([*counting, *(c for c in told if c.name in read), *told]), None)
        if chosen is None:
            return None, None
        return read[chosen.name] or None if counting else None, chosen.limit_w
