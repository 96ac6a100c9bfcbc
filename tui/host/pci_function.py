"""One PCI function as sysfs shows it (kernel: Documentation/ABI/testing/sysfs-bus-pci).

Nothing here wakes a sleeping card, and nothing reads an attribute that takes the device
lock (``driver_override``, ``sriov_numvfs``, ``uevent``): while an unbind is stuck, such a
read never returns.
"""

from __future__ import annotations

from tui.host import sysfs
from tui.host.mdevs import shares
from tui.host.pci_names import Names
from tui.host.sysfs import Attributes
from tui.host.tree import Tree, is_gone
from tui.model import GPU_CLASSES, CardVitals, Link, PciFunction
from tui.rules.viability import on_vfio

NOTHING_ANSWERED = "ffff"
"""What stands for an id that cannot be read; PCI itself answers so for a missing device."""

STATUS = "power/runtime_status"


def read_function(directory: Tree, address: str, names: Names) -> PciFunction | None:
    """The function in ``directory``, without ``link_max``; ``None`` when it is gone."""
    at = Attributes(directory)
    vendor, device = at.read("vendor", sysfs.pci_id), at.read("device", sysfs.pci_id)
    code = at.read("class", sysfs.class_code)
    if vendor is None or device is None or code is None:
        if is_gone(directory):
            return None
        for name, value in (("vendor", vendor), ("device", device), ("class", code)):
            if value is None and name not in at.unreadable:
                at.unreadable.append(name)
    vendor, device = vendor or NOTHING_ANSWERED, device or NOTHING_ANSWERED
    code = code or f"{NOTHING_ANSWERED}ff"
    name, vendor_name = names.of(address, vendor, device)
    mdevs = _mdevs(directory, at) if code[:4] in GPU_CLASSES else ()
    return PciFunction(
        address=address,
        vendor=vendor,
        device=device,
        class_code=code,
        name=name,
        vendor_name=vendor_name,
        subsystem=_subsystem(at),
        driver=at.link("driver", sysfs.driver_name),
        iommu_group=at.link("iommu_group", sysfs.count),
        boot_vga=at.read("boot_vga", sysfs.flag) if code.startswith("0300") else None,
        reset_methods=at.read("reset_method", sysfs.words),
        bars=at.read("resource", sysfs.bars) or (),
        sriov_total_vfs=at.read("sriov_totalvfs", sysfs.count),
        numa_node=at.read("numa_node", sysfs.node),
        unreadable=tuple(at.unreadable),
        mdevs=mdevs,
    )


def read_class(directory: Tree) -> str | None:
    """The class of the function in ``directory``, if it can be read."""
    return Attributes(directory).read("class", sysfs.class_code)


def read_vitals(directory: Tree, address: str) -> CardVitals | None:
    """power/runtime_status, power_state, current_link_* and the driver link of the card in
    ``directory``, and ``enable`` of one on VFIO's driver; ``None`` when it is gone. The link of
    a card that may sleep is not read. ``enable`` is a counter in memory: to show it takes no lock
    and wakes nothing (drivers/pci/pci-sysfs.c)."""
    at = Attributes(directory)
    status = at.read(STATUS, sysfs.word)
    state, driver = at.read("power_state", sysfs.word), at.link("driver", sysfs.driver_name)
    if status is None and is_gone(directory):
        return None
    link = _link(at, "current") if _awake(status, at) else None
    enabled = at.read("enable", sysfs.count) if on_vfio(driver) else None
    return CardVitals(address, status, state, link, driver, enabled=enabled)


def read_fastest_link(directory: Tree) -> tuple[bool, Link | None, tuple[str, ...]]:
    """Whether the card is awake and, only then, its max_link_speed and max_link_width;
    with the attributes that could not be read."""
    at = Attributes(directory)
    awake = _awake(at.read(STATUS, sysfs.word), at)
    return awake, _link(at, "max") if awake else None, tuple(at.unreadable)


def _awake(status: str | None, at: Attributes) -> bool:
    """Whether the link may be read: its attributes resume a sleeping device. Without the
    attribute (kernels without runtime power management) nothing sleeps."""
    return status == "active" or (status is None and STATUS not in at.unreadable)


def _link(at: Attributes, which: str) -> Link | None:
    gts = at.read(f"{which}_link_speed", sysfs.speed)
    lanes = at.read(f"{which}_link_width", sysfs.width)
    return None if gts is None or lanes is None else Link(gts, lanes)


def _mdevs(directory: Tree, at: Attributes) -> tuple[str, ...]:
    try:
        return shares(directory)
    except OSError:
        at.unreadable.append("mdevs")
        return ()


def _subsystem(at: Attributes) -> str | None:
    """subsystem_vendor and subsystem_device; zeros where the maker set none."""
    vendor = at.read("subsystem_vendor", sysfs.pci_id)
    device = at.read("subsystem_device", sysfs.pci_id)
    if vendor is None or device is None or vendor == device == "0000":
        return None
    return f"{vendor}:{device}"
