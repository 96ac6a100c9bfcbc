"""How a domain is set up, besides the devices that it takes."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Firmware = Literal["bios", "uefi"]

Backing = Literal["anonymous", "memfd", "file", "arguments"]
"""Where a guest's memory comes from: QEMU's own, a memfd, a file in a folder of libvirt's, or what
QEMU's arguments in the definition name."""


class MemoryPart(Struct, frozen=True):
    """Memory of a guest that comes from one place. ``mib`` is ``None`` if that is not a number.

    ``page_kib`` is the size of its huge pages: 0 for the host's default size, ``None`` for memory
    in ordinary pages. ``nodes`` are the host's NUMA nodes that it must come from; none: any.
    """

    mib: float | None
    page_kib: int | None = None
    nodes: tuple[int, ...] = ()


class SharedMemory(Struct, frozen=True):
    """Memory that a guest shares with programs of the host, as Looking Glass uses it. ``path`` is
    its file or device, never for display as it is; ``mib`` its size, ``None`` if unknown."""

    path: str
    mib: float | None = None


class DomainSetup(Struct, frozen=True):
    """What a definition says about a domain besides its devices.

    ``memory`` are the parts of its memory, ``current_mib`` is what the balloon leaves it at the
    start. ``balloon``: it has a balloon device. ``locked``: <locked/>; ``hard_limit_mib`` is that
    of <memtune>. ``immediate``: QEMU allocates all of it before the guest runs. ``mmio64_mib`` is
    the room for large BARs that the definition asks OVMF for; ``hole64_mib`` is the size of QEMU's
    64-bit PCI hole, 0 if it is turned off. ``shared`` is memory that programs
    of the host share.
    """

    memory: tuple[MemoryPart, ...] = ()
    current_mib: float | None = None
    balloon: bool = True
    locked: bool = False
    hard_limit_mib: float | None = None
    immediate: bool = False
    backing: Backing = "anonymous"
    firmware: Firmware = "bios"
    mmio64_mib: int | None = None
    hole64_mib: float | None = None
    shared: tuple[SharedMemory, ...] = ()

    @property
    def memory_mib(self) -> float | None:
        """All of its memory; ``None`` if a part is not known."""
        parts = [part.mib for part in self.memory if part.mib is not None]
        return sum(parts) if parts and len(parts) == len(self.memory) else None

    @property
    def ballooned_mib(self) -> float:
        """The memory that the balloon takes away from the guest at the start."""
        whole, current = self.memory_mib, self.current_mib
        taken = self.balloon and whole is not None and current is not None and current < whole
        return (whole or 0) - (current or 0) if taken else 0

    @property
    def huge_mib(self) -> float:
        """The memory that comes from huge pages."""
        return sum(part.mib or 0 for part in self.memory if part.page_kib is not None)
