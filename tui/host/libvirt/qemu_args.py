"""Finds the PCI functions and mediated devices on a QEMU command line.

QEMU takes an option with one dash or two, and its argument as the next word (QEMU,
softmmu/vl.c). Wrapper scripts are more lenient, so an option and its argument in one word count,
too. An argument that mentions VFIO and cannot be parsed is a doubt: missing a card would make it
look free.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from tui.host.libvirt.qemu_opts import Opts, nested, parse_argument
from tui.model.address import is_address
from tui.model.bounded import UUID

_PCI_DEVICES = frozenset({
    "vfio-pci", "vfio-pci-nohotplug", "pci-assign", "kvm-pci-assign", "xen-pci-passthrough",
})  # fmt: skip
"""Devices that take a PCI function of the host or a mediated device. The last three are from older
QEMUs and from Xen."""

_OTHER_VFIO_DEVICES = frozenset({
    "vfio-ap", "vfio-ccw", "vfio-platform", "vfio-amd-xgbe", "vfio-calxeda-xgmac",
    "vfio-pci-igd-lpc-bridge", "vfio-user-pci",
})  # fmt: skip
"""VFIO devices that take no PCI function of the host."""

_ADDRESS_KEYS = ("host", "hostaddr")
_DRIVE_OPTIONS = frozenset(
    {"drive", "blockdev", "hda", "hdb", "hdc", "hdd", "cdrom", "sd", "pflash"}
)
_TEXT_OPTIONS = frozenset({"append", "D", "fw_cfg", "name", "smbios", "trace", "d"})
"""Options whose argument is free text for the guest or a log."""

_NUMBER = r"[ \t\n\v\f\r]*\+?(?:0[xX])?([0-9a-fA-F]+)"
_HOST = re.compile(
    rf"(?:{_NUMBER}:)?{_NUMBER}:{_NUMBER}(?:\.[ \t\n\v\f\r]*\+?([0-9]+))?[ \t\n\v\f\r]*"
)
_UUID = re.compile(UUID)
_NVME = re.compile(r"nvme://([^/,\"'\s]*)")
_OPTION = re.compile(r"--?([A-Za-z][\w-]*)(?:(=|\s+)(.*))?", re.DOTALL)
_MENTIONS_VFIO = re.compile(r"vfio-pci|nvme://|pci-assign|sysfsdev")


class HostArguments(Struct):
    """The devices that a command line takes. ``doubt`` is why there may be more."""

    functions: list[str] = field(default_factory=list)
    mdevs: list[tuple[str, str | None]] = field(default_factory=list)
    """UUIDs, each with the parent function if the path names it."""
    doubt: str | None = None

    def add_doubt(self, why: str) -> None:
        """Record a doubt; only the first one is reported."""
        self.doubt = self.doubt or f"its QEMU command line {why}"

    def add_address(self, text: str) -> None:
        """Add the function at ``[domain:]bus:slot[.function]``, in hexadecimal."""
        address = host_address(text)
        if address is None:
            self.add_doubt("names a host device by an address that cannot be read")
        else:
            self.functions.append(address)

    def add_sysfs_path(self, path: str) -> None:
        """Add the device with this folder in sysfs."""
        parts = [part for part in path.lower().split("/") if part not in ("", ".")]
        last, above = ["", "", *parts][-1], ["", "", *parts][-2]
        if ".." in parts or not parts:
            self.add_doubt("names a host device by a path that cannot be read")
        elif is_address(last):
            self.functions.append(last)
        elif _UUID.fullmatch(last):
            self.mdevs.append((last, above if is_address(above) else None))
        else:
            self.add_doubt("names a host device by a path that is not a PCI address")


def host_address(text: str) -> str | None:
    """Parse a PCI address as QEMU does for ``host=`` (hw/core/qdev-properties-system.c).

    Numbers are as for strtoul(3), and the domain defaults to 0. Newer QEMUs require a function;
    it defaults to 0 here, as in older ones.
    """
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    domain, bus, slot = (int(part or "0", 16) for part in found.groups()[:3])
    function = int(found[4] or "0")
    if domain > 0xFFFFFFFF or bus > 0xFF or slot > 0x1F or function > 7:
        return None
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"


def host_arguments(words: Sequence[str]) -> HostArguments:
    """Return what a command line takes, with or without the program's name in front."""
    found = HostArguments()
    for option, argument in _options(words):
        try:
            _scan_option(found, option, argument)
        except (ValueError, RecursionError):
            found.add_doubt("has an option that cannot be read")
    return found


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield options with their arguments; a word that is neither has an empty option."""
    left = deque(words)
    while left:
        word = left.popleft().strip()
        match = _OPTION.fullmatch(word)
        if match is None:
            yield "", word
        elif match[2] == "=" or (match[2] and match[3].startswith("{")):
            yield match[1], match[3]
        elif match[2]:  # several words in one, as for a shell to split
            left.extendleft(reversed(word.split()))
        elif left and (match[1] in _TEXT_OPTIONS or not left[0].lstrip().startswith("-")):
            yield match[1], left.popleft()
        else:
            yield match[1], ""


def _scan_option(found: HostArguments, option: str, argument: str) -> None:
    if option == "device":
        _device(found, parse_argument(argument, "driver"))
    elif option in _DRIVE_OPTIONS or (not option and argument.startswith("nvme://")):
        _drive(
            found, argument, parse_argument(argument, "driver" if option == "blockdev" else "file")
        )
    elif option == "set":
        _set(found, argument)
    elif option == "global":
        _global(found, argument)
    elif option == "readconfig":
        found.add_doubt("has QEMU read a file (-readconfig)")
    elif option not in _TEXT_OPTIONS and _MENTIONS_VFIO.search(argument):
        found.add_doubt("mentions a host device in a form that cannot be read")


# --- one option ---------------------------------------------------------------------


def _device(found: HostArguments, opts: Opts) -> None:
    driver = str(opts.get("driver", "")).strip()
    if driver in _PCI_DEVICES:
        _vfio(found, opts)
    elif driver not in _OTHER_VFIO_DEVICES and "vfio" in driver:
        found.add_doubt("has a VFIO device of an unknown kind")


def _vfio(found: HostArguments, opts: Opts) -> None:
    """If there are both ``host`` and ``sysfsdev``, QEMU uses the latter (hw/vfio/pci.c)."""
    hosts = [str(opts[key]) for key in _ADDRESS_KEYS if key in opts]
    if "sysfsdev" in opts:
        found.add_sysfs_path(str(opts["sysfsdev"]))
    elif hosts:
        found.add_address(hosts[0])
    else:  # fd=, or completed by -set, by -global or on the monitor
        found.add_doubt("has a VFIO device without an address")


def _drive(found: HostArguments, argument: str, opts: Opts) -> None:
    """QEMU's NVMe driver (block/nvme.c) and libblkio's (block/blkio.c) take a host function."""
    for address in _NVME.findall(argument):
        found.add_address(address)
    for level in nested(opts):
        for key, value in level.items():
            prefix, _, last = key.rpartition("driver")
            if last or not key.endswith("driver") or not isinstance(value, str):
                continue
            if value == "nvme" and f"{prefix}device" in level:
                found.add_address(str(level[f"{prefix}device"]))
            elif value == "virtio-blk-vfio-pci":
                found.add_sysfs_path(str(level.get(f"{prefix}path", "")))


def _set(found: HostArguments, argument: str) -> None:
    """-set device.ID.host=ADDRESS changes a device that another option creates."""
    key, _, value = argument.partition("=")
    if key.startswith("device."):
        _property(found, key.rpartition(".")[2], value)


def _global(found: HostArguments, argument: str) -> None:
    """-global vfio-pci.host=ADDRESS, or the form with driver=, property= and value=."""
    opts = parse_argument(argument, "")
    if "driver" in opts:
        driver, key, value = (str(opts.get(k, "")) for k in ("driver", "property", "value"))
    else:
        name, _, value = argument.partition("=")
        driver, _, key = name.rpartition(".")
    if driver in _PCI_DEVICES:
        _property(found, key, value)


def _property(found: HostArguments, key: str, value: str) -> None:
    """For other devices ``hostaddr`` is a number, so it counts only with a colon."""
    if key == "host" or (key == "hostaddr" and ":" in value):
        found.add_address(value)
    elif key == "sysfsdev":
        found.add_sysfs_path(value)


def override_arguments(properties: Mapping[str, str]) -> HostArguments:
    """Return what a device takes whose properties <qemu:override> changes."""
    found = HostArguments()
    for key, value in properties.items():
        _property(found, key, value)
        if key == "fd":
            found.add_doubt("has a VFIO device without an address")
    return found
