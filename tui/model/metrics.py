"""The readings of cards: utilisation, memory, temperatures, processes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

MetricsSource = Literal["nvml", "amdgpu", "i915", "xe", "guest-agent"]


class Metrics(Struct, frozen=True):
    """One reading of a card. ``None``: the source does not give the value.

    The field names are those of ``status --json``. Percentages are 0-100 (fans may exceed 100),
    memory is in MiB, temperatures in degrees Celsius, power in watts, clocks in MHz.
    ``temp_limit_c`` is the temperature at which the card slows down. ``enc_sessions`` are the video
    streams that it encodes, with their mean frames per second and latency in microseconds. An
    empty ``throttle`` means that nothing limits the card.
    """

    util_pct: float | None = None
    mem_util_pct: float | None = None
    mem_used_mib: float | None = None
    mem_total_mib: float | None = None
    temp_c: float | None = None
    temp_limit_c: float | None = None
    fan_pct: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    clock_mhz: float | None = None
    mem_clock_mhz: float | None = None
    pcie_gen: int | None = None
    pcie_gen_max: int | None = None
    pcie_width: int | None = None
    pcie_width_max: int | None = None
    enc_pct: float | None = None
    dec_pct: float | None = None
    enc_sessions: int | None = None
    enc_fps: float | None = None
    enc_latency_us: float | None = None
    throttle: tuple[str, ...] | None = None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return cls.__struct_fields__


NOT_SEEN = "not seen"
"""``GpuProcess.what`` of processes that could not be inspected."""


class GpuProcess(Struct, frozen=True):
    """A process on a card, as the driver lists it. ``what``: graphics, compute, ...
    ``util_pct`` is its share of the card's busiest engine, 0-100."""

    pid: int | None
    name: str
    what: str
    memory_mib: float | None = None
    util_pct: float | None = None


class CardReading(Struct, frozen=True):
    """What one source reports of one card. ``lost``: it has fallen off the bus, in a sentence.
    ``failed``: why it cannot be read otherwise. ``reported_at``: when a guest reported it; the
    host's own readings have no time but their sample's. ``remarks``: warnings of the source."""

    address: str
    source: MetricsSource
    metrics: Metrics = Metrics()
    name: str | None = None
    processes: tuple[GpuProcess, ...] | None = None
    lost: str | None = None
    reported_at: datetime | None = None
    remarks: tuple[str, ...] = ()
    failed: str | None = None

    @property
    def problem(self) -> str | None:
        """Why there are no metrics; ``None`` if the card was read."""
        return self.lost or self.failed


class NvmlReading(Struct, frozen=True):
    """The cards that NVML lists, by address, and the driver's version.

    ``reserved_for_guest`` are cards on the nvidia driver that are not read so that they can be
    unbound. ``released_idle`` are cards that are not read so that they can sleep.
    """

    driver_version: str | None
    cards: tuple[CardReading, ...]
    reserved_for_guest: tuple[str, ...] = ()
    released_idle: tuple[str, ...] = ()

    def of(self, address: str) -> CardReading | None:
        return next((card for card in self.cards if card.address == address), None)


class DrmReading(Struct, frozen=True):
    """The cards that amdgpu, i915 and xe report in sysfs and fdinfo, by address."""

    cards: tuple[CardReading, ...]

    def of(self, address: str) -> CardReading | None:
        return next((card for card in self.cards if card.address == address), None)
