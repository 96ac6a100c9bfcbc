"""The domains of libvirt, and what can be asked of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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
