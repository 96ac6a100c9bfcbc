"""The host's memory and huge pages."""

from __future__ import annotations

from msgspec import Struct


class PagePool(Struct, frozen=True):
    """The huge pages of one size, of the whole host or of one NUMA ``node`` (kernel:
    Documentation/admin-guide/mm/hugetlbpage.rst).

    ``free`` are those that a new guest can have: pages that somebody has reserved are left out.
    Reservations belong to no node. ``on_demand`` are pages that the kernel makes when they are
    asked for (nr_overcommit_hugepages), if it finds the memory.
    """

    size_kib: int
    total: int
    free: int
    node: int | None = None
    on_demand: int = 0


class HostMemory(Struct, frozen=True):
    """What the host has left, in MiB, and its huge pages.

    ``available_mib`` is MemAvailable with what ZFS gives back. ``default_page_kib`` is the size of
    huge pages where none is named. ``pools`` is ``None`` if they could not be read. ``mounted_kib``
    are the sizes for which a hugetlbfs is mounted, ``None`` if that is not known. ``hook`` is the
    line of a libvirt hook that allocates huge pages, if there is one; ``unclear_hook`` is another
    hook: what it does, or calls, is not known.
    """

    available_mib: int | None = None
    swap_free_mib: int | None = None
    default_page_kib: int | None = None
    pools: tuple[PagePool, ...] | None = None
    mounted_kib: tuple[int, ...] | None = None
    hook: str | None = None
    unclear_hook: str | None = None

    def pool(self, size_kib: int, node: int | None = None) -> PagePool | None:
        """The pages of a size, of the whole host or of one node."""
        found = (p for p in self.pools or () if (p.size_kib, p.node) == (size_kib, node))
        return next(found, None)
