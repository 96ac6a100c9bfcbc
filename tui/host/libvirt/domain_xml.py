"""Parses a domain's XML.

Anybody who may define a domain can write this XML, so nothing in it is trusted: its size is
limited and a DTD is refused. An address that cannot be read is an error, because missing a
hostdev would make a GPU look free.

Source: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

import uuid as uuids
from xml.etree import ElementTree  # nosec B405  # _parse bounds it

from msgspec import Struct
from msgspec.structs import replace

from tui.host.libvirt.amounts import count, mib
from tui.host.libvirt.domain_address import DefinitionError, pci_address
from tui.host.libvirt.domain_setup import domain_setup
from tui.host.libvirt.host_devices import host_devices
from tui.host.libvirt.pinning import pinning
from tui.host.libvirt.usb import usb_devices
from tui.host.pci.mdevs import parent_address
from tui.host.tree import Tree
from tui.model import DomainSetup, HostDev, Pinning, UsbHostDev

__all__ = [
    "Definition", "DefinitionError", "Parser", "definition", "pci_address", "with_mdev_parents",
]  # fmt: skip

TEXT_LIMIT = 1 << 20
"""Characters of a definition; real ones have about ten thousand."""

AGENT_CHANNEL = "org.qemu.guest_agent.0"
"""The name of the virtio channel of the QEMU guest agent."""

WRAPPERS = ("domstatus", "domainsnapshot")
"""Elements that libvirt stores around a <domain>: its state, and a snapshot."""


class Definition(Struct, frozen=True):
    """A domain as its XML defines it. ``name`` is raw.

    ``hostdevs`` are the PCI functions that it takes, those with a <hostdev> first. ``mdevs`` are
    the UUIDs of its mediated devices; the XML does not name their parents. ``unclear`` is why it
    may take more. ``vcpus`` and ``memory_mib`` (MiB) are what it starts with, ``None`` if that is
    not a number. ``agent``: whether the guest agent's channel is connected, ``None`` without a
    channel. ``kvm_hidden``: KVM is hidden from the guest. ``active_id`` is libvirt's id of a
    running domain. ``pinning`` has an entry for each vCPU that the domain may have. ``setup`` is
    the rest of what is read, ``usb`` the host's USB devices that it names.
    """

    name: str
    uuid: str
    hostdevs: tuple[HostDev, ...] = ()
    mdevs: tuple[str, ...] = ()
    unclear: str | None = None
    vcpus: int | None = None
    memory_mib: float | None = None
    agent: bool | None = None
    kvm_hidden: bool = False
    active_id: int | None = None
    usb: tuple[UsbHostDev, ...] = ()
    pinning: Pinning | None = None
    setup: DomainSetup | None = None


def definition(xml: str, file: str | None = None) -> Definition:
    """Parse a <domain>. Raises ``DefinitionError``.

    With ``file`` the XML comes from a file: ``file`` stands in for a missing UUID, and libvirt's
    <domstatus> or <domainsnapshot> may be around the <domain>.
    """
    domain = _parse(xml, wrapped=file is not None)
    taken = host_devices(domain)
    return Definition(
        name=_name(domain),
        uuid=_uuid(domain, file),
        hostdevs=taken.hostdevs,
        mdevs=taken.mdevs,
        unclear=taken.unclear,
        vcpus=_vcpus(domain),
        memory_mib=_memory(domain),
        agent=_agent(domain),
        kvm_hidden=domain.find("features/kvm/hidden[@state='on']") is not None,
        active_id=count(domain.get("id")),
        usb=usb_devices(domain),
        pinning=pinning(domain),
        setup=domain_setup(domain),
    )


class Parser:
    """Parses the XML of one domain, which is read again and again, only if it has changed. Keeps
    no XML, which may be long."""

    def __init__(self) -> None:
        self._of: int | None = None
        self._found: Definition | None = None

    def definition(self, xml: str) -> Definition:
        """As ``definition``. Raises ``DefinitionError``."""
        if self._found is None or hash(xml) != self._of:
            self._found, self._of = definition(xml), hash(xml)
        return self._found


def with_mdev_parents(found: Definition, root: Tree | None) -> Definition:
    """Return the definition with the parent functions of its mdevs among its hostdevs.

    They are looked up on the host at ``root``, which is ``None`` for another machine. An mdev
    exists at the latest when its domain starts, so a missing one makes a running domain unclear.
    """
    shares, unclear = [], found.unclear
    for uuid in found.mdevs:
        try:
            address = parent_address(root, uuid) if root is not None else _no_host(uuid)
        except LookupError:
            if found.active_id is not None:
                unclear = unclear or f"the parent of its mdev {uuid} cannot be found"
            continue
        if address is not None:
            shares.append(HostDev(address, managed=False, by="mdev"))
    return replace(found, hostdevs=(*found.hostdevs, *shares), unclear=unclear)


def _no_host(uuid: str) -> str:
    raise LookupError(uuid)


def _parse(xml: str, *, wrapped: bool = False) -> ElementTree.Element:
    if len(xml) > TEXT_LIMIT:
        raise DefinitionError("its definition is longer than 1 MiB")
    if "<!DOCTYPE" in xml:
        raise DefinitionError("its definition has a DTD")
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314  # nosec B314  # bounded, no DTD
    except (ElementTree.ParseError, UnicodeEncodeError) as error:
        raise DefinitionError("its definition is not well-formed XML") from error
    inner = root.find("domain") if wrapped and root.tag in WRAPPERS else None
    if root.tag != "domain" and inner is None:
        raise DefinitionError("its definition is not a <domain>")
    return root if inner is None else inner


def _name(domain: ElementTree.Element) -> str:
    name = domain.findtext("name") or ""
    if not name.strip():
        raise DefinitionError("its definition has no name")
    return name


def _uuid(domain: ElementTree.Element, fallback: str | None) -> str:
    try:
        return str(uuids.UUID(domain.findtext("uuid") or ""))
    except ValueError as error:
        if fallback is not None:
            return fallback
        raise DefinitionError("its definition has no valid UUID") from error


# --- values -------------------------------------------------------------------


def _vcpus(domain: ElementTree.Element) -> int | None:
    """<vcpu current='2'>4</vcpu>: a maximum of four, of which two are plugged in."""
    vcpu = domain.find("vcpu")
    return None if vcpu is None else count(vcpu.get("current", vcpu.text))


def _memory(domain: ElementTree.Element) -> float | None:
    """<currentMemory>, else <memory>, in MiB."""
    current = domain.find("currentMemory")
    return mib(domain.find("memory") if current is None else current)


def _agent(domain: ElementTree.Element) -> bool | None:
    for target in domain.iterfind("devices/channel/target"):
        if target.get("name") == AGENT_CHANNEL:
            return target.get("state") == "connected"
    return None
