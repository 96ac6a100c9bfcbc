"""Readings of the machine: its devices, who holds them, what it has for a swap."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Literal

from tui.model.settings import KernelSettings

GPU_CLASSES = ("0300", "0302", "0380")
"""PCI classes of a GPU: VGA controller, 3D controller, other display controller."""

BRIDGE_CLASS = "0604"
"""PCI class of a PCI-to-PCI bridge; root ports are of it too."""


def slot_of(address: str) -> str:
    """The slot of a PCI address: ``0000:01:00.1`` is function 1 of ``0000:01:00``."""
    return address.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A reading that could not be taken, and the sentence that tells the user why.

    ``calm``: nothing is wrong, there is just nothing to read.
    """

    reason: str
    expected: bool = False
    since: datetime | None = field(default=None, compare=False)


# --- readings: the host -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HostFacts:
    """uname(2): the host's name and its kernel release.

    What a host keeps is not compared: ``chassis``, the type that its firmware tells (SMBIOS,
    DSP0134, 7.4.1), and ``captured``, whether it is a captured host.
    """

    name: str
    kernel: str
    chassis: int | None = field(default=None, compare=False)
    captured: bool = field(default=False, compare=False)


# --- readings: PCI and IOMMU --------------------------------------------------

IommuKind = Literal["intel", "amd", "smmu"]


@dataclass(frozen=True, slots=True)
class Link:
    """A PCI Express link: GT/s per lane and number of lanes."""

    speed_gts: float
    width: int

    @property
    def generation(self) -> int | None:
        """PCIe generation of the speed: 2.5 is 1, 5 is 2, 8 is 3, and so on."""
        return {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}.get(self.speed_gts)


@dataclass(frozen=True, slots=True)
class Bar:
    """A base address register: its index (0-5), its size in bytes, what it maps."""

    index: int
    size: int
    io: bool = False
    prefetchable: bool = False


@dataclass(frozen=True, slots=True)
class PciFunction:
    """One PCI function as sysfs shows it (kernel: Documentation/ABI/testing/sysfs-bus-pci).

    ``class_code`` has six hex digits (class, subclass, interface). ``driver`` is
    the name of the bound driver, ``None`` where there is none. ``unreadable``
    names the attributes that exist but could not be read: what rests on them is
    unknown. ``mdevs`` are the UUIDs of the mediated devices that are shares of a GPU.
    """

    address: str
    vendor: str
    device: str
    class_code: str
    name: str
    vendor_name: str | None = None
    subsystem: str | None = None
    driver: str | None = None
    iommu_group: int | None = None
    boot_vga: bool | None = None
    reset_methods: tuple[str, ...] | None = None
    link_max: Link | None = None
    bars: tuple[Bar, ...] = ()
    sriov_total_vfs: int | None = None
    numa_node: int | None = None
    unreadable: tuple[str, ...] = ()
    mdevs: tuple[str, ...] = ()

    @property
    def slot(self) -> str:
        return slot_of(self.address)

    @property
    def modalias(self) -> str:
        """What modprobe finds its driver's module by (kernel: scripts/mod/file2alias.c)."""
        maker, _, board = (self.subsystem or "0000:0000").upper().partition(":")
        vendor, device, code = (t.upper() for t in (self.vendor, self.device, self.class_code))
        return (
            f"pci:v0000{vendor}d0000{device}sv0000{maker}sd0000{board}"
            f"bc{code[:2]}sc{code[2:4]}i{code[4:]}"
        )

    @property
    def is_gpu(self) -> bool:
        return self.class_code[:4] in GPU_CLASSES

    @property
    def is_bridge(self) -> bool:
        return self.class_code[:4] == BRIDGE_CLASS


@dataclass(frozen=True, slots=True)
class Inventory:
    """All PCI functions, ordered by address, and the IOMMU that isolates them.

    ``groups`` are the ids under /sys/kernel/iommu_groups. ``noiommu_groups`` are
    those named ``vfio-noiommu``: they isolate nothing. ``groups_known``: whether that
    there is no other group says something; a captured host may be without the folder.
    """

    functions: tuple[PciFunction, ...]
    iommu_kind: IommuKind | None = None
    groups: tuple[int, ...] = ()
    noiommu_groups: tuple[int, ...] = ()
    groups_known: bool = True

    @property
    def gpus(self) -> tuple[PciFunction, ...]:
        return tuple(f for f in self.functions if f.is_gpu)

    @property
    def isolating(self) -> tuple[int, ...]:
        """The groups that an IOMMU makes. VFIO makes noiommu groups where there is none (kernel:
        drivers/vfio/group.c)."""
        return tuple(group for group in self.groups if group not in self.noiommu_groups)


@dataclass(frozen=True, slots=True)
class Removal:
    """A driver that is being unbound and has not let go yet: its link is gone, and its
    remove callback has not returned. ``since`` is when this was first seen; ``stuck``:
    for longer than that takes where nothing holds the card.
    """

    driver: str
    since: datetime
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class CardVitals:
    """What changes on a GPU without an event: read on every tick, never waking it.

    ``runtime_status`` is power/runtime_status (active, suspended, ...),
    ``power_state`` is power_state (D0 ... D3cold). ``link`` is read only while
    the card is active: reading it would wake a sleeping one. ``driver`` is the
    name behind the driver link now, ``removal`` what goes on behind a link that is gone.
    ``enabled`` is how often a card on VFIO's driver was enabled: 0 while nobody has it open.
    ``users`` are the processes that have it open, ``None`` where that was not looked at.
    """

    address: str
    runtime_status: str | None = None
    power_state: str | None = None
    link: Link | None = None
    driver: str | None = None
    removal: Removal | None = None
    enabled: int | None = None
    users: Holders | None = None


@dataclass(frozen=True, slots=True)
class Vitals:
    """The vitals of every GPU, ordered by address."""

    cards: tuple[CardVitals, ...]

    def of(self, address: str) -> CardVitals | None:
        return next((card for card in self.cards if card.address == address), None)


# --- readings: metrics --------------------------------------------------------

MetricsSource = Literal["nvml", "amdgpu", "i915", "xe", "guest-agent"]


@dataclass(frozen=True, slots=True)
class Metrics:
    """One reading of a card. ``None``: the source does not give it.

    The field names are those of ``status --json``. Percentages are 0-100 (fans
    may exceed 100), memory in MiB, temperatures in degrees Celsius, power in
    watts, clocks in MHz. ``throttle`` is empty when nothing holds the card back.
    """

    util_pct: float | None = None
    mem_util_pct: float | None = None
    mem_used_mib: float | None = None
    mem_total_mib: float | None = None
    temp_c: float | None = None
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
    throttle: tuple[str, ...] | None = None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(f.name for f in fields(cls))


NOT_SEEN = "not seen"
"""What those do on a card who could not be looked into."""


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process on a card as the driver lists it. ``what``: graphics, compute, ...
    ``util_pct`` is its share of the card's busiest engine, 0-100."""

    pid: int | None
    name: str
    what: str
    memory_mib: float | None = None
    util_pct: float | None = None


@dataclass(frozen=True, slots=True)
class CardReading:
    """What one source says of one card. ``lost``: why it cannot be read any more. ``remarks``:
    what the source said beside its numbers, as warnings."""

    address: str
    source: MetricsSource
    metrics: Metrics = field(default_factory=Metrics)
    name: str | None = None
    processes: tuple[GpuProcess, ...] | None = None
    lost: str | None = None
    taken_at: datetime | None = field(default=None, compare=False)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NvmlReading:
    """All cards that NVML lists, ordered by address, and the driver's version. ``spared`` are
    those on the driver that are not read so that they can leave it, ``resting`` those that are
    not so that they can sleep; ``asked`` is the number of calls that the reading took."""

    driver_version: str | None
    cards: tuple[CardReading, ...]
    reserved_for_guest: tuple[str, ...] = ()
    released_idle: tuple[str, ...] = ()
    calls: int = field(default=0, compare=False)

    def of(self, address: str) -> CardReading | None:
        return next((card for card in self.cards if card.address == address), None)


@dataclass(frozen=True, slots=True)
class DrmReading:
    """The cards that amdgpu, i915 and xe tell of by themselves, ordered by address."""

    cards: tuple[CardReading, ...]

    def of(self, address: str) -> CardReading | None:
        return next((card for card in self.cards if card.address == address), None)


# --- readings: who holds a card -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holder:
    """A process, or with ``pid`` None a part of the kernel, that keeps a function from
    leaving its driver.

    ``what`` is what it has: ``/dev/nvidia0``, ``maps /dev/nvidia0``. ``unit`` is its
    systemd unit, one of the user's own with ``of_user``. ``shared``: what it has belongs
    to no card alone, so that it may or may not use this one. ``ours``: it is a process of
    vfiotop's that reads the card, and lets go of it when a swap begins. ``stop``: what ends
    its hold, as a command or a short sentence. ``guest`` is the name, for the eye only, that
    the command line of a QEMU gives to its guest.
    """

    address: str
    pid: int | None
    name: str
    what: str
    user: str | None = None
    command: str | None = None
    unit: str | None = None
    of_user: bool = False
    shared: bool = False
    ours: bool = False
    stop: str | None = None
    guest: str | None = None


@dataclass(frozen=True, slots=True)
class UninspectedProcess:
    """A process that could not be looked into. ``why`` completes the sentence of which it is
    the subject; ``None`` where it is only that it belongs to somebody else."""

    pid: int
    name: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds the functions that were asked about, ordered by address and pid.

    ``unseen`` is the number of processes that could not be looked into: what they hold is
    unknown. ``named`` are some of them, those with a reason of their own first. ``blind`` is
    why there may be processes or nodes that are not even listed; ``fix`` what lets us see
    more.
    """

    holders: tuple[Holder, ...]
    uninspected: int = 0
    examples: tuple[UninspectedProcess, ...] = ()
    unlisted_reason: str | None = None
    fix: str | None = None

    @property
    def complete(self) -> bool:
        """Whether nobody can have been missed that was there to be seen."""
        return not self.uninspected and self.unlisted_reason is None

    def of(self, addresses: Collection[str]) -> tuple[Holder, ...]:
        return tuple(h for h in self.holders if h.address in addresses)


# --- readings: what a swap needs --------------------------------------------------


@dataclass(frozen=True, slots=True)
class NvidiaModule:
    """The loaded nvidia kernel module. ``modeset`` is that of nvidia_drm, False where that
    is not loaded; ``None`` is what could not be read."""

    version: str | None = None
    modeset: bool | None = None


PowerControl = Literal["auto", "on"]
"""power/control of a device: whether it may be suspended while nothing uses it (kernel:
Documentation/ABI/testing/sysfs-devices-power)."""

BootLoader = Literal["grub", "systemd-boot", "limine", "refind"]


@dataclass(frozen=True, slots=True)
class Boot:
    """How the host is booted: what a person edits to give the kernel an option.

    ``distribution`` is the family that os-release(5) tells: debian, fedora, arch, suse, or
    one of those with a way of their own, as nixos. ``file`` is the one to edit.
    """

    loader: BootLoader | None = None
    distribution: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a swap needs of a host besides its devices.

    ``root``: whether we are, None where nobody asks as what we are. ``vfio_pci``: whether the
    driver is there (``vfio_loaded``) or could be loaded; ``None`` where that could not
    be found out. ``vfio_built_in``: it is part of the kernel. ``with_vfs`` are the functions
    that have virtual functions now, ``None`` where that could not be read; ``dark_vfs`` those
    of which it is not known. ``cpu`` is whose processor it is. ``unsafe_interrupts``: VFIO does
    without interrupt remapping (vfio_iommu_type1 allow_unsafe_interrupts). ``captured``: all of
    it is from a captured host. ``home_power`` is the power/control that functions had with the
    host before a swap of this boot, by address.
    """

    root: bool | None
    vfio_pci: bool | None
    nvidia: NvidiaModule | None = None
    with_vfs: tuple[str, ...] | None = ()
    boot: Boot = Boot()
    cpu: Literal["intel", "amd"] | None = None
    vfio_loaded: bool = False
    vfio_built_in: bool = False
    unsafe_interrupts: bool = False
    settings: KernelSettings = field(default_factory=KernelSettings)
    captured: bool = False
    unreadable_vfs: tuple[str, ...] = ()
    home_power: Mapping[str, PowerControl] = field(default_factory=dict)
