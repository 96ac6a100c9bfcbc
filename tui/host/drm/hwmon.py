"""The sensors in a card's ``hwmon`` folder, validated.

Each read keeps the card awake and, with most drivers, wakes one that sleeps. Source: kernel,
Documentation/hwmon/sysfs-interface.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.model.plausible import MOST_WATTS, Number, first_plausible

MIN_INTERVAL = 0.4
"""Seconds between two samples, at least; with less, a rate would be noise."""

STALLED_AFTER = 5.0
"""Seconds after which a counter that does not move counts as dead."""

MAX_RPM = 60_000
"""Upper limit for a fan's speed, in revolutions per minute."""

MIB = 1024 * 1024
MILLI, MICRO = 1000, 1_000_000

FOLDERS_LIMIT = 16

_SENSORS = re.compile(r"hwmon[0-9]{1,4}")
_WHOLE = re.compile(r"[0-9]{1,20}")


def parse_uint64(text: str) -> int:
    """Parse a number of at most 64 bits that is not negative. Raises ``ValueError``."""
    if not _WHOLE.fullmatch(text) or (value := int(text)) >= 1 << 64:
        raise ValueError(text)
    return value


def scaled(at: Attributes, name: str, unit: int = 1) -> Number:
    """Return the attribute ``name`` divided by ``unit``: 1000 for a file in thousandths."""
    value = at.read(name, parse_uint64)
    return None if value is None else value / unit


def sensors(directory: Tree, name: str) -> Attributes:
    """Return the sensors whose ``name`` file says ``name``; if there are none, all are unknown.

    i915 also has folders for the parts of the device (``i915_gt0``).
    """
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


def critical(at: Attributes, sensor: int) -> Number:
    """temp<n>_crit, the temperature at which the card slows down, in degrees Celsius."""
    return scaled(at, f"temp{sensor}_crit", MILLI)


def watts(at: Attributes, *names: str) -> Number:
    """Return the first of the attributes that has a value, in watts."""
    return first_plausible("power_w", *(scaled(at, name, MICRO) for name in names))


def limit(at: Attributes, *names: str) -> Number:
    """Return the first limit that is in force, in watts: 0 means that a limit is switched off."""
    return first_plausible("power_limit_w", *(scaled(at, name, MICRO) for name in names))


def fan(at: Attributes) -> Number:
    """Return the speed in percent of the maximum.

    fan1_input of fan1_max, else the duty cycle pwm1 of pwm1_max. Revolutions per minute alone
    are not a percentage.
    """
    return first_plausible("fan_pct", *(
        _share(at, now, most) for now, most in (("fan1_input", "fan1_max"), ("pwm1", "pwm1_max"))
    ))  # fmt: skip


def _share(at: Attributes, now: str, most: str) -> Number:
    speed, fastest = scaled(at, now), scaled(at, most)
    if speed is None or not fastest or max(speed, fastest) > MAX_RPM:
        return None
    return round(100 * speed / fastest, 1)


# --- power from energy ------------------------------------------------------------


class Energy(Struct, frozen=True):
    """The energy that a card has used, in microjoules, ``at`` monotonic seconds."""

    at: float
    microjoules: int


def power(before: Energy, after: Energy) -> float | None:
    """Return the watts between two samples.

    ``None`` if the counter went backwards, as after a wrap or when the driver was reloaded, or
    grew by more than any card uses.
    """
    seconds, grown = after.at - before.at, after.microjoules - before.microjoules
    if seconds <= 0 or grown < 0 or grown > MOST_WATTS * 1e6 * seconds:
        return None
    return round(grown / 1e6 / seconds, 1)


class PowerMeter:
    """The power that follows from one energy counter, whose samples come in order.

    ``is_live``: the counter moves, and by more than next to nothing.
    """

    def __init__(self) -> None:
        self.is_live = False
        self._before: Energy | None = None
        self._watts: float | None = None

    def read(self, now: Energy) -> float | None:
        """Return the watts since the counter last moved.

        Returns the previous figure if less than ``MIN_INTERVAL`` has passed, and ``None`` once
        the counter has stalled: a card that is awake uses some energy.
        """
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


class Channel(Struct, frozen=True):
    """The sensors of one part of a card, the whole card or its package.

    ``microjoules`` is the energy used so far, ``limit_w`` the power limit.
    """

    name: str
    microjoules: int | None
    limit_w: Number


class CardPower:
    """The power of a card and its limit, from the first of its channels whose counter is live."""

    def __init__(self) -> None:
        self._meters: dict[str, PowerMeter] = {}

    def read(self, at: float, channels: Iterable[Channel]) -> tuple[float | None, Number]:
        """Return watts and limit of the same channel, ``at`` monotonic seconds.

        Until a counter is known to be live, the limit is that of the first channel that reports
        energy.
        """
        all_channels = list(channels)
        read: dict[str, float | None] = {}
        for channel in all_channels:
            if channel.microjoules is not None:
                meter = self._meters.setdefault(channel.name, PowerMeter())
                read[channel.name] = meter.read(Energy(at, channel.microjoules))
        self._meters = {name: meter for name, meter in self._meters.items() if name in read}
        counting = [c for c in all_channels if c.name in read and self._meters[c.name].is_live]
        chosen = next(
            iter([*counting, *(c for c in all_channels if c.name in read), *all_channels]), None
        )
        if chosen is None:
            return None, None
        return read[chosen.name] or None if counting else None, chosen.limit_w
