"""What a card can have: one range for each quantity of ``Metrics``, whatever source tells it.

A sensor that is there but dead answers, too: 0 where nothing is 0, all ones of its register
(a power limit of 4095.875 W, 65535 rotations, 511 degrees), or a number of another world.
What is out of its range was not measured and is ``None``, never 0.
"""

from __future__ import annotations

from tui.model.machine import Metrics

Number = float | int | None

_RANGES: dict[str, tuple[float, float]] = {
    "util_pct": (0, 100),
    "mem_util_pct": (0, 100),
    "mem_used_mib": (0, 1 << 30),
    "mem_total_mib": (1, 1 << 30),
    # A driver shuts a card down below 125 degrees; 126 and 127 are seven bits of a dead sensor.
    "temp_c": (1, 125),
    "fan_pct": (0, 200),  # 0: it stands still, as many do on an idle card
    "power_w": (0.001, 3000),  # what is awake draws something
    "power_limit_w": (1, 3000),  # 0: there is none, or it is off
    "clock_mhz": (0, 30_000),  # 0: the clock is off, as in RC6
    "mem_clock_mhz": (1, 30_000),
    "pcie_gen": (1, 10),
    "pcie_gen_max": (1, 10),
    "pcie_width": (1, 32),
    "pcie_width_max": (1, 32),
    "enc_pct": (0, 100),
    "dec_pct": (0, 100),
}
"""By the names of ``Metrics`` and in their units: the least and the greatest value."""

MOST_WATTS = _RANGES["power_w"][1]


def plausible(name: str, value: Number) -> Number:
    """``value`` where a card can have it as its ``name``."""
    low, high = _RANGES[name]
    return value if value is not None and low <= value <= high else None


def first_plausible(name: str, *values: Number) -> Number:
    """The first of the values that a card can have as its ``name``."""
    return next((value for value in values if plausible(name, value) is not None), None)


def plausible_metrics(throttle: tuple[str, ...] | None = None, **told: Number) -> Metrics:
    """The metrics that a source ``told``, by their names and in their units. Memory in use is
    within all there is; where that is not known, no use at all is not known either."""
    kept = {name: plausible(name, value) for name, value in told.items()}
    used, total = kept.get("mem_used_mib"), kept.get("mem_total_mib")
    nonsense = used is not None and total is not None and used > total
    dead = total is None and (told.get("mem_total_mib") is not None or not used)
    if nonsense or dead:
        kept["mem_used_mib"] = None
    return Metrics(**kept, throttle=throttle)  # type: ignore[arg-type]  # PCIe's are whole
