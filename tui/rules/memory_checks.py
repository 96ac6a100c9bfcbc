"""Whether the host has the memory that a guest starts with: huge pages, and ordinary memory that
VFIO pins all at once.

QEMU allocates the huge pages of a guest before the guest runs, and fails without them. VFIO pins a
guest's memory when a device is added to it, whatever the guest uses of it
(drivers/vfio/vfio_iommu_type1.c).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from tui.model import (
    VERDICT_ORDER,
    Check,
    Domain,
    DomainSetup,
    HostMemory,
    MemoryPart,
    PagePool,
    Unavailable,
)
from tui.rules import guest_checks

MEMORY, BALLOON, LOCKED = "guest.memory", "guest.balloon", "guest.locked-memory"

MARGIN_MIB = 1024
"""What libvirt adds to a guest's memory for the limit of locked memory, for the devices' own memory
(src/qemu/qemu_domain.c: qemuDomainGetMemLockLimitBytes)."""

ESTIMATE_MIB = 1024
"""By how much more the kernel may find than MemAvailable says, which leaves out its reserves and a
part of its caches (mm/show_mem.c: si_mem_available)."""

_POOLS, _NODE_POOLS = "/sys/kernel/mm/hugepages", "/sys/devices/system/node/node{}/hugepages"


class _Shortage(NamedTuple):
    """Huge pages of a ``pool`` that are missing; ``needed`` of them are for the guest."""

    pool: PagePool
    needed: int

    @property
    def missing(self) -> int:
        return self.needed - self.pool.free


def memory(domain: Domain, host: HostMemory | Unavailable) -> Check:
    """guest.memory: the host has the memory that the guest needs to start."""
    setup, name = domain.setup, domain.name
    if setup is None:
        why = guest_checks.unreadable(domain) if domain.problem else f"“{name}” was not read"
        return Check(MEMORY, name, "unknown", why)
    needed = setup.memory_mib
    if needed is None:
        return Check(MEMORY, name, "unknown", f"the memory of “{name}” cannot be read")
    if domain.active:
        return Check(MEMORY, name, "pass", f"“{name}” is running with {gib(needed)}")
    if isinstance(host, Unavailable):
        return Check(MEMORY, name, "unknown", host.reason)
    found = [*_huge(domain, setup, host), _ordinary(domain, setup, host)]
    return min(found, key=lambda check: VERDICT_ORDER.index(check.verdict))


def against_start(domain: Domain | None, host: HostMemory | Unavailable) -> tuple[Check, ...]:
    """guest.memory if it argues against starting the domain now, for the guest's panel."""
    if domain is None or domain.active or domain.setup is None:
        return ()
    check = memory(domain, host)
    return (check,) if check.verdict in ("fail", "warn") else ()


def balloon(domain: Domain) -> Check:
    """guest.balloon: with host devices a balloon takes memory from the guest and gives the host
    none, because QEMU keeps what VFIO has pinned (its hw/vfio/common.c:
    vfio_ram_block_discard_disable)."""
    setup, name = domain.setup, domain.name
    if setup is None or setup.memory_mib is None:
        return Check(BALLOON, name, "unknown", f"the memory of “{name}” cannot be read")
    whole = setup.memory_mib
    if not domain.functions:
        return Check(BALLOON, name, "pass", f"“{name}” uses no host devices")
    if setup.ballooned_mib:
        return Check(
            BALLOON, name, "warn",
            f"“{name}” sees {gib(whole - setup.ballooned_mib)} of its {gib(whole)}, and the host "
            "gets nothing back: VFIO pins all of it",
            f"{domain.edit}: give <currentMemory> the value of <memory>",
        )  # fmt: skip
    return Check(BALLOON, name, "pass", f"“{name}” has all of its {gib(whole)}")


def locked(domain: Domain) -> Check:
    """guest.locked-memory: VFIO may lock as much memory as the guest has. libvirt raises the limit
    for devices that it knows, unless <hard_limit> sets another one."""
    setup, name = domain.setup, domain.name
    whole = setup.memory_mib if setup is not None else None
    if setup is None or whole is None:
        return Check(LOCKED, name, "unknown", f"the memory of “{name}” cannot be read")
    if not domain.functions:
        return Check(LOCKED, name, "pass", f"“{name}” uses no host devices")
    wanted = f"<memtune><hard_limit unit='MiB'>{math.ceil(whole) + MARGIN_MIB}</hard_limit>"
    edit = f"{domain.edit}: "
    limit = setup.hard_limit_mib
    if limit is not None and limit < whole + MARGIN_MIB:
        short = limit < whole
        return Check(
            LOCKED, name, "fail" if short else "warn",
            f"<hard_limit> lets “{name}” lock {gib(limit)}, "
            + (f"less than its {gib(whole)}" if short else "which leaves little for QEMU itself"),
            f"{edit}{wanted}</memtune>, or no <hard_limit>",
        )  # fmt: skip
    unknown_to_libvirt = all(dev.by == "command line" for dev in domain.hostdevs)
    if limit is None and not setup.locked and unknown_to_libvirt:
        return Check(
            LOCKED, name, "warn",
            f"libvirt does not know of the devices on the command line of “{name}”, and does "
            "not raise the limit of locked memory for them",
            f"{edit}{wanted}</memtune>, or LimitMEMLOCK=infinity in libvirt's service",
        )  # fmt: skip
    return Check(LOCKED, name, "pass", f"“{name}” may lock all of its {gib(whole)}")


def gib(mib: float) -> str:
    """A human-readable amount: ``16.0 GiB``, or MiB below one."""
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"


def page_size(kib: int) -> str:
    """``2 MiB``"""
    return f"{kib >> 20} GiB" if kib >= 1 << 20 else f"{kib >> 10} MiB" if kib >= 1 << 10 else (
        f"{kib} KiB")  # fmt: skip


# --- huge pages -------------------------------------------------------------------


def _huge(domain: Domain, setup: DomainSetup, host: HostMemory) -> Iterator[Check]:
    """The verdict on each size of huge pages that the guest wants."""
    by_size: dict[int, list[MemoryPart]] = {}
    for part in setup.memory:
        if part.page_kib is not None:
            by_size.setdefault(part.page_kib or host.default_page_kib or 0, []).append(part)
    for size, parts in by_size.items():
        yield _pages(domain, size, parts, host)


def _pages(domain: Domain, size: int, parts: Sequence[MemoryPart], host: HostMemory) -> Check:
    name, whole = domain.name, host.pool(size)
    if host.pools is None or not size:
        return Check(MEMORY, name, "unknown", "the huge pages of this host cannot be read")
    if whole is None:
        return Check(
            MEMORY, name, "fail", f"the kernel has no huge pages of {page_size(size)}",
            f"{domain.edit}: in <hugepages>, another size in <page>; the kernel "
            f"has {_sizes(host) or 'none'}",
        )  # fmt: skip
    short = _worst(size, parts, whole, host)
    if short is None:
        count = sum(_count(part, size) for part in parts)
        why = f"{whole.free} huge pages of {page_size(size)} are free, “{name}” needs {count}"
        enough = Check(MEMORY, name, "pass", why)
        memfd = domain.setup is not None and domain.setup.backing == "memfd"
        return enough if memfd else _mounted(enough, size, host)
    return _short(domain, short, host)


def _mounted(check: Check, size: int, host: HostMemory) -> Check:
    """``check``, or a warning if no hugetlbfs has pages of that size: libvirt looks for one when it
    starts (util/virfile.c: virFileFindHugeTLBFS)."""
    if host.mounted_kib is None or size in host.mounted_kib:
        return check
    unit = f"{size >> 20}G" if size >= 1 << 20 else f"{size >> 10}M"
    return replace(
        check, verdict="warn",
        why=f"{check.why}; no hugetlbfs with pages of {page_size(size)} is mounted for libvirt",
        fix=f"`mount -m -t hugetlbfs -o pagesize={unit} hugetlbfs /dev/hugepages{unit}`, the same "
        "in /etc/fstab, and restart libvirtd (or virtqemud)",
    )  # fmt: skip


def _short(domain: Domain, short: _Shortage, host: HostMemory) -> Check:
    """The verdict where pages are missing: a hook or the kernel may still make them."""
    name, pool, whole = domain.name, short.pool, host.pool(short.pool.size_kib)
    where = "" if pool.node is None else f" on node {pool.node}"
    why = (f"“{name}” needs {short.needed} huge pages of {page_size(pool.size_kib)}{where}, "
           f"{pool.free} are free")  # fmt: skip
    fix = _more_pages(short, host)
    if host.hook is not None:
        return Check(
            MEMORY, name, "warn", f"{why}; a hook allocates some at the start: {host.hook}"
        )
    if whole is not None and whole.on_demand >= short.missing:
        return Check(MEMORY, name, "warn", f"{why}; the kernel allocates the rest if it can", fix)
    if host.unclear_hook is not None:
        why = f"{why}; whether a hook allocates some is not known: {host.unclear_hook}"
        return Check(MEMORY, name, "unknown", why, fix)
    return Check(MEMORY, name, "fail", why, fix)


def _sizes(host: HostMemory) -> str:
    return ", ".join(page_size(p.size_kib) for p in host.pools or () if p.node is None)


def _worst(
    size: int, parts: Sequence[MemoryPart], whole: PagePool, host: HostMemory
) -> _Shortage | None:
    """The place where most pages are missing. Memory that may come from several nodes is counted
    for all of them together."""
    found = [_Shortage(whole, sum(_count(part, size) for part in parts))]
    for nodes in dict.fromkeys(part.nodes for part in parts if part.nodes):
        pools = [host.pool(size, node) for node in nodes]
        there = [pool for pool in pools if pool is not None]
        if not there:
            continue
        needed = sum(_count(p, size) for p in parts if p.nodes and set(p.nodes) <= set(nodes))
        free = sum(pool.free for pool in there)
        # More pages are wanted on the first of the nodes.
        found.append(_Shortage(there[0], needed - (free - there[0].free)))
    short = [each for each in found if each.missing > 0]
    return max(short, key=lambda each: (each.missing, each.pool.node is not None), default=None)


def _count(part: MemoryPart, size: int) -> int:
    return math.ceil((part.mib or 0) * 1024 / size)


def _more_pages(short: _Shortage, host: HostMemory) -> str:
    """How to allocate the missing pages, now and for each boot."""
    pool, wanted = short.pool, short.pool.total + short.missing
    folder = _POOLS if pool.node is None else _NODE_POOLS.format(pool.node)
    now = f"`echo {wanted} > {folder}/hugepages-{pool.size_kib}kB/nr_hugepages`"
    default = pool.size_kib == host.default_page_kib
    if default and pool.node is None:
        boot = f"vm.nr_hugepages = {wanted} in /etc/sysctl.d/hugepages.conf"
    else:
        unit = "G" if pool.size_kib >= 1 << 20 else "M"
        size = pool.size_kib >> (20 if unit == "G" else 10)
        node = "" if pool.node is None else f"{pool.node}:"
        boot = f"hugepagesz={size}{unit} hugepages={node}{wanted} on the kernel command line"
    needs = short.missing * pool.size_kib // 1024
    lacks = host.available_mib is not None and needs > host.available_mib
    first = f"free {gib(needs)} of memory first; then " if lacks else ""
    return f"{first}{now}; for each boot: {boot}"


# --- ordinary memory --------------------------------------------------------------


def _ordinary(domain: Domain, setup: DomainSetup, host: HostMemory) -> Check:
    """The verdict on memory in ordinary pages."""
    name = domain.name
    needed = sum(part.mib or 0 for part in setup.memory if part.page_kib is None)
    if not needed:
        return Check(MEMORY, name, "pass", f"“{name}” needs no other memory")
    if setup.backing == "arguments":
        why = f"QEMU's arguments say where the memory of “{name}” comes from"
        return Check(MEMORY, name, "unknown", f"{why}: it may be huge pages")
    if not (domain.functions or setup.locked or setup.immediate):
        return Check(MEMORY, name, "pass", f"“{name}” takes up to {gib(needed)} as it uses it")
    if host.available_mib is None:
        return Check(MEMORY, name, "unknown", "the memory of this host cannot be read")
    return _at_once(domain, setup, needed, host.available_mib, host.swap_free_mib or 0)


def _at_once(
    domain: Domain, setup: DomainSetup, needed: float, available: float, swap: float
) -> Check:
    """The verdict on memory that is taken as a whole at the start, in MiB."""
    name = domain.name
    at_once = f"“{name}” needs {gib(needed)} at once"
    if needed <= available:
        return Check(MEMORY, name, "pass", f"{at_once}, {gib(available)} are available")
    holds = ("VFIO pins it" if domain.functions else "it is locked" if setup.locked
             else "it is allocated before the guest runs")  # fmt: skip
    why = f"{at_once}, because {holds}; {gib(available)} are available"
    return _too_little(domain, setup, why, needed - available, swap)


def _too_little(domain: Domain, setup: DomainSetup, why: str, missing: float, swap: float) -> Check:
    """The verdict where memory is ``missing``, given what can be swapped out, in MiB."""
    name = domain.name
    fix = (f"close programs on the host, or give the guest less: {domain.edit}, "
           "<memory> and <currentMemory>")  # fmt: skip
    if missing <= swap:
        return Check(MEMORY, name, "warn", f"{why}; something has to be swapped out", fix)
    if setup.backing == "file":
        return Check(MEMORY, name, "unknown", f"{why}; it is in files, maybe of huge pages", fix)
    if missing <= swap + ESTIMATE_MIB:
        why = f"{why}: it may just fit, or the kernel may kill programs on the host"
        return Check(MEMORY, name, "warn", why, fix)
    return Check(MEMORY, name, "fail", why, fix)
