"""A small made-up host as values of the model, for previews of the widgets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import sin

from tui.model import (
    Bar,
    Blocker,
    CardReading,
    CardVitals,
    Check,
    Cost,
    Domain,
    Event,
    Gpu,
    GpuProcess,
    Group,
    Guest,
    GuestCpu,
    GuestCpus,
    Holder,
    HostDev,
    HostFacts,
    HostView,
    Link,
    Metrics,
    Notable,
    NvidiaModel,
    Owner,
    PciFunction,
    PendingReturn,
    Plan,
    QemuLoad,
    SourceState,
    Step,
    Swap,
    Viability,
    Wait,
)
from widgets.card import Card
from widgets.footer import Hint
from widgets.guest import GuestState
from widgets.help_page import Chapter, Entry
from widgets.plan_page import Mover, PlanPage, PlanStep, State, Stayer
from widgets.settings_panel import Setting

AT = datetime(2026, 1, 1, 20, 15, tzinfo=UTC)

RETURN = PendingReturn("a" * 32, "0000:01:00.0", "win11", AT + timedelta(seconds=27))

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
            util_pct=84, mem_util_pct=55, mem_used_mib=6963, mem_total_mib=24564, temp_c=64,
            temp_limit_c=83, fan_pct=60, power_w=381, power_limit_w=450, clock_mhz=2655,
            mem_clock_mhz=10501, pcie_gen=4, pcie_gen_max=4, pcie_width=16, pcie_width_max=16,
            enc_pct=0, dec_pct=0, throttle=(),
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
        Metrics(
            util_pct=22, mem_used_mib=1843, mem_total_mib=12288, temp_c=53, temp_limit_c=93,
            fan_pct=36, power_w=56, power_limit_w=170, clock_mhz=1905, mem_clock_mhz=7501,
            pcie_gen=4, pcie_gen_max=4, pcie_width=4, pcie_width_max=16, enc_pct=22, dec_pct=0,
            throttle=(),
        ),
        processes=(
            GpuProcess(1804, "Xorg", "display", 273, 3),
            GpuProcess(2011, "gnome-shell", "graphics", 221, 2),
            GpuProcess(3120, "firefox", "graphics", 484, 6),
            GpuProcess(5532, "obs", "graphics, encoder", 404, 9),
            GpuProcess(5610, "looking-glass-client", "graphics", 154, 4),
        ),
    ),
)  # fmt: skip

GROUPS = (
    Group(14, (_RTX_4090, _AUDIO), ("gpu", "moves"), role="guest"),
    Group(20, (_DISK, _RTX_3060), ("blocks", "gpu"), (_BLOCKER,), role="host"),
)

NOTABLE = (
    Notable(GROUPS[0], _RTX_4090, (_AUDIO,)),
    Notable(GROUPS[1], _RTX_3060, (_DISK,)),
)

_WIN11 = Domain(
    "win11", "5f0c9d3e-0000-4000-8000-000000000001", "running",
    hostdevs=(HostDev(_RTX_4090.address, managed=False), HostDev(_AUDIO.address, managed=False)),
    vcpus=8, memory_mib=16384, memory_used_mib=7270, cpu_pct=46.2, disk_read_bps=12e6,
    disk_write_bps=1.8e6, net_rx_bps=40e3, net_tx_bps=27e3,
    started_at=AT - timedelta(hours=2), agent=True,
)  # fmt: skip
_BUILD = Domain("debian-build", "5f0c9d3e-0000-4000-8000-000000000002", "shut off", vcpus=12)
GUEST_CPUS = GuestCpus(
    tuple(
        GuestCpu(
            number, load_pct=84 - 9 * number, wait_ms=31.0 if number == 3 else 0.3, cpu=cpu,
            pinned=(cpu,), shared_with=("host",) if number == 3 else (),
            host_pct=38.0 if number == 3 else 0.0,
        )
        for number, cpu in enumerate((8, 24, 9, 25, 10, 26, 11, 27))
    ),
    emulator=QemuLoad(4.0, (0, 1)), io=QemuLoad(2.0, (0,)), host_pct=4.8,
)  # fmt: skip
GUESTS = (
    Guest(_WIN11, allowed=True, driver_version="572.83", cpus=GUEST_CPUS),
    Guest(_BUILD, allowed=False),
)

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
    Event(AT, _RTX_4090.address, "nvidia → vfio-pci", "change", "vfiotop"),
    Event(AT - timedelta(minutes=3), "fedora-ci", "started", "done"),
    Event(AT - timedelta(minutes=9), _RTX_3060.address, "the card is lost", "failed", "card"),
)

VIEW = HostView(
    HostFacts("tower", "6.12.48-amd64"), iommu_enabled=True, iommu_kind="amd", iommu_groups=32,
    gpus=(GUEST_GPU, HOST_GPU), groups=GROUPS, guests=GUESTS, libvirt_uri="qemu:///system",
    libvirt_version="11.3.0", nvidia_driver="580.95.05", checks=CHECKS,
)  # fmt: skip

GUEST_STATE = GuestState(
    GUESTS, AT, GUEST_GPU, functions=VIEW.functions, checks=CHECKS[:1], series=LOAD,
    wait=tuple(31.0 if step % 40 > 34 else 0.3 for step in range(240)),
    vcpu_waits=tuple(
        tuple(31.0 if number == 3 and step % 40 > 34 else 0.3 for step in range(240))
        for number in range(8)
    ),
    worst_wait=Wait(3, 41.0, AT - timedelta(seconds=23), 25),
)  # fmt: skip

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

_AUDIO_AT = _AUDIO.address
PLAN_STEPS = (
    "modprobe vfio-pci",
    f"echo vfio-pci > /sys/bus/pci/devices/{_AUDIO_AT}/driver_override",
    f"echo {_AUDIO_AT} > /sys/bus/pci/drivers/snd_hda_intel/unbind",
    f"echo {_AUDIO_AT} > /sys/bus/pci/drivers_probe",
    f"echo vfio-pci > /sys/bus/pci/devices/{_RTX_4090.address}/driver_override",
    f"echo {_RTX_4090.address} > /sys/bus/pci/drivers/nvidia/unbind",
    f"echo {_RTX_4090.address} > /sys/bus/pci/drivers_probe",
    "wait for /dev/vfio/14",
)
PLAN_PAGE = PlanPage(
    ("Bind RTX 4090", " · 01:00.0 → vfio-pci"), State("passed", "ready"),
    "Gives the card to vfio-pci, so that win11 can start with it. About 4 s.",
    note="nothing has been touched yet", key="sample", asks="plan",
    movers=(
        Mover(_RTX_4090.address, "RTX 4090", "nvidia", "vfio-pci"),
        Mover(_AUDIO_AT, "Audio AD102", "snd_hda_intel", "vfio-pci"),
    ),
    stayers=(Stayer(_RTX_3060.address, "RTX 3060", "drives the host's display"),),
    checks=tuple(
        Check(each, _RTX_4090.address, "pass", why)
        for each, why in {
            "swap.movable": "on nvidia now",
            "swap.needed": "not on vfio-pci yet",
            "host.not-shared": "it does not drive the host's display",
            "host.two-gpus": "0000:0a:00.0 stays with the host",
            "iommu.enabled": "on (amd), 32 groups",
            "iommu.viable": "nothing else in the group; 2 functions move together",
            "r465.family": "GeForce Ada: NVIDIA allows it in a guest",
            "r465.one-vm": "no guest is running with a GeForce card",
            "r465.sriov": "the card has no virtual functions",
            "guest.inactive": "no running guest has a function of its group",
            "vfio.available": "vfio-pci is available",
            "nvidia.release": "driver 580.95.05 releases cards cleanly",
            "privilege": "root",
            "holders": "no process uses it",
        }.items()
    ),
    group=14, steps=tuple(map(PlanStep, PLAN_STEPS)), label="Writes",
)  # fmt: skip
"""A bind that may begin."""

COST = Cost(
    {"nvml": 60, "libvirt": 120, "agent": 12},
    (
        SourceState("nvml", "every 1 s", AT - timedelta(seconds=1), 0.0021),
        SourceState("guests", "every 1 s", AT - timedelta(seconds=4), 0.0034, reading_s=3.5),
        SourceState("agent", "every 5 s", problem="the guest agent does not answer"),
    ),
)

CARD_KEYS = (
    Hint("b", "bind", "app.bind"),
    Hint("u", "unbind", "app.unbind"),
    Hint("m", "series", "screen.series"),
)
GUEST_CARD = Card(
    GUEST_GPU, AT, 1,
    {
        "load": LOAD,
        "vram": (6963.0,) * len(LOAD),
        "power": tuple(4.2 * load for load in LOAD),
        "temp": tuple(45 + load / 4 for load in LOAD),
        "clock": (2655.0,) * len(LOAD),
    },
    checks=CHECKS, age_s=3.0, guest="win11", guest_driver="581.57", keys=CARD_KEYS,
)  # fmt: skip
HOST_CARD = Card(
    HOST_GPU, AT, 2,
    {
        "load": tuple(load / 3 for load in LOAD),
        "vram": (1843.0,) * len(LOAD),
        "power": tuple(15 + load / 2 for load in LOAD),
        "temp": tuple(45 + load / 9 for load in LOAD),
        "clock": (1905.0,) * len(LOAD),
    },
    checks=CHECKS, age_s=1.0, guest="win11", host_driver="580.95.05", keys=CARD_KEYS,
)  # fmt: skip

CHAPTERS: tuple[Chapter, ...] = (
    Chapter("Move the card", (
        Entry("b", "Bind", "Hand the guest GPU to vfio-pci; asks first"),
        Entry("u", "Unbind", "Take the guest GPU back; asks first"),
    )),
    Chapter("The program", (
        Entry("z", "Quiet", "Read less often and leave the guest alone while a game runs"),
        Entry("q ^q", "Quit", "Quit vfiotop; guests and swaps keep running"),
        Entry("y", "Copy fix", "Copy the fix of the selected check", "In the checks"),
    )),
    Chapter("Good to know", (
        Entry("", "", "Every change to the host shows its plan and asks first."),
    )),
)  # fmt: skip

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "theme", "Theme", "dark", "The colours of every screen; kept for the next start.", 1, 5
    ),
    Setting("quiet", "Quiet mode", "off", "On: everything is read less often.", 1, 2),
    Setting("interval", "Interval", "1 s", "The default; interval in config.toml changes it."),
)
