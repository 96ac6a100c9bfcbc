"""The IOMMU groups of a host, seen from the GPUs in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from tui.model import (
    Blocker,
    Gpu,
    Group,
    GroupMark,
    Inventory,
    PciFunction,
    Role,
    Viability,
)
from tui.rules.viability import driver_unreadable


class GroupedGpu(NamedTuple):
    """What the groups need to know of a GPU."""

    function: PciFunction
    role: Role
    viability: Viability


def groups_of(inventory: Inventory, gpus: tuple[Gpu, ...]) -> tuple[Group, ...]:
    """The groups that have PCI functions: the guest GPU's, the host GPU's, those of further GPUs,
    the rest by id. Functions in no group come last."""
    return _groups(inventory, tuple(GroupedGpu(g.function, g.role, g.viability) for g in gpus))


@lru_cache(maxsize=4)
def _groups(inventory: Inventory, gpus: tuple[GroupedGpu, ...]) -> tuple[Group, ...]:
    """Cached: most readings of the cards leave the inventory as it is."""
    members: dict[int | None, list[PciFunction]] = defaultdict(list)
    for function in inventory.functions:
        members[function.iommu_group].append(function)
    first: dict[int | None, GroupedGpu] = {}
    for gpu in gpus:
        first.setdefault(gpu.function.iommu_group, gpu)
    order = {group: place for place, group in enumerate(first)}
    ids = sorted(members, key=lambda g: (g is None, order.get(g, len(order)), g or 0))
    noiommu = inventory.noiommu_groups
    return tuple(_group(g, tuple(members[g]), first.get(g), noiommu=g in noiommu) for g in ids)


def _group(
    number: int | None,
    functions: tuple[PciFunction, ...],
    gpu: GroupedGpu | None,
    *,
    noiommu: bool,
) -> Group:
    """A group seen from the GPU in it that matters most."""
    if gpu is None:
        marks = tuple(_mark_without_gpu(f) for f in functions)
        return Group(number, functions, marks, noiommu=noiommu)
    reasons = gpu.viability.staying or _other_causes(gpu, functions)
    at_fault = {blocker.address for blocker in reasons}
    marks = tuple(_mark(f, gpu, at_fault) for f in functions)
    return Group(number, functions, marks, reasons, gpu.role, noiommu=noiommu)


def _other_causes(gpu: GroupedGpu, functions: tuple[PciFunction, ...]) -> tuple[Blocker, ...]:
    """What keeps VFIO from a group without blockers: functions that cannot be read, else the
    card itself."""
    if gpu.viability.for_guest or gpu.function.iommu_group is None:
        return ()
    unreadable = (f.address for f in functions if driver_unreadable(f))
    causes = tuple(Blocker(address, "its driver cannot be read") for address in unreadable)
    return causes or (Blocker(gpu.function.address, gpu.viability.reason or "unknown"),)


def _mark(function: PciFunction, gpu: GroupedGpu, at_fault: Collection[str]) -> GroupMark:
    if function.address in at_fault:
        return "unknown" if gpu.viability.for_guest is None else "blocks"
    if function.address == gpu.function.address:
        return "gpu"
    if function.address in (*gpu.viability.moves, *gpu.viability.moved_at_start):
        return "moves"
    return _mark_without_gpu(function)


def _mark_without_gpu(function: PciFunction) -> GroupMark:
    return "unknown" if driver_unreadable(function) else "ok"
