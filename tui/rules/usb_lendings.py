"""What was lent, and what of it must be attached again after a replug.

Whoever keeps lendings steps them with each reading. The device of a lending gets a new number when
it is plugged in again: then, and only then, it is attached again. A device that the guest no longer
has although it was not unplugged was taken back by somebody else, and stays so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tui.model import Domain, UsbDevice, UsbHostDev, UsbRule
from tui.rules.usb import found, holder, why_kept


class Lending(Struct, frozen=True):
    """A device that was lent to the domain ``uuid``, whose raw name is ``raw_name``.

    ``at`` is the port and the number that it was last attached with. ``accepted`` are the points
    of consent that the user gave. ``seen``: a reading has shown that the domain has it. ``tried``
    is the port and number of an attempt that must not be repeated.
    """

    uuid: str
    raw_name: str
    rule: UsbRule
    at: tuple[str, int]
    accepted: frozenset[str] = frozenset()
    seen: bool = False
    tried: tuple[str, int] | None = None


class Replugged(Struct, frozen=True):
    """A device of a ``lending`` that was plugged in again."""

    lending: Lending
    device: UsbDevice


def place(device: UsbDevice) -> tuple[str, int]:
    """The port of a device and its number, which another one never has at the same time."""
    return device.port, device.number


def step(
    lendings: Iterable[Lending], devices: Sequence[UsbDevice], domains: Sequence[Domain]
) -> tuple[tuple[Lending, ...], tuple[Replugged, ...]]:
    """The lendings that still hold, and the devices that must be attached again."""
    held: list[Lending] = []
    again: list[Replugged] = []
    for lending in lendings:
        now = _seen(lending, devices, domains)
        if now is None:
            continue
        device = _replugged(now, devices, domains)
        if device is not None:
            now = replace(now, tried=place(device))
            again.append(Replugged(now, device))
        held.append(now)
    return tuple(held), tuple(again)


def _seen(
    lending: Lending, devices: Sequence[UsbDevice], domains: Sequence[Domain]
) -> Lending | None:
    """The lending after a reading; ``None`` if the guest is off, or the device was taken back."""
    domain = _domain(lending, domains)
    if domain is None:
        return None
    device = next((each for each in devices if place(each) == lending.at), None)
    if device is None:
        return lending
    if holder(device, [domain]) is not None:
        return replace(lending, seen=True)
    return None if lending.seen else lending


def _replugged(
    lending: Lending, devices: Sequence[UsbDevice], domains: Sequence[Domain]
) -> UsbDevice | None:
    """The device that must be attached again: the only one that the rule means, free and ready."""
    meant = found(lending.rule, devices)
    if len(meant) != 1:
        return None
    (device,) = meant
    known = place(device) in (lending.at, lending.tried)
    free = holder(device, domains) is None and why_kept(device, domains) is None
    return device if free and not known else None


def stale(device: UsbDevice, domain: Domain, devices: Iterable[UsbDevice]) -> list[UsbHostDev]:
    """The elements of a domain for an unplugged device with these ids. libvirt keeps them."""
    present = tuple(devices)
    return [
        each
        for each in domain.usb
        if (each.vendor, each.product) == (device.vendor, device.product)
        and each.number is not None
        and not any(each.means(other) for other in present)
    ]


def _domain(lending: Lending, domains: Iterable[Domain]) -> Domain | None:
    return next((d for d in domains if d.uuid == lending.uuid and d.active), None)
