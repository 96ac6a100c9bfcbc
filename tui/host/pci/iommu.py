"""The IOMMU groups of a host, and the kind of its IOMMU."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from tui.host import HostError
from tui.host.pci import FUNCTIONS_LIMIT
from tui.host.pci.copied import groups_by_member, with_groups, with_unknown_groups
from tui.host.sysfs import Attributes
from tui.host.tree import Tree
from tui.model import Inventory, IommuKind, PciFunction
from tui.model.address import is_address

IOMMU_PREFIXES: tuple[tuple[str, IommuKind], ...] = (
    ("dmar", "intel"),
    ("ivhd", "amd"),
    ("smmu", "smmu"),
    ("arm-smmu", "smmu"),
)
"""How the drivers name their entries of /sys/class/iommu."""

_GROUP = re.compile(r"[0-9]{1,9}")


def read_groups(root: Tree, functions: Sequence[PciFunction]) -> Inventory:
    """Return the functions with their groups, from /sys/kernel/iommu_groups and their links.

    A group whose ``name`` file cannot be read may be a no-IOMMU group, which isolates nothing:
    its functions then list ``iommu_group`` as unreadable. Raises ``HostError``. Source: kernel,
    Documentation/ABI/testing/sysfs-kernel-iommu_groups.
    """
    home = root / "sys/kernel/iommu_groups"
    listed = _listed_groups(root, home)
    groups = {int(name) for name in listed or ()}
    if root.is_copied:
        group_of = groups_by_member(home, groups)
        functions = with_groups(functions, {a: g for a, g in group_of.items() if is_address(a)})
        if len(functions) > FUNCTIONS_LIMIT:
            raise HostError(f"no PCI devices: {home} lists more than {FUNCTIONS_LIMIT}")
        empty = groups - {*group_of.values(), *(f.iommu_group for f in functions)}
        if empty and all(f.iommu_group is None for f in functions):
            listed, groups = None, set()
        elif empty:  # the kernel has no empty groups: the copy has lost their members
            functions = with_unknown_groups(functions)
    groups |= {f.iommu_group for f in functions if f.iommu_group is not None}
    names = {group: Attributes(home / str(group)) for group in sorted(groups)}
    noiommu = tuple(g for g, at in names.items() if at.read("name", str) == "vfio-noiommu")
    unknown = {group for group, at in names.items() if at.unreadable}
    if unknown:
        functions = [
            replace(f, unreadable=(*f.unreadable, "iommu_group")) if f.iommu_group in unknown else f
            for f in functions
        ]
    known = listed is not None or bool(names)
    return Inventory(tuple(functions), _iommu_kind(root), tuple(names), noiommu, known)


def _listed_groups(root: Tree, home: Tree) -> list[str] | None:
    """Return the names of the groups in ``home``; ``None`` if a capture does not have them."""
    try:
        return [name for name in home.names() if _GROUP.fullmatch(name)]
    except FileNotFoundError:  # on a live host: a kernel without IOMMU support
        return None if root.is_copied else []
    except OSError as error:
        raise HostError(f"no IOMMU groups: {home}: {error.strerror}") from error


def _iommu_kind(root: Tree) -> IommuKind | None:
    """Return the kind of the first known entry of /sys/class/iommu (kernel: sysfs-class-iommu)."""
    try:
        entries = sorted(root.names("sys/class/iommu"))
    except OSError:
        return None
    kinds = (k for entry in entries for prefix, k in IOMMU_PREFIXES if entry.startswith(prefix))
    return next(kinds, None)
