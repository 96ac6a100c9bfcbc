"""What was lent, and what of it must be attached again after a replug.

A running domain's XML is the record: libvirt keeps the element of an unplugged device until the
domain ends or somebody detaches it, and our mark in it says which device it was. So it does not
matter who lent a device, and whoever watches can attach it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct

from tui.model import (
    Domain,
    Guests,
    Unavailable,
    Usb,
    UsbDevice,
    UsbHostDev,
    UsbMark,
    UsbReading,
    UsbRule,
)
from tui.rules.usb import domains_here, holder, rule_for, why_kept

_DIGEST = 16
"""Hexadecimal digits that distinguish one device from another."""


class Lending(Struct, frozen=True):
    """An ``element`` with our mark in the running domain ``uuid``, whose raw name is
    ``raw_name``."""

    uuid: str
    raw_name: str
    element: UsbHostDev
    mark: UsbMark


class Replugged(Struct, frozen=True):
    """A device of a ``lending`` that was plugged in again. ``changed``: it has functions that it
    was not lent with, so it may be another device with that name."""

    lending: Lending
    device: UsbDevice
    changed: bool = False


class Settled(Struct, frozen=True):
    """A device, by port and number, that is not attached for a lending: it was tried, or it was
    there alongside the lent one."""

    uuid: str
    who: str
    place: tuple[str, int]


def mark_of(device: UsbDevice, devices: Iterable[UsbDevice], accepted: Collection[str]) -> UsbMark:
    """The mark for lending one of ``devices``. ``accepted`` are the checks that the user was asked
    about."""
    who = _who(rule_for(device, devices))
    return UsbMark(who, device.functions, frozenset(accepted))


def is_meant(mark: UsbMark, device: UsbDevice) -> bool:
    """Whether a device is the one that was marked, by its ids, serial number and port."""
    ids = device.vendor, device.product, device.serial
    return mark.who in (_who(UsbRule(*ids)), _who(UsbRule(*ids, device.port)))


def _is_meant(lending: Lending, device: UsbDevice) -> bool:
    named = lending.element.vendor, lending.element.product
    return named == (device.vendor, device.product) and is_meant(lending.mark, device)


def _who(rule: UsbRule) -> str:
    """A digest of a rule. A device without a serial number has a rule with its port."""
    parts = (rule.vendor, rule.product, rule.serial, rule.port)
    text = "\n".join("" if part is None else f"={part}" for part in parts)
    import hashlib  # noqa: PLC0415 - loads OpenSSL

    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


def place(device: UsbDevice) -> tuple[str, int]:
    """The port of a device and its number, which another one never has at the same time."""
    return device.port, device.number


def lendings(domains: Iterable[Domain]) -> Iterator[Lending]:
    """What was lent to the domains that run."""
    for domain in domains:
        for each in domain.usb if domain.active else ():
            if each.mark is not None:
                yield Lending(domain.uuid, domain.raw_name, each, each.mark)


def away_devices(reading: UsbReading, guests: Guests | Unavailable) -> Iterator[Usb]:
    """The devices that were lent to running domains and are unplugged now."""
    domains = domains_here(guests)
    for lending in lendings(domains):
        device = _unplugged(lending.element)
        if device is None or any(_is_meant(lending, each) for each in reading.devices):
            continue
        name = next(domain.name for domain in domains if domain.uuid == lending.uuid)
        why = f"“{name}” gets it again when it is plugged in"
        yield Usb(device, "away", why, name, lending.uuid)


def _unplugged(element: UsbHostDev) -> UsbDevice | None:
    """What is known of an unplugged device; ``None`` if that is not enough to name it."""
    vendor, product, bus, number = element.vendor, element.product, element.bus, element.number
    if vendor is None or product is None or bus is None or number is None:
        return None
    name = f"{vendor}:{product}"
    return UsbDevice(f"{bus}-0.{number}", number, vendor, product, name, away=True)


def still_lost(lost: Iterable[Lending], domains: Iterable[Domain]) -> tuple[Lending, ...]:
    """The lendings whose elements are gone because attaching the device again failed halfway, of
    guests that run and do not have it again. An older reading has the old element."""
    running = {domain.uuid: domain for domain in domains if domain.active}
    has = [(each.uuid, each.mark.who, each.element) for each in lendings(running.values())]
    return tuple(
        each for each in lost
        if each.uuid in running and not any(
            (uuid, who) == (each.uuid, each.mark.who) and element != each.element
            for uuid, who, element in has
        )
    )  # fmt: skip


def step(
    settled: frozenset[Settled],
    devices: Sequence[UsbDevice],
    domains: Sequence[Domain],
    lost: Iterable[Lending] = (),
) -> tuple[frozenset[Settled], tuple[Replugged, ...]]:
    """The devices that must be attached again, each once, and what is ``settled`` after that.
    ``lost`` are lendings that no element records any more."""
    held = [*lendings(domains), *lost]
    whose = {(lending.uuid, lending.mark.who) for lending in held}
    there = {place(device) for device in devices}
    now = {each for each in settled if each.place in there and (each.uuid, each.who) in whose}
    again: list[Replugged] = []
    for lending in held:
        meant = [each for each in devices if _is_meant(lending, each)]
        if any(lending.element.means(each) for each in devices):
            now |= {settled_as(lending, each) for each in meant}
            continue
        new = [each for each in meant if settled_as(lending, each) not in now]
        found = _replugged(lending, new, domains)
        if found is not None:
            now.add(settled_as(lending, found.device))
            again.append(found)
    wanted = [each.device for each in again]
    # What was lent to two guests, one after the other, is left alone: nobody knows whose it is now.
    return frozenset(now), tuple(each for each in again if wanted.count(each.device) == 1)


def settled_as(lending: Lending, device: UsbDevice) -> Settled:
    """What is settled when a device is attached for a lending, or must not be."""
    return Settled(lending.uuid, lending.mark.who, place(device))


def _replugged(
    lending: Lending, devices: Sequence[UsbDevice], domains: Sequence[Domain]
) -> Replugged | None:
    """The only device that is meant, once it is free and complete. The kernel adds its interfaces
    one by one."""
    if len(devices) != 1:
        return None
    (device,) = devices
    if holder(device, domains) is not None or why_kept(device, domains) is not None:
        return None
    has, had = set(device.functions), set(lending.mark.functions)
    return None if has < had else Replugged(lending, device, changed=has != had)


def stale(device: UsbDevice, domain: Domain, devices: Iterable[UsbDevice]) -> list[UsbHostDev]:
    """The elements of a domain for this device when it was plugged in before. Without a mark, those
    with its ids."""
    present = tuple(devices)
    return [
        each
        for each in domain.usb
        if (each.vendor, each.product) == (device.vendor, device.product)
        and each.number is not None
        and not any(each.means(other) for other in present)
        and (each.mark is None or is_meant(each.mark, device))
    ]
