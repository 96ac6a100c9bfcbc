"""What a host is: frozen values that every part reads and none changes.

Readings come from the backends in ``tui.host`` and compare by value. A view is
what the rules in ``tui.rules`` make of them: it is what screens draw and what
``vfiotop status`` prints. What could not be measured is ``None`` or
``Unavailable``, never a zero and never "fine".

Addresses are PCI addresses with domain, ``0000:01:00.0``; ids are four lower
case hex digits without ``0x``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal

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
    calm: bool = False
    since: datetime | None = field(default=None, compare=False)


# --- readings: the host -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HostFacts:
    """uname(2): the host's name and its kernel release."""

    name: str
    kernel: str


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
    unknown.
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
    those named ``vfio-noiommu``: they isolate nothing.
    """

    functions: tuple[PciFunction, ...]
    iommu_kind: IommuKind | None = None
    groups: tuple[int, ...] = ()
    noiommu_groups: tuple[int, ...] = ()

    @property
    def gpus(self) -> tuple[PciFunction, ...]:
        return tuple(f for f in self.functions if f.is_gpu)


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
    """

    address: str
    runtime_status: str | None = None
    power_state: str | None = None
    link: Link | None = None
    driver: str | None = None
    removal: Removal | None = None


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


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process on a card as the driver lists it. ``what``: graphics, compute, ..."""

    pid: int | None
    name: str
    what: str
    memory_mib: float | None = None


@dataclass(frozen=True, slots=True)
class CardReading:
    """What one source says of one card. ``lost``: why it cannot be read any more."""

    address: str
    source: MetricsSource
    metrics: Metrics = field(default_factory=Metrics)
    name: str | None = None
    processes: tuple[GpuProcess, ...] | None = None
    lost: str | None = None
    taken_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NvmlReading:
    """All cards that NVML lists, ordered by address, and the driver's version."""

    driver_version: str | None
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
    its hold, as a command or a short sentence.
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


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds the functions that were asked about, ordered by address and pid.

    ``unseen`` is the number of processes that could not be looked into: what they hold
    is unknown.
    """

    holders: tuple[Holder, ...]
    unseen: int = 0

    def of(self, addresses: Collection[str]) -> tuple[Holder, ...]:
        return tuple(h for h in self.holders if h.address in addresses)


# --- readings: what a swap needs --------------------------------------------------


@dataclass(frozen=True, slots=True)
class NvidiaModule:
    """The loaded nvidia kernel module. ``modeset`` is that of nvidia_drm, False where that
    is not loaded; ``None`` is what could not be read."""

    version: str | None = None
    modeset: bool | None = None


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

    ``vfio_pci``: whether the driver is loaded or could be; ``None`` where that could not
    be found out. ``with_vfs`` are the functions that have virtual functions now, ``None``
    where that could not be read. ``cpu`` is whose processor it is.
    """

    root: bool
    vfio_pci: bool | None
    nvidia: NvidiaModule | None = None
    with_vfs: tuple[str, ...] | None = ()
    boot: Boot = Boot()
    cpu: Literal["intel", "amd"] | None = None


Direction = Literal["bind", "unbind"]
"""To vfio-pci, or back to the host's driver."""

SwapState = Literal["prepared", "running", "stuck", "undoing", "done", "undone", "failed"]
"""``stuck``: a write does not return. ``failed``: neither done nor undone, and nothing goes
on any more. ``done`` and ``undone`` are the ends of a swap."""

SWAP_ENDS: tuple[SwapState, ...] = ("done", "undone")


@dataclass(frozen=True, slots=True)
class Swap:
    """The last swap since the host was booted, as its journal tells it.

    ``moves`` are its functions; ``step`` counts from 0 among ``steps``, whose words are for
    people. ``message``: what it waits for, or why it ended. ``runner``: whether the process
    that does it is there; ``writer``: whether a write of it has not returned.
    """

    id: str
    direction: Direction
    address: str
    moves: tuple[str, ...]
    state: SwapState
    steps: tuple[str, ...]
    step: int
    began_at: datetime
    step_began_at: datetime
    message: str | None = None
    runner: bool = True
    writer: bool = False

    @property
    def ended(self) -> bool:
        return self.state in SWAP_ENDS

    @property
    def under_way(self) -> bool:
        """Whether it may still change the host by itself."""
        return not self.ended and (self.runner or self.writer)

    @property
    def stuck(self) -> bool:
        """Whether it waits for a write that does not return."""
        return self.under_way and (self.state == "stuck" or not self.runner)

    @property
    def interrupted(self) -> bool:
        """Whether it is for the user to finish or to undo."""
        return not self.ended and not self.under_way

    @property
    def now(self) -> str:
        """The step that it is at, in words; empty past the last one."""
        return self.steps[self.step] if self.step < len(self.steps) else ""


# --- readings: guests ---------------------------------------------------------

DomainState = Literal[
    "running", "blocked", "paused", "in shutdown", "shut off", "crashed", "pmsuspended", "unknown"
]
INACTIVE_STATES: tuple[DomainState, ...] = ("shut off", "crashed")


GuestAction = Literal["start", "stop", "reboot", "pause", "resume", "force-off"]
"""What can be asked of a domain. ``stop`` and ``reboot`` ask the guest, which may not do it;
``force-off`` is a pulled plug."""


@dataclass(frozen=True, slots=True)
class HostDev:
    """A PCI <hostdev> of a domain. ``managed``: libvirt moves the function by itself."""

    address: str
    managed: bool


@dataclass(frozen=True, slots=True)
class Domain:
    """One libvirt domain. Rates are per second over the last interval, CPU in percent
    of all its vCPUs; ``None`` where the domain does not run or libvirt gives none.

    ``agent``: whether the QEMU guest agent's channel is connected, ``None``
    without a channel. ``kvm_hidden``: it is not told that it runs under KVM. ``problem``:
    why its definition could not be read; its hostdevs are then unknown, not none.
    """

    name: str
    uuid: str
    state: DomainState
    persistent: bool = True
    hostdevs: tuple[HostDev, ...] = ()
    vcpus: int | None = None
    memory_mib: float | None = None
    memory_used_mib: float | None = None
    cpu_pct: float | None = None
    disk_read_bps: float | None = None
    disk_write_bps: float | None = None
    net_rx_bps: float | None = None
    net_tx_bps: float | None = None
    started_at: datetime | None = None
    agent: bool | None = None
    kvm_hidden: bool = False
    problem: str | None = None

    @property
    def active(self) -> bool:
        """Whether the domain holds its devices now."""
        return self.state not in INACTIVE_STATES and self.state != "unknown"

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(dev.address for dev in self.hostdevs)


@dataclass(frozen=True, slots=True)
class Guests:
    """All domains of one libvirt connection, ordered by name."""

    uri: str
    version: str | None
    domains: tuple[Domain, ...]
    readonly: bool = False


# --- the snapshot: the last reading of every source ---------------------------

NOT_READ_YET = Unavailable("not read yet")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last reading of each source, or why there is none."""

    facts: HostFacts | Unavailable = NOT_READ_YET
    pci: Inventory | Unavailable = NOT_READ_YET
    vitals: Vitals | Unavailable = NOT_READ_YET
    nvml: NvmlReading | Unavailable = NOT_READ_YET
    guests: Guests | Unavailable = NOT_READ_YET
    swap: Swap | Unavailable = NOT_READ_YET

    def updated(self, sample: Sample) -> Snapshot:
        """The snapshot with the sample's reading in the place of its source's last one."""
        change: dict[str, Any] = {sample.source: sample.reading}
        return replace(self, **change)


SourceName = Literal["facts", "pci", "vitals", "nvml", "guests", "swap"]
Reading = HostFacts | Inventory | Vitals | NvmlReading | Guests | Swap | Unavailable


@dataclass(frozen=True, slots=True)
class Sample:
    """One source's reading. Equal ones compare equal, whenever they were taken."""

    source: SourceName
    reading: Reading
    taken_at: datetime = field(compare=False)


# --- the view: what the rules make of a snapshot ------------------------------

Role = Literal["host", "guest", "other"]
Verdict = Literal["pass", "warn", "fail", "unknown"]
Family = Literal[
    "Fermi", "Kepler", "Maxwell", "Pascal", "Volta", "Turing", "Ampere", "Hopper", "Ada",
    "Blackwell", "before Fermi",
]  # fmt: skip
Brand = Literal["geforce", "titan", "pro", "mining", "unknown"]
Form = Literal["desktop", "notebook"]


@dataclass(frozen=True, slots=True)
class NvidiaModel:
    """What the PCI id tells of an NVIDIA card; ``None`` where it does not."""

    family: Family | None
    brand: Brand
    form: Form | None


@dataclass(frozen=True, slots=True)
class Blocker:
    """A function that keeps VFIO from claiming a group, and why."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Viability:
    """Whether VFIO could claim a GPU's group once ``moves`` are on vfio-pci.

    ``viable`` is ``None`` where it cannot be known; ``reason`` says why it is not
    ``True``.
    """

    viable: bool | None
    moves: tuple[str, ...]
    blockers: tuple[Blocker, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU with all that is known of it now.

    ``owner`` is ``host``, ``vfio``, ``guest:<name>``, ``none``, ``moving``,
    ``stuck`` or, where the driver could not be read, ``unknown``.
    ``no_reading`` says why ``reading`` is missing. ``half_bound``: some of its functions are
    on VFIO's driver and some are not, and no swap of ours is at work.
    """

    function: PciFunction
    companions: tuple[PciFunction, ...]
    role: Role
    owner: str
    viability: Viability
    nvidia: NvidiaModel | None = None
    vitals: CardVitals | None = None
    reading: CardReading | None = None
    no_reading: str | None = None
    half_bound: bool = False

    @property
    def address(self) -> str:
        return self.function.address

    @property
    def name(self) -> str:
        """Its name in pci.ids; for a card newer than that, the one its driver gives."""
        ids = f"{self.function.vendor}:{self.function.device}"
        given = self.reading.name if self.reading is not None else None
        return given if given and self.function.name == ids else self.function.name

    @property
    def asleep(self) -> bool:
        return self.vitals is not None and self.vitals.runtime_status == "suspended"


@dataclass(frozen=True, slots=True)
class Group:
    """An IOMMU group, or with ``id`` None the functions that are in none.

    ``verdicts`` has, for each function in order, how it bears on the GPU of the
    group that matters most: ``moves`` with it, ``blocks`` it, ``ok``, or
    ``unknown``; ``reasons`` the blockers' reasons by address.
    """

    id: int | None
    functions: tuple[PciFunction, ...]
    marks: tuple[Literal["gpu", "moves", "blocks", "ok", "unknown"], ...]
    reasons: tuple[Blocker, ...] = ()
    role: Role | None = None

    def reason(self, address: str) -> str | None:
        return next((b.reason for b in self.reasons if b.address == address), None)


@dataclass(frozen=True, slots=True)
class Guest:
    """A domain, and whether it is the one that may have the guest GPU."""

    domain: Domain
    allowed: bool


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's verdict on a subject (an address, a domain or the host)."""

    id: str
    subject: str | None
    verdict: Verdict
    why: str
    mend: str | None = None


StepKind = Literal["load", "drivers", "override", "unbind", "probe", "node", "nvml"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a swap does, and how long that may take.

    A write puts ``value`` into the file ``path``; ``load`` loads the module ``value``,
    ``drivers`` those that the kernel has for the modaliases in it; ``node`` awaits the
    device node ``path``, and ``nvml`` that NVML sees the card. ``driver`` is the one that
    the function at ``address`` must be on afterwards, where that is known before; with
    ``may_be_free`` it may also be on none.
    """

    kind: StepKind
    value: str
    limit_s: float
    address: str | None = None
    path: str | None = None
    driver: str | None = None
    may_be_free: bool = False

    @property
    def text(self) -> str:
        """What is done, to the letter."""
        if self.kind == "load":
            return f"modprobe {self.value}"
        if self.kind == "drivers":
            return f"modprobe -abq {self.value}"
        if self.kind == "node":
            return f"await {self.path}"
        if self.kind == "nvml":
            return f"await {self.address} in NVML"
        value = self.value.rstrip("\n")
        return f"echo {value} > {self.path}" if value else f"echo > {self.path}"


class Checked:
    """Something that may be done or not, by its ``checks``."""

    __slots__ = ()
    checks: tuple[Check, ...]

    @property
    def refusals(self) -> tuple[Check, ...]:
        """The checks that forbid it."""
        return tuple(check for check in self.checks if check.verdict == "fail")

    @property
    def doubts(self) -> tuple[Check, ...]:
        """The checks that could not be made: going on is a risk that has to be named."""
        return tuple(check for check in self.checks if check.verdict == "unknown")


@dataclass(frozen=True, slots=True)
class Plan(Checked):
    """What a swap of the GPU at ``address`` would do, what was checked before, and who
    holds the functions that move."""

    direction: Direction
    address: str
    moves: tuple[str, ...]
    steps: tuple[Step, ...]
    checks: tuple[Check, ...] = ()
    holders: tuple[Holder, ...] = ()

    @property
    def unbinds(self) -> tuple[str, ...]:
        """The functions that leave a driver: whoever holds one of these is in the way."""
        return tuple(step.address for step in self.steps if step.kind == "unbind" and step.address)

    @property
    def texts(self) -> tuple[str, ...]:
        """The steps in words."""
        return tuple(step.text for step in self.steps)

    @property
    def identity(self) -> tuple[str, ...]:
        """Others for every other plan: what moves, and each step to the letter."""
        return (self.direction, self.address, *self.moves, *self.texts)


@dataclass(frozen=True, slots=True)
class GuestPlan(Checked):
    """What an ``action`` would do to the domain ``name``. ``swap`` is the bind that has to
    come before a start, where its card is not on vfio-pci yet; ``cards`` are the GPUs that
    the domain names. ``steps`` are those after the swap, in words."""

    action: GuestAction
    name: str
    uuid: str
    steps: tuple[str, ...]
    cards: tuple[str, ...] = ()
    swap: Plan | None = None
    checks: tuple[Check, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All steps in words."""
        return (*(self.swap.texts if self.swap else ()), *self.steps)

    @property
    def identity(self) -> tuple[str, ...]:
        """Others for every other plan; the swap before it has its own."""
        return (self.action, self.name, self.uuid, *self.steps)

    @property
    def holders(self) -> tuple[Holder, ...]:
        """Who holds what has to move first."""
        return self.swap.holders if self.swap else ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed. ``by``: ``us``, or ``elsewhere`` for anybody else."""

    at: datetime
    subject: str
    text: str
    tone: Literal["info", "good", "warn", "bad"] = "info"
    by: Literal["us", "elsewhere"] = "elsewhere"


@dataclass(frozen=True, slots=True)
class HostView:
    """A whole host as it is shown: the one input of every screen and of ``status``.

    GPUs are ordered guest first, then host, then the others; groups with the
    guest GPU's on top. ``problems`` are (source, sentence) of what cannot be read;
    ``calm`` those of them where nothing is wrong.
    """

    facts: HostFacts | None = None
    iommu_enabled: bool | None = None
    iommu_kind: IommuKind | None = None
    iommu_groups: int = 0
    gpus: tuple[Gpu, ...] = ()
    groups: tuple[Group, ...] = ()
    guests: tuple[Guest, ...] = ()
    libvirt_uri: str | None = None
    libvirt_version: str | None = None
    nvidia_driver: str | None = None
    swap: Swap | None = None
    checks: tuple[Check, ...] = ()
    problems: tuple[tuple[SourceName, str], ...] = ()
    calm: tuple[SourceName, ...] = ()

    def problem(self, source: SourceName) -> str | None:
        return next((text for name, text in self.problems if name == source), None)

    def gpu(self, address: str) -> Gpu | None:
        return next((gpu for gpu in self.gpus if gpu.address == address), None)

    @property
    def guest_gpu(self) -> Gpu | None:
        """The card that is for the guest, if it is known."""
        return next((gpu for gpu in self.gpus if gpu.role == "guest"), None)

    @property
    def guest(self) -> Guest | None:
        """The allowed guest, if it is known."""
        return next((guest for guest in self.guests if guest.allowed), None)
