"""The plausible range of each value in ``Metrics``, whatever its source.

A dead sensor answers too: with 0 where 0 is impossible, with all bits of its register set (a power
limit of 4095.875 W, 65535 rpm, 511 degrees), or with garbage. A value out of range was not measured
and is ``None``, never 0.
"""

from __future__ import annotations

from tui.model.metrics import Metrics

Number = float | int | None

_RANGES: dict[str, tuple[float, float]] = {
    "util_pct": (0, 100),
    "mem_util_pct": (0, 100),
    "mem_used_mib": (0, 1 << 30),
    "mem_total_mib": (1, 1 << 30),
    # Drivers shut a card down below 125 degrees; 126 and 127 are a dead seven-bit sensor.
    "temp_c": (1, 125),
    "temp_limit_c": (30, 125),
    "fan_pct": (0, 200),  # 0: stopped, as on many idle cards
    "power_w": (0.001, 3000),  # an awake card draws something
    "power_limit_w": (1, 3000),  # 0: no limit, or switched off
    "clock_mhz": (0, 30_000),  # 0: the clock is off, as in RC6
    "mem_clock_mhz": (1, 30_000),
    "pcie_gen": (1, 10),
    "pcie_gen_max": (1, 10),
    "pcie_width": (1, 32),
    "pcie_width_max": (1, 32),
    "enc_pct": (0, 100),
    "dec_pct": (0, 100),
    "enc_sessions": (0, 64),
    "enc_fps": (0, 1000),
    "enc_latency_us": (0, 10_000_000),
}
"""The minimum and the maximum by field of ``Metrics``, in the field's unit."""

MOST_WATTS = _RANGES["power_w"][1]


def plausible(name: str, value: Number) -> Number:
    """``value`` if it is in the range of the field ``name``, else ``None``."""
    low, high = _RANGES[name]
    return value if value is not None and low <= value <= high else None


def first_plausible(name: str, *values: Number) -> Number:
    """The first of the values that is in the range of the field ``name``."""
    return next((value for value in values if plausible(name, value) is not None), None)


def plausible_metrics(throttle: tuple[str, ...] | None = None, **reported: Number) -> Metrics:
    """The metrics that a source ``reported``, without implausible values. Used memory must not
    exceed the total; if the total is not known, a use of 0 is not believed either."""
    values = {name: plausible(name, value) for name, value in reported.items()}
    used, total = values.get("mem_used_mib"), values.get("mem_total_mib")
    too_much = used is not None and total is not None and used > total
    no_total = total is None and (reported.get("mem_total_mib") is not None or not used)
    if too_much or no_total:
        values["mem_used_mib"] = None
    return Metrics(**values, throttle=throttle)  # type: ignore[arg-type]  # PCIe's are whole
