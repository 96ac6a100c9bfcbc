"""Finds every host device that a domain takes, wherever its definition names it.

These elements take a PCI function: <hostdev type='pci'>, <interface type='hostdev'>, and the
<source> of a disk of type nvme, also inside <mirror>, <backingStore> or <dataStore>. <hostdev
type='mdev'> takes a mediated device of one. <qemu:commandline> and <qemu:override> may take
anything, and libvirt does not know of it.

Everything else stays on a host driver: SCSI and USB devices, vDPA, disks on block devices, render
nodes, TPMs, input devices. <hostdev mode='capabilities'> is for containers.

An <interface> on a network with a pool of functions has the type hostdev in the definition of a
running domain. In the domain's state file (<domstatus>) it keeps the type network, and its
<actual> has the type hostdev and the function.

Source: https://libvirt.org/formatdomain.html, https://libvirt.org/drvqemu.html; libvirt,
src/conf/domain_conf.c: virDomainActualNetDefParseXML
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterator
from xml.etree import ElementTree  # nosec B405  # only searches elements that are parsed already

from msgspec import Struct

from tui.host.libvirt.domain_address import DefinitionError, pci_address
from tui.host.libvirt.qemu_args import HostArguments, host_arguments, override_arguments
from tui.model import QEMU_XMLNS, HostDev, HostDevBy

DEVICES_LIMIT = 256
"""Host devices of a domain; a guest has slots for a few dozen."""

QEMU = f"{{{QEMU_XMLNS}}}"
XEN = "{http://libvirt.org/schemas/domain/xen/1.0}"
"""Namespaces, as ElementTree puts them before a name."""

_LENT_INTERFACES = (
    "devices/interface[@type='hostdev']",
    "devices/interface/actual[@type='hostdev']",
)

_DISK_LEVELS = ("disk", "mirror", "backingStore", "dataStore")


class HostDevices(Struct, frozen=True):
    """PCI functions, and mediated devices by UUID. ``unclear``: why there may be more."""

    hostdevs: tuple[HostDev, ...]
    mdevs: tuple[str, ...]
    unclear: str | None


def host_devices(domain: ElementTree.Element) -> HostDevices:
    """Return what a <domain> takes.

    Raises ``DefinitionError`` if an element is incomplete, or if there are too many.
    """
    found = list(_from_elements(domain))
    mdevs = [_mdev(dev) for dev in domain.iterfind("devices/hostdev[@type='mdev']")]
    unclear = None
    for by_qemu in _qemu_arguments(domain):
        found += [HostDev(each, managed=False, by="command line") for each in by_qemu.functions]
        for mdev, of in by_qemu.mdevs:
            if of is None:
                mdevs.append(mdev)
            else:
                found.append(HostDev(of, managed=False, by="mdev"))
        unclear = unclear or by_qemu.doubt
    if len(found) + len(mdevs) > DEVICES_LIMIT:
        raise DefinitionError(f"its definition names more than {DEVICES_LIMIT} host devices")
    return HostDevices(tuple(found), tuple(dict.fromkeys(mdevs)), unclear)


def _from_elements(domain: ElementTree.Element) -> Iterator[HostDev]:
    for device in domain.iterfind("devices/hostdev[@type='pci']"):
        yield _hostdev(device, device, "hostdev")
    for path in _LENT_INTERFACES:
        for device in domain.iterfind(path):
            if device.find("source/address[@type='usb']") is None:
                yield _hostdev(device, device, "interface")
    for disk in domain.iterfind("devices/disk"):
        for level in disk.iter():
            if level.get("type") == "nvme" and level.tag in _DISK_LEVELS:
                source = level.find("source")
                yield _hostdev(level, level if source is None else source, "disk")


def _hostdev(element: ElementTree.Element, owner: ElementTree.Element, by: HostDevBy) -> HostDev:
    """Return the function in an element's <source>; ``owner`` has the ``managed`` attribute."""
    address = element.find("source/address")
    if address is None:
        raise DefinitionError(f"a PCI {by} has no address")
    files = [file for rom in element.iterfind("rom") if (file := rom.get("file"))]
    return HostDev(
        pci_address(address.attrib),
        managed=owner.get("managed") == "yes",
        by=by,
        rom=bool(files),
        rom_file=files[0] if files else None,
    )


def _mdev(device: ElementTree.Element) -> str:
    address = device.find("source/address")
    try:
        return str(uuids.UUID("" if address is None else address.get("uuid", "")))
    except ValueError as invalid:
        raise DefinitionError("an mdev has no valid UUID") from invalid


def _qemu_arguments(domain: ElementTree.Element) -> Iterator[HostArguments]:
    for space in (QEMU, XEN):
        for line in domain.iterfind(f"{space}commandline"):
            yield host_arguments([arg.get("value", "") for arg in line.iterfind(f"{space}arg")])
    for frontend in domain.iterfind(f"{QEMU}override/{QEMU}device/{QEMU}frontend"):
        yield override_arguments({
            each.get("name", ""): each.get("value", "")
            for each in frontend.iterfind(f"{QEMU}property")
            if each.get("type") != "remove"
        })  # fmt: skip
