"""The view of a host, from the last readings of all sources."""

from __future__ import annotations

from typing import get_args

from msgspec.structs import replace

from tui.model import (
    Domain,
    Gpu,
    Guest,
    HostView,
    Inventory,
    Reading,
    Snapshot,
    SourceName,
    Unavailable,
)
from tui.rules import guest_readings
from tui.rules.captured_fixes import with_captured_fixes
from tui.rules.gpu_view import gpus_of
from tui.rules.group_view import groups_of
from tui.rules.guest_cpus import guest_cpus
from tui.rules.hostdev_checks import with_moved_at_start
from tui.rules.live_checks import live_checks
from tui.rules.readings import is_captured, read
from tui.rules.roles import Choice, allowed_guest
from tui.rules.usb import usb_devices
from tui.rules.usb_lendings import away_devices

MAY_BE_EXPECTED: tuple[SourceName, ...] = ("nvml",)
"""Sources that may have nothing to read without a fault."""

NOT_MISSED: tuple[SourceName, ...] = (
    "drm",
    "threads",
    "agent",
    "swap",
    "usb",
    "kernel",
    "memory",
    "watch",
)
"""Sources that are not a problem if they have nothing to read: no swap, no such card or guest, no
USB, log or memory of this host, no watch."""


def assess(snapshot: Snapshot, choice: Choice | None = None) -> HostView:
    """The view of a snapshot, given what the user chose. Pure: equal snapshots give equal views,
    so that nothing is redrawn for them."""
    choice = choice or Choice()
    guests, nvml = read(snapshot.guests), read(snapshot.nvml)
    domains = guests.domains if guests else ()
    inventory, usb = read(snapshot.pci), read(snapshot.usb)
    gpus = gpus_of(inventory, snapshot, domains, choice) if inventory else ()
    view = HostView(
        facts=read(snapshot.facts),
        iommu_enabled=_iommu_enabled(inventory) if inventory else None,
        iommu_kind=inventory.iommu_kind if inventory else None,
        iommu_groups=len(inventory.isolating) if inventory else 0,
        gpus=gpus,
        groups=groups_of(inventory, gpus) if inventory else (),
        guests=_guests(domains, gpus, choice, snapshot),
        libvirt_uri=guests.uri if guests else None,
        libvirt_version=guests.version if guests else None,
        nvidia_driver=nvml.driver_version if nvml else None,
        swap=read(snapshot.swap),
        kernel_log=read(snapshot.kernel),
        problems=_problems(snapshot),
        expected=tuple(name for name in MAY_BE_EXPECTED if _expected(getattr(snapshot, name))),
        absent_card=_absent_card(inventory, choice),
        usb=usb_devices(usb, snapshot.guests) if usb is not None else None,
        usb_away=tuple(away_devices(usb, snapshot.guests)) if usb is not None else (),
        memory=read(snapshot.memory),
        watch=read(snapshot.watch),
    )
    if inventory is not None and any(gpu.viability.blockers for gpu in gpus):
        gpus = with_moved_at_start(view, guests)
        view = replace(view, gpus=gpus, groups=groups_of(inventory, gpus))
    checks = live_checks(view, snapshot.guests)
    return replace(view, checks=with_captured_fixes(checks, captured=is_captured(snapshot)))


def _iommu_enabled(inventory: Inventory) -> bool | None:
    on = bool(inventory.isolating)
    return on if on or inventory.groups_known else None


def _problems(snapshot: Snapshot) -> tuple[tuple[SourceName, str], ...]:
    readings = ((name, getattr(snapshot, name)) for name in get_args(SourceName))
    found = ((name, r) for name, r in readings if isinstance(r, Unavailable))
    return tuple((name, r.reason) for name, r in found if not (name in NOT_MISSED and r.expected))


def _expected(reading: Reading) -> bool:
    return isinstance(reading, Unavailable) and reading.expected


def _absent_card(inventory: Inventory | None, choice: Choice) -> str | None:
    """The address that was chosen for the guest GPU, if no GPU is there any more."""
    if inventory is None or choice.guest_gpu in {None, *(gpu.address for gpu in inventory.gpus)}:
        return None
    return choice.guest_gpu


def _guests(
    domains: tuple[Domain, ...],
    gpus: tuple[Gpu, ...],
    choice: Choice,
    snapshot: Snapshot,
) -> tuple[Guest, ...]:
    """The allowed guest, then the active ones, then the rest, by name."""
    card = next((gpu.address for gpu in gpus if gpu.role == "guest"), None)
    allowed = allowed_guest(card, domains, choice)
    facts = read(snapshot.facts)
    guests = (
        Guest(
            domain, domain.uuid == allowed,
            guest_readings.driver_version(domain, snapshot.agent),
            guest_cpus(domain, snapshot.threads, facts.cpus if facts else None)
            if domain.uuid == allowed else None,
        )
        for domain in domains
    )  # fmt: skip
    return tuple(sorted(guests, key=lambda g: (not g.allowed, not g.domain.active, g.domain.name)))
