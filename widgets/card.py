"""What the panel of a card shows, as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from msgspec import field
from msgspec.structs import replace

from tui.model import (
    CardReading,
    CardSeries,
    Check,
    Extremes,
    Gpu,
    Metrics,
    MetricsSource,
    Swap,
    value_of,
)
from widgets.as_shown import AsShown
from widgets.card_names import card_name
from widgets.figures import ago, short
from widgets.footer import Hint
from widgets.graph import Mark, Series

WIDE = 76
"""Minimum width in cells for two columns and full names."""

LATE_S = 2.0
"""Age in seconds from which a reading is marked as old, unless the caller overrides it."""

GUEST_LATE_S = 30.0
"""The same for readings from a guest, which come less often."""

AGE_STEPS_S = (2, 5, 10, 20, 30, 40, 50)
"""The steps in which an age is shown, so that it changes rarely; above them, whole minutes."""

GUEST_AGE_STEP_S = 10

GIVES: dict[MetricsSource, tuple[CardSeries, ...]] = {
    "nvml": ("load", "vram", "power", "temp", "clock"),
    "guest-agent": ("load", "vram", "power", "temp", "clock"),
    "amdgpu": ("load", "vram", "power", "temp", "clock"),
    "i915": ("load", "power", "clock"),
    "xe": ("load", "power", "clock"),
}
"""The series that every card of a source has. If one of these has no value, its row shows a dash;
any other series has a row only if it was measured."""

DRIVER_SOURCES: dict[str, MetricsSource] = {
    "nvidia": "nvml", "amdgpu": "amdgpu", "i915": "i915", "xe": "xe",
}  # fmt: skip
"""The source that reads the cards of a driver."""


class Card(AsShown, frozen=True, eq=False):
    """A card as of ``at``, and what else its panel needs.

    ``series`` are its past values, and ``extremes`` those of the series when full-screen;
    ``lower`` is the series that the user chose, ``None`` if none.
    ``usual_s`` is how long the last such swap took. ``age_s`` is the age of its reading, shown
    from ``late_s`` on. ``last`` is its last reading and ``last_age_s`` the age of that, shown if
    there is no current one. ``guest`` is the name of the allowed guest. ``keys`` are those that
    act on the card; ``start_key`` starts the guest, and ``checks_key`` shows all checks.
    ``first_step`` says what is not set up yet, in full and briefly. ``twin``: another card has the
    same name. ``flash``: its owner has just changed.
    """

    UNSEEN: ClassVar[frozenset[str]] = frozenset({"at", "age_s", "last_age_s"})

    gpu: Gpu
    at: datetime
    number: int = 1
    series: Mapping[CardSeries, Series] = field(default_factory=dict)
    lower: CardSeries | None = None
    marks: tuple[Mark, ...] = ()
    checks: tuple[Check, ...] = ()
    swap: Swap | None = None
    usual_s: float | None = None
    age_s: float | None = None
    late_s: float = LATE_S
    last: CardReading | None = None
    last_age_s: float | None = None
    quiet: bool = False
    guest: str | None = None
    host_driver: str | None = None
    guest_driver: str | None = None
    keys: tuple[Hint, ...] = ()
    start_key: str = "s"
    checks_key: str = "d"
    first_step: tuple[str, str] | None = None
    twin: bool = False
    flash: bool = False
    extremes: Mapping[CardSeries, Extremes] = field(default_factory=dict)

    @property
    def shown(self) -> tuple[object, ...]:
        seconds = seconds_text(self.swap_s) if self.moving_swap else ""
        return age_text(self.age_s), age_text(self.last_age_s), seconds, self.late

    def with_gpu(self, gpu: Gpu) -> Card:
        """The same with another state of its GPU."""
        return replace(self, gpu=gpu)

    @property
    def name(self) -> str:
        return card_name(self.gpu.name)

    @property
    def address(self) -> str:
        return short(self.gpu.address)

    @property
    def integrated(self) -> bool:
        """Whether it is part of an Intel CPU: it has no memory and no link of its own."""
        return self.gpu.function.vendor == "8086" and self.gpu.address.startswith("0000:00:")

    @property
    def reading(self) -> CardReading | None:
        """Its reading, unless the card is lost."""
        reading = self.gpu.reading
        return reading if reading is not None and reading.lost is None else None

    @property
    def lost(self) -> str | None:
        return self.gpu.reading.lost if self.gpu.reading is not None else None

    @property
    def faded(self) -> bool:
        """Whether the last figures stand in for current ones."""
        return self.quiet and self.reading is None and self.last is not None and not self.lost

    @property
    def metrics(self) -> Metrics:
        """The figures to show."""
        if self.reading is not None:
            return self.reading.metrics
        return self.last.metrics if self.faded and self.last is not None else Metrics()

    @property
    def limits(self) -> Metrics:
        """The figures whose limits are the tops of the scales, also for a card that cannot be read
        now."""
        reading = self.reading or self.last
        return reading.metrics if reading is not None else Metrics()

    @property
    def late(self) -> bool:
        """Whether the reading is older than it should be."""
        if self.reading is None or self.age_s is None:
            return False
        from_guest = self.reading.source == "guest-agent"
        return self.age_s >= (max(self.late_s, GUEST_LATE_S) if from_guest else self.late_s)

    @property
    def moving_swap(self) -> Swap | None:
        """The swap that moves the card now."""
        swap = self.swap
        return swap if swap and swap.under_way and self.gpu.address in swap.moves else None

    @property
    def interrupted_swap(self) -> Swap | None:
        """The swap of the card that waits to be finished or undone."""
        swap = self.swap
        return swap if swap and swap.interrupted and self.gpu.address in swap.moves else None

    @property
    def swap_s(self) -> float:
        """Seconds since its swap began."""
        return (self.at - self.swap.began_at).total_seconds() if self.swap else 0.0

    def gives(self, name: CardSeries) -> bool:
        """Whether this series can have a value: its source reports it, or did so before."""
        reading = self.reading or self.last
        source = reading.source if reading else DRIVER_SOURCES.get(self.gpu.function.driver or "")
        if source is None or name in GIVES[source]:
            return True
        return value_of(name, self.metrics) is not None or measured(self.series.get(name, ()))


def measured(series: Series) -> bool:
    """Whether a series has any value."""
    return any(value is not None for value in series)


def seconds_text(seconds: float) -> str:
    """``2.1 s``; whole seconds from ten on."""
    return f"{max(seconds, 0.0):.1f} s" if seconds < 9.95 else ago(seconds)


def age_text(seconds: float | None) -> str:
    """``5 s``, ``4 min``: an age in the steps of ``AGE_STEPS_S``; empty if it is not known."""
    if seconds is None:
        return ""
    if seconds >= 60:
        return ago(seconds)
    return ago(max((step for step in AGE_STEPS_S if step <= seconds), default=0))


def guest_age_text(seconds: float | None) -> str:
    """``<10 s``, ``20 s``: the age of a guest's reading, which changes only if readings stop."""
    step = GUEST_AGE_STEP_S * (max(seconds or 0.0, 0.0) // GUEST_AGE_STEP_S)
    return ago(step) if step else f"<{GUEST_AGE_STEP_S} s"


def twins(gpus: Sequence[Gpu]) -> frozenset[str]:
    """The addresses of the cards that share their name with another card."""
    names = [card_name(gpu.name) for gpu in gpus]
    return frozenset(
        g.address for g, name in zip(gpus, names, strict=True) if names.count(name) > 1
    )
