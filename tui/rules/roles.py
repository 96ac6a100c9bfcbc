"""Roles: the guest GPU, the host GPU, the allowed guest, and each card's owner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from tui.model import (
    Domain,
    Owner,
    PciFunction,
    Removal,
    Role,
    domains_named,
    domains_with_uuid,
    driver_side,
    is_vfio_driver,
)


class Choice(Struct, frozen=True):
    """What the user chose: the guest GPU's address; and the guest, as a typed name or UUID in
    ``guest``, or as the UUID of the picked one in ``guest_uuid``. ``None``: the rules decide, if
    there is only one possibility."""

    guest_gpu: str | None = None
    guest: str | None = None
    guest_uuid: str | None = None


def roles(
    gpus: tuple[PciFunction, ...], domains: tuple[Domain, ...], choice: Choice
) -> Mapping[str, Role]:
    """The role of each GPU, by address. There is at most one guest GPU and one host GPU."""
    guest = guest_gpu(gpus, domains, choice)
    host = _host_gpu(gpus, guest)
    return {
        gpu.address: "guest" if gpu.address == guest else "host" if gpu is host else "other"
        for gpu in gpus
    }


def guest_gpu(
    gpus: tuple[PciFunction, ...], domains: tuple[Domain, ...], choice: Choice
) -> str | None:
    """The address of the guest GPU: the chosen one; else the one that a domain names, an active
    domain's first; else the only one that does not drive the host's display. If that leaves
    several, the only one of them on a VFIO driver."""
    present = {gpu.address for gpu in gpus}
    if choice.guest_gpu is not None:
        return choice.guest_gpu if choice.guest_gpu in present else None
    named = _named(domains) & present
    active = named & _named(d for d in domains if d.active)
    if named:
        candidates = active or named
        return _only(candidates) or _only_on_vfio(g for g in gpus if g.address in candidates)
    return _only_spare(gpus) or _only_on_vfio(g for g in gpus if not g.boot_vga)


def allowed_guest(gpu: str | None, domains: tuple[Domain, ...], choice: Choice) -> str | None:
    """The UUID of the domain that may have the guest GPU: the chosen one, else the only one that
    names the card. ``None`` if there is none, or more than one."""
    if choice.guest is not None:
        return _only({d.uuid for d in domains_named(choice.guest, domains)})
    if choice.guest_uuid is not None:
        return _only({d.uuid for d in domains_with_uuid(choice.guest_uuid, domains)})
    return _only({d.uuid for d in domains if gpu in d.functions}) if gpu is not None else None


def guest_with_card(gpu: PciFunction, domains: Iterable[Domain]) -> Domain | None:
    """The running domain that has a card on a VFIO driver."""
    if "driver" in gpu.unreadable or not is_vfio_driver(gpu.driver):
        return None
    return next((d for d in domains if d.active and gpu.address in d.functions), None)


def owner(gpu: PciFunction, domains: tuple[Domain, ...], removal: Removal | None = None) -> Owner:
    """The owner of a card, as far as its driver and the domains tell. A card on pci-stub or uio
    has owner ``none``: the host cannot use it."""
    if removal is not None:
        return Owner("stuck" if removal.stuck else "moving")
    if "driver" in gpu.unreadable:
        return Owner("unknown")
    whose = driver_side(gpu.driver)
    if whose != "vfio":
        return Owner("host" if whose == "host" else "none")
    guest = guest_with_card(gpu, domains)
    return Owner("vfio") if guest is None else Owner("guest", guest.name)


def _host_gpu(gpus: tuple[PciFunction, ...], guest: str | None) -> PciFunction | None:
    rest = [gpu for gpu in gpus if gpu.address != guest]
    boot = next((gpu for gpu in rest if gpu.boot_vga), None)
    return boot or next((gpu for gpu in rest if owner(gpu, ()).kind == "host"), None)


def _named(domains: Iterable[Domain]) -> set[str]:
    return {address for domain in domains for address in domain.functions}


def _only(candidates: set[str]) -> str | None:
    return next(iter(candidates)) if len(candidates) == 1 else None


def _only_on_vfio(candidates: Iterable[PciFunction]) -> str | None:
    """The only card on a VFIO driver of two or more whose drivers are all known."""
    cards = list(candidates)
    if len(cards) < 2 or any("driver" in card.unreadable for card in cards):
        return None
    return _only({card.address for card in cards if is_vfio_driver(card.driver)})


def _only_spare(gpus: tuple[PciFunction, ...]) -> str | None:
    """The only GPU that is not boot_vga, if another is, so that one remains for the host."""
    if not any(gpu.boot_vga for gpu in gpus):
        return None
    return _only({gpu.address for gpu in gpus if not gpu.boot_vga})
