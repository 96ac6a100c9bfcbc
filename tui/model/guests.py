"""The domains of libvirt, and what can be asked of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tui.model.machine import Metrics
from tui.model.naming import shell_word

DomainState = Literal[
    "running", "blocked", "paused", "in shutdown", "shut off", "crashed", "pmsuspended", "unknown"
]
INACTIVE_STATES: tuple[DomainState, ...] = ("shut off", "crashed")


GuestAction = Literal["start", "stop", "reboot", "pause", "resume", "force-off"]
"""What can be asked of a domain. ``stop`` and ``reboot`` ask the guest, which may not do it;
``force-off`` is a pulled plug."""


HostDevBy = Literal["hostdev", "disk", "interface", "mdev", "command line"]
"""What names a host device in a domain's definition. Only a ``hostdev`` can be rewritten."""


@dataclass(frozen=True, slots=True)
class HostDev:
    """A PCI function of the host that a domain takes. ``managed``: libvirt moves the function
    by itself. An mdev, which is a share of a card, stands here with the card's function.
    ``rom``: it has a <rom> file, as cards have that were dumped."""

    address: str
    managed: bool
    by: HostDevBy = "hostdev"
    rom: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Domain:
    """One libvirt domain. Rates are per second over the last interval, CPU in percent
    of all its vCPUs; ``None`` where the domain does not run or libvirt gives none.

    ``uuid`` identifies it. ``name`` is for the eye only; ``unshown_name`` is the one that
    libvirt has, where that cannot be shown as it is.
    ``agent``: whether the QEMU guest agent's channel is connected, ``None``
    without a channel. ``kvm_hidden``: it is not told that it runs under KVM. ``problem``:
    why its definition could not be read, or not all of it; there may then be more hostdevs
    than are known.
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
    unshown_name: str | None = None

    @property
    def raw_name(self) -> str:
        """The name that libvirt has: to compare, and never to show."""
        return self.name if self.unshown_name is None else self.unshown_name

    @property
    def shell_word(self) -> str:
        """What names it in a command that is shown to be copied."""
        return shell_word(self.raw_name, self.uuid)

    @property
    def active(self) -> bool:
        """Whether the domain holds its devices now."""
        return self.state not in INACTIVE_STATES and self.state != "unknown"

    @property
    def addresses(self) -> tuple[str, ...]:
        """The functions of which it takes all or a share, each once."""
        return tuple(dict.fromkeys(dev.address for dev in self.hostdevs))

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that it takes whole: they have to be on VFIO's driver for it. One of
        which it takes an mdev stays on the driver that makes the mdev."""
        whole = (dev.address for dev in self.hostdevs if dev.by != "mdev")
        return tuple(dict.fromkeys(whole))


@dataclass(frozen=True, slots=True)
class Guests:
    """All domains of one libvirt connection, ordered by name. ``uri`` is as it is shown; no
    other is shown alike. ``captured``: they came with the devices of the host that is read."""

    uri: str
    version: str | None
    domains: tuple[Domain, ...]
    readonly: bool = False
    captured: bool = False


# --- what a guest says of itself --------------------------------------------------


@dataclass(frozen=True, slots=True)
class GuestCard:
    """A card as its guest sees it. The ids are those of ``PciFunction``: they are the same on
    both sides, while the address is the guest's own and tells nothing here. ``remarks``: what
    cannot be read of it, and why, as warnings."""

    vendor: str
    device: str
    subsystem: str | None = None
    name: str | None = None
    metrics: Metrics = field(default_factory=Metrics)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GuestReport:
    """What one running guest says of its cards, through its agent. ``problem``: why it says
    nothing. ``remarks``: what its tools said beside that, as warnings. When it was said makes
    a difference: a guest is asked seldom, and the age of its answer is shown."""

    uuid: str
    driver_version: str | None = None
    cards: tuple[GuestCard, ...] = ()
    problem: str | None = None
    taken_at: datetime | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentReading:
    """What the guests say that were asked, ordered by UUID."""

    guests: tuple[GuestReport, ...]

    def of(self, uuid: str) -> GuestReport | None:
        return next((guest for guest in self.guests if guest.uuid == uuid), None)
