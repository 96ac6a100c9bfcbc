"""USB devices: who has each, what argues against lending it, and what must be attached again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tui.model import (
    Attachment,
    Check,
    Domain,
    Guests,
    Unavailable,
    Usb,
    UsbDevice,
    UsbHostDev,
    UsbReading,
    UsbRule,
    UsbState,
    listed,
)
from tui.rules.libvirt_uri import why_not_this_host

DEVICE, KEYBOARD, DISK, NETWORK = "usb.device", "usb.keyboard", "usb.disk", "usb.network"
BLUETOOTH, USES = "usb.bluetooth", "usb.uses"

ASKED = (KEYBOARD, DISK, NETWORK, BLUETOOTH)
"""The checks that say what the host would miss. Unless they pass, the user is asked about each."""


def usb_devices(reading: UsbReading, guests: Guests | Unavailable) -> tuple[Usb, ...]:
    """Every device except hubs, with who has it and what the host does with it."""
    domains = domains_here(guests)
    return tuple(_usb(each, reading, domains) for each in reading.devices if not each.hub)


def domains_here(guests: Guests | Unavailable) -> tuple[Domain, ...]:
    """The domains that may have devices of this machine; none if their libvirt is on another one,
    where the same ids, bus and number are another device."""
    return () if isinstance(guests, Unavailable) or why_not_here(guests) else guests.domains


def why_not_here(guests: Guests) -> str | None:
    """Why the domains have no device of this machine, as a sentence; ``None`` if they may."""
    away = None if guests.captured else why_not_this_host(guests.uri)
    return f"{guests.uri} {away}" if away else None


def _usb(device: UsbDevice, reading: UsbReading, domains: Sequence[Domain]) -> Usb:
    domain = holder(device, domains)
    if domain is not None:
        return Usb(device, "lent", f"“{domain.name}” has it", domain.name, domain.uuid)
    kept = why_kept(device, domains)
    if kept is not None:
        state: UsbState = "taken" if device.taken else "kept"
        return Usb(device, state, kept)
    missed = [check.why for check in uses(device, reading, domains) if check.verdict != "pass"]
    if missed:
        return Usb(device, "in use", listed(missed))
    return Usb(device, "free", listed([_short(each) for each in device.attached]) or "not in use")


def _short(attached: Attachment) -> str:
    """What is attached. The name of an input device is left out: it is the port's."""
    is_input = attached.kind in ("keyboard", "input")
    return attached.what.removeprefix("is ") if is_input else attached.text


def holder(device: UsbDevice, domains: Iterable[Domain]) -> Domain | None:
    """The running domain that has the device."""
    return next((d for d in domains if d.active and any(e.means(device) for e in d.usb)), None)


def hostdev_of(device: UsbDevice, domain: Domain) -> UsbHostDev | None:
    """The device as the domain names it; ``None`` if the domain does not have it."""
    return next((each for each in domain.usb if each.means(device)), None)


def why_kept(device: UsbDevice, domains: Iterable[Domain]) -> str | None:
    """Why the host never lends a device that no guest has, as a clause; ``None`` if it may."""
    if device.hub:
        return "a hub is not lent: lend what is plugged into it"
    owner = next((d for d in domains if d.active and device.controller in d.addresses), None)
    if device.controller is not None and owner is not None:
        return f"“{owner.name}” has the USB controller {device.controller} that it is on"
    if device.taken:
        return "a program has it open through usbfs"
    if not device.ready:
        return "the kernel has not configured the device yet"
    return None


# --- what the host would miss -----------------------------------------------------


def uses(device: UsbDevice, reading: UsbReading, domains: Sequence[Domain]) -> Iterator[Check]:
    """What the host does with a device, a check for each kind of use."""
    kinds = {each.kind for each in device.attached}
    if "keyboard" in kinds:
        yield _keyboard(device, reading, domains)
    if "disk" in kinds:
        yield _in_use(DISK, device, "disk", "the host does not use its disk")
    if "network" in kinds:
        yield _in_use(NETWORK, device, "network", "the host does not use its network interface")
    if "bluetooth" in kinds:
        yield _in_use(BLUETOOTH, device, "bluetooth", "the host has no device connected through it")
    if device.unreadable:
        why = f"cannot tell {listed(device.unreadable)}"
        yield Check(USES, device.port, "unknown", why)


def _keyboard(device: UsbDevice, reading: UsbReading, domains: Sequence[Domain]) -> Check:
    """A mouse that also sends keys is not a keyboard to type on, so it does not count as another
    one."""
    others = [
        each
        for each in reading.devices
        if each.keyboard
        and each.port != device.port
        and holder(each, domains) is None
        and why_kept(each, ()) is None
    ]
    if reading.builtin_keyboard or others:
        other = others[0].name if others else "a built-in keyboard"
        return Check(KEYBOARD, device.port, "pass", f"the host also has {other}")
    return Check(KEYBOARD, device.port, "warn", "the host has no other keyboard")


def _in_use(id: str, device: UsbDevice, kind: str, fine: str) -> Check:
    used: list[Attachment] = [e for e in device.attached if e.kind == kind and e.in_use]
    if not used:
        return Check(id, device.port, "pass", fine)
    return Check(id, device.port, "warn", listed([each.text for each in used]))


# --- which device is meant ----------------------------------------------------------


def rule_for(device: UsbDevice, devices: Iterable[UsbDevice]) -> UsbRule:
    """A rule that finds the device again after a replug, and no other one.

    It uses the serial number. Without one, or if another device with these ids has the same, it
    uses the port.
    """
    alike = (e for e in devices if e.port != device.port and e.id == device.id)
    unique = device.serial is not None and all(e.serial != device.serial for e in alike)
    port = None if unique else device.port
    return UsbRule(device.vendor, device.product, device.serial, port)


def found(rule: UsbRule, devices: Iterable[UsbDevice]) -> tuple[UsbDevice, ...]:
    """The devices that a rule matches."""
    return tuple(device for device in devices if rule.matches(device))
