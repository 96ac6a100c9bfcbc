"""What a copy of sysfs still shows of PCI functions whose links or folders it has lost.

Archives made for other systems lose links, and a copy lacks what its maker could not read. So what
a copy lacks may well exist on its host.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from tui.host import sysfs
from tui.host.tree import Tree, text_of
from tui.model import NO_RESPONSE, PciFunction

UNKNOWN_IF_ONLY_LISTED = ("vendor", "device", "class", "driver")
"""What is unknown about a function that only a group lists."""


def drivers_by_address(root: Tree) -> dict[str, str]:
    """Return the drivers by the addresses that their folders list (kernel: sysfs-bus-pci).

    An address that two drivers list is left out.
    """
    home = root / "sys/bus/pci/drivers"
    found: dict[str, list[str]] = defaultdict(list)
    with suppress(OSError):
        for folder in home.names():
            with suppress(OSError, ValueError):
                driver = sysfs.driver_name(folder)
                for name in (home / folder).names():
                    found[name].append(driver)
    return {name: drivers[0] for name, drivers in found.items() if len(drivers) == 1}


def with_drivers(
    functions: Sequence[PciFunction], drivers: Mapping[str, str], devices: Tree
) -> list[PciFunction]:
    """Return the functions with the ``drivers`` whose folders list them.

    If the copy shows no driver of any function, a function without a uevent may have had one.
    """
    found = [
        replace(f, driver=drivers[f.address], unreadable=_without("driver", f))
        if f.driver is None and f.address in drivers
        else f
        for f in functions
    ]
    if any(f.driver is not None for f in found):
        return found
    return [
        f
        if "driver" in f.unreadable or text_of(devices / f.address, "uevent").strip()
        else replace(f, unreadable=(*f.unreadable, "driver"))
        for f in found
    ]


def groups_by_member(home: Tree, groups: Collection[int]) -> dict[str, int]:
    """Return the groups by the names that their folders in ``home`` list."""
    found: dict[str, int] = {}
    for group in sorted(groups):
        with suppress(OSError):
            found |= dict.fromkeys((home / str(group)).names("devices"), group)
    return found


def with_groups(functions: Sequence[PciFunction], listed: Mapping[str, int]) -> list[PciFunction]:
    """Return the functions with the groups that list them, if the copy has lost their links.

    Adds the functions that only a group lists, about which nothing else is known.
    """
    there = {f.address for f in functions}
    found = [
        replace(f, iommu_group=listed[f.address], unreadable=_without("iommu_group", f))
        if f.iommu_group is None and f.address in listed
        else f
        for f in functions
    ]
    found += [_lost(address, group) for address, group in listed.items() if address not in there]
    return sorted(found, key=lambda f: f.address)


def with_unknown_groups(functions: Sequence[PciFunction]) -> list[PciFunction]:
    """Mark the group as unreadable of each function without one: a group may have lost its
    members."""
    return [
        replace(f, unreadable=(*_without("iommu_group", f), "iommu_group"))
        if f.iommu_group is None
        else f
        for f in functions
    ]


def _lost(address: str, group: int) -> PciFunction:
    return PciFunction(
        address, NO_RESPONSE, NO_RESPONSE, f"{NO_RESPONSE}ff",
        "not in the capture", iommu_group=group, unreadable=UNKNOWN_IF_ONLY_LISTED,
    )  # fmt: skip


def _without(name: str, function: PciFunction) -> tuple[str, ...]:
    return tuple(each for each in function.unreadable if each != name)
