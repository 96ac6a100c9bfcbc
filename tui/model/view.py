"""The snapshot of all readings, and the view that the rules make of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from tui.model.guests import AgentReading, Domain, Guests
from tui.model.machine import (
    CardReading,
    CardVitals,
    DrmReading,
    Holder,
    HostFacts,
    Inventory,
    IommuKind,
    NvmlReading,
    PciFunction,
    Unavailable,
    Vitals,
)
from tui.model.owner import Owner
from tui.model.swaps import Swap

NOT_READ_YET = Unavailable("not read yet")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last reading of each source, or why there is none."""

    facts: HostFacts | Unavailable = NOT_READ_YET
    pci: Inventory | Unavailable = NOT_READ_YET
    vitals: Vitals | Unavailable = NOT_READ_YET
    nvml: NvmlReading | Unavailable = NOT_READ_YET
    drm: DrmReading | Unavailable = NOT_READ_YET
    guests: Guests | Unavailable = NOT_READ_YET
    agent: AgentReading | Unavailable = NOT_READ_YET
    swap: Swap | Unavailable = NOT_READ_YET

    def updated(self, sample: Sample) -> Snapshot:
        """The snapshot with the sample's reading in the place of its source's last one."""
        change: dict[str, Any] = {sample.source: sample.reading}
        return replace(self, **change)


SourceName = Literal["facts", "pci", "vitals", "nvml", "drm", "guests", "agent", "swap"]
Reading = (
    HostFacts | Inventory | Vitals | NvmlReading | DrmReading | Guests | AgentReading | Swap
    | Unavailable
)  # fmt: skip


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
    """What the PCI id tells of an NVIDIA card; ``None`` where it does not. ``brand_by_id``:
    its name tells no brand, and the id does."""

    family: Family | None
    brand: Brand
    form: Form | None
    brand_by_id: bool = False


@dataclass(frozen=True, slots=True)
class Blocker:
    """A function that keeps VFIO from claiming a group, and why."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Viability:
    """Whether VFIO could claim a GPU's group once ``moves`` are on vfio-pci.

    ``viable`` is ``None`` where it cannot be known; ``reason`` says why it is not
    ``True``, and ``fix`` what can be done about it.
    """

    viable: bool | None
    moves: tuple[str, ...]
    blockers: tuple[Blocker, ...] = ()
    reason: str | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU with all that is known of it now.

    The guest's name in ``owner`` is for display only; ``guest_uuid`` identifies the guest.
    ``no_reading`` says why ``reading`` is missing; ``left_alone``: so that the card can sleep
    or leave. ``half_bound``: its functions are with different sides (host, VFIO, nobody), and
    no swap of ours is at work. ``taken_by`` is a process that has the card, or a share of it,
    and is no domain of this libvirt. ``may_be_taken``: the card is on VFIO's driver or has shares,
    nobody is known to have it, and that nobody has it cannot be seen.
    """

    function: PciFunction
    companions: tuple[PciFunction, ...]
    role: Role
    owner: Owner
    viability: Viability
    nvidia: NvidiaModel | None = None
    vitals: CardVitals | None = None
    reading: CardReading | None = None
    no_reading: str | None = None
    left_alone: bool = False
    half_bound: bool = False
    guest_uuid: str | None = None
    taken_by: Holder | None = None
    may_be_taken: bool = False

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
    def functions(self) -> tuple[PciFunction, ...]:
        """The GPU and its companions, which move together, by address."""
        return tuple(sorted((self.function, *self.companions), key=lambda f: f.address))

    @property
    def asleep(self) -> bool:
        return self.vitals is not None and self.vitals.runtime_status == "suspended"


@dataclass(frozen=True, slots=True)
class Group:
    """An IOMMU group, or with ``id`` None the functions that are in none.

    ``verdicts`` has, for each function in order, how it bears on the GPU of the
    group that matters most: ``moves`` with it, ``blocks`` it, ``ok``, or
    ``unknown``; ``reasons`` the blockers' reasons by address. ``noiommu``: it isolates nothing.
    """

    id: int | None
    functions: tuple[PciFunction, ...]
    marks: tuple[Literal["gpu", "moves", "blocks", "ok", "unknown"], ...]
    reasons: tuple[Blocker, ...] = ()
    role: Role | None = None
    noiommu: bool = False

    def reason(self, address: str) -> str | None:
        return next((b.reason for b in self.reasons if b.address == address), None)


@dataclass(frozen=True, slots=True)
class Guest:
    """A domain, and whether it is the one that may have the guest GPU. ``driver_version`` is
    that of NVIDIA's driver in it, where it tells."""

    domain: Domain
    allowed: bool
    driver_version: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's verdict on a subject (an address, a domain or the host)."""

    id: str
    subject: str | None
    verdict: Verdict
    why: str
    fix: str | None = None


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
    ``calm`` those of them where nothing is wrong. ``absent_card`` is the address that was chosen
    for the guest, where no GPU is any more.
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
    expected: tuple[SourceName, ...] = ()
    absent_card: str | None = None

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
