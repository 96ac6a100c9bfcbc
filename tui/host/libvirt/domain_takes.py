"""Everything that a domain takes from the host, wherever its definition says so.

Of libvirt's elements these take a PCI function: <hostdev type='pci'>, <interface
type='hostdev'>, any <source> of a disk of type nvme, also in a <mirror>, a <backingStore> or a
<dataStore>. <hostdev type='mdev'> takes a share of one. <qemu:commandline> and <qemu:override>
may take anything, unseen by libvirt.

The rest stays with a driver of the host: SCSI and USB devices, vDPA, disks on block devices,
render nodes, TPMs, input devices. <hostdev mode='capabilities'> is of containers.

An interface of a network that lends functions has the type hostdev in the definition of a running
domain. In the state file of one (<domstatus>) it keeps the type network, and its <actual> has the
type hostdev and the function.

Source: https://libvirt.org/formatdomain.html, https://libvirt.org/drvqemu.html; libvirt,
src/conf/domain_conf.c: virDomainActualNetDefParseXML
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree  # nosec B405  # only elements that were parsed are looked at

from tui.host.libvirt.domain_address import DefinitionError, pci_address
from tui.host.libvirt.qemu_args import HostArguments, host_arguments, overridden
from tui.model import HostDev, HostDevBy

_QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_XEN = "{http://libvirt.org/schemas/domain/xen/1.0}"

_LEND = ("devices/interface[@type='hostdev']", "devices/interface/actual[@type='hostdev']")

_HAVE_SOURCES = ("disk", "mirror", "backingStore", "dataStore")


@dataclass(frozen=True, slots=True)
class HostDevices:
    """The PCI functions, and the mediated devices by UUID. ``unclear``: why there may be more."""

    hostdevs: tuple[HostDev, ...]
    mdevs: tuple[str, ...]
    unclear: str | None


def host_devices(domain: ElementTree.Element) -> HostDevices:
    """What a <domain> takes. Raises ``DefinitionError`` where an element does not say it."""
    found = list(_elements(domain))
    mdevs = [_mdev(dev) for dev in domain.iterfind("devices/hostdev[@type='mdev']")]
    unclear = None
    for by_qemu in _by_qemu(domain):
        found += [HostDev(each, managed=False, by="command line") for each in by_qemu.functions]
        for mdev, of in by_qemu.mdevs:
            if of is None:
                mdevs.append(mdev)
            else:
                found.append(HostDev(of, managed=False, by="mdev"))
        unclear = unclear or by_qemu.doubt
    return HostDevices(tuple(found), tuple(dict.fromkeys(mdevs)), unclear)


def _elements(domain: ElementTree.Element) -> Iterator[HostDev]:
    for device in domain.iterfind("devices/hostdev[@type='pci']"):
        yield _one(device, device, "hostdev")
    for path in _LEND:
        for device in domain.iterfind(path):
            if device.find("source/address[@type='usb']") is None:
                yield _one(device, device, "interface")
    for disk in domain.iterfind("devices/disk"):
        for level in disk.iter():
            if level.get("type") == "nvme" and level.tag in _HAVE_SOURCES:
                source = level.find("source")
                yield _one(level, level if source is None else source, "disk")


def _one(element: ElementTree.Element, owner: ElementTree.Element, by: HostDevBy) -> HostDev:
    """The function in an element's source; ``owner`` says whether libvirt moves it."""
    address = element.find("source/address")
    if address is None:
        raise DefinitionError(f"a PCI {by} has no address")
    rom = element.find("rom")
    return HostDev(
        pci_address(address.attrib),
        managed=owner.get("managed") == "yes",
        by=by,
        rom=rom is not None and bool(rom.get("file")),
    )


def _mdev(device: ElementTree.Element) -> str:
    address = device.find("source/address")
    try:
        return str(uuids.UUID("" if address is None else address.get("uuid", "")))
    except ValueError as invalid:
        raise DefinitionError("an mdev has no valid UUID") from invalid


def _by_qemu(domain: ElementTree.Element) -> Iterator[HostArguments]:
    for space in (_QEMU, _XEN):
        for line in domain.iterfind(f"{space}commandline"):
            yield host_arguments([arg.get("value", "") for arg in line.iterfind(f"{space}arg")])
    for frontend in domain.iterfind(f"{_QEMU}override/{_QEMU}device/{_QEMU}frontend"):
        yield overridden({
            each.get("name", ""): each.get("value", "")
            for each in frontend.iterfind(f"{_QEMU}property")
            if each.get("type") != "remove"
        })  # fmt: skip
