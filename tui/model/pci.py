"""The PCI functions of a host, and the IOMMU groups that isolate them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tui.model.address import slot_of

GPU_CLASSES = ("0300", "0302", "0380")
"""PCI classes of a GPU: VGA controller, 3D controller, other display controller."""

OTHER_DISPLAY = "0380"
"""PCI class of a GPU that is no VGA controller but may have screens: integrated graphics of recent
processors, second GPUs of notebooks. It has no boot_vga (kernel: drivers/pci/vgaarb.c)."""

BRIDGE_CLASS = "0604"
"""PCI class of a PCI-to-PCI bridge. Root ports have it too."""

STORAGE_CLASS, NETWORK_CLASS, MULTIMEDIA_CLASS = "01", "02", "04"
"""PCI base classes, without the subclass."""

AUDIO_CLASS, USB_CLASS = "0403", "0c03"
"""PCI classes of an HD Audio controller and of a USB controller."""

NVIDIA, INTEL, AMD, AMD_GRAPHICS = "10de", "8086", "1022", "1002"
"""PCI vendor ids. AMD has one for processors and chipsets and one, ATI's, for graphics."""

SMALL_BAR = 256 << 20
"""Bytes of a card's memory that the CPU reaches without Resizable BAR."""

NO_RESPONSE = "ffff"
"""In place of an id that cannot be read; PCI itself returns this for a device that does not
respond."""

IommuKind = Literal["intel", "amd", "smmu"]


class Link(Struct, frozen=True):
    """A PCI Express link: GT/s per lane, and the number of lanes."""

    speed_gts: float
    width: int

    @property
    def generation(self) -> int | None:
        """The PCIe generation of the speed: 2.5 is 1, 5 is 2, 8 is 3, and so on."""
        return {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}.get(self.speed_gts)


class Bar(Struct, frozen=True):
    """A base address register: its index (0-5), its size in bytes, and what it maps."""

    index: int
    size: int
    io: bool = False
    prefetchable: bool = False


class BarSizes(Struct, frozen=True):
    """The sizes that a resizable base address register can have, in bytes, in order."""

    index: int
    sizes: tuple[int, ...]


class PciFunction(Struct, frozen=True):
    """One PCI function as sysfs shows it (kernel: Documentation/ABI/testing/sysfs-bus-pci).

    ``class_code`` has six hex digits: class, subclass, interface. ``driver`` is the name of the
    bound driver, ``None`` without one. ``unreadable`` names the attributes that exist but could
    not be read: what depends on them is unknown. ``mdevs`` are the UUIDs of the mediated devices
    (shares) of a GPU. ``ports`` are the bridges above a GPU, from the root port down; empty if that
    is not known. ``resizable`` are the registers of a GPU with Resizable BAR; ``None``: not read,
    as a sleeping card is not. ``picture``: whether a connector of a GPU shows a picture, ``None``
    if that is not known.
    """

    address: str
    vendor: str
    device: str
    class_code: str
    name: str
    vendor_name: str | None = None
    subsystem: str | None = None
    driver: str | None = None
    iommu_group: int | None = None
    boot_vga: bool | None = None
    reset_methods: tuple[str, ...] | None = None
    link_max: Link | None = None
    bars: tuple[Bar, ...] = ()
    sriov_total_vfs: int | None = None
    numa_node: int | None = None
    unreadable: tuple[str, ...] = ()
    mdevs: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    resizable: tuple[BarSizes, ...] | None = None
    picture: bool | None = None

    @property
    def slot(self) -> str:
        return slot_of(self.address)

    @property
    def modalias(self) -> str:
        """The alias by which modprobe finds the driver's module (kernel: file2alias.c)."""
        maker, _, board = (self.subsystem or "0000:0000").upper().partition(":")
        vendor, device, code = (t.upper() for t in (self.vendor, self.device, self.class_code))
        return (
            f"pci:v0000{vendor}d0000{device}sv0000{maker}sd0000{board}"
            f"bc{code[:2]}sc{code[2:4]}i{code[4:]}"
        )

    @property
    def is_gpu(self) -> bool:
        return self.class_code[:4] in GPU_CLASSES

    @property
    def is_bridge(self) -> bool:
        return self.class_code[:4] == BRIDGE_CLASS


class Inventory(Struct, frozen=True, cache_hash=True):
    """All PCI functions by address, and the IOMMU groups.

    ``groups`` are the ids under /sys/kernel/iommu_groups. ``noiommu_groups`` are those named
    ``vfio-noiommu``, which isolate nothing. ``groups_known`` is False on a captured host without
    that folder: then an empty ``groups`` says nothing.
    """

    functions: tuple[PciFunction, ...]
    iommu_kind: IommuKind | None = None
    groups: tuple[int, ...] = ()
    noiommu_groups: tuple[int, ...] = ()
    groups_known: bool = True

    @property
    def gpus(self) -> tuple[PciFunction, ...]:
        return tuple(f for f in self.functions if f.is_gpu)

    @property
    def isolating(self) -> tuple[int, ...]:
        """The groups that an IOMMU makes. Without an IOMMU, VFIO makes noiommu groups (kernel:
        drivers/vfio/group.c)."""
        return tuple(group for group in self.groups if group not in self.noiommu_groups)
