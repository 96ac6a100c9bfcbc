"""QEMU's command line, token by token: what names host devices stays, everything else goes.

A guest's own arguments may hold anything: passwords, keys, cloud-init. What is left must still
parse to the same result; otherwise it is replaced by arguments that do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tui.host.capture.known import QEMU_WORDS, SECRET
from tui.host.capture.standins import StandIns
from tui.host.libvirt.qemu_args import HostArguments, host_address, host_arguments

_TOKEN = re.compile(r"[^\s,={}\[\]\"':/\\]+")
_KEPT = re.compile(
    r"(?:(?<![0-9A-Za-z])(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{1,2}:[0-9a-fA-F]{1,2}(?:\.[0-7])?"
    r"(?![0-9A-Za-z:]))"
    r"|(?P<uuid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<path>/sys/(?:bus|devices|class)/[A-Za-z0-9_./:-]*)"
)
_SAFE_BEFORE = re.compile(r"(?:host|hostaddr|sysfsdev|device|nvme://)[\"']?\s*[=:]?\s*[\"']?$")
_HOLDS_ANYTHING = re.compile(r"--?(?:object|fw_cfg|smbios|append)\b")
"""Options whose arguments may hold a secret that nothing marks as one."""

_ROOM = re.compile(
    r"(?:name=)?opt/ovmf/X-PciMmio64Mb,string=[0-9]{1,9}"
    r"|(?:q35|i440FX)-pcihost\.pci-hole64-size=[0-9]{1,15}[kKmMgGtT]?"
)
"""Values that reveal only the size of the window for 64-bit BARs."""

_UNREADABLE, _UNREADABLE_PATH = "names a host device by a path that cannot be read", ".."


def arguments(words: Sequence[str], stand_ins: StandIns) -> list[str]:
    """Return the words of a command line with only what names host devices."""
    kept = [_word(word, stand_ins) for word in words]
    before, after = host_arguments(words), host_arguments(kept)
    if _found(before, stand_ins) == (after.functions, after.mdevs, after.doubt):
        return kept
    return _written_anew(before, stand_ins)


def option_value(key: str, value: str, stand_ins: StandIns) -> str | None:
    """Return the value of a device's property if it names a host device; else ``None``."""
    if key in ("host", "hostaddr"):
        return host_address(value)
    if key != "sysfsdev":
        return None
    found = HostArguments()
    found.add_sysfs_path(value)
    for address in found.functions:
        return f"/sys/bus/pci/devices/{address}"
    for uuid, parent in found.mdevs:
        return _mdev_path(stand_ins.uuid(uuid), parent)
    return _UNREADABLE_PATH if _UNREADABLE in (found.doubt or "") else None


def _mdev_path(uuid: str, parent: str | None) -> str:
    above = "/sys/bus/mdev/devices" if parent is None else f"/sys/devices/pci0000:00/{parent}"
    return f"{above}/{uuid}"


def without_secrets(words: Sequence[str], stand_ins: StandIns) -> list[str]:
    """Return the words of a command line without those that may hold a secret."""
    kept, before = [], ""
    for word in words:
        if _HOLDS_ANYTHING.match(before) or _HOLDS_ANYTHING.match(word) or SECRET.search(word):
            kept.append(_word(word, stand_ins))
        else:
            kept.append(word)
        before = word
    return kept


def _word(word: str, stand_ins: StandIns) -> str:
    if _ROOM.fullmatch(word):
        return word
    pieces, at = [], 0
    for found in _KEPT.finditer(word):
        plain = word[at : found.start()]
        pieces.append(_TOKEN.sub(lambda token: _token(token[0], stand_ins), plain))
        text = found[0]
        if found["uuid"]:
            text = stand_ins.uuid(text)
        elif found["path"]:
            text = stand_ins.name(text)
        elif not _SAFE_BEFORE.search(plain):
            text = _TOKEN.sub(lambda token: _token(token[0], stand_ins), text)
        pieces.append(text)
        at = found.end()
    pieces.append(_TOKEN.sub(lambda token: _token(token[0], stand_ins), word[at:]))
    return "".join(pieces)


def _token(token: str, stand_ins: StandIns) -> str:
    if token.lstrip("-") in QEMU_WORDS:
        return token
    return stand_ins.of("QEMU arguments", token)


def _found(
    parsed: HostArguments, stand_ins: StandIns
) -> tuple[list[str], list[tuple[str, str | None]], str | None]:
    mdevs = [(stand_ins.uuid(uuid), parent) for uuid, parent in parsed.mdevs]
    return parsed.functions, mdevs, parsed.doubt


def _written_anew(parsed: HostArguments, stand_ins: StandIns) -> list[str]:
    """Return arguments that parse to the same result."""
    words = []
    for address in parsed.functions:
        words += ["-device", f"vfio-pci,host={address}"]
    for uuid, parent in _found(parsed, stand_ins)[1]:
        words += ["-device", f"vfio-pci,sysfsdev={_mdev_path(uuid, parent)}"]
    if parsed.doubt is not None:
        words += _DOUBTS.get(parsed.doubt.partition("command line ")[2], ["vfio-pci"])
    return words


_DOUBTS = {
    "names a host device by an address that cannot be read": ["-device", "vfio-pci,host=x"],
    _UNREADABLE: ["-device", f"vfio-pci,sysfsdev={_UNREADABLE_PATH}"],
    "names a host device by a path that is not a PCI address": ["-device", "vfio-pci,sysfsdev=x"],
    "has an option that cannot be read": ["-device", "{x"],
    "has QEMU read a file (-readconfig)": ["-readconfig", "x"],
    "has a VFIO device of an unknown kind": ["-device", "x-vfio"],
    "has a VFIO device without an address": ["-device", "vfio-pci"],
    "mentions a host device in a form that cannot be read": ["vfio-pci"],
}
"""Arguments that raise each doubt (tui.host.libvirt.qemu_args)."""
