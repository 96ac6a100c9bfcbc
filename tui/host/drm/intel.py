"""What i915 and xe tell of a card (kernel: Documentation/ABI/testing/
sysfs-driver-intel-i915-hwmon and -xe-hwmon, Documentation/gpu/xe/xe_gt_freq.rst).

Neither tells how busy a card is: that is the sum of what its clients use
(``tui.host.drm.fdinfo``). Reading these resumes a sleeping card.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tui.host.drm import hwmon
from tui.host.drm.hwmon import MIB, Channel, parse_uint64, scaled
from tui.host.drm.power import primary_node
from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.model import Metrics
from tui.model.plausible import Number, first, judged, plausible

TILES = 8
"""Tiles of a card that are looked at; xe knows of no card with more than two."""

SENSORS = 4
"""Sensors of a kind whose labels are read."""


CHANNELS = {1: "card", 2: "pkg"}
"""What the channels of xe's sensors are, on kernels that give them no labels."""


def i915(directory: Tree) -> tuple[Metrics, tuple[Channel, ...]]:
    """The metrics of the card in ``directory``, but for its power, and what tells of that.

    Of hwmon ``i915``, temp1 is the package, power1_max the sustained limit (PL1), 0 where
    that is off; an integrated GPU has no hwmon. The clock, 0 in its sleep state RC6, is
    gt_act_freq_mhz below the DRM card, or gt/gt0/rps_act_freq_mhz. Only some kernels of
    Intel's own tell the memory, lmem_total_bytes.
    """
    sensors, card = (
        hwmon.sensors(directory, "i915"),
        Attributes(primary_node(directory) or directory / "drm"),
    )
    found = judged(
        mem_total_mib=scaled(card, "lmem_total_bytes", MIB),
        temp_c=hwmon.temperature(sensors, 1),
        fan_pct=hwmon.fan(sensors),
        clock_mhz=_clock(card, "gt_act_freq_mhz", "gt/gt0/rps_act_freq_mhz"),
    )
    limit = hwmon.limit(sensors, "power1_max", "power1_cap")
    return found, (Channel("card", sensors.read("energy1_input", parse_uint64), limit),)


def xe(directory: Tree) -> tuple[Metrics, tuple[Channel, ...]]:
    """The same of a card on xe.

    Of hwmon ``xe``, one channel is the card and one its package, which stands in where the
    card's energy does not count, as on Battlemage (amdgpu, too, tells that of its package, and
    users know the figure as the card's); labels tell which is which. temp2 is the
    package, power<n>_max the sustained limit (PL1), power<n>_cap the one for bursts (PL2).
    The clock, 0 in its sleep state C6, is tile0/gt0/freq0/act_freq. Only some kernels of
    Intel's own tell the memory, tile<n>/physical_vram_size_bytes.
    """
    at, sensors = Attributes(directory), hwmon.sensors(directory, "xe")
    tiles = (scaled(at, f"tile{n}/physical_vram_size_bytes", MIB) for n in range(TILES))
    found = judged(
        mem_total_mib=_sum(tiles),
        temp_c=_package_temperature(sensors),
        fan_pct=hwmon.fan(sensors),
        clock_mhz=_clock(at, "tile0/gt0/freq0/act_freq"),
    )
    return found, tuple(_channels(sensors))


def _package_temperature(sensors: Attributes) -> Number:
    number = _number_of("pkg", _labels(sensors, "temp"), 2)
    return number and hwmon.temperature(sensors, number)


def _channels(sensors: Attributes) -> Iterator[Channel]:
    """The card's before that of its package, each with its own limit."""
    energies, powers = _labels(sensors, "energy"), _labels(sensors, "power")
    for number, label in CHANNELS.items():
        energy = _number_of(label, energies, number)
        power = _number_of(label, powers, energy)
        limit = power and hwmon.limit(sensors, f"power{power}_max", f"power{power}_cap")
        used = energy and sensors.read(f"energy{energy}_input", parse_uint64)
        yield Channel(label, used, limit)


def _number_of(label: str, labels: dict[int, str], number: int | None) -> int | None:
    """The number of the sensor with this label, else ``number`` where that has none;
    ``None`` where it is another one's."""
    usual = None if number in labels else number
    return next((n for n, told in labels.items() if told == label), usual)


def _labels(sensors: Attributes, kind: str) -> dict[int, str]:
    """The labels of a kind of sensor by their numbers (``energy2_label``: pkg)."""
    told = ((n, sensors.read(f"{kind}{n}_label", str)) for n in range(1, SENSORS + 1))
    return {n: label for n, label in told if label is not None}


def _clock(at: Attributes, *names: str) -> Number:
    return first("clock_mhz", *(scaled(at, name) for name in names))


def _sum(parts: Iterable[Number]) -> Number:
    """The sum of the first parts up to one that is not told; ``None`` where none is."""
    total = 0.0
    for part in parts:
        if part is None or plausible("mem_total_mib", part) is None:
            break
        total += part
    return total or None
