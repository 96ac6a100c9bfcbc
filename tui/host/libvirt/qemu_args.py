"""What a QEMU command line takes from the host: PCI functions, mediated devices.

QEMU takes an option with one dash or two, and its argument as the next word (softmmu/vl.c of
QEMU). Wrapper scripts are kinder, so an option and its argument in one word count too. What
speaks of VFIO and cannot be read is a doubt: a card that is missed is thought free.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tui.host.libvirt.qemu_opts import Opts, levels, read
from tui.model.address import is_address

_DEVICES = frozenset({
    "vfio-pci", "vfio-pci-nohotplug", "pci-assign", "kvm-pci-assign", "xen-pci-passthrough",
})  # fmt: skip
"""Devices that are a PCI function of the host or a mediated device. The last three are those of
older QEMUs and of Xen."""

_NOT_PCI = frozenset({
    "vfio-ap", "vfio-ccw", "vfio-platform", "vfio-amd-xgbe", "vfio-calxeda-xgmac",
    "vfio-pci-igd-lpc-bridge", "vfio-user-pci",
})  # fmt: skip
"""VFIO devices that are no PCI function of the host."""

_HOSTS = ("host", "hostaddr")
_DRIVES = frozenset({"drive", "blockdev", "hda", "hdb", "hdc", "hdd", "cdrom", "sd", "pflash"})
_TEXTS = frozenset({"append", "D", "fw_cfg", "name", "smbios", "trace", "d"})
"""Options whose argument is text for the guest or a log, and may speak of anything."""

_NUMBER = r"[ \t\n\v\f\r]*\+?(?:0[xX])?([0-9a-fA-F]+)"
_HOST = re.compile(
    rf"(?:{_NUMBER}:)?{_NUMBER}:{_NUMBER}(?:\.[ \t\n\v\f\r]*\+?([0-9]+))?[ \t\n\v\f\r]*"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NVME = re.compile(r"nvme://([^/,\"'\s]*)")
_OPTION = re.compile(r"--?([A-Za-z][\w-]*)(?:(=|\s+)(.*))?", re.DOTALL)
_SPEAKS_OF_IT = re.compile(r"vfio-pci|nvme://|pci-assign|sysfsdev")


@dataclass(slots=True)
class HostArguments:
    """What is taken. ``doubt`` is why there may be more, in a few words."""

    functions: list[str] = field(default_factory=list)
    mdevs: list[tuple[str, str | None]] = field(default_factory=list)
    """By UUID, with the function that they are a share of where the path tells it."""
    doubt: str | None = None

    def unclear(self, why: str) -> None:
        """Note a doubt; the first one is told."""
        self.doubt = self.doubt or f"its QEMU command line {why}"

    # --- by the ways of naming ---

    def by_address(self, text: str) -> None:
        """``[domain:]bus:slot[.function]`` in hexadecimal."""
        address = host_address(text)
        if address is None:
            self.unclear("names a host device by an address that cannot be read")
        else:
            self.functions.append(address)

    def by_path(self, path: str) -> None:
        """A device's folder in sysfs."""
        parts = [part for part in path.lower().split("/") if part not in ("", ".")]
        last, above = ["", "", *parts][-1], ["", "", *parts][-2]
        if ".." in parts or not parts:
            self.unclear("names a host device by a path that cannot be read")
        elif is_address(last):
            self.functions.append(last)
        elif _UUID.fullmatch(last):
            self.mdevs.append((last, above if is_address(above) else None))
        else:
            self.unclear("names a host device by a path that is no PCI address")


def host_address(text: str) -> str | None:
    """A PCI address as QEMU's ``host=`` has it (hw/core/qdev-properties-system.c): numbers as
    strtoul(3) reads them, domain 0 where there is none. Newer QEMUs want a function; without
    one it is the first."""
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    domain, bus, slot = (int(part or "0", 16) for part in found.groups()[:3])
    function = int(found[4] or "0")
    if domain > 0xFFFFFFFF or bus > 0xFF or slot > 0x1F or function > 7:
        return None
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"


def host_arguments(words: Sequence[str]) -> HostArguments:
    """What the words of a command line take, the program's own name left out or not."""
    found = HostArguments()
    for option, argument in _options(words):
        try:
            _note(found, option, argument)
        except (ValueError, RecursionError):
            found.unclear("has an option that cannot be read")
    return found


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options with their arguments; a word that is neither has an empty option."""
    left = deque(words)
    while left:
        word = left.popleft().strip()
        match = _OPTION.fullmatch(word)
        if match is None:
            yield "", word
        elif match[2] == "=" or (match[2] and match[3].startswith("{")):
            yield match[1], match[3]
        elif match[2]:  # several words in one, for a shell to take apart
            left.extendleft(reversed(word.split()))
        elif left and (match[1] in _TEXTS or not left[0].lstrip().startswith("-")):
            yield match[1], left.popleft()
        else:
            yield match[1], ""


def _note(found: HostArguments, option: str, argument: str) -> None:
    if option == "device":
        _device(found, read(argument, "driver"))
    elif option in _DRIVES or (not option and argument.startswith("nvme://")):
        _drive(found, argument, read(argument, "driver" if option == "blockdev" else "file"))
    elif option == "set":
        _set(found, argument)
    elif option == "global":
        _global(found, argument)
    elif option == "readconfig":
        found.unclear("has QEMU read a file (-readconfig)")
    elif option not in _TEXTS and _SPEAKS_OF_IT.search(argument):
        found.unclear("speaks of a host device in a way that cannot be read")


# --- options ------------------------------------------------------------------------


def _device(found: HostArguments, opts: Opts) -> None:
    driver = str(opts.get("driver", "")).strip()
    if driver in _DEVICES:
        _vfio(found, opts)
    elif driver not in _NOT_PCI and "vfio" in driver:
        found.unclear("has a VFIO device of a kind that is not known here")


def _vfio(found: HostArguments, opts: Opts) -> None:
    """QEMU uses ``sysfsdev`` where there are both (hw/vfio/pci.c)."""
    hosts = [str(opts[key]) for key in _HOSTS if key in opts]
    if "sysfsdev" in opts:
        found.by_path(str(opts["sysfsdev"]))
    elif hosts:
        found.by_address(hosts[0])
    else:  # fd=, or one that -set, -global or a hand on the monitor completes
        found.unclear("has a VFIO device without an address")


def _drive(found: HostArguments, argument: str, opts: Opts) -> None:
    """QEMU's own NVMe driver takes the function from the host (block/nvme.c), and so does
    libblkio's (block/blkio.c)."""
    for address in _NVME.findall(argument):
        found.by_address(address)
    for level in levels(opts):
        for key, value in level.items():
            prefix, _, last = key.rpartition("driver")
            if last or not key.endswith("driver") or not isinstance(value, str):
                continue
            if value == "nvme" and f"{prefix}device" in level:
                found.by_address(str(level[f"{prefix}device"]))
            elif value == "virtio-blk-vfio-pci":
                found.by_path(str(level.get(f"{prefix}path", "")))


def _set(found: HostArguments, argument: str) -> None:
    """-set device.ID.host=ADDRESS changes a device that is made elsewhere."""
    key, _, value = argument.partition("=")
    if key.startswith("device."):
        _property(found, key.rpartition(".")[2], value)


def _global(found: HostArguments, argument: str) -> None:
    """-global vfio-pci.host=ADDRESS, or with driver=, property= and value=."""
    opts = read(argument, "")
    if "driver" in opts:
        driver, key, value = (str(opts.get(k, "")) for k in ("driver", "property", "value"))
    else:
        name, _, value = argument.partition("=")
        driver, _, key = name.rpartition(".")
    if driver in _DEVICES:
        _property(found, key, value)


def _property(found: HostArguments, key: str, value: str) -> None:
    """``hostaddr`` is a number of other devices."""
    if key == "host" or (key == "hostaddr" and ":" in value):
        found.by_address(value)
    elif key == "sysfsdev":
        found.by_path(value)


def overridden(properties: Mapping[str, str]) -> HostArguments:
    """What a device takes whose properties libvirt's <qemu:override> changes."""
    found = HostArguments()
    for key, value in properties.items():
        _property(found, key, value)
        if key == "fd":
            found.unclear("has a VFIO device without an address")
    return found
