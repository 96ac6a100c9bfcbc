"""What i915 and xe report about a card.

Neither reports how busy a card is: that is the sum of what its clients use
(``tui.host.drm.fdinfo``). Reading these resumes a sleeping card. Source: kernel,
Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and -xe-hwmon,
Documentation/gpu/xe/xe_gt_freq.rst.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tui.host.drm import hwmon
from tui.host.drm.hwmon import MIB, Channel, parse_uint64, scaled
from tui.host.pci.connectors import primary_node
from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.model import Metrics
from tui.model.plausible import Number, first_plausible, plausible, plausible_metrics

TILES = 8
"""Tiles of a card to read; xe knows of no card with more than two."""

SENSORS = 4
"""Sensors of a kind whose labels are read."""


CHANNELS = {1: "card", 2: "pkg"}
"""The channels of xe's sensors, on kernels that do not label them."""


def i915(directory: Tree) -> tuple[Metrics, tuple[Channel, ...]]:
    """Read the metrics of the card in ``directory`` except its power, and its power channel.

    In hwmon ``i915``, temp1 is the package and power1_max the sustained limit (PL1), 0 if that
    is off; an integrated GPU has no hwmon. The clock is gt_act_freq_mhz below the DRM card, or
    gt/gt0/rps_act_freq_mhz, and 0 in the sleep state RC6. Only some of Intel's own kernels report
    the memory, lmem_total_bytes.
    """
    sensors, card = (
        hwmon.sensors(directory, "i915"),
        Attributes(primary_node(directory) or directory / "drm"),
    )
    found = plausible_metrics(
        mem_total_mib=scaled(card, "lmem_total_bytes", MIB),
        temp_c=hwmon.temperature(sensors, 1),
        fan_pct=hwmon.fan(sensors),
        clock_mhz=_clock(card, "gt_act_freq_mhz", "gt/gt0/rps_act_freq_mhz"),
    )
    limit = hwmon.limit(sensors, "power1_max", "power1_cap")
    return found, (Channel("card", sensors.read("energy1_input", parse_uint64), limit),)


def xe(directory: Tree) -> tuple[Metrics, tuple[Channel, ...]]:
    """Read the same of a card on xe, with its two power channels.

    In hwmon ``xe``, one channel is the card and one its package; labels say which is which. The
    package stands in if the card's energy counter does not move, as on Battlemage. (amdgpu also
    reports the package's power, and users know that figure as the card's.) temp2 is the package
    and temp2_crit its limit, power<n>_max the sustained limit (PL1), power<n>_cap the one for
    bursts (PL2). The clock is tile0/gt0/freq0/act_freq, 0 in the sleep state C6. Only some of
    Intel's own kernels report the memory, tile<n>/physical_vram_size_bytes.
    """
    at, sensors = Attributes(directory), hwmon.sensors(directory, "xe")
    tiles = (scaled(at, f"tile{n}/physical_vram_size_bytes", MIB) for n in range(TILES))
    package = _number_of("pkg", _labels(sensors, "temp"), 2)
    found = plausible_metrics(
        mem_total_mib=_sum(tiles),
        temp_c=package and hwmon.temperature(sensors, package),
        temp_limit_c=package and hwmon.critical(sensors, package),
        fan_pct=hwmon.fan(sensors),
        clock_mhz=_clock(at, "tile0/gt0/freq0/act_freq"),
    )
    return found, tuple(_channels(sensors))


def _channels(sensors: Attributes) -> Iterator[Channel]:
    """Yield the card's channel before its package's, each with its own limit."""
    energies, powers = _labels(sensors, "energy"), _labels(sensors, "power")
    for number, label in CHANNELS.items():
        energy = _number_of(label, energies, number)
        power = _number_of(label, powers, energy)
        limit = power and hwmon.limit(sensors, f"power{power}_max", f"power{power}_cap")
        used = energy and sensors.read(f"energy{energy}_input", parse_uint64)
        yield Channel(label, used, limit)


def _number_of(label: str, labels: dict[int, str], number: int | None) -> int | None:
    """Return the number of the sensor with this label.

    Falls back to ``number`` if that sensor has no label; ``None`` if it has another one.
    """
    usual = None if number in labels else number
    return next((n for n, found in labels.items() if found == label), usual)


def _labels(sensors: Attributes, kind: str) -> dict[int, str]:
    """Return the labels of a kind of sensor by their numbers (``energy2_label``: pkg)."""
    read = ((n, sensors.read(f"{kind}{n}_label", str)) for n in range(1, SENSORS + 1))
    return {n: label for n, label in read if label is not None}


def _clock(at: Attributes, *names: str) -> Number:
    return first_plausible("clock_mhz", *(scaled(at, name) for name in names))


def _sum(parts: Iterable[Number]) -> Number:
    """Sum the parts up to the first that is missing; ``None`` if the first one is."""
    total = 0.0
    for part in parts:
        if part is None or plausible("mem_total_mib", part) is None:
            break
        total += part
    return total or None
