"""The view of a host: what the rules make of a snapshot."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tui.model.checks import Check
from tui.model.cpus import GuestCpus
from tui.model.facts import HostFacts
from tui.model.guests import Domain
from tui.model.holders import Holder
from tui.model.kernel import KernelLog
from tui.model.memory import HostMemory
from tui.model.metrics import CardReading
from tui.model.owner import Owner
from tui.model.pci import IommuKind, PciFunction
from tui.model.snapshot import SourceName
from tui.model.swaps import Swap
from tui.model.usb import Usb
from tui.model.vitals import CardVitals
from tui.model.watch import Watch

Role = Literal["host", "guest", "other"]
Family = Literal[
    "Fermi", "Kepler", "Maxwell", "Pascal", "Volta", "Turing", "Ampere", "Hopper", "Ada",
    "Blackwell", "before Fermi",
]  # fmt: skip
Brand = Literal["geforce", "titan", "pro", "mining", "unknown"]
Form = Literal["desktop", "notebook"]


class NvidiaModel(Struct, frozen=True):
    """What an NVIDIA card's PCI id and name show; ``None`` if they do not. ``brand_by_id``: the
    brand comes from the id, because the name shows none."""

    family: Family | None
    brand: Brand
    form: Form | None
    brand_by_id: bool = False


class Blocker(Struct, frozen=True):
    """A function that keeps VFIO from claiming a group, and why."""

    address: str
    reason: str


class Viability(Struct, frozen=True):
    """Whether VFIO can claim a GPU's group once ``moves`` are on vfio-pci.

    ``viable`` is ``None`` if that is not known. ``reason`` says why it is not ``True``, ``fix``
    what to do about it. ``moved_at_start`` are blockers that the start of the card's guest moves
    before it needs the group.
    """

    viable: bool | None
    moves: tuple[str, ...]
    blockers: tuple[Blocker, ...] = ()
    reason: str | None = None
    fix: str | None = None
    moved_at_start: tuple[str, ...] = ()

    @property
    def staying(self) -> tuple[Blocker, ...]:
        """The blockers that no start moves."""
        return tuple(b for b in self.blockers if b.address not in self.moved_at_start)

    @property
    def for_guest(self) -> bool | None:
        """Whether the card's guest can start with it, like ``viable``."""
        return True if self.blockers and not self.staying else self.viable


class Gpu(Struct, frozen=True):
    """A GPU with everything that is known about it now.

    The guest's name in ``owner`` is for display only; ``guest_uuid`` identifies the guest.
    ``no_reading`` says why ``reading`` is missing. ``left_alone``: it is not read so that it can
    sleep or be unbound. ``half_bound``: its functions are on different sides (host, VFIO, nobody)
    and no swap of ours is under way. ``taken_by`` is a process that has the card, or a share of it,
    and is not a domain of this libvirt. ``may_be_taken``: the card is on a VFIO driver or has
    shares, nobody is known to have it, and somebody may have it unseen.
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
        """Its name in pci.ids, or its driver's name for it if the card is newer than that."""
        ids = f"{self.function.vendor}:{self.function.device}"
        given = self.reading.name if self.reading is not None else None
        return given if given and self.function.name == ids else self.function.name

    @property
    def functions(self) -> tuple[PciFunction, ...]:
        """The GPU and its companions, which move together, by address."""
        return tuple(sorted((self.function, *self.companions), key=lambda f: f.address))

    @property
    def runtime_status(self) -> str | None:
        """power/runtime_status; ``None`` if it is not known."""
        return self.vitals.runtime_status if self.vitals is not None else None

    @property
    def asleep(self) -> bool:
        return self.runtime_status == "suspended"


GroupMark = Literal["gpu", "moves", "blocks", "ok", "unknown"]
"""How a function bears on the GPU of its group: it is the ``gpu``, ``moves`` with it, ``blocks``
it, is ``ok``, or is ``unknown``."""


class Group(Struct, frozen=True, cache_hash=True):
    """An IOMMU group, or if ``id`` is None, the functions that are in none.

    ``marks`` has one entry per function, in order, seen from the GPU of the group that matters
    most. ``reasons`` are the blockers' reasons. ``noiommu``: the group isolates nothing.
    """

    id: int | None
    functions: tuple[PciFunction, ...]
    marks: tuple[GroupMark, ...]
    reasons: tuple[Blocker, ...] = ()
    role: Role | None = None
    noiommu: bool = False

    def reason(self, address: str) -> str | None:
        return next((b.reason for b in self.reasons if b.address == address), None)


class Guest(Struct, frozen=True):
    """A domain, and whether it is the one that may have the guest GPU. ``driver_version`` is the
    version of NVIDIA's driver in the guest, as reported by its agent. ``cpus`` are its vCPUs, while
    it runs and is the allowed one."""

    domain: Domain
    allowed: bool
    driver_version: str | None = None
    cpus: GuestCpus | None = None


class Notable(Struct, frozen=True):
    """A function worth passing through, and the others of its IOMMU group."""

    group: Group
    function: PciFunction
    others: tuple[PciFunction, ...] = ()


class HostView(Struct, frozen=True):
    """A whole host: the input of every screen and of ``vfiotop status``.

    GPUs are ordered guest, host, others; groups with the guest GPU's first. ``problems`` are
    (source, sentence) of the sources that cannot be read; ``expected`` are those of them that are
    not faults. ``kernel_log`` is ``None`` if it is not read. ``absent_card`` is the address of the
    chosen guest GPU if no GPU is there any more. ``usb`` are the USB devices, ``None`` if they are
    not known; ``usb_away`` are lent and unplugged. ``watch`` is the service, ``None`` if it has not
    run since boot.
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
    kernel_log: KernelLog | None = None
    checks: tuple[Check, ...] = ()
    problems: tuple[tuple[SourceName, str], ...] = ()
    expected: tuple[SourceName, ...] = ()
    absent_card: str | None = None
    usb: tuple[Usb, ...] | None = None
    usb_away: tuple[Usb, ...] = ()
    memory: HostMemory | None = None
    watch: Watch | None = None

    def problem(self, source: SourceName) -> str | None:
        return next((text for name, text in self.problems if name == source), None)

    def gpu(self, address: str) -> Gpu | None:
        return next((gpu for gpu in self.gpus if gpu.address == address), None)

    @property
    def functions(self) -> dict[str, PciFunction]:
        """All PCI functions by address."""
        return {f.address: f for group in self.groups for f in group.functions}

    @property
    def guest_gpu(self) -> Gpu | None:
        """The card that is for the guest, if it is known."""
        return next((gpu for gpu in self.gpus if gpu.role == "guest"), None)

    @property
    def guest(self) -> Guest | None:
        """The allowed guest, if it is known."""
        return next((guest for guest in self.guests if guest.allowed), None)
