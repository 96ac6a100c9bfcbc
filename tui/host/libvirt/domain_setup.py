"""Reads how a domain is set up, besides its devices.

Nothing here raises: what cannot be read is not known, and hides no device.
Source: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree  # nosec B405  # only searches elements that are parsed already

from tui.host.libvirt.amounts import count, in_bytes, mib, numbers
from tui.model import DomainSetup, MemoryPart

CELLS_LIMIT = 64
"""Cells of a guest's NUMA topology, and sizes of pages, that are read."""

HARD_MODES = ("strict", "restrictive")
"""Modes of <numatune> that leave no other node."""


def domain_setup(domain: ElementTree.Element) -> DomainSetup:
    """Return the setup of a <domain>."""
    balloon = domain.find("devices/memballoon")
    return DomainSetup(
        memory=tuple(_parts(domain)),
        current_mib=mib(domain.find("currentMemory")),
        balloon=balloon is None or balloon.get("model") != "none",
        locked=domain.find("memoryBacking/locked") is not None,
        hard_limit_mib=mib(domain.find("memtune/hard_limit")),
    )


def _parts(domain: ElementTree.Element) -> Iterator[MemoryPart]:
    """Yield the memory of each cell of the guest, or all of it if the guest has no cells."""
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
    memory = domain.find("memory")
    if memory is not None and not cells:
        yield MemoryPart(mib(memory), _page_kib(pages, 0) if huge else None, _nodes(domain, None))


def _page_kib(pages: list[ElementTree.Element], cell: int | None) -> int | None:
    """Return the size of a cell's pages: those for the cell, else those for all."""
    if not pages:
        return 0
    mine = [page for page in pages if cell in numbers(page.get("nodeset"))]
    of_all = [page for page in pages if page.get("nodeset") is None]
    for page in (*mine, *of_all):
        size = in_bytes(page.get("size"), page.get("unit"))
        return None if size is None or size < 1024 else size // 1024
    return None


def _nodes(domain: ElementTree.Element, cell: int | None) -> tuple[int, ...]:
    """Return the host's nodes that a cell's memory must come from."""
    tune = domain.find("numatune")
    if tune is None:
        return ()
    mine = [each for each in tune.iterfind("memnode") if count(each.get("cellid")) == cell]
    for found in (*mine[:1], *tune.findall("memory")[:1]):
        return numbers(found.get("nodeset")) if found.get("mode", "strict") in HARD_MODES else ()
    return ()
