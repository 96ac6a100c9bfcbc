"""Reads how a domain is set up, besides its devices.

Nothing here raises: what cannot be read is not known, and hides no device.
Source: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from xml.etree import ElementTree  # nosec B405  # only searches elements that are parsed already

from tui.host.cpu_sets import cpu_set
from tui.host.libvirt.amounts import count, in_bytes, mib
from tui.host.libvirt.host_devices import QEMU
from tui.model import Backing, DomainSetup, Firmware, MemoryPart, SharedMemory

CELLS_LIMIT = 64
"""Cells of a guest's NUMA topology, and sizes of pages, that are read."""

SHARED_LIMIT, ARGUMENTS_LIMIT = 8, 256
"""Shared memory devices, and arguments of QEMU, that are read."""

SHM = "/dev/shm"  # noqa: S108  # nosec B108  # a name in a definition; nothing is made there
"""Where shm_open(3) keeps files."""

_MMIO64 = re.compile(r"opt/ovmf/X-PciMmio64Mb,string=([0-9]{1,9})")
_HOLE64 = re.compile(r"(?:q35|i440FX)-pcihost\.pci-hole64-size=([0-9]{1,15}[kKmMgGtT]?)")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_OWN_BACKING = re.compile(r"--?mem-path|.*\bmemory-backend=.*|node,.*\bmemdev=.*", re.DOTALL)
"""Arguments of QEMU that say where the memory comes from."""

_SIZE = re.compile(r"([0-9]{1,15})([kKmMgGtT]?)")

HARD_MODES = ("strict", "restrictive")
"""Modes of <numatune> that allow no other node."""


def domain_setup(domain: ElementTree.Element) -> DomainSetup:
    """Return the setup of a <domain>."""
    balloon = domain.find("devices/memballoon")
    arguments = _arguments(domain)
    return DomainSetup(
        memory=tuple(_parts(domain)),
        current_mib=mib(domain.find("currentMemory")),
        balloon=balloon is None or balloon.get("model") != "none",
        locked=domain.find("memoryBacking/locked") is not None,
        hard_limit_mib=mib(domain.find("memtune/hard_limit")),
        immediate=domain.find("memoryBacking/allocation[@mode='immediate']") is not None,
        backing=_backing(domain, arguments),
        firmware=_firmware(domain),
        mmio64_mib=_mmio64(arguments),
        hole64_mib=_hole64(domain, arguments),
        shared=tuple(_shared(domain, arguments))[:SHARED_LIMIT],
    )


def _firmware(domain: ElementTree.Element) -> Firmware:
    """<os firmware='efi'>, or a loader in flash; libvirt's default is SeaBIOS."""
    found = domain.find("os")
    if found is None:
        return "bios"
    flash = found.find("loader[@type='pflash']") is not None
    return "uefi" if flash or found.get("firmware") == "efi" else "bios"


def _backing(domain: ElementTree.Element, arguments: list[str]) -> Backing:
    if any(map(_OWN_BACKING.fullmatch, arguments)):
        return "arguments"
    source = domain.find("memoryBacking/source")
    kind = source.get("type") if source is not None else None
    return "memfd" if kind == "memfd" else "file" if kind == "file" else "anonymous"


def _arguments(domain: ElementTree.Element) -> list[str]:
    found = domain.iterfind(f"{QEMU}commandline/{QEMU}arg")
    return [arg.get("value", "") for arg in found][:ARGUMENTS_LIMIT]


def _mmio64(arguments: list[str]) -> int | None:
    """OVMF's option for the 64-bit MMIO aperture, in MiB (edk2: OvmfPkg/RUNTIME_CONFIG.md)."""
    found = (_MMIO64.search(argument) for argument in arguments)
    return next((int(each[1]) for each in found if each is not None), None)


def _hole64(domain: ElementTree.Element, arguments: list[str]) -> float | None:
    """<pcihole64> of the root bus, or the QEMU property that it sets, in MiB. An argument takes
    precedence: QEMU applies -global last."""
    given = [found[1] for each in arguments if (found := _HOLE64.fullmatch(each)) is not None]
    if given:
        return _size_mib(given[-1])
    return mib(domain.find("devices/controller[@type='pci'][@index='0']/pcihole64"))


def _shared(domain: ElementTree.Element, arguments: list[str]) -> Iterator[SharedMemory]:
    """Yield the memory of <shmem>, which is in /dev/shm, and of ivshmem on QEMU's command line."""
    for each in domain.iterfind("devices/shmem"):
        name, size = each.get("name", ""), mib(each.find("size"))
        if _NAME.fullmatch(name) and each.find("server") is None:
            yield SharedMemory(f"{SHM}/{name}", size)
    for argument in arguments:
        path = _option(argument, "mem-path")
        if path is not None and path.startswith((f"{SHM}/", "/dev/kvmfr")):
            yield SharedMemory(path, _size_mib(_option(argument, "size")))


def _option(argument: str, name: str) -> str | None:
    """Return an option of a QEMU object, in either of its two forms."""
    pattern = rf"""(?:^|[,{{])\s*"?{name}"?\s*[=:]\s*"?([A-Za-z0-9_./-]{{1,255}})(?=[,"}}]|$)"""
    found = re.search(pattern, argument)
    return None if found is None else found[1]


def _size_mib(text: str | None) -> float | None:
    """Return a size as QEMU writes it: bytes, or with a suffix."""
    found = _SIZE.fullmatch(text or "")
    if found is None:
        return None
    return (
        int(found[1])
        * {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}[found[2].upper()]
        / (1 << 20)
    )


def _parts(domain: ElementTree.Element) -> Iterator[MemoryPart]:
    """Yield the memory of each cell of the guest and what is plugged into them, or all of it if the
    guest has no cells."""
    pages = domain.findall("memoryBacking/hugepages/page")[:CELLS_LIMIT]
    huge = domain.find("memoryBacking/hugepages") is not None
    cells = domain.findall("cpu/numa/cell")[:CELLS_LIMIT]
    for at, cell in enumerate(cells):
        amount = in_bytes(cell.get("memory"), cell.get("unit"))
        number = count(cell.get("id", str(at)))
        yield MemoryPart(
            None if amount is None else amount / (1 << 20),
            _page_kib(pages, number) if huge else None,
            _nodes(domain, number),
        )
    if cells:
        yield from _plugged(domain, pages if huge else None)
    memory = domain.find("memory")
    if memory is not None and not cells:
        yield MemoryPart(mib(memory), _page_kib(pages, 0) if huge else None, _nodes(domain, None))


def _plugged(
    domain: ElementTree.Element, pages: list[ElementTree.Element] | None
) -> Iterator[MemoryPart]:
    """Yield the memory of DIMMs, and what virtio-mem gives at the start. ``pages`` are those of
    <hugepages>, if there are some."""
    amounts = {"dimm": "target/size", "virtio-mem": "target/requested"}
    for device in domain.findall("devices/memory")[:CELLS_LIMIT]:
        amount = amounts.get(device.get("model", ""))
        if amount is None:
            continue
        own = device.find("source/pagesize")
        node = count(device.findtext("target/node"))
        page = _page_kib(pages, node) if pages is not None else None
        nodes = cpu_set(device.findtext("source/nodemask")) or _nodes(domain, node)
        yield MemoryPart(mib(device.find(amount)), page if own is None else _kib(own.text, own),
                         nodes)  # fmt: skip


def _page_kib(pages: list[ElementTree.Element], cell: int | None) -> int | None:
    """Return the size of a cell's pages: those for the cell, else those for all."""
    if not pages:
        return 0
    mine = [page for page in pages if cell in (cpu_set(page.get("nodeset")) or ())]
    of_all = [page for page in pages if page.get("nodeset") is None]
    for page in (*mine, *of_all):
        return _kib(page.get("size"), page)
    return None


def _kib(size: str | None, of: ElementTree.Element) -> int | None:
    """Return the size of huge pages, in the unit that an element has; ``None`` if it is that of
    ordinary pages (libvirt: src/qemu/qemu_command.c, qemuBuildMemoryBackendProps)."""
    found = in_bytes(size, of.get("unit"))
    return None if found is None or found <= mmap.PAGESIZE else found // 1024


def _nodes(domain: ElementTree.Element, cell: int | None) -> tuple[int, ...]:
    """Return the host's nodes that a cell's memory must come from; written like sets of CPUs."""
    tune = domain.find("numatune")
    if tune is None:
        return ()
    mine = [each for each in tune.iterfind("memnode") if count(each.get("cellid")) == cell]
    for found in (*mine[:1], *tune.findall("memory")[:1]):
        hard = found.get("mode", "strict") in HARD_MODES
        return cpu_set(found.get("nodeset")) or () if hard else ()
    return ()
