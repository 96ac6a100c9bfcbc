"""What can be done where an IOMMU group has more in it than the card.

A group is what the hardware cannot keep apart: below a port without ACS (Access Control
Services), devices reach each other without the IOMMU seeing it (kernel:
Documentation/driver-api/vfio.rst, drivers/iommu/iommu.c).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from tui.model import HostDev, Inventory, PciFunction, listed

IOMMU_FIRST = "turn the IOMMU on: see iommu.enabled"

UNREADABLE = "run vfiotop as root, and see whether the kernel's log tells of this device"

OVERRIDE = (
    "The ACS override patch (pcie_acs_override=) isolates nothing: the kernel then trusts an "
    "isolation that the hardware does not give, and the guest may reach its neighbours' memory"
)

_KINDS = {
    "0c03": "USB controller", "0108": "NVMe disk", "0106": "SATA controller",
    "01": "disk controller", "02": "network card", "04": "audio device", "07": "serial port",
}  # fmt: skip
"""Classes of devices that a guest can use as well as the host; the longer prefix first."""

_HOSTS_OWN = ("01", "02")
"""Classes of devices that the host may run from: disks and networks."""

INTEL = "8086"

ON_BOARD = "00"
"""The bus of what is part of the processor or the chipset."""


def ways_out(
    gpu: PciFunction,
    blocking: Sequence[PciFunction],
    inventory: Inventory,
    named: Mapping[str, HostDev],
) -> str:
    """What frees the group of ``gpu`` from the functions that block it, as sentences. ``named``
    are those that the card's guest takes already: what
    libvirt moves at its start (managed='yes') has to be moved by nobody else."""
    return f"{'; or '.join(_ways(gpu, blocking, inventory, named))}. {OVERRIDE}"


def detach(address: str) -> str:
    """The command by which libvirt takes a function from its driver for a guest."""
    return f"`virsh nodedev-detach {_node(address)}`"


def attach_again(address: str) -> str:
    """The command by which libvirt gives it back to its driver."""
    return f"`virsh nodedev-reattach {_node(address)}`"


def _node(address: str) -> str:
    return f"pci_{address.replace(':', '_').replace('.', '_')}"


def without_group(function: PciFunction) -> str:
    """What gets a group for a function where others have theirs, so that the IOMMU is on
    (kernel-parameters.txt on intel_iommu; drivers/pci/controller/vmd.c)."""
    if _bus(function) != ON_BOARD:
        return "put it into another slot; or turn off VMD in the firmware, if it is behind that"
    if function.vendor == INTEL:
        return (
            "take igfx_off out of intel_iommu= on the kernel's command line, if it is there: it "
            "leaves the processor's graphics out"
        )
    return "see what the kernel's log says of it: `dmesg | grep -i iommu`"


def _ways(
    gpu: PciFunction,
    blocking: Sequence[PciFunction],
    inventory: Inventory,
    named: Mapping[str, HostDev],
) -> Iterator[str]:
    on_board = _bus(gpu) == ON_BOARD
    if not on_board:
        yield "put the card into another slot"
    where = {
        "amd": " (“ACS Enable” and “AER Cap” under AMD CBS, NBIO)",
        "intel": " (“ACS Control” or “PCIe ACS”, on boards that have it)",
    }.get(inventory.iommu_kind or "", "")
    yield f"turn on ACS in the firmware{where}"
    gpu_slots = {f.slot for f in inventory.functions if f.is_gpu}
    given = [dev for f in blocking if (dev := named.get(f.address)) and not dev.managed]
    if given:
        them = "it" if len(given) == 1 else "them"
        commands = listed([detach(dev.address) for dev in given])
        yield f"{commands} first, if the host can do without {them}: the guest names {them} already"
    by_libvirt = [dev.address for dev in given if dev.by != "command line"]
    if by_libvirt:  # which knows nothing of QEMU's command line
        them = "it" if len(by_libvirt) == 1 else "them"
        yield f"set managed='yes' for {listed(by_libvirt)}, so that libvirt moves {them}"
    single = [f for f in blocking if f.slot not in gpu_slots and f.address not in named]
    movable = [f"{f.address} ({kind})" for f in single if (kind := _kind(f)) is not None]
    if movable:
        them = "it" if len(movable) == 1 else "them"
        yield f"give {listed(movable)} to the guest too, if the host can do without {them}"
    if single:
        yield _unbind(single, alone=len(blocking) == 1)


def _unbind(single: Sequence[PciFunction], *, alone: bool) -> str:
    """To the letter only for what takes no disk and no network from under the host."""
    harmless = alone and single[0].class_code[:2] not in _HOSTS_OWN
    address = shlex.quote(single[0].address) if harmless else "ADDRESS"
    whose = "its driver" if alone else "the driver of each one that the host can spare"
    return f"unbind {whose}: `echo {address} > /sys/bus/pci/devices/{address}/driver/unbind`"


def _kind(function: PciFunction) -> str | None:
    code = function.class_code
    return _KINDS.get(code[:4]) or _KINDS.get(code[:2])


def _bus(function: PciFunction) -> str:
    return function.address.split(":")[1] if function.address.count(":") == 2 else ""
