"""What amdgpu reports about a card.

Source: kernel, Documentation/gpu/amdgpu/thermal.rst and driver-misc.rst, which quote
drivers/gpu/drm/amd/pm/amdgpu_pm.c and amdgpu_vram_mgr.c. Every read resumes a sleeping card, and
delays the sleep of one that is awake.
"""

from __future__ import annotations

from tui.host.drm import hwmon
from tui.host.drm.hwmon import MIB, scaled
from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.model import Metrics
from tui.model.plausible import plausible_metrics

HZ = 1_000_000


def metrics(directory: Tree) -> Metrics:
    """Read the metrics of the card in ``directory``.

    gpu_busy_percent and mem_busy_percent are 0-100; mem_info_vram_* are bytes. In hwmon ``amdgpu``,
    temp1 is the edge temperature and temp1_crit its limit; freq1 (shader) and freq2 (memory) are
    clocks in Hz. An APU has no fan and no power limit; its VRAM is what the firmware set aside. The
    driver reports encoders and decoders only as one figure (vcn_busy_percent).
    """
    at, sensors = Attributes(directory), hwmon.sensors(directory, "amdgpu")
    return plausible_metrics(
        util_pct=scaled(at, "gpu_busy_percent"),
        mem_util_pct=scaled(at, "mem_busy_percent"),
        mem_used_mib=scaled(at, "mem_info_vram_used", MIB),
        mem_total_mib=scaled(at, "mem_info_vram_total", MIB),
        temp_c=hwmon.temperature(sensors, 1),
        temp_limit_c=hwmon.critical(sensors, 1),
        fan_pct=hwmon.fan(sensors),
        power_w=hwmon.watts(sensors, "power1_average", "power1_input"),
        power_limit_w=hwmon.limit(sensors, "power1_cap"),
        clock_mhz=scaled(sensors, "freq1_input", HZ),
        mem_clock_mhz=scaled(sensors, "freq2_input", HZ),
    )
