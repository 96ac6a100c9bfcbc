"""Whether the host uses what is plugged into a card. A card with a USB port has a USB controller,
which moves with it.

No process has to hold a disk that is mounted or a network interface, so a scan for holders does not
find them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tui.model import (
    NETWORK_CLASS,
    STORAGE_CLASS,
    USB_CLASS,
    Check,
    DeviceUse,
    DeviceUses,
    Gpu,
    HostView,
    PciFunction,
    listed,
)
from tui.rules.hostdev_facts import on_host_driver

ID = "gpu.attached"

_MAY_HAVE_DEVICES = (STORAGE_CLASS, NETWORK_CLASS, USB_CLASS)


def check(gpu: Gpu, view: HostView, uses: DeviceUses) -> Check | None:
    """gpu.attached: the host does not need what leaves with the card. ``None`` if the card has no
    function on a host driver to which anything could be attached."""
    leaving = _leaving(gpu)
    if not leaving:
        return None
    mine = [uses.of(f.address) or _unread(f) for f in leaving]
    used = [each.text for use in mine for each in use.in_use]
    if used:
        return Check(
            ID, gpu.address, "fail", f"the host uses what is plugged into the card: {listed(used)}",
            "plug it into another port, or have the host stop using it",
        )  # fmt: skip
    unknown = [f"{what} ({use.address})" for use in mine for what in use.unreadable]
    if unknown:
        return Check(ID, gpu.address, "unknown", f"cannot tell {listed(unknown)}")
    others = (uses.of(f.address) for f in _other_controllers(gpu, view))
    keyboard = next(_keyboards(mine), None)
    if keyboard and not uses.builtin_keyboard and not any(_keyboards(filter(None, others))):
        return Check(
            ID, gpu.address, "warn",
            f"the keyboard {keyboard} is plugged into the card, and no other one was found",
            "plug it into another port, unless it is for the guest",
        )  # fmt: skip
    return Check(ID, gpu.address, "pass", "the host uses nothing that is plugged into the card")


def functions_to_inspect(gpu: Gpu, view: HostView) -> tuple[str, ...]:
    """The functions whose use must be read for the check; with a USB controller, all others too,
    for the host's keyboard."""
    leaving = _leaving(gpu)
    others = _other_controllers(gpu, view) if any(_is_usb(f) for f in leaving) else []
    return tuple(f.address for f in (*leaving, *others))


def _leaving(gpu: Gpu) -> list[PciFunction]:
    """The functions that a bind takes from a host driver, and that may have devices."""
    return [
        f for f in gpu.functions
        if f.class_code.startswith(_MAY_HAVE_DEVICES) and on_host_driver(f)
    ]  # fmt: skip


def _other_controllers(gpu: Gpu, view: HostView) -> list[PciFunction]:
    return [
        f for f in view.functions.values()
        if _is_usb(f) and on_host_driver(f) and f.address not in gpu.viability.moves
    ]  # fmt: skip


def _is_usb(function: PciFunction) -> bool:
    return function.class_code.startswith(USB_CLASS)


def _keyboards(uses: Iterable[DeviceUse]) -> Iterator[str]:
    return (each.name for use in uses for each in use.attached if each.kind == "keyboard")


def _unread(function: PciFunction) -> DeviceUse:
    return DeviceUse(function.address, unreadable=("what is attached to it",))
