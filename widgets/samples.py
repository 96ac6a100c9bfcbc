"""A small made-up host as values of the model, for previews of the widgets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import sin

from tui.model import (
    Bar,
    Blocker,
    CardReading,
    CardUser,
    CardUsers,
    CardVitals,
    Check,
    Cost,
    Domain,
    Event,
    Gpu,
    GpuProcess,
    Group,
    Guest,
    Holder,
    HostDev,
    HostFacts,
    HostView,
    Link,
    Metrics,
    NvidiaModel,
    Owner,
    PciFunction,
    Plan,
    SourceState,
    Step,
    Swap,
    Viability,
)

AT = datetime(2026, 1, 1, 20, 15, tzinfo=UTC)

LOAD = tuple(50 + 40 * sin(step / 9) for step in range(240))
"""A history in percent, newest last."""

_RTX_4090 = PciFunction(
    "0000:01:00.0", "10de", "2684", "030000", "AD102 [GeForce RTX 4090]", "NVIDIA Corporation",
    driver="vfio-pci", iommu_group=14, boot_vga=False, reset_methods=("flr", "bus"),
    link_max=Link(16.0, 16), bars=(Bar(0, 16 << 20), Bar(1, 32 << 30, prefetchable=True)),
)  # fmt: skip
_AUDIO = PciFunction(
    "0000:01:00.1", "10de", "22ba", "040300", "AD102 High Definition Audio Controller",
    driver="vfio-pci", iommu_group=14,
)  # fmt: skip
_RTX_3060 = PciFunction(
    "0000:0a:00.0", "10de", "2504", "030000", "GA106 [GeForce RTX 3060]", "NVIDIA Corporation",
    driver="nvidia", iommu_group=20, boot_vga=True, link_max=Link(16.0, 16),
)  # fmt: skip
_DISK = PciFunction(
    "0000:02:00.0", "144d", "a80a", "010802", "NVMe SSD Controller PM9A1", driver="nvme",
    iommu_group=20,
)  # fmt: skip
_BLOCKER = Blocker(_DISK.address, "bound to nvme")

GUEST_GPU = Gpu(
    _RTX_4090, (_AUDIO,), "guest", Owner("guest", "win11"),
    Viability(True, (_RTX_4090.address, _AUDIO.address)),
    NvidiaModel("Ada", "geforce", "desktop"),
    CardVitals(_RTX_4090.address, "active", "D0", Link(16.0, 16), "vfio-pci", enabled=1),
    CardReading(
        _RTX_4090.address, "guest-agent",
        Metrics(
            util_pct=88, mem_util_pct=55, mem_used_mib=7160, mem_total_mib=24564, temp_c=69,
            fan_pct=70, power_w=402.5, power_limit_w=450, clock_mhz=2640, mem_clock_mhz=10501,
            pcie_gen=4, pcie_gen_max=4, pcie_width=16, pcie_width_max=16, enc_pct=0, dec_pct=0,
            throttle=("power cap",),
        ),
        processes=(GpuProcess(4711, "game.exe", "graphics", 6850, 88),), reported_at=AT,
    ),
)  # fmt: skip
HOST_GPU = Gpu(
    _RTX_3060, (), "host", Owner("host"), Viability(False, (_RTX_3060.address,), (_BLOCKER,)),
    NvidiaModel("Ampere", "geforce", "desktop"),
    CardVitals(_RTX_3060.address, "active", "D0", Link(16.0, 4), "nvidia"),
    CardReading(
        _RTX_3060.address, "nvml",
        Metrics(util_pct=12, mem_used_mib=1310, mem_total_mib=12288, temp_c=46, fan_pct=0),
    ),
)  # fmt: skip

GROUPS = (
    Group(14, (_RTX_4090, _AUDIO), ("gpu", "moves"), role="guest"),
    Group(20, (_DISK, _RTX_3060), ("blocks", "gpu"), (_BLOCKER,), role="host"),
)

_WIN11 = Domain(
    "win11", "5f0c9d3e-0000-4000-8000-000000000001", "running",
    hostdevs=(HostDev(_RTX_4090.address, managed=False), HostDev(_AUDIO.address, managed=False)),
    vcpus=8, memory_mib=16384, memory_used_mib=7120, cpu_pct=46.2, disk_read_bps=12e6,
    disk_write_bps=1.8e6, net_rx_bps=41e3, net_tx_bps=28e3,
    started_at=AT - timedelta(hours=2, minutes=5), agent=True,
)  # fmt: skip
_BUILD = Domain("debian-build", "5f0c9d3e-0000-4000-8000-000000000002", "shut off", vcpus=12)
GUESTS = (Guest(_WIN11, allowed=True, driver_version="572.83"), Guest(_BUILD, allowed=False))

CHECKS = (
    Check("r465.family", _RTX_4090.address, "pass", "Ada is Kepler or newer"),
    Check(
        "guest.hostdevs-complete", "win11", "warn", "managed='yes' lets libvirt move the card",
        "set managed='no' on both hostdevs",
    ),
    Check(
        "iommu.viable", _RTX_3060.address, "fail", f"{_DISK.address} is bound to nvme",
        "move the card to another slot",
    ),
    Check("nvidia.release", _RTX_4090.address, "unknown", "the module's version is unreadable"),
)  # fmt: skip

EVENTS = (
    Event(AT, _RTX_4090.address, "nvidia → vfio-pci", "good", "us"),
    Event(AT - timedelta(minutes=3), "fedora-ci", "started", "info"),
    Event(AT - timedelta(minutes=9), _RTX_3060.address, "the card is lost", "bad"),
)

VIEW = HostView(
    HostFacts("tower", "6.12.48-amd64"), iommu_enabled=True, iommu_kind="amd", iommu_groups=32,
    gpus=(GUEST_GPU, HOST_GPU), groups=GROUPS, guests=GUESTS, libvirt_uri="qemu:///system",
    libvirt_version="11.3.0", nvidia_driver="580.95.05", checks=CHECKS,
)  # fmt: skip

USERS = CardUsers((
    CardUser(
        1893, "Xorg", ("graphics", "/dev/nvidia0"), login="gamer", memory_mib=284, util_pct=7,
        command="/usr/lib/xorg/Xorg vt2", unit="session-2.scope", stop="kill 1893",
    ),
    CardUser(8211, "python3", ("/dev/nvidia0",), "ours", login="root", note="exits on its own"),
))  # fmt: skip

_UNBIND = "/sys/bus/pci/devices/0000:01:00.0/driver/unbind"
PLAN = Plan(
    "bind", _RTX_4090.address, (_RTX_4090.address, _AUDIO.address),
    (
        Step("load", "vfio-pci", 10),
        Step("unbind", "0000:01:00.0", 30, _RTX_4090.address, _UNBIND),
        Step("probe", "0000:01:00.0", 30, _RTX_4090.address, "/sys/bus/pci/drivers_probe"),
    ),
    CHECKS,
    (Holder(_RTX_4090.address, 5210, "blender", "/dev/nvidia0", "gamer", "blender city.blend"),),
)  # fmt: skip
SWAP = Swap(
    "sample", "bind", _RTX_4090.address, PLAN.moves, "running", PLAN.texts, 1,
    AT - timedelta(seconds=6), AT - timedelta(seconds=4),
)  # fmt: skip

COST = Cost(
    {"nvml": 60, "libvirt": 120, "agent": 12},
    (
        SourceState("nvml", "every 1 s", AT - timedelta(seconds=1), 0.0021),
        SourceState("guests", "every 1 s", AT - timedelta(seconds=4), 0.0034, reading_s=3.5),
        SourceState("agent", "every 5 s", problem="the guest agent does not answer"),
    ),
)
