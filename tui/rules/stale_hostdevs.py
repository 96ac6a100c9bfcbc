"""Devices that a guest names by addresses that mean something else now, or nothing.

A card that is put into another slot, a new disk, or a setting of the firmware shifts PCI
addresses, and a domain goes on to name the old ones: QubesOS/qubes-issues#7792, #8127. That a
device is gone is plain. That another one stands at its address is told by evidence:

====================================================  ==========================================
evidence                                              what it comes to
====================================================  ==========================================
nothing is at the address                             certain
the domain names another function of the same slot,   certain, unless it is a network card: ports
and that one is gone                                  and virtual functions go one by one
it has a <rom> file, and the domain names no GPU      certain, unless it is a network card: these
                                                      have ROMs for booting
the domain names no GPU, and no domain names the      possible: it is told, and for the user to
guest's card                                          decide
====================================================  ==========================================

A function of a GPU that is there, and one that is on a VFIO driver, is no stray: somebody has
made it ready for a guest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tui.model import Domain, HostView, PciFunction, is_vfio_driver, slot_of

NETWORK = "02"
"""PCI base class of network controllers."""


@dataclass(frozen=True, slots=True)
class StaleDevice:
    """A device of a domain that is not what it was. ``why`` completes "it …"; ``certain``: by
    more than a guess."""

    address: str
    why: str
    certain: bool = True


def stale_devices(domain: Domain, view: HostView) -> tuple[StaleDevice, ...]:
    """The strays among a domain's devices, in the order in which it names them."""
    functions = {f.address: f for group in view.groups for f in group.functions}
    return tuple(_strays(domain, view, functions)) if functions else ()


def _strays(
    domain: Domain, view: HostView, functions: dict[str, PciFunction]
) -> Iterator[StaleDevice]:
    of_gpus = {address for gpu in view.gpus for address in gpu.viability.moves}
    no_gpu = not of_gpus & set(domain.addresses)
    wanted = no_gpu and _nobody_has_the_card(view)
    gone = [address for address in domain.addresses if address not in functions]
    for device in domain.hostdevs:
        function = functions.get(device.address)
        if function is None:
            yield StaleDevice(device.address, "is not there any more")
            continue
        if function.address in of_gpus or is_vfio_driver(function.driver) or function.is_bridge:
            continue
        network = function.class_code.startswith(NETWORK)
        beside = next((a for a in gone if slot_of(a) == function.slot), None)
        now = f"is {function.name} now ({function.driver or 'no driver'})"
        if beside is not None and not network and (no_gpu or function.driver):
            yield StaleDevice(function.address, f"{now}, and {beside} of its slot is gone")
        elif device.rom and no_gpu and not network:
            yield StaleDevice(function.address, f"{now}, and has the <rom> of a card")
        elif wanted and not (network and _is_virtual(function)):
            why = f"{now}, and the domain names no GPU: it may be the old address of its card"
            yield StaleDevice(function.address, why, certain=False)


def _is_virtual(function: PciFunction) -> bool:
    """Whether no card can have been at its address: behind a PCI Express port a card has the
    device number 0, and only virtual functions have others (PCI Express Base Specification,
    7.3.1 on device numbers, chapter 9 on SR-IOV)."""
    bus, _, device = function.slot.rpartition(":")
    return not bus.endswith(":00") and device != "00"


def _nobody_has_the_card(view: HostView) -> bool:
    card = view.guest_gpu
    named = {address for guest in view.guests for address in guest.domain.addresses}
    return card is not None and not named & set(card.viability.moves)
