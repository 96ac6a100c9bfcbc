"""Which PCI functions are interesting: those worth passing through.

GPUs come first, then endpoints: NVMe, network, USB, other disks, sound. Bridges and chipset
functions are not, unless a guest names one or it is on a VFIO driver.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import groupby

from tui.model import Group, HostView, Notable, PciFunction, is_vfio_driver

ENDPOINTS = (
    ("0108",), ("0200", "0207"), ("02",), ("0c03",), ("01",), ("04",),
    ("0b40", "0c00", "0c04", "0c06", "12"),
)  # fmt: skip
"""PCI classes, or base classes, of interesting endpoints, in their order: NVMe; Ethernet; Wi-Fi;
USB; other disks; sound and video; coprocessors, FireWire, Fibre Channel, InfiniBand,
accelerators."""

GPU, CHOSEN = 0, len(ENDPOINTS) + 1
"""Places of GPUs, and of what is interesting only because somebody chose it."""


def place(function: PciFunction, named: Collection[str] = ()) -> int | None:
    """The place of a function among the interesting ones; ``None`` if it is not one of them.
    ``named`` are the addresses that domains name."""
    if function.is_gpu:
        return GPU
    for index, classes in enumerate(ENDPOINTS, start=1):
        if function.class_code.startswith(classes):
            return index
    chosen = function.address in named or is_vfio_driver(function.driver)
    return CHOSEN if chosen and not function.is_bridge else None


def notable(view: HostView) -> tuple[Notable, ...]:
    """The interesting groups, each with the function that makes it so: the guest GPU's, the host
    GPU's, those of further GPUs, then by kind and number. Without groups, card by card."""
    named = frozenset(address for guest in view.guests for address in guest.domain.addresses)
    return _notable(view.groups, named, tuple(gpu.address for gpu in view.gpus))


@lru_cache(maxsize=4)
def _notable(
    groups: tuple[Group, ...], named: frozenset[str], gpus: tuple[str, ...]
) -> tuple[Notable, ...]:
    """Cached: most readings of the cards leave the groups as they are."""
    role = {address: index for index, address in enumerate(gpus)}

    def key(function: PciFunction) -> tuple[int, int]:
        """The view has the groups by number. The sort is stable, so they stay so within a kind."""
        rank = place(function, named)
        assert rank is not None
        return rank, role.get(function.address, len(role)) if rank == GPU else 0

    found: list[Notable] = []
    for group in groups:
        for members in _together(group):
            chosen = [f for f in members if place(f, named) is not None]
            if chosen:
                first = min(chosen, key=key)
                found.append(Notable(group, first, tuple(f for f in members if f is not first)))
    return tuple(sorted(found, key=lambda each: key(each.function)))


def _together(group: Group) -> Iterator[tuple[PciFunction, ...]]:
    """The functions of a group; of those in no group, the functions of one slot."""
    if group.id is not None:
        yield group.functions
        return
    for _, members in groupby(group.functions, key=lambda f: f.slot):
        yield tuple(members)
