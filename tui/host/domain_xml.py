"""What a domain's XML says of it. The XML is text that anybody who may define a domain
wrote, so nothing in it is trusted: it is bounded, it has no DTD, and an address that
cannot be read is an error, for a hostdev that is missed is a GPU thought to be free.

Source: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

import re
import uuid as uuids
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree  # nosec B405  # _parse bounds it

from tui.model import HostDev

TEXT_LIMIT = 1 << 20
"""Characters of a definition that are read; real ones have some ten thousand."""

AGENT_CHANNEL = "org.qemu.guest_agent.0"
"""The name of the virtio channel on which the QEMU guest agent listens."""

_COUNT = re.compile(r"[0-9]{1,18}")
_C_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}")
_BYTES_PER_UNIT = {"b": 1, "bytes": 1} | {
    unit: base**power
    for power, letter in enumerate("kmgtpe", start=1)
    for unit, base in ((letter, 1024), (f"{letter}ib", 1024), (f"{letter}b", 1000))
}


class DefinitionError(ValueError):
    """A definition that cannot be read, and why in a few words."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A domain as its XML defines it. ``name`` is raw.

    ``hostdevs`` are its PCI functions, the network interfaces among them last. ``vcpus`` and
    ``memory_mib`` (MiB) are what it starts with, ``None`` where that is not a number.
    ``agent``: whether the guest agent's channel is connected, ``None`` without a
    channel. ``kvm_hidden``: the guest is not told that it runs under KVM.
    ``active_id`` is the id that libvirt gives to a running domain.
    """

    name: str
    uuid: str
    hostdevs: tuple[HostDev, ...] = ()
    vcpus: int | None = None
    memory_mib: float | None = None
    agent: bool | None = None
    kvm_hidden: bool = False
    active_id: int | None = None


def definition(xml: str) -> Definition:
    """Read a <domain>. Raises ``DefinitionError``."""
    domain = _parse(xml)
    return Definition(
        name=_name(domain),
        uuid=_uuid(domain),
        hostdevs=_hostdevs(domain),
        vcpus=_vcpus(domain),
        memory_mib=_memory(domain),
        agent=_agent(domain),
        kvm_hidden=domain.find("features/kvm/hidden[@state='on']") is not None,
        active_id=_count(domain.get("id")),
    )


def _parse(xml: str) -> ElementTree.Element:
    if len(xml) > TEXT_LIMIT:
        raise DefinitionError("its definition is longer than 1 MiB")
    if "<!DOCTYPE" in xml:
        raise DefinitionError("its definition has a DTD")
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314  # nosec B314  # bounded, no DTD
    except (ElementTree.ParseError, UnicodeEncodeError) as error:
        raise DefinitionError("its definition is not well-formed XML") from error
    if root.tag != "domain":
        raise DefinitionError("its definition is not a <domain>")
    return root


def _name(domain: ElementTree.Element) -> str:
    name = domain.findtext("name") or ""
    if not name.strip():
        raise DefinitionError("its definition has no name")
    return name


def _uuid(domain: ElementTree.Element) -> str:
    try:
        return str(uuids.UUID(domain.findtext("uuid") or ""))
    except ValueError as error:
        raise DefinitionError("its definition has no valid UUID") from error


# --- PCI functions ------------------------------------------------------------


def _hostdevs(domain: ElementTree.Element) -> tuple[HostDev, ...]:
    """<hostdev type='pci'> and <interface type='hostdev'>, a network function handed over
    by its PCI or USB address."""
    hostdevs = domain.iterfind("devices/hostdev[@type='pci']")
    interfaces = domain.iterfind("devices/interface[@type='hostdev']")
    on_pci = (i for i in interfaces if i.find("source/address[@type='usb']") is None)
    return tuple(_hostdev(device) for device in (*hostdevs, *on_pci))


def _hostdev(device: ElementTree.Element) -> HostDev:
    address = device.find("source/address")
    if address is None:
        raise DefinitionError("a PCI hostdev has no address")
    rom = device.find("rom")
    return HostDev(
        pci_address(address.attrib),
        managed=device.get("managed") == "yes",
        rom=rom is not None and bool(rom.get("file")),
    )


def pci_address(address: Mapping[str, str]) -> str:
    """The PCI address that the attributes of an <address> tell. Raises ``DefinitionError``."""
    domain = _part(address, "domain", 0xFFFFFFFF, missing="0")
    bus = _part(address, "bus", 0xFF)
    slot = _part(address, "slot", 0x1F)
    function = _part(address, "function", 0x7, missing="0")
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"


def _part(address: Mapping[str, str], key: str, most: int, missing: str = "") -> int:
    """A number as strtoul(3) with base 0 takes it, which is what libvirt calls:
    0x is hexadecimal, a leading 0 octal."""
    text = address.get(key, missing)
    if not _C_NUMBER.fullmatch(text):
        raise DefinitionError(f"the {key} of a PCI hostdev is not a number")
    try:
        value = int(text, 8 if text.isdecimal() and text.startswith("0") else 0)
    except ValueError as error:
        raise DefinitionError(f"the {key} of a PCI hostdev is not a number") from error
    if value > most:
        raise DefinitionError(f"the {key} of a PCI hostdev is out of range")
    return value


# --- the rest -----------------------------------------------------------------


def _count(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if _COUNT.fullmatch(text) else None


def _vcpus(domain: ElementTree.Element) -> int | None:
    """<vcpu current='2'>4</vcpu>: four may be plugged, two are there."""
    vcpu = domain.find("vcpu")
    return None if vcpu is None else _count(vcpu.get("current", vcpu.text))


def _memory(domain: ElementTree.Element) -> float | None:
    """<currentMemory>, else <memory>, in MiB; the unit is KiB where none is named."""
    for tag in ("currentMemory", "memory"):
        memory = domain.find(tag)
        if memory is None:
            continue
        amount = _count(memory.text)
        scale = _BYTES_PER_UNIT.get(memory.get("unit", "KiB").lower())
        return None if amount is None or scale is None else amount * scale / (1 << 20)
    return None


def _agent(domain: ElementTree.Element) -> bool | None:
    for target in domain.iterfind("devices/channel/target"):
        if target.get("name") == AGENT_CHANNEL:
            return target.get("state") == "connected"
    return None
