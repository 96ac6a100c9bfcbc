"""What to do if an IOMMU group has more in it than the card.

A group is what the hardware cannot isolate: below a port without ACS (Access Control Services),
devices reach each other without passing the IOMMU (kernel: Documentation/driver-api/vfio.rst,
drivers/iommu/iommu.c).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence

from tui.model import (
    AMD,
    INTEL,
    MULTIMEDIA_CLASS,
    NETWORK_CLASS,
    NVIDIA,
    STORAGE_CLASS,
    USB_CLASS,
    HostDev,
    HostFacts,
    Inventory,
    PciFunction,
    bus_of,
    domain_of,
    virsh,
)
from tui.rules.boards import sibling_slots
from tui.rules.brand import is_system
from tui.rules.family import nvidia_model

IOMMU_FIRST = "turn the IOMMU on: see iommu.enabled"

UNREADABLE = "run vfiotop as root; if it is already, check the kernel log for this device"

OVERRIDE = "An ACS override isolates nothing: the guest can still reach the rest of the group"
"""Why we do not advise pcie_acs_override= of patched kernels: the kernel then assumes an isolation
that the hardware does not provide."""

_WHOLE_BOARD = "give the guest the whole board, whose GPUs share a slot"

_USEFUL = (STORAGE_CLASS, NETWORK_CLASS, MULTIMEDIA_CLASS, "0700", USB_CLASS)
"""Classes of devices that a guest can use: disks, networks, sound, serial ports, USB."""

FIRST_VMD_DOMAIN = 0x10000
"""The first PCI domain of devices behind Intel VMD: above all domains of the firmware, which have
16 bits (kernel: drivers/pci/controller/vmd.c)."""

ON_BOARD = "00"
"""The bus of functions that are part of the processor or the chipset."""

_OF_A_SERVER = ("1a03", "19e5")
"""PCI vendor ids of graphics in server management controllers: ASPEED, HiSilicon."""

_MATROX, _G200E = "102b", re.compile(r"052[24]|053[0-9a-f]")
"""Matrox's graphics for servers; its other devices are cards (drivers/gpu/drm/mgag200)."""

_NO_SLOTS = frozenset({8, 9, 10, 11, 12, 13, 14, 30, 31, 32, 36})
"""Chassis types with soldered graphics or graphics modules: portables, notebooks, handhelds, their
docking stations, all-in-ones, tablets, convertibles, stick PCs."""

_MODULE = re.compile(r"\b(?:SXM\d?|OAM|Embedded)\b")
"""Names of modules with a socket of their own, and of soldered graphics."""

UNKNOWN_HOST = HostFacts("unknown", "unknown")
"""Stands for a host whose facts are not known."""


def group_fix(
    gpu: PciFunction,
    blocking: Sequence[PciFunction],
    inventory: Inventory,
    named: Mapping[str, HostDev],
    facts: HostFacts = UNKNOWN_HOST,
) -> str:
    """How to free the group of ``gpu`` from the functions in ``blocking``, in at most two
    sentences. ``named`` are those of them that the card's guest takes already, by address."""
    if all(f.address in named for f in blocking):
        return _by_its_guest([named[f.address] for f in blocking])
    ways = ways_out(gpu, blocking, inventory, named, facts)
    return f"{ways}. {OVERRIDE}"


def ways_out(
    function: PciFunction,
    blocking: Sequence[PciFunction],
    inventory: Inventory,
    named: Container[str],
    facts: HostFacts,
) -> str:
    """How to separate a function from those in ``blocking``, not all of which the guest takes
    already (``named``)."""
    taken = any(f.address in named for f in blocking)
    siblings = sibling_slots(function, inventory.functions)
    of_board = [f for f in blocking if f.slot in siblings and f.address not in named]
    others = [f for f in blocking if f.slot not in siblings]
    slot = slot_advice(function, inventory.functions, facts) if others else None
    acs = {
        "amd": "“ACS Enable” in the firmware (AMD CBS)",
        "intel": "ACS in the firmware if it has that setting",
    }.get(inventory.iommu_kind or "", "ACS in the firmware")
    first = f"{slot}, or turn on {acs}" if slot is not None else f"turn on {acs}"
    gpu_slots = {f.slot for f in inventory.functions if f.is_gpu}
    rest = [f for f in others if f.address not in named]
    way = _spare(rest) if not taken else "give the guest the rest, if the host can spare it"
    spare = "" if not rest or any(f.slot in gpu_slots for f in rest) else f"; or {way}"
    board = f"; {'and' if others else 'or'} {_WHOLE_BOARD}" if of_board else ""
    return f"{first}{spare}{board}"


def _by_its_guest(taken: Sequence[HostDev]) -> str:
    """What remains to be done if the card's guest takes everything that blocks the group. libvirt
    moves managed='yes' devices at the start; it does not know of QEMU's command line."""
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
    """The command that binds a function to vfio-pci through libvirt."""
    return f"`{virsh('nodedev-detach', _node(address))}`"


def reattach(address: str) -> str:
    """The command that returns a function to its driver through libvirt."""
    return f"`{virsh('nodedev-reattach', _node(address))}`"


def _node(address: str) -> str:
    return f"pci_{address.replace(':', '_').replace('.', '_')}"


def missing_group_fix(
    function: PciFunction, functions: Iterable[PciFunction] = (), facts: HostFacts = UNKNOWN_HOST
) -> str:
    """How to get a group for a function that has none while the IOMMU is on
    (kernel-parameters.txt on intel_iommu)."""
    slot = slot_advice(function, functions, facts)
    if domain_of(function.address) >= FIRST_VMD_DOMAIN:
        vmd = "turn off VMD in the firmware: the device is behind it"
        return f"{slot}; or {vmd}" if slot is not None else vmd
    log = "check the kernel log: `dmesg | grep -i iommu`"
    if slot is not None:
        return f"{slot}; or {log}"
    if bus_of(function.address) == ON_BOARD and function.vendor == INTEL:
        return (
            "remove igfx_off from intel_iommu= on the kernel command line, if it is there: it "
            "exempts the processor's graphics"
        )
    return log


def slot_advice(
    function: PciFunction, functions: Iterable[PciFunction], facts: HostFacts
) -> str | None:
    """The advice to try another slot; ``None`` if the device cannot be moved."""
    movable = can_change_slot(function, functions, facts)
    if movable is None:
        return "try another slot, if it is a plug-in card"
    return "try another slot" if movable else None


def can_change_slot(
    function: PciFunction, functions: Iterable[PciFunction], facts: HostFacts = UNKNOWN_HOST
) -> bool | None:
    """Whether a device can be put into another slot; ``None`` if that is not known.

    ``functions`` are functions of the host, including all of the device's own slot. An APU's
    graphics may be on any bus, but share their slot with parts of the processor.
    """
    slot = f"{function.slot}."
    parts = [function, *(f for f in functions if f.address[: len(slot)] == slot)]
    cards = [f for f in parts if f.is_gpu]
    if (
        bus_of(function.address) == ON_BOARD
        or facts.chassis in _NO_SLOTS
        or any(f.vendor == AMD for f in parts)
        or any(_fixed(f) for f in cards)
    ):
        return False
    models = [nvidia_model(f.device, f.name) for f in cards if f.vendor == NVIDIA]
    return True if any(model.form == "desktop" for model in models) else None


def _fixed(gpu: PciFunction) -> bool:
    """Whether graphics are known not to be a card in a slot."""
    if gpu.vendor == _MATROX:
        return _G200E.fullmatch(gpu.device) is not None
    if gpu.vendor != NVIDIA:
        return gpu.vendor in _OF_A_SERVER or _MODULE.search(gpu.name) is not None
    notebook = nvidia_model(gpu.device, gpu.name).form == "notebook"
    return notebook or is_system(gpu.device) or _MODULE.search(gpu.name) is not None


def _spare(blocking: Sequence[PciFunction]) -> str:
    """How the host gives up everything that blocks the group, if it can."""
    useful = all(f.class_code.startswith(_USEFUL) for f in blocking)
    if len(blocking) == 1:
        way = "give it to the guest" if useful else "unbind its driver"
        return f"{way}, if the host can spare it"
    way = "give them to the guest" if useful else "unbind their drivers"
    return f"{way}, if the host can spare them"
