"""The series of a card whose past values are kept, for the graphs."""

from __future__ import annotations

from typing import Literal

from tui.model.metrics import Metrics

CardSeries = Literal["load", "vram", "power", "temp", "clock"]

CARD_SERIES: dict[CardSeries, str] = {
    "load": "util_pct",
    "vram": "mem_used_mib",
    "power": "power_w",
    "temp": "temp_c",
    "clock": "clock_mhz",
}
"""The field of ``Metrics`` that each series records, in that field's unit."""


def value_of(series: CardSeries, metrics: Metrics) -> float | None:
    """The value of ``series`` in one reading; ``None`` if it was not measured."""
    value: float | None = getattr(metrics, CARD_SERIES[series])
    return value
