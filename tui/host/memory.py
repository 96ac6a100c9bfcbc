"""The host's memory and huge pages: /proc/meminfo and the pools of hugetlbfs.

Source: kernel, Documentation/filesystems/proc.rst (meminfo) and
Documentation/admin-guide/mm/hugetlbpage.rst
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tui.host import HostError, NothingToRead, Wake, sysfs
from tui.host.hooks import hooks
from tui.host.sysfs import Attributes
from tui.host.tree import GONE, MACHINE, Tree, text_of
from tui.model import HostMemory, PagePool

STEP_MIB = 64
"""Available memory changes all the time; it is reported in whole steps, so that small changes make
no new reading."""

SIZES_LIMIT, NODES_LIMIT = 16, 1024
"""Page sizes, and NUMA nodes, that are read."""

MOUNTS_LIMIT = 1 << 20
"""Bytes of /proc/mounts; a line has about a hundred."""

_MOUNT = re.compile(r"^\S{1,80} \S{1,255} hugetlbfs (\S{1,255}) 0 0$", re.MULTILINE)
_PAGE_SIZE = re.compile(r"(?:^|,)pagesize=([0-9]{1,9})([KMG])(?:,|$)")
_FIELD = re.compile(
    r"^(MemAvailable|SwapFree|Hugepagesize):\s{1,40}([0-9]{1,15}) kB$", re.MULTILINE
)
_POOL = re.compile(r"hugepages-([0-9]{1,12})kB")
_NODE = re.compile(r"node([0-9]{1,4})")
_ARC = re.compile(r"^(size|c_min)\s{1,40}[0-9]{1,2}\s{1,40}([0-9]{1,18})$", re.MULTILINE)

POOLS, NODES = "sys/kernel/mm/hugepages", "sys/devices/system/node"


class MemorySource:
    """Reads what the host has left."""

    def __init__(self, root: Tree = MACHINE) -> None:
        self._root = root

    def read(self) -> HostMemory:
        fields = {n: int(kib) for n, kib in _FIELD.findall(text_of(self._root, "proc/meminfo"))}
        if "MemAvailable" not in fields:
            if not self._root.is_machine:
                raise NothingToRead("the capture has no proc/meminfo")
            raise HostError("/proc/meminfo does not say how much memory is available")
        pools = self._pools()
        page = fields.get("Hugepagesize")
        found = hooks(self._root)
        allocated_by = found.first("pages")
        return HostMemory(
            available_mib=_in_steps(fields["MemAvailable"] // 1024 + self._arc_mib()),
            swap_free_mib=_in_steps(fields.get("SwapFree", 0) // 1024),
            default_page_kib=page if page else None,
            pools=pools,
            mounted_kib=_mounted(text_of(self._root, "proc/mounts", MOUNTS_LIMIT), page),
            hook=None if allocated_by is None else allocated_by.place,
            unclear_hook=next(iter((*found.unreadable, *found.files)), None),
        )

    def watch(self, wake: Wake) -> None:
        """Nothing reports how much memory is left."""

    def close(self) -> None:
        """This source holds nothing."""

    def _arc_mib(self) -> int:
        """Return the cache that ZFS frees when memory is short, which MemAvailable leaves out."""
        text = text_of(self._root, "proc/spl/kstat/zfs/arcstats")
        found = {name: int(value) for name, value in _ARC.findall(text)}
        return max(0, found.get("size", 0) - found.get("c_min", 0)) >> 20

    def _pools(self) -> tuple[PagePool, ...] | None:
        """Return the pools of the host, then those of its nodes; none if the kernel has no huge
        pages."""
        try:
            pools = list(_pools(self._root / POOLS, None))
            for name in _names(self._root, NODES, NODES_LIMIT):
                if (found := _NODE.fullmatch(name)) is not None:
                    pools += _pools(self._root / f"{NODES}/{name}/hugepages", int(found[1]))
        except OSError:
            return None
        return tuple(sorted(pools, key=lambda p: (-1 if p.node is None else p.node, p.size_kib)))


def _mounted(mounts: str, default_kib: int | None) -> tuple[int, ...] | None:
    """Return the page sizes for which a hugetlbfs is mounted; ``None`` without a list."""
    if not mounts.strip():
        return None
    sizes = set()
    for options in _MOUNT.findall(mounts):
        found = _PAGE_SIZE.search(options)
        sizes.add(int(found[1]) << {"K": 0, "M": 10, "G": 20}[found[2]] if found else default_kib)
    return tuple(sorted(size for size in sizes if size))


def _pools(directory: Tree, node: int | None) -> Iterator[PagePool]:
    for name in _names(directory, "", SIZES_LIMIT):
        found = _POOL.fullmatch(name)
        if found is None:
            continue
        at = Attributes(directory / name)
        total, free = at.read("nr_hugepages", sysfs.count), at.read("free_hugepages", sysfs.count)
        if total is None or free is None:
            raise OSError(f"{directory}/{name} cannot be read")
        more, surplus, reserved = 0, 0, 0
        if node is None:
            reserved = at.read("resv_hugepages", sysfs.count) or 0
            more = at.read("nr_overcommit_hugepages", sysfs.count) or 0
            surplus = at.read("surplus_hugepages", sysfs.count) or 0
        yield PagePool(int(found[1]), total, max(0, free - reserved), node, max(0, more - surplus))


def _names(tree: Tree, name: str, limit: int) -> list[str]:
    """Return the names in a folder, none if there is no such folder."""
    try:
        return tree.names(name, limit)
    except OSError as error:
        if error.errno in GONE:
            return []
        raise


def _in_steps(mib: int) -> int:
    """Round up, so that the steps never make memory look short."""
    return -(-mib // STEP_MIB) * STEP_MIB
