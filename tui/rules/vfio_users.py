"""Who has a card on a VFIO driver: a domain, or a process that libvirt does not know, such as plain
QEMU, or the QEMU of another libvirt or of Proxmox.

A domain's definition names its devices. A process is found by its open nodes. If neither is found,
the card's ``enable`` count helps: vfio-pci enables a card when it is opened and disables it when
it is closed (drivers/vfio/pci/vfio_pci_core.c: vfio_pci_core_enable, vfio_pci_core_disable), so at
0 nobody has it. More than 0 proves nothing: an earlier driver may have left it so. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from tui.model import (
    VFIO_NODES,
    CardVitals,
    Domain,
    Guests,
    Holder,
    Holders,
    Inventory,
    PciFunction,
    Snapshot,
    Unavailable,
    Vitals,
    is_vfio_driver,
)
from tui.rules.roles import guest_with_card


def display_name(process: Holder) -> str:
    """The name of a process's guest: the one on QEMU's command line, else the process name."""
    return process.guest or process.name


def describe(process: Holder) -> str:
    """The process as a noun in a sentence."""
    known = f"{process.name}, pid {process.pid}" if process.guest else f"pid {process.pid}"
    return f"“{display_name(process)}” ({known})"


def to_libvirt(guests: Guests | Unavailable) -> str:
    """What libvirt says of a process that has a card and belongs to no domain."""
    read = isinstance(guests, Guests)
    return "libvirt does not know of it" if read else "libvirt has not answered"


def users_by_card(
    gpus: Sequence[PciFunction], domains: tuple[Domain, ...], vitals: Vitals | None
) -> Mapping[str, Domain | Holder]:
    """Who has each card, or a share of it, by address. A process that also has a domain's card is
    that domain's process."""
    found: dict[str, Domain | Holder] = {}
    domain_of: dict[int | None, Domain] = {}
    for gpu in gpus:
        domain = guest_with_card(gpu, domains) or _sharer(gpu, domains)
        if domain is not None:
            found[gpu.address] = domain
            domain_of |= {process.pid: domain for process in _openers(_card(vitals, gpu))}
    for gpu in gpus:
        openers = _openers(_card(vitals, gpu)) if _can_be_had(gpu) else ()
        if gpu.address not in found and openers:
            found[gpu.address] = domain_of.get(openers[0].pid, openers[0])
    return found


def may_be_in_use(gpu: PciFunction, card: CardVitals | None) -> bool:
    """Whether an unknown user may have a card, or a share of it."""
    if not _can_be_had(gpu) or (card is not None and card.enabled == 0):
        return False
    return card is None or card.users is None or not card.users.complete


def cards_to_inspect(snapshot: Snapshot) -> tuple[str, ...]:
    """All cards on a VFIO driver or with shares, if a user that libvirt does not know may have one
    of them."""
    if not isinstance(snapshot.pci, Inventory):
        return ()
    domains = snapshot.guests.domains if isinstance(snapshot.guests, Guests) else ()
    vitals = snapshot.vitals if isinstance(snapshot.vitals, Vitals) else None
    there = [gpu for gpu in snapshot.pci.gpus if _can_be_had(gpu)]
    known = users_by_card(there, domains, vitals)
    unknown = [g for g in there if g.address not in known and may_be_in_use(g, _card(vitals, g))]
    return tuple(gpu.address for gpu in there) if unknown else ()


def with_users(vitals: Vitals, found: Holders, addresses: Sequence[str]) -> Vitals:
    """The vitals, with the users found for the cards at ``addresses``."""
    return Vitals(tuple(
        replace(card, users=replace(found, holders=found.of([card.address])))
        if card.address in addresses else card
        for card in vitals.cards
    ))  # fmt: skip


def _can_be_had(gpu: PciFunction) -> bool:
    return is_vfio_driver(gpu.driver) or bool(gpu.mdevs)


def _sharer(gpu: PciFunction, domains: tuple[Domain, ...]) -> Domain | None:
    """A running domain with a share of the card. Its process is like any other."""
    if not gpu.mdevs:
        return None
    return next((d for d in domains if d.active and gpu.address in d.addresses), None)


def _card(vitals: Vitals | None, gpu: PciFunction) -> CardVitals | None:
    return vitals.of(gpu.address) if vitals is not None else None


def _openers(card: CardVitals | None) -> tuple[Holder, ...]:
    found = card.users.holders if card is not None and card.users is not None else ()
    return tuple(each for each in found if VFIO_NODES in each.what)
