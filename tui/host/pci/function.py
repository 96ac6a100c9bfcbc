"""One PCI function as sysfs shows it (kernel: Documentation/ABI/testing/sysfs-bus-pci).

Nothing here wakes a sleeping card. On a live host nothing reads an attribute that takes the device
lock (``driver_override``, ``sriov_numvfs``, ``uevent``): while an unbind is stuck, such a read
never returns. A ``copied`` function belongs to a captured host.
"""

from __future__ import annotations

from msgspec import Struct

from tui.host import sysfs
from tui.host.pci.connectors import has_picture
from tui.host.pci.mdevs import child_mdevs
from tui.host.pci.names import Names
from tui.host.pci.power import read_status
from tui.host.pci.uevent import read_uevent
from tui.host.sysfs import Attributes
from tui.host.tree import Tree, exists, is_gone
from tui.model import (
    GPU_CLASSES,
    NO_RESPONSE,
    BarSizes,
    CardVitals,
    Link,
    PciFunction,
    is_vfio_driver,
)


def read_function(
    directory: Tree, address: str, names: Names, *, copied: bool = False
) -> PciFunction | None:
    """Return the function in ``directory``, without ``link_max``; ``None`` when it is gone."""
    at = Attributes(directory)
    vendor, device = at.read("vendor", sysfs.pci_id), at.read("device", sysfs.pci_id)
    code = at.read("class", sysfs.class_code)
    driver = at.link("driver", sysfs.driver_name)
    if copied and None in (vendor, device, code, driver):
        again = read_uevent(at)
        vendor, device = vendor or again.vendor, device or again.device
        code, driver = code or again.class_code, driver or again.driver
    found = {"vendor": vendor, "device": device, "class": code, "driver": driver}
    at.unreadable = [name for name in at.unreadable if found.get(name) is None]
    if vendor is None or device is None or code is None:
        if is_gone(directory):
            return None
        for name in ("vendor", "device", "class"):
            if found[name] is None and name not in at.unreadable:
                at.unreadable.append(name)
    vendor, device = vendor or NO_RESPONSE, device or NO_RESPONSE
    code = code or f"{NO_RESPONSE}ff"
    name, vendor_name = names.of(address, vendor, device)
    is_gpu = code[:4] in GPU_CLASSES
    mdevs = _mdevs(directory, at) if is_gpu else ()
    return PciFunction(
        address=address,
        vendor=vendor,
        device=device,
        class_code=code,
        name=name,
        vendor_name=vendor_name,
        subsystem=_subsystem(at),
        driver=driver,
        iommu_group=at.link("iommu_group", sysfs.count),
        boot_vga=at.read("boot_vga", sysfs.flag) if code.startswith("0300") else None,
        reset_methods=at.read("reset_method", sysfs.words),
        bars=at.read("resource", sysfs.bars) or (),
        sriov_total_vfs=at.read("sriov_totalvfs", sysfs.count),
        numa_node=at.read("numa_node", sysfs.numa_node),
        unreadable=tuple(at.unreadable),
        mdevs=mdevs,
        picture=has_picture(directory, driver) if is_gpu else None,
    )


def read_class(directory: Tree) -> str | None:
    """Return the class of the function in ``directory``, if it can be read."""
    return Attributes(directory).read("class", sysfs.class_code)


def read_vitals(directory: Tree, address: str, *, copied: bool = False) -> CardVitals | None:
    """Return the vitals of the card in ``directory``; ``None`` when it is gone.

    Reads power/runtime_status, power_state, current_link_* and the driver link, and ``enable`` of a
    card on VFIO's driver. The link of a card that may be asleep is not read. ``enable`` is a
    counter in memory: reading it takes no lock and wakes nothing (drivers/pci/pci-sysfs.c).
    """
    at = Attributes(directory)
    status, awake = read_status(at)
    state, driver = at.read("power_state", sysfs.word), at.link("driver", sysfs.driver_name)
    if driver is None and copied:
        driver = read_uevent(at).driver
    if status is None and is_gone(directory):
        return None
    link = _link(at, "current") if awake else None  # its attributes resume a sleeping device
    enabled = at.read("enable", sysfs.count) if is_vfio_driver(driver) else None
    return CardVitals(address, status, state, link, driver, enabled=enabled)


class AwakeFacts(Struct, frozen=True):
    """What is read of a card only while it is awake: its fastest link, and its resizable
    BARs."""

    link: Link | None = None
    resizable: tuple[BarSizes, ...] | None = None


def read_awake_facts(directory: Tree) -> tuple[bool, AwakeFacts, tuple[str, ...]]:
    """Return whether the card is awake, what can then be read, and the unreadable attributes.

    max_link_speed, max_link_width and resourceN_resize resume a sleeping device, so they are read
    only while the card is awake (kernel: drivers/pci/pci-sysfs.c).
    """
    at = Attributes(directory)
    _, awake = read_status(at)
    if not awake:
        return False, AwakeFacts(), tuple(at.unreadable)
    link = _link(at, "max")
    unreadable = tuple(at.unreadable)
    return True, AwakeFacts(link, _resizable(directory, at)), unreadable


def _resizable(directory: Tree, at: Attributes) -> tuple[BarSizes, ...] | None:
    """Return the BARs with a ``resourceN_resize`` file.

    ``None`` if one cannot be read, or if a copy has none: it may have lost them.
    """
    before = len(at.unreadable)
    found = []
    for index in range(6):
        if exists(directory, f"resource{index}_resize"):
            sizes = at.read(f"resource{index}_resize", sysfs.bar_sizes)
            found.append(BarSizes(index, sizes or ()))
    if len(at.unreadable) > before or (directory.is_copied and not found):
        return None
    return tuple(found)


def _link(at: Attributes, which: str) -> Link | None:
    gts = at.read(f"{which}_link_speed", sysfs.link_speed)
    lanes = at.read(f"{which}_link_width", sysfs.link_width)
    return None if gts is None or lanes is None else Link(gts, lanes)


def _mdevs(directory: Tree, at: Attributes) -> tuple[str, ...]:
    try:
        return child_mdevs(directory)
    except OSError:
        at.unreadable.append("mdevs")
        return ()


def _subsystem(at: Attributes) -> str | None:
    """Return subsystem_vendor and subsystem_device; zeros if the vendor set none."""
    vendor = at.read("subsystem_vendor", sysfs.pci_id)
    device = at.read("subsystem_device", sysfs.pci_id)
    if vendor is None or device is None or vendor == device == "0000":
        return None
    return f"{vendor}:{device}"
