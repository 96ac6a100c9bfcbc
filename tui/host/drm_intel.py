"""What i915 and xe tell of a card (kernel: Documentation/ABI/testing/
sysfs-driver-intel-i915-hwmon and -xe-hwmon, Documentation/gpu/xe/xe_gt_freq.rst).

Neither tells how busy a card is: that is the sum of what its clients use
(``tui.host.drm_fdinfo``). Reading these resumes a sleeping card.
"""

from __future__ import annotations

from collections.abc import Iterable

from tui.host import drm_hwmon as hwmon
from tui.host.drm_hwmon import MIB, MOST_MHZ, MOST_MIB, whole, within
from tui.host.drm_power import primary
from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.model import Metrics

TILES = 8
"""Tiles of a card that are looked at; xe knows of no card with more than two."""


def i915(directory: Tree) -> tuple[Metrics, int | None]:
    """The metrics of the card in ``directory``, and the microjoules it has used up.

    Of hwmon ``i915``, temp1 is the package, power1_max the sustained limit (PL1), 0 where
    that is off; an integrated GPU has no hwmon. The clock, 0 in its sleep state RC6, is
    gt_act_freq_mhz below the DRM card, or gt/gt0/rps_act_freq_mhz. Only some kernels of
    Intel's own tell the memory, lmem_total_bytes.
    """
    sensors, card = (
        hwmon.sensors(directory, "i915"),
        Attributes(primary(directory) or directory / "drm"),
    )
    found = Metrics(
        mem_total_mib=within(card, "lmem_total_bytes", MOST_MIB, low=1, unit=MIB),
        temp_c=hwmon.temperature(sensors, 1),
        fan_pct=hwmon.fan(sensors),
        power_limit_w=hwmon.limit(sensors, "power1_max", "power1_cap"),
        clock_mhz=_first(card, "gt_act_freq_mhz", "gt/gt0/rps_act_freq_mhz"),
    )
    return found, sensors.read("energy1_input", whole)


def xe(directory: Tree) -> tuple[Metrics, int | None]:
    """The same of a card on xe.

    Of hwmon ``xe``, channel 1 is the card, channel 2 its package, which stands in where the
    card is not told of; temp2 is the package, power<n>_max the sustained limit (PL1),
    power<n>_cap the one for bursts (PL2). The clock, 0 in its sleep state C6, is
    tile0/gt0/freq0/act_freq. Only some kernels of Intel's own tell the memory,
    tile<n>/physical_vram_size_bytes.
    """
    at, sensors = Attributes(directory), hwmon.sensors(directory, "xe")
    energy = sensors.read("energy1_input", whole)
    channel = 1
    if energy is None and (package := sensors.read("energy2_input", whole)) is not None:
        energy, channel = package, 2
    tiles = (
        within(at, f"tile{n}/physical_vram_size_bytes", MOST_MIB, low=1, unit=MIB)
        for n in range(TILES)
    )
    found = Metrics(
        mem_total_mib=_sum(tiles),
        temp_c=hwmon.temperature(sensors, 2),
        fan_pct=hwmon.fan(sensors),
        power_limit_w=hwmon.limit(sensors, f"power{channel}_max", f"power{channel}_cap"),
        clock_mhz=_first(at, "tile0/gt0/freq0/act_freq"),
    )
    return found, energy


def _first(at: Attributes, *names: str) -> float | None:
    told = (within(at, name, MOST_MHZ) for name in names)
    return next((value for value in told if value is not None), None)


def _sum(parts: Iterable[float | None]) -> float | None:
    """The sum of the first parts up to one that is not told; ``None`` where none is."""
    total = 0.0
    for part in parts:
        if part is None:
            break
        total += part
    return total or None
