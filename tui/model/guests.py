"""The domains of libvirt, and what their guests report."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from tui.model.cpus import Pinning, VcpuTime
from tui.model.domain_setup import DomainSetup
from tui.model.metrics import Metrics
from tui.model.naming import SYSTEM_URI, shell_word, virsh
from tui.model.usb import UsbHostDev

DomainState = Literal[
    "running", "blocked", "paused", "in shutdown", "shut off", "crashed", "pmsuspended", "unknown"
]
QEMU_XMLNS = "http://libvirt.org/schemas/domain/qemu/1.0"
"""The XML namespace of QEMU's own arguments in a domain's definition (libvirt: drvqemu.html)."""

INACTIVE_STATES: tuple[DomainState, ...] = ("shut off", "crashed")
"""States of a domain without a process, unless libvirt has preserved that of a crashed one."""


GuestAction = Literal["start", "stop", "reboot", "pause", "resume", "force-off"]
"""What can be done to a domain. ``stop`` and ``reboot`` ask the guest, which may ignore it;
``force-off`` pulls the plug."""


HostDevBy = Literal["hostdev", "disk", "interface", "mdev", "command line"]
"""The element that names a host device in a domain's definition. We rewrite only ``hostdev``."""


class HostDev(Struct, frozen=True):
    """A PCI function of the host that a domain takes. ``managed``: libvirt moves the function to
    VFIO at the domain's start. An mdev (a share of a card) is listed with the card's function.
    ``rom``: the element has a <rom> file, as is common for GPUs; ``rom_file`` is its path, never
    for display as it is."""

    address: str
    managed: bool
    by: HostDevBy = "hostdev"
    rom: bool = False
    rom_file: str | None = None


class Domain(Struct, frozen=True):
    """One libvirt domain. Rates are per second over the last interval, CPU in percent of all its
    vCPUs; ``None`` if the domain does not run or libvirt does not report them.

    ``uuid`` identifies it. ``name`` is for display only; ``unshown_name`` is libvirt's name if
    that one cannot be displayed as it is. ``agent``: whether the QEMU guest agent's channel is
    connected, ``None`` without a channel. ``kvm_hidden``: <kvm><hidden state='on'/>. ``problem``:
    why its definition, or a part of it, could not be read; it may then have more hostdevs than
    these. ``preserved``: it has crashed, and its process is kept, with its devices (<on_crash>).
    ``vcpu_times`` are the vCPUs one by one, ``pinning`` what its definition pins. ``setup``
    is what the definition says besides, ``None`` if it could not be read. ``usb`` are
    the host's USB devices that it names. ``uri`` is that of its libvirt, as in ``Guests``.
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
    usb: tuple[UsbHostDev, ...] = ()
    vcpu_times: tuple[VcpuTime, ...] = ()
    pinning: Pinning | None = None
    setup: DomainSetup | None = None
    uri: str = SYSTEM_URI
    preserved: bool = False

    @property
    def raw_name(self) -> str:
        """libvirt's own name for it: for comparison, never for display."""
        return self.name if self.unshown_name is None else self.unshown_name

    @property
    def shell_word(self) -> str:
        """The word that names it in a command for the user to copy."""
        return shell_word(self.raw_name, self.uuid)

    def virsh(self, command: str, *options: str) -> str:
        """A command of virsh for this domain, for the user to copy."""
        return virsh(command, *options, self.shell_word, uri=self.uri)

    @property
    def edit(self) -> str:
        """The command that edits its definition, as part of a sentence."""
        return f"`{self.virsh('edit')}`"

    @property
    def active(self) -> bool:
        """Whether the domain has its devices now."""
        return self.preserved or self.state not in (*INACTIVE_STATES, "unknown")

    @property
    def off(self) -> bool:
        """Whether the domain certainly has no devices now."""
        return not self.active and self.state != "unknown"

    @property
    def addresses(self) -> tuple[str, ...]:
        """The functions that it takes whole or a share of, each once."""
        return tuple(dict.fromkeys(dev.address for dev in self.hostdevs))

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that it takes whole, which must be on a VFIO driver. A function of which
        it takes an mdev stays on the driver that makes the mdev."""
        whole = (dev.address for dev in self.hostdevs if dev.by != "mdev")
        return tuple(dict.fromkeys(whole))


class Guests(Struct, frozen=True):
    """All domains of one libvirt connection, by name. ``uri`` is safe to display and unambiguous.
    ``captured``: the domains come from a captured host."""

    uri: str
    version: str | None
    domains: tuple[Domain, ...]
    readonly: bool = False
    captured: bool = False


# --- what a guest reports --------------------------------------------------


class GuestCard(Struct, frozen=True):
    """A card as its guest sees it. The ids are those of ``PciFunction``: they are the same on
    both sides. The address is not, so it is left out. ``remarks``: warnings about what cannot be
    read, and why."""

    vendor: str
    device: str
    subsystem: str | None = None
    name: str | None = None
    metrics: Metrics = Metrics()
    remarks: tuple[str, ...] = ()


class GuestReport(Struct, frozen=True):
    """What one running guest reports of its cards through its agent. ``problem``: why it reports
    nothing. ``remarks``: warnings of its tools. ``taken_at`` takes part in comparison: a guest is
    rarely asked, and the screen shows the age of its answer."""

    uuid: str
    driver_version: str | None = None
    cards: tuple[GuestCard, ...] = ()
    problem: str | None = None
    taken_at: datetime | None = None
    remarks: tuple[str, ...] = ()


class AgentReading(Struct, frozen=True):
    """The reports of all guests that were asked, by UUID."""

    guests: tuple[GuestReport, ...]

    def of(self, uuid: str) -> GuestReport | None:
        return next((guest for guest in self.guests if guest.uuid == uuid), None)
