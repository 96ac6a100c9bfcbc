"""Hosts with cards on amdgpu, i915 and xe, laid out as their drivers do.

The attributes are those of Documentation/gpu/amdgpu/thermal.rst,
Documentation/ABI/testing/sysfs-driver-intel-*-hwmon and Documentation/gpu/xe; the files of fdinfo
those of Documentation/gpu/drm-usage-stats.rst.
"""

from __future__ import annotations

from pathlib import Path

from tests.hosts_layout import add_function, lay_out
from tui.host.drm.source import DrmSource
from tui.host.pci.source import PciSource
from tui.host.tree import PlainTree

AMD, ARC, IGPU = "0000:03:00.0", "0000:04:00.0", "0000:00:02.0"

MIB, GIB = 1 << 20, 1 << 30
SECOND = 1_000_000_000

RX = {
    "gpu_busy_percent": "37",
    "mem_busy_percent": "12",
    "mem_info_vram_total": str(16 * GIB),
    "mem_info_vram_used": str(1240 * MIB),
    "hwmon/hwmon4/name": "amdgpu",
    "hwmon/hwmon4/temp1_input": "54000",
    "hwmon/hwmon4/temp1_label": "edge",
    "hwmon/hwmon4/power1_average": "35200000",
    "hwmon/hwmon4/power1_cap": "263000000",
    "hwmon/hwmon4/fan1_input": "990",
    "hwmon/hwmon4/fan1_max": "3300",
    "hwmon/hwmon4/pwm1": "76",
    "hwmon/hwmon4/pwm1_max": "255",
    "hwmon/hwmon4/freq1_input": "2450000000",
    "hwmon/hwmon4/freq2_input": "1000000000",
}
"""A card of AMD's, as on Linux 6.12."""

B580 = {
    "hwmon/hwmon5/name": "xe",
    "hwmon/hwmon5/energy1_input": "5000000",
    "hwmon/hwmon5/energy2_input": "3000000",
    "hwmon/hwmon5/power1_max": "190000000",
    "hwmon/hwmon5/power1_cap": "228000000",
    "hwmon/hwmon5/temp2_input": "48000",
    "hwmon/hwmon5/temp3_input": "61000",
    "hwmon/hwmon5/fan1_input": "1200",
    "tile0/gt0/freq0/act_freq": "2850",
}
"""A card of Intel's on xe, as on Linux 6.16."""

UHD = {"drm/card0/gt_act_freq_mhz": "0", "drm/card0/gt/gt0/rps_act_freq_mhz": "350"}
"""An integrated GPU on i915, in its sleep state RC6."""


class Machine:
    """A host that tests change, with processes in a folder of its own.

    It begins with the first process only, and its clock stands still.
    """

    def __init__(self, root: Path) -> None:
        lay_out({"groups": {}, "boot_vga": None}, root)
        self.root = root
        self.proc = root / "proc"
        self.now = 1000.0
        self.pci = PciSource(PlainTree(root))
        self._nodes = 0
        self.process(1, "systemd")

    def add(self, address: str, driver: str | None, *parts: dict[str, str]) -> Path:
        """Add a GPU with its DRM nodes ``card<n>`` and ``renderD<128+n>``."""
        device = add_function(
            self.root / "sys",
            {
                "addr": address,
                "class": "0300",
                "vendor": "1002",
                "device": "744c",
                "driver": driver,
            },
        )
        number = self._nodes
        self._nodes += 1
        self.write(
            device,
            {
                f"drm/card{number}/dev": f"226:{number}",
                f"drm/renderD{128 + number}/dev": f"226:{128 + number}",
                "power/control": "on",
            },
            *parts,
        )
        return device

    @staticmethod
    def write(device: Path, *parts: dict[str, str]) -> None:
        for part in parts:
            for name, text in part.items():
                (device / name).parent.mkdir(parents=True, exist_ok=True)
                (device / name).write_text(text + "\n")

    def process(self, pid: int, comm: str) -> Path:
        """Add a process without files."""
        process = self.proc / str(pid)
        (process / "fd").mkdir(parents=True)
        (process / "fdinfo").mkdir()
        (process / "comm").write_text(comm + "\n")
        (process / "stat").write_text(f"{pid} ({comm}) S 1 1 1 0 -1 4194560 0 0\n")
        return process

    def open(self, pid: int, fd: int, text: str = "", node: str = "renderD128") -> Path:
        """Let a process have a node open, about which its driver reports ``text``."""
        process = self.proc / str(pid)
        (process / "fd" / str(fd)).symlink_to(f"/dev/dri/{node}")
        file = process / "fdinfo" / str(fd)
        file.write_text(f"pos:\t0\nflags:\t02100002\nmnt_id:\t26\nino:\t284\n{text}")
        return file

    def source(self) -> DrmSource:
        return DrmSource(self.pci, self.proc, clock=lambda: self.now)


def amdgpu(client: int, *engines: str, vram: int = 0, address: str = AMD) -> str:
    """As in amdgpu_fdinfo.c, which lists an engine once it has been used: ``gfx 5``, in ns."""
    lines = [
        "pasid:\t32770",
        "drm-driver:\tamdgpu",
        f"drm-client-id:\t{client}",
        f"drm-pdev:\t{address}",
        f"drm-memory-vram:\t{vram // 1024} KiB",
        "drm-memory-gtt: \t17408 KiB",
        "drm-memory-cpu: \t0 KiB",
        f"amd-requested-vram:\t{vram // 1024} KiB",
    ]
    parts = (engine.split() for engine in engines)
    return "\n".join([*lines, *(f"drm-engine-{name}:\t{ns} ns" for name, ns in parts)]) + "\n"


def i915(client: int, render: int = 0, video: int = 0, address: str = IGPU) -> str:
    """As in proc_pid_fdinfo(5), which quotes i915_drm_client.c; ns."""
    return f"""\
drm-driver:\ti915
drm-client-id:\t{client}
drm-pdev:\t{address}
drm-total-system0:\t6044 KiB
drm-shared-system0:\t0
drm-active-system0:\t0
drm-resident-system0:\t4096 KiB
drm-purgeable-system0:\t1688 KiB
drm-total-stolen-system0:\t0
drm-resident-stolen-system0:\t0
drm-engine-render:\t{render} ns
drm-engine-copy:\t0 ns
drm-engine-video:\t{video} ns
drm-engine-capacity-video:\t2
drm-engine-video-enhance:\t0 ns
"""


def xe(client: int, total: int, rcs: int = 0, ccs: int = 0, address: str = ARC) -> str:
    """As in the comment in xe_drm_client.c; cycles."""
    return f"""\
drm-driver:\txe
drm-client-id:\t{client}
drm-pdev:\t{address}
drm-total-system:\t0
drm-resident-system:\t0
drm-total-gtt:\t192 KiB
drm-resident-gtt:\t192 KiB
drm-total-vram0:\t23992 KiB
drm-shared-vram0:\t16 MiB
drm-resident-vram0:\t20 MiB
drm-resident-stolen:\t0
drm-cycles-rcs:\t{rcs}
drm-total-cycles-rcs:\t{total}
drm-cycles-vcs:\t0
drm-total-cycles-vcs:\t{total}
drm-engine-capacity-vcs:\t2
drm-cycles-ccs:\t{ccs}
drm-total-cycles-ccs:\t{total}
drm-engine-capacity-ccs:\t4
"""
