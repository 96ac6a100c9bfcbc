"""Whether VFIO can claim a GPU: what moves with it, and what blocks its group.

The kernel gives an IOMMU group to a guest as a whole. VFIO refuses a group with a function on a
host driver. A function without a driver, on a VFIO driver or on a stub does not matter, nor does a
bridge (kernel: Documentation/driver-api/vfio.rst).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from tui.model import (
    STUB_DRIVERS,
    Blocker,
    Direction,
    Gpu,
    HostDev,
    HostFacts,
    Inventory,
    PciFunction,
    Viability,
    driver_side,
    is_vfio_driver,
    listed,
)
from tui.rules.boards import sibling_slots
from tui.rules.isolation import IOMMU_FIRST, UNKNOWN_HOST, UNREADABLE, group_fix, missing_group_fix

HARMLESS_DRIVERS = (*STUB_DRIVERS, "pcieport")
"""Drivers besides VFIO's own that leave DMA to VFIO."""

NOTHING: Mapping[str, HostDev] = {}


def companions(gpu: PciFunction, inventory: Inventory) -> tuple[PciFunction, ...]:
    """The other functions of the GPU's slot in its IOMMU group (audio, USB, UCSI), by address.
    Without groups, those of its slot."""
    slot, group = gpu.slot, gpu.iommu_group
    return tuple(
        f
        for f in inventory.functions
        if f.iommu_group == group
        and f.address.startswith(slot)
        and f.slot == slot
        and f.address != gpu.address
        and not f.is_bridge
    )


def already_there(gpu: Gpu, direction: Direction) -> str | None:
    """Where a card is that needs no move in that direction: "the card is … already"."""
    own, others = driver_side(gpu.function.driver), {driver_side(f.driver) for f in gpu.companions}
    if direction == "bind":
        return f"on {gpu.function.driver}" if own == "vfio" and others <= {"vfio"} else None
    return "with the host" if own == "host" and others <= {"host", None} else None


def on_different_sides(gpu: PciFunction, others: Iterable[PciFunction]) -> bool:
    """Whether the functions of a card are on different sides: host, VFIO, nobody. A function
    without a driver does not count, except a GPU whose other functions are on VFIO. Functions
    that cannot be read do not count."""
    seen = [f for f in (gpu, *others) if "driver" not in f.unreadable]
    sides = {driver_side(f.driver) for f in seen} - {None}
    alone = gpu in seen and gpu.driver is None
    return len(sides) > 1 or (alone and "vfio" in sides)


def viability(
    gpu: PciFunction,
    inventory: Inventory,
    named: Mapping[str, HostDev] = NOTHING,
    facts: HostFacts = UNKNOWN_HOST,
) -> Viability:
    """Whether VFIO can claim the GPU's group once the GPU and its companions are on vfio-pci, and
    the functions that block it. ``named`` are those that the card's guest takes already, by
    address."""
    moving = sorted((gpu, *companions(gpu, inventory)), key=lambda f: f.address)
    moves = tuple(f.address for f in moving)
    if "iommu_group" in gpu.unreadable:
        why = "the card's IOMMU group cannot be read"
        return Viability(None, moves, reason=why, fix=UNREADABLE)
    if gpu.iommu_group is None and not inventory.groups_known:
        why = "the capture has no IOMMU groups"
        return Viability(None, moves, reason=why, fix="capture /sys/kernel/iommu_groups as well")
    if gpu.iommu_group is not None and gpu.iommu_group not in inventory.noiommu_groups:
        return _of_group(gpu, moves, inventory, named, facts)
    why, fix = "a noiommu group isolates nothing", IOMMU_FIRST
    if gpu.iommu_group is None:
        why = _no_group(inventory)
    if inventory.isolating:
        fix = missing_group_fix(gpu, inventory.functions, facts)
    return Viability(False, moves, reason=why, fix=fix)


def group_members(group: int, inventory: Inventory) -> tuple[PciFunction, ...]:
    """The functions of an IOMMU group, by address."""
    return tuple(f for f in inventory.functions if f.iommu_group == group)


def blocks(function: PciFunction) -> bool:
    """Whether a function that does not move blocks its group."""
    driver = function.driver
    if driver is None or function.is_bridge:
        return False
    return not (driver in HARMLESS_DRIVERS or is_vfio_driver(driver))


def driver_unreadable(function: PciFunction) -> bool:
    """Whether that is not known, because its driver cannot be read."""
    return "driver" in function.unreadable and not function.is_bridge


def _of_group(
    gpu: PciFunction,
    moves: tuple[str, ...],
    inventory: Inventory,
    named: Mapping[str, HostDev],
    facts: HostFacts,
) -> Viability:
    assert gpu.iommu_group is not None
    members = group_members(gpu.iommu_group, inventory)
    gpu_slots = {f.slot for f in members if f.is_gpu}
    siblings = sibling_slots(gpu, members)
    blocking = [f for f in members if blocks(f) and f.address not in moves]
    if blocking:
        blockers = tuple(Blocker(f.address, _why(f, gpu_slots, siblings)) for f in blocking)
        fix = group_fix(gpu, blocking, inventory, named, facts)
        return Viability(False, moves, blockers, stay_with_host(len(blockers)), fix)
    unreadable = [f.address for f in members if driver_unreadable(f)]
    if unreadable:
        why = f"the driver of {listed(unreadable)} cannot be read"
        return Viability(None, moves, reason=why, fix=UNREADABLE)
    groupless = [f.address for f in inventory.functions if "iommu_group" in f.unreadable]
    if groupless:
        why = f"the IOMMU group of {listed(groupless)} cannot be read"
        return Viability(None, moves, reason=why, fix=UNREADABLE)
    return Viability(True, moves)


def describe_blockers(blockers: Sequence[Blocker]) -> str:
    """The first three blockers with their reasons, and how many more there are."""
    return listed([f"{blocker.address} is {blocker.reason}" for blocker in blockers])


def _why(function: PciFunction, gpu_slots: set[str], siblings: Collection[str]) -> str:
    if function.is_gpu and function.slot in siblings:
        return f"another GPU of its board ({function.driver})"
    if function.is_gpu:
        return f"another GPU ({function.driver})"
    if function.slot in gpu_slots:
        return f"part of another GPU ({function.driver})"
    return f"used by the host ({function.driver})"


def stay_with_host(count: int) -> str:
    """The reason for that many blockers."""
    if count == 1:
        return "a device in the group stays with the host"
    return f"{count} devices in the group stay with the host"


def _no_group(inventory: Inventory) -> str:
    if inventory.isolating:
        return "no IOMMU group: the IOMMU does not isolate this device"
    return "no IOMMU group: the IOMMU is off"
