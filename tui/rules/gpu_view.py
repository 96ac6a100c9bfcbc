"""The GPUs of a host: who has each, what moves with it, and its reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set

from msgspec.structs import replace

from tui.model import (
    NOT_READ_YET,
    NVIDIA,
    CardVitals,
    Domain,
    Gpu,
    Holder,
    HostDev,
    Inventory,
    NvmlReading,
    Owner,
    PciFunction,
    Role,
    Snapshot,
    Swap,
    Unavailable,
    Viability,
    Vitals,
)
from tui.rules import card_readings, vfio_users
from tui.rules.captured_fixes import captured_fix
from tui.rules.family import nvidia_model
from tui.rules.isolation import UNKNOWN_HOST
from tui.rules.readings import read
from tui.rules.roles import Choice, owner, roles
from tui.rules.viability import companions, on_different_sides, viability

ROLE_ORDER: tuple[Role, ...] = ("guest", "host", "other")


def gpus_of(
    inventory: Inventory, snapshot: Snapshot, domains: tuple[Domain, ...], choice: Choice
) -> tuple[Gpu, ...]:
    """All GPUs: the guest's, the host's, the others by address."""
    functions = inventory.gpus
    role_of = roles(functions, domains, choice)
    users = vfio_users.users_by_card(functions, domains, read(snapshot.vitals))
    named = _named_together(domains, {f.address for f in functions})
    gpus = (
        _gpu(
            f,
            role_of[f.address],
            inventory,
            snapshot,
            domains,
            user=users.get(f.address),
            named=named.get(f.address, {}),
        )
        for f in functions
    )
    return tuple(sorted(gpus, key=lambda gpu: (ROLE_ORDER.index(gpu.role), gpu.address)))


def _gpu(
    function: PciFunction,
    role: Role,
    inventory: Inventory,
    snapshot: Snapshot,
    domains: tuple[Domain, ...],
    *,
    user: Domain | Holder | None,
    named: Mapping[str, HostDev],
) -> Gpu:
    vitals, swap = read(snapshot.vitals), read(snapshot.swap)
    card = vitals.of(function.address) if vitals else None
    reading, why_not = card_readings.reading(function, card, snapshot, inventory, user)
    moved_by = swap if swap and swap.under_way and function.address in swap.moves else None
    nvidia = function.vendor == NVIDIA
    others = companions(function, inventory)
    whose = _owner(function, domains, card, snapshot.vitals, moved_by)
    hidden = user is None and vfio_users.may_be_in_use(function, card)
    if whose.kind == "vfio" and hidden and snapshot.guests == NOT_READ_YET:
        whose = Owner("unknown")  # a domain may have it
    if whose.kind == "vfio" and user is not None:
        name = user.name if isinstance(user, Domain) else vfio_users.display_name(user)
        whose = Owner("guest", name)
    return Gpu(
        function=function,
        companions=others,
        role=role,
        owner=whose,
        viability=_viability(function, inventory, snapshot, named),
        nvidia=nvidia_model(function.device, function.name) if nvidia else None,
        vitals=card,
        reading=None if moved_by else reading,
        no_reading=card_readings.why_moving(moved_by) if moved_by else why_not,
        left_alone=_left_alone(function, snapshot.nvml),
        half_bound=moved_by is None and on_different_sides(function, others),
        guest_uuid=user.uuid if whose.kind == "guest" and isinstance(user, Domain) else None,
        taken_by=user if isinstance(user, Holder) else None,
        may_be_taken=hidden,
    )


def _viability(
    function: PciFunction, inventory: Inventory, snapshot: Snapshot, named: Mapping[str, HostDev]
) -> Viability:
    facts = read(snapshot.facts) or UNKNOWN_HOST
    found = viability(function, inventory, named, facts)
    return replace(found, fix=captured_fix(found.fix)) if facts.captured else found


def _named_together(domains: tuple[Domain, ...], cards: Set[str]) -> dict[str, dict[str, HostDev]]:
    """For each card, the hostdevs of the domains that take it whole, by address. If domains
    differ, the unmanaged hostdev counts: that one needs the advice."""
    found: dict[str, dict[str, HostDev]] = defaultdict(dict)
    for domain in domains:
        whole = [dev for dev in domain.hostdevs if dev.by != "mdev"]
        for address in cards & set(domain.functions):
            for dev in whole:
                if not dev.managed or dev.address not in found[address]:
                    found[address][dev.address] = dev
    return found


def _left_alone(function: PciFunction, nvml: NvmlReading | Unavailable) -> bool:
    return isinstance(nvml, NvmlReading) and function.address in (
        *nvml.reserved_for_guest,
        *nvml.released_idle,
    )


def _owner(
    function: PciFunction,
    domains: tuple[Domain, ...],
    card: CardVitals | None,
    vitals: Vitals | Unavailable,
    moved_by: Swap | None,
) -> Owner:
    """The owner of a card. Without vitals, an NVIDIA card without a driver may be in the middle
    of a driver removal."""
    if moved_by is not None:
        return Owner("stuck" if moved_by.stuck else "moving")
    found = owner(function, domains, card.removal if card else None)
    lost = isinstance(vitals, Unavailable) and vitals != NOT_READ_YET
    leaving = function.driver is None and lost and function.vendor == NVIDIA
    return Owner("unknown") if found.kind == "none" and leaving else found
