"""Attaches a USB device to a running domain, and detaches it.

Only the running domain changes: its definition stays as it is. If libvirt's reply is lost, the
domain's devices are read until they show the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

import libvirt

from tui.host.control import Objection
from tui.host.errors import HostError, Unsettled
from tui.host.libvirt.domain_xml import DefinitionError, definition
from tui.host.libvirt.operation import DomainOperation, ReplyLost
from tui.host.libvirt.usb import hostdev_xml
from tui.model import UsbHostDev

_LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE


def lend(
    guest: DomainOperation,
    device: UsbHostDev,
    stale: Sequence[UsbHostDev],
    objection: Objection,
) -> None:
    """Attach ``device`` unless ``objection`` objects, in place of the ``stale`` ones.

    A stale one is the record of a lending, so it stays while there is an objection.
    """
    _require_none(objection)
    for each in stale:
        take_back(guest, each)
    _require_none(objection)
    try:
        guest.request(lambda domain: domain.attachDeviceFlags(hostdev_xml(device), _LIVE))
    except ReplyLost:
        _resolve_lost_answer(guest, device, has=True)
    except libvirt.libvirtError as error:
        raise guest.refusal(error) from error


def _require_none(objection: Objection) -> None:
    reason = objection()
    if reason is not None:
        raise HostError(reason)


def take_back(guest: DomainOperation, device: UsbHostDev) -> None:
    """Detach ``device``. One that the domain does not have counts as detached."""
    try:
        guest.request(lambda domain: domain.detachDeviceFlags(hostdev_xml(device), _LIVE))
    except ReplyLost:
        _resolve_lost_answer(guest, device, has=False)
    except libvirt.libvirtError as error:
        if _has(guest, device) is not False:
            raise guest.refusal(error) from error
    else:
        # libvirt replies to a detach before QEMU has carried it out, if that takes long.
        if guest.poll_until(lambda: _reads(guest, device), lambda has: not has):
            raise Unsettled(f"“{guest.display_name}” has not released the device yet")


def _resolve_lost_answer(guest: DomainOperation, device: UsbHostDev, *, has: bool) -> None:
    """Find out whether the domain has the device when libvirt's reply was lost."""
    word = "attached to" if has else "detached from"
    seen = guest.poll_until(lambda: _reads(guest, device), lambda seen: seen is has)
    if seen is None:
        raise Unsettled(
            "libvirt's reply was lost, and it does not respond now: cannot tell yet whether the "
            f"device was {word} “{guest.display_name}”"
        )
    if seen is not has:
        raise HostError(
            f"the device was not {word} “{guest.display_name}”: libvirt's reply was lost"
        )


def _has(guest: DomainOperation, device: UsbHostDev) -> bool | None:
    """Whether the domain has the device; ``None`` if libvirt does not say."""
    try:
        return _reads(guest, device)
    except (libvirt.libvirtError, ReplyLost, HostError):
        return None


def _reads(guest: DomainOperation, device: UsbHostDev) -> bool:
    xml = guest.request(lambda domain: str(domain.XMLDesc(0)))
    try:
        return any(_same(each, device) for each in definition(xml).usb)
    except DefinitionError as error:
        raise HostError(str(error)) from error


def _same(one: UsbHostDev, other: UsbHostDev) -> bool:
    """Whether two elements mean one device. libvirt adds the number to an element with ids only."""
    if None in (one.bus, other.bus):
        return (one.vendor, one.product) == (other.vendor, other.product)
    return (one.bus, one.number) == (other.bus, other.number)
