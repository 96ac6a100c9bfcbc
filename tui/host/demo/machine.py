"""A whole simulated host: what each of its sources reads at a given time.

Times are seconds since the simulation began.
"""

from __future__ import annotations

import hashlib  # noqa: F401 - uuid.uuid5 would load it in a reader's thread, short of memory
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import cast

from msgspec import Struct, field
from msgspec.structs import replace

from tui.host import HostError, NothingToRead
from tui.host.demo.cards import DemoCard
from tui.host.demo.kernel import KernelLine, log_at
from tui.host.demo.placement import Placement, smt
from tui.host.demo.traces import Cycle, Load, States, idle, noise
from tui.host.demo.usb import DemoUsb
from tui.model import (
    AgentReading,
    Domain,
    DomainSetup,
    DomainState,
    DrmReading,
    GuestCard,
    GuestReport,
    Guests,
    GuestThreads,
    HostDev,
    HostFacts,
    HostMemory,
    Inventory,
    IommuKind,
    KernelLog,
    MemoryPart,
    NvmlReading,
    PagePool,
    PciFunction,
    UsbReading,
    Vitals,
    slot_of,
)
from tui.rules.libvirt_uri import SYSTEM

GUEST_DRIVER = "572.83"

PAGE_KIB = 2048
"""The size of the machine's huge pages."""

AGENT_STEP_S = 5.0
"""Seconds between two queries of the guest agents."""

RUNNING = Cycle.always("running")
SHUT_OFF = Cycle.always("shut off")


class DemoDomain(Struct, frozen=True, dict=True):
    """A domain and its load over time.

    ``disk_peak`` is bytes per second read and written while ``disk`` is 1, ``net_peak`` bytes
    per second received and sent while ``load`` is 1. ``uptime_s`` is how long the domain has
    been running when the simulation begins. ``placement`` is where its threads run.
    """

    name: str
    states: States
    vcpus: int
    memory_mib: int
    hostdevs: tuple[str, ...] = ()
    load: Load = idle
    disk: Load = idle
    disk_peak: tuple[float, float] = (600e6, 90e6)
    net_peak: tuple[float, float] = (90e3, 60e3)
    uptime_s: float = 7200
    agent: bool | None = True
    seed: int = 0
    placement: Placement = Placement()
    setup: DomainSetup | None = None

    def reading(self, at: float, began: datetime) -> Domain:
        """The domain as libvirt reports it; ``began`` is when the simulation began."""
        domain = replace(self._defined, state=cast(DomainState, self.states.state(at)))
        if not domain.active:
            return domain
        load, disk = self.load(at), self.disk(at)
        started = self.states.began(at)
        in_use = 0.42 + 0.14 * noise(self.seed, at / 60)
        return replace(
            domain,
            memory_used_mib=round(self.memory_mib * in_use),
            cpu_pct=round(100 * load, 1),
            disk_read_bps=round(self.disk_peak[0] * disk, -3),
            disk_write_bps=round(self.disk_peak[1] * disk, -3),
            net_rx_bps=round(self.net_peak[0] * load, -2),
            net_tx_bps=round(self.net_peak[1] * load, -2),
            started_at=began + timedelta(seconds=started if started else -self.uptime_s),
            agent=self.agent,
            vcpu_times=self.placement.times(self.vcpus, load, self.seed, at),
        )

    @property
    def uuid(self) -> str:
        return self._defined.uuid

    @cached_property
    def _defined(self) -> Domain:
        return Domain(
            name=self.name,
            uuid=str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name)),
            state="shut off",
            hostdevs=tuple(HostDev(address, managed=False) for address in self.hostdevs),
            vcpus=self.vcpus,
            memory_mib=self.memory_mib,
            pinning=self.placement.pinning(self.vcpus),
            setup=self.setup or DomainSetup((MemoryPart(self.memory_mib),)),
        )


class Machine(Struct, frozen=True, dict=True):
    """A host whose readings are functions of time.

    ``cards`` are all its GPUs; ``functions`` are its PCI functions while no card is gone.
    ``no_libvirt`` is why libvirt does not answer. ``usb`` are the USB devices. ``kernel_lines``
    are what the kernel's log says. ``pages`` are its huge pages of 2 MiB, and ``free_mib`` is what
    else it has available while no guest runs.
    """

    functions: tuple[PciFunction, ...]
    cards: tuple[DemoCard, ...]
    domains: tuple[DemoDomain, ...] = ()
    iommu: IommuKind = "amd"
    facts: HostFacts = field(default=HostFacts("tower", "6.12.48-amd64", cpus=smt(16)))
    driver_version: str = "580.95.05"
    no_libvirt: str | None = None
    usb: tuple[DemoUsb, ...] = ()
    builtin_keyboard: bool = False
    kernel_lines: tuple[KernelLine, ...] = ()
    pages: int = 8192
    free_mib: int = 24576

    def inventory(self, at: float) -> Inventory:
        """The PCI devices; a card that is gone takes all functions of its slot with it."""
        gone = {slot_of(card.address) for card in self.cards if card.state(at) == "gone"}
        present = self.functions
        if gone:
            present = tuple(f for f in present if f.slot not in gone)
        groups = {f.iommu_group for f in present if f.iommu_group is not None}
        return Inventory(present, self.iommu if groups else None, tuple(sorted(groups)))

    def vitals(self, at: float) -> Vitals:
        present = (card for card in self.cards if card.state(at) != "gone")
        return Vitals(tuple(card.vitals(self._function[card.address], at) for card in present))

    def nvml(self, at: float) -> NvmlReading:
        """The awake cards on ``nvidia``. Raises ``NothingToRead`` if there are none."""
        bound = [c for c in self.cards if self._function[c.address].driver == "nvidia"]
        bound = [c for c in bound if c.state(at) != "gone"]
        awake = [c for c in bound if c.state(at) != "asleep"]
        if not bound:
            raise NothingToRead("no card is on the nvidia driver")
        if not awake:
            raise NothingToRead("asleep: reading does not wake the cards on the nvidia driver")
        return NvmlReading(self.driver_version, tuple(c.reading(at) for c in awake))

    def drm(self, at: float) -> DrmReading:
        """The cards on i915. Raises ``NothingToRead`` if there are none."""
        cards = [c for c in self.cards if self._function[c.address].driver == "i915" and c.model]
        if not cards:
            raise NothingToRead("no card is on amdgpu, i915 or xe")
        return DrmReading(tuple(card.shared_memory_reading(at) for card in cards))

    def agent(self, guests: Guests, at: float, began: datetime) -> AgentReading:
        """What the running guests answered at the last query. Raises ``NothingToRead`` if no
        guest can be asked."""
        asked_at = AGENT_STEP_S * (at // AGENT_STEP_S)
        taken_at = began + timedelta(seconds=asked_at)
        says = tuple(
            GuestReport(domain.uuid, GUEST_DRIVER, cards, taken_at=taken_at)
            for domain in guests.domains
            if domain.active and domain.agent and (cards := self._guest_cards(domain, asked_at))
        )
        if not says:
            raise NothingToRead("no running guest can be asked about its card")
        return AgentReading(tuple(sorted(says, key=lambda each: each.uuid)))

    def _guest_cards(self, domain: Domain, at: float) -> tuple[GuestCard, ...]:
        """The NVIDIA cards in a domain, as the guest sees them."""
        found = (
            (self._function[card.address], card) for card in self.cards
            if card.address in domain.addresses and card.model is not None
        )  # fmt: skip
        return tuple(
            GuestCard(f.vendor, f.device, f.subsystem, f"NVIDIA {card.model.name}", metrics)
            for f, card in found
            if card.model is not None and (metrics := card.reading(at).metrics)
        )

    def guests(self, at: float, began: datetime) -> Guests:
        """The domains. Raises ``HostError`` if libvirt does not answer."""
        if self.no_libvirt is not None:
            raise HostError(self.no_libvirt)
        domains = (domain.reading(at, began) for domain in self.domains)
        return Guests(SYSTEM, "11.3.0", tuple(sorted(domains, key=lambda d: d.name)))

    def usb_devices(self, at: float) -> UsbReading:
        """The USB devices that are plugged in. Raises ``NothingToRead`` if the host has none."""
        if not self.usb:
            raise NothingToRead("this host has no USB devices")
        found = (each.reading(at) for each in self.usb)
        devices = tuple(device for device in found if device is not None)
        return UsbReading(devices, self.builtin_keyboard)

    def next_usb_event(self, after: float) -> float | None:
        """The first time after ``after`` at which a device may be plugged in or unplugged."""
        return _first((each.plugged for each in self.usb), after)

    def memory(self, guests: Guests) -> HostMemory:
        """What is left of the memory while these guests run."""
        running = [domain.setup for domain in guests.domains if domain.active and domain.setup]
        huge = sum(setup.huge_mib for setup in running)
        others = sum((setup.memory_mib or 0) - setup.huge_mib for setup in running)
        free = max(0, self.pages - int(huge) // 2)
        pool = PagePool(PAGE_KIB, self.pages, free)
        available = max(0, self.free_mib - int(others))
        return HostMemory(available, 0, PAGE_KIB, (pool, replace(pool, node=0)))

    def kernel_log(self, at: float) -> KernelLog:
        """What the kernel has logged so far."""
        return log_at(self.kernel_lines, at)

    def next_kernel_line(self, after: float) -> float | None:
        """The first time after ``after`` at which the kernel says something."""
        times = (line.next_time(after) for line in self.kernel_lines)
        return min((at for at in times if at is not None), default=None)

    def threads(self, uuid: str | None, at: float) -> GuestThreads:
        """The threads of a domain. Raises ``NothingToRead`` if none are placed on CPUs."""
        domain = next((each for each in self.domains if each.uuid == uuid), None)
        cpus = self.facts.cpus
        if domain is None or uuid is None or cpus is None or not domain.placement.vcpus:
            raise NothingToRead("the guest is not running")
        return domain.placement.threads(uuid, domain.load(at), domain.seed, at, cpus)

    def next_bus_event(self, after: float) -> float | None:
        """The first time after ``after`` at which a card may disappear or come back."""
        return _first((card.states for card in self.cards), after)

    def next_domain_event(self, after: float) -> float | None:
        """The first time after ``after`` at which a domain may start or stop."""
        return _first((domain.states for domain in self.domains), after)

    @cached_property
    def _function(self) -> dict[str, PciFunction]:
        return {function.address: function for function in self.functions}


def next_agent_query(after: float) -> float:
    """The time of the first query of the guest agents after ``after``."""
    return AGENT_STEP_S * (after // AGENT_STEP_S + 1)


def _first(cycles: Iterable[States], after: float) -> float | None:
    changes = (cycle.next_change(after) for cycle in cycles)
    return min((at for at in changes if at is not None), default=None)
