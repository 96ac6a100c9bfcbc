"""Devices that a domain names by an address that now means another device, or none.

A card in another slot, a new disk, or a firmware setting shifts PCI addresses, and the domain
still names the old ones: QubesOS/qubes-issues#7792, #8127. A missing device is obvious. That
another device took its address is a conclusion from evidence:

====================================================  ==========================================
evidence                                              conclusion
====================================================  ==========================================
nothing is at the address                             certain
the domain names another function of the same slot,   certain, unless it is a network card: ports
and that one is gone                                  and virtual functions go one by one
it has a <rom> file, and the domain names no GPU      certain, unless it is a network card: these
                                                      have ROMs for booting
the domain names no GPU, and no domain names the      possible: the user decides
guest's card
====================================================  ==========================================

A function of a present GPU is never stale, nor is one on a VFIO driver: somebody prepared it for
a guest.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from tui.model import (
    NETWORK_CLASS,
    Domain,
    HostView,
    PciFunction,
    bus_of,
    is_vfio_driver,
    slot_of,
)


class StaleDevice(Struct, frozen=True):
    """A device of a domain that is not what it was. ``why`` completes "it …". ``certain``: not
    just a guess."""

    address: str
    why: str
    certain: bool = True


def stale_devices(domain: Domain, view: HostView) -> tuple[StaleDevice, ...]:
    """The stale devices of a domain, in its order."""
    functions = view.functions
    return tuple(_stale(domain, view, functions)) if functions else ()


def _stale(
    domain: Domain, view: HostView, functions: dict[str, PciFunction]
) -> Iterator[StaleDevice]:
    of_gpus = {address for gpu in view.gpus for address in gpu.viability.moves}
    no_gpu = not of_gpus & set(domain.addresses)
    card_unclaimed = no_gpu and _nobody_names_the_card(view)
    gone = [address for address in domain.addresses if address not in functions]
    for device in domain.hostdevs:
        function = functions.get(device.address)
        if function is None:
            yield StaleDevice(device.address, "no longer exists")
            continue
        if function.address in of_gpus or is_vfio_driver(function.driver) or function.is_bridge:
            continue
        network = function.class_code.startswith(NETWORK_CLASS)
        sibling = next((a for a in gone if slot_of(a) == function.slot), None)
        now = f"is now {function.name} ({function.driver or 'no driver'})"
        if sibling is not None and not network and (no_gpu or function.driver):
            yield StaleDevice(function.address, f"{now}, and {sibling} of its slot is gone")
        elif device.rom and no_gpu and not network:
            yield StaleDevice(function.address, f"{now}, but has the <rom> of a card")
        elif card_unclaimed and not (network and _is_virtual(function)):
            why = f"{now}, and the domain names no GPU: it may be the old address of its card"
            yield StaleDevice(function.address, why, certain=False)


def _is_virtual(function: PciFunction) -> bool:
    """Whether the address can only be a virtual function's. Behind a PCI Express port a card has
    device number 0; only virtual functions have others (PCI Express Base Specification, 7.3.1 on
    device numbers, chapter 9 on SR-IOV)."""
    return bus_of(function.address) != "00" and not function.slot.endswith(":00")


def _nobody_names_the_card(view: HostView) -> bool:
    card = view.guest_gpu
    named = {address for guest in view.guests for address in guest.domain.addresses}
    return card is not None and not named & set(card.viability.moves)
