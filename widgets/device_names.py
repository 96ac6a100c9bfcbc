"""Short names of PCI functions: their kind, and the model if their name in pci.ids has one."""

from __future__ import annotations

import re

from tui.model import PciFunction
from widgets.card_names import card_name

KINDS = {
    "0101": "IDE", "0104": "RAID", "0106": "SATA", "0107": "SAS", "0108": "NVMe", "01": "Disk",
    "0200": "Ethernet", "0207": "InfiniBand", "02": "Network",
    "0400": "Video", "0401": "Audio", "0403": "Audio", "0480": "Audio", "04": "Media",
    "0500": "RAM", "05": "Memory",
    "0600": "Host bridge", "0601": "ISA bridge", "06": "Bridge",
    "0780": "Management", "07": "Serial",
    "0805": "Card reader", "0806": "IOMMU", "08": "System",
    "0b40": "Coprocessor", "0b": "Processor",
    "0c00": "FireWire", "0c03": "USB", "0c04": "Fibre Channel", "0c05": "SMBus", "0c80": "SPI",
    "0c": "Bus", "0d": "Radio", "10": "Crypto", "11": "Signal", "12": "Accelerator", "13": "Dummy",
}  # fmt: skip
"""The kind of a function by its PCI class, or else by its base class."""

USB_INTERFACES = {"00": "USB 1", "10": "USB 1", "20": "USB 2", "30": "USB 3", "40": "USB 4"}
"""USB controllers by their programming interface: UHCI, OHCI, EHCI, xHCI, USB4."""

COMMON_NOUNS = (
    "Accelerator", "Audio", "Bridge", "Bus", "Card reader", "Coprocessor", "Crypto", "Device",
    "Disk", "Dummy", "Host bridge", "Management", "Media", "Memory", "Network", "Processor",
    "Radio", "Serial", "Signal", "System", "Video",
)  # fmt: skip

VAGUE = ("Bus", "Device", "Media", "Processor", "System")
"""Kinds that say less than the first words of a name."""

_KINDS_IN_NAMES = (
    ("02", re.compile(r"\bWi-Fi \d\w*"), None),
    ("02", re.compile(r"\bWi-?Fi\b|\bWireless\b|\b802\.11|\bCentrino\b", re.IGNORECASE), "Wi-Fi"),
    ("0c03", re.compile(r"\bUSB ?\d(?:\.\d)?|\bThunderbolt \d"), None),
    ("05", re.compile(r"\bSRAM\b"), None),
    ("0c80", re.compile(r"\bI2C\b|\bUCSI\b"), None),
    ("01", re.compile(r"\bSATA\b"), "SATA"),
)
"""Words of a name that say more about its kind than its class does; ``None`` means the words
themselves."""

_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_CHIPSET = re.compile(
    r"\S+ Series\b|\S+ Chipset\b|\bFamily \S+|\b\S+ Family\b|\bUSB ?\d(?:\.\d)?|\bWi-Fi \d\w*"
)
_MODEL = re.compile(r"(?=\S*\d)[A-Za-z0-9]+(?:-[A-Z0-9]+)?(?::[0-9a-f]+)?")
_NO_MODEL = re.compile(
    r"\d{1,3}|\d+(?:\.\d+)?(?:[GMkT]B?(?:b|bE|bit|bps|Hz|T)?E?|th|st|nd|rd|h|x)|\d+x\d+"
    r"|PCIe\d?|Gen\d?|x\d{1,2}|802\S*|USB\d?|I2C|SAS-\d|\d+-(?:Gigabit|port|bit|Lane)",
    re.IGNORECASE,
)
"""Words with digits that are not a model: speeds, ports, standards, generations."""


def device_name(function: PciFunction) -> str:
    """``NVMe PM9A1`` for ``NVMe SSD Controller PM9A1/PM9A3/980PRO``. Never empty."""
    if function.is_gpu:
        return card_name(function.name)
    kind, model = kind_of(function), _model(_ASIDE.sub(" ", function.name))
    if not model and function.class_code.startswith("0106") and "AHCI" in function.name.upper():
        model = "AHCI"
    elif not model and function.class_code.startswith("02"):
        model = _model(" ".join(_ASIDE.findall(function.name)).strip("[()]"))
    elif not model and kind in VAGUE:
        return " ".join(function.name.split()[:3]) or kind
    share = "VF" if "virtual function" in function.name.casefold() else ""
    return " ".join(part for part in (kind, model, share) if part)


def kind_of(function: PciFunction) -> str:
    """What a function is, in a word: ``NVMe``, ``USB 3.0``, ``Bridge``."""
    if function.is_gpu:
        return "GPU"
    code = function.class_code
    for prefix, words, kind in _KINDS_IN_NAMES:
        found = words.search(function.name) if code.startswith(prefix) else None
        if found is not None:
            return kind or found[0]
    if code.startswith("0c03"):
        return USB_INTERFACES.get(code[4:6], "USB")
    return KINDS.get(code[:4]) or KINDS.get(code[:2]) or "Device"


def part_name(function: PciFunction) -> str:
    """What a function is, within a sentence: ``audio``, ``USB 3.1``, ``Ethernet``."""
    kind = kind_of(function)
    return kind.lower() if kind in COMMON_NOUNS else kind


def _model(text: str) -> str:
    """The first word of ``text`` that looks like a model; empty if there is none."""
    for word in _CHIPSET.sub(" ", text).split():
        first = word.split("/")[0].strip(",;*#[]()")
        if _MODEL.fullmatch(first) and not _NO_MODEL.fullmatch(first):
            return first
    return ""
