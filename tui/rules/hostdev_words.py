"""How to fix the devices of a domain, in the words of its XML."""

from __future__ import annotations

from collections.abc import Sequence

from tui.model import GuestDevice, HostDev, listed
from tui.rules.guest_checks import address_xml
from tui.rules.hostdev_facts import DeviceFacts
from tui.rules.isolation import detach

REPEATABLE = 60
"""The longest reason, in characters, that is repeated for every device."""

_REMOVE = "remove "
_INSTEAD = "; instead of managed='yes', "

_ELEMENTS = {
    "hostdev": "<hostdev>", "disk": "<disk type='nvme'>", "interface": "<interface type='hostdev'>",
    "mdev": "<hostdev type='mdev'>", "command line": "<qemu:arg>",
}  # fmt: skip


def not_moved(dev: HostDev) -> str:
    """Why nobody moves the device at the start."""
    if dev.by == "command line":
        return "and QEMU cannot take it from there"
    return "and libvirt does not move it (managed='no')"


def remove(dev: HostDev, facts: DeviceFacts) -> str:
    """How to remove the device's element from the definition."""
    stale = facts.stale.get(dev.address)
    ours = dev.by == "hostdev" and stale is not None and stale.certain and not facts.readonly
    which = dev.address if dev.by == "command line" else address_xml(dev.address)
    element = f"the {_ELEMENTS[dev.by]} with {which}"
    edit = f"{facts.domain.edit}: {_REMOVE}{element}"
    return f"press w, or {edit}" if ours else edit


def bind_by_hand(dev: HostDev, facts: DeviceFacts) -> str:
    """How to bring the device to vfio-pci."""
    command = f"{detach(dev.address)} before each start"
    if dev.by == "command line":
        return command
    which = f"the {_ELEMENTS[dev.by]} with {address_xml(dev.address)}"
    return f"{facts.domain.edit}: set managed='yes' in {which}{_INSTEAD}{command}"


def grouped(found: Sequence[GuestDevice]) -> list[list[GuestDevice]]:
    """The devices, with those together whose common reason is too long to repeat."""
    groups: dict[str, list[GuestDevice]] = {}
    for device in found:
        why = device.why.removeprefix(device.address)
        groups.setdefault(why if len(why) > REPEATABLE else device.why, []).append(device)
    return list(groups.values())


def reason(group: Sequence[GuestDevice]) -> str:
    """The common reason of a group from ``grouped``."""
    first, *rest = group
    if not rest:
        return first.why
    return f"{first.why}; the same applies to {listed([device.address for device in rest])}"


def fixes(bad: Sequence[GuestDevice]) -> str | None:
    """The fixes of these devices, each once, with the edits of one command in one clause."""
    edits: dict[str, list[str]] = {}
    others: list[str] = []
    for fix in dict.fromkeys(device.fix for device in bad if device.fix):
        edit, _, other = fix.partition(_INSTEAD)
        command, _, rest = edit.partition(": ")
        edits.setdefault(command, []).append(rest)
        others += [other] if other else []
    text = "; ".join(
        f"{command}: {_joined(rests)}" if any(rests) else command
        for command, rests in edits.items()
    )
    return f"{text}{_INSTEAD}{', '.join(others)}" if others else text or None


def _joined(edits: Sequence[str]) -> str:
    """The removals first, under one verb, and then the other edits."""
    removals = [edit for edit in edits if edit.startswith(_REMOVE)]
    shorter = [*removals[:1], *(edit.removeprefix(_REMOVE) for edit in removals[1:])]
    return " and ".join((*shorter, *(edit for edit in edits if edit not in removals)))
