"""The checks in two or three words each, for the screen; their ids are for programs."""

from __future__ import annotations

from tui.model import Verdict
from widgets.lines import Tone

VERDICT_SIGNS: dict[Verdict, tuple[str, Tone]] = {
    "pass": ("passed", "good"), "warn": ("warned", "warn"),
    "fail": ("failed", "bad"), "unknown": ("unknown", "warn"),
}  # fmt: skip
"""The name of each verdict's sign, and its tone."""

NAMES = {
    "host.not-shared": "display stays",
    "host.two-gpus": "two GPUs",
    "iommu.viable": "group viable",
    "r465.family": "card allowed",
    "r465.one-vm": "one GeForce guest",
    "r465.sriov": "no SR-IOV",
    "guest.inactive": "no guest has it",
    "nvidia.release": "driver releases it",
    "holders": "not in use",
    "guest.allowed": "right guest",
    "guest.hostdevs-complete": "all functions listed",
    "guest.devices": "devices free",
    "guest.managed": "managed='no'",
    "guest.pinning": "CPUs of its own",
    "guest.rom": "ROM file",
    "guest.mmio-space": "room for BARs",
    "guest.looking-glass": "Looking Glass",
    "gpu.user": "no unknown guest",
    "gpu.attached": "what is plugged in",
    "gpu.early-binding": "binding at boot",
    "gpu.framebuffer": "no framebuffer",
    "gpu.reset": "can be reset",
    "gpu.d3cold": "D3cold",
    "gpu.resizable-bar": "Resizable BAR",
    "host.kernel-options": "kernel options",
    "host.second-writer": "no second writer",
    "guest.memory": "enough memory",
    "guest.balloon": "no balloon",
    "guest.locked-memory": "may lock memory",
    "guest.cards": "one card moves",
    "guest.unsaved": "unsaved data",
    "guest.state": "state fits",
    "guest.gpu": "card chosen",
    "r465.guest-driver": "driver in the guest",
    "iommu.enabled": "IOMMU on",
    "vfio.available": "vfio-pci",
    "libvirt.reachable": "libvirt",
    "privilege": "root",
    "host.linux": "Linux",
    "kernel.log": "kernel log",
    "gpu.answers": "card answers",
    "swap.movable": "not busy",
    "swap.half-bound": "on one side",
    "swap.needed": "move needed",
    "usb.device": "nobody has it",
    "usb.keyboard": "another keyboard",
    "usb.disk": "disk not used",
    "usb.network": "network not used",
    "usb.bluetooth": "no Bluetooth input",
    "usb.uses": "uses known",
}


def check_name(id: str) -> str:
    """What a check is called; its id if it has no name."""
    return NAMES.get(id, id)
