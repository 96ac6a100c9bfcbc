"""What can be done where an IOMMU group has more in it than the card.

A group is what the hardware cannot keep apart: below a port without ACS (Access Control
Services), devices reach each other without the IOMMU seeing it (kernel:
Documentation/driver-api/vfio.rst, drivers/iommu/iommu.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from tui.model import NVIDIA, HostDev, HostFacts, Inventory, PciFunction
from tui.rules.brand import is_system
from tui.rules.family import nvidia_model

IOMMU_FIRST = "turn the IOMMU on: see iommu.enabled"

UNREADABLE = "run vfiotop as root; if it is, see what the kernel's log tells of this device"

OVERRIDE = "An ACS override isolates nothing: the guest can reach its neighbours"
"""What pcie_acs_override= of a patched kernel comes to: the kernel then trusts an isolation that
the hardware does not give."""

_OF_USE = ("01", "02", "04", "0700", "0c03")
"""Classes of devices that a guest can use as well as the host: disks, networks, sound, serial
ports, USB."""

INTEL, AMD = "8086", "1022"
"""Makers of processors and chipsets; AMD's graphics cards are 1002's."""

ON_BOARD = "00"
"""The bus of what is part of the processor or the chipset."""

_OF_A_SERVER = ("1a03", "19e5")
"""Makers of the graphics that servers are managed by: ASPEED, HiSilicon."""

_MATROX, _G200E = "102b", re.compile(r"052[24]|053[0-9a-f]")
"""Matrox's for the same; others of theirs are cards (drivers/gpu/drm/mgag200)."""

_NO_SLOTS = frozenset({8, 9, 10, 11, 12, 13, 14, 30, 31, 32, 36})
"""Types of chassis whose graphics are soldered, or modules: portables, notebooks and hand helds,
the docking station that one is in, all-in-ones, tablets and their like, sticks."""

_MODULE = re.compile(r"\b(?:SXM\d?|OAM|Embedded)\b")
"""Names of what is put into a socket of its own, or soldered."""

UNKNOWN_HOST = HostFacts("unknown", "unknown")
"""A host of which nothing is known."""


def group_fix(
    gpu: PciFunction,
    blocking: Sequence[PciFunction],
    inventory: Inventory,
    named: Mapping[str, HostDev],
    facts: HostFacts = UNKNOWN_HOST,
) -> str:
    """What frees the group of ``gpu`` from the functions that block it, in two sentences at most.
    ``named`` are those that the card's guest takes already, by address."""
    taken = [named[f.address] for f in blocking if f.address in named]
    if len(taken) == len(blocking):
        return _by_its_guest(taken)
    slot = slot_advice(gpu, inventory.functions, facts)
    acs = {
        "amd": "“ACS Enable” in the firmware (AMD CBS)",
        "intel": "ACS in the firmware, if it has that",
    }.get(inventory.iommu_kind or "", "ACS in the firmware")
    first = f"{slot}, or {acs}" if slot is not None else f"turn on {acs}"
    gpu_slots = {f.slot for f in inventory.functions if f.is_gpu}
    rest = [f for f in blocking if f.address not in named]
    way = _spare(rest) if not taken else "give the guest the rest, if the host can spare it"
    spare = "" if any(f.slot in gpu_slots for f in rest) else f"; or {way}"
    return f"{first}{spare}. {OVERRIDE}"


def _by_its_guest(taken: Sequence[HostDev]) -> str:
    """What is left to do where the card's guest takes all that blocks its group. What libvirt
    moves at its start (managed='yes') has to be moved by nobody else, and of QEMU's command line
    libvirt knows nothing."""
    unmoved = [dev for dev in taken if not dev.managed]
    them = "it" if len(unmoved or taken) == 1 else "them"
    if not unmoved:
        return f"start the guest: libvirt then moves {them}, unless the host needs {them}"
    more = ", and so on," if len(unmoved) > 1 else ""
    first = f"{detach(unmoved[0].address)}{more} first, if the host can spare {them}: "
    by_libvirt = all(dev.by != "command line" for dev in unmoved)
    managed = f"; or set managed='yes' for {them}, so that libvirt does it" if by_libvirt else ""
    return f"{first}the guest names {them} already{managed}"


def detach(address: str) -> str:
    """The command by which libvirt takes a function from its driver for a guest."""
    return f"`virsh nodedev-detach {_node(address)}`"


def reattach(address: str) -> str:
    """The command by which libvirt gives it back to its driver."""
    return f"`virsh nodedev-reattach {_node(address)}`"


def _node(address: str) -> str:
    return f"pci_{address.replace(':', '_').replace('.', '_')}"


def missing_group_fix(
    function: PciFunction, beside: Iterable[PciFunction] = (), facts: HostFacts = UNKNOWN_HOST
) -> str:
    """What gets a group for a function where others have theirs, so that the IOMMU is on
    (kernel-parameters.txt on intel_iommu; drivers/pci/controller/vmd.c)."""
    slot = slot_advice(function, beside, facts)
    if slot is not None:
        return f"{slot}; or turn off VMD in the firmware, if it is behind that"
    if _bus(function) == ON_BOARD and function.vendor == INTEL:
        return (
            "take igfx_off out of intel_iommu= on the kernel's command line, if it is there: it "
            "leaves the processor's graphics out"
        )
    return "see what the kernel's log says of it: `dmesg | grep -i iommu`"


def slot_advice(
    function: PciFunction, beside: Iterable[PciFunction], facts: HostFacts
) -> str | None:
    """The advice to move a device; ``None`` where it cannot be moved."""
    there = can_change_slot(function, beside, facts)
    if there is None:
        return "try another slot, if it is in one"
    return "try another slot" if there else None


def can_change_slot(
    function: PciFunction, beside: Iterable[PciFunction], facts: HostFacts = UNKNOWN_HOST
) -> bool | None:
    """Whether a device can be put into another slot; ``None`` where that is not known.

    ``beside`` are functions of the host, among them all of the device's own slot: an APU's
    graphics, which may be on any bus, have parts of the processor there.
    """
    slot = f"{function.slot}."
    parts = [function, *(f for f in beside if f.address[: len(slot)] == slot)]
    cards = [f for f in parts if f.is_gpu]
    if (
        _bus(function) == ON_BOARD
        or facts.chassis in _NO_SLOTS
        or any(f.vendor == AMD for f in parts)
        or any(_fixed(f) for f in cards)
    ):
        return False
    models = [nvidia_model(f.device, f.name) for f in cards if f.vendor == NVIDIA]
    return True if any(model.form == "desktop" for model in models) else None


def _fixed(gpu: PciFunction) -> bool:
    """Whether graphics are known to be no card that is in a slot."""
    if gpu.vendor == _MATROX:
        return _G200E.fullmatch(gpu.device) is not None
    if gpu.vendor != NVIDIA:
        return gpu.vendor in _OF_A_SERVER or _MODULE.search(gpu.name) is not None
    notebook = nvidia_model(gpu.device, gpu.name).form == "notebook"
    return notebook or is_system(gpu.device) or _MODULE.search(gpu.name) is not None


def _spare(blocking: Sequence[PciFunction]) -> str:
    """How the host does without what blocks the group, which helps where it spares all of it."""
    of_use = all(f.class_code.startswith(_OF_USE) for f in blocking)
    if len(blocking) == 1:
        deed = "give it to the guest" if of_use else "unbind its driver"
        return f"{deed}, if the host can spare it"
    deed = "give the guest these" if of_use else "unbind all of these"
    return f"{deed}, if the host can spare them"


def _bus(function: PciFunction) -> str:
    return function.address.split(":")[1] if function.address.count(":") == 2 else ""
