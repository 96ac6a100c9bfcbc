"""From the last readings of all sources to the one view that is drawn and printed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal, TypeVar, get_args

from tui.model import (
    CLOCK,
    NOT_READ_YET,
    AgentReading,
    Blocker,
    CardReading,
    CardVitals,
    Domain,
    DrmReading,
    Gpu,
    Group,
    Guest,
    Holder,
    HostDev,
    HostView,
    Inventory,
    NvidiaModule,
    NvmlReading,
    Owner,
    PciFunction,
    Reading,
    Removal,
    Role,
    Snapshot,
    SourceName,
    Swap,
    Unavailable,
    Viability,
    Vitals,
    is_vfio_driver,
)
from tui.rules import driver_gates, guest_readings, vfio_users
from tui.rules.captured_fixes import captured_fix, with_captured_fixes
from tui.rules.card_checks import SLEEP_FAILED
from tui.rules.driver_gates import never_recovers
from tui.rules.family import NVIDIA, nvidia_model
from tui.rules.isolation import UNKNOWN_HOST
from tui.rules.live_checks import live_checks
from tui.rules.roles import Choice, allowed_guest, owner, roles
from tui.rules.viability import companions, driver_unreadable, on_different_sides, viability

T = TypeVar("T")
Mark = Literal["gpu", "moves", "blocks", "ok", "unknown"]

UNKNOWN_SLEEP = "whether it is awake cannot be read, so it is not woken"

NOT_WOKEN = {
    "suspended": "asleep: it is not woken to be read",
    "suspending": "falling asleep: it is not woken to be read",
    "resuming": "waking up: it is read once it is awake",
    "error": SLEEP_FAILED,
    "unsupported": "its runtime power management is off, so that it may be asleep: it is not woken",
}
"""By power/runtime_status (kernel: drivers/base/power/sysfs.c)."""

READ_DRIVERS = ("nvidia", "amdgpu", "i915", "xe")
"""The drivers whose cards can be read on the host."""

CAN_BE_CALM: tuple[SourceName, ...] = ("nvml",)
NOT_MISSED: tuple[SourceName, ...] = ("drm", "agent", "swap")

ROLE_ORDER: tuple[Role, ...] = ("guest", "host", "other")


def assess(snapshot: Snapshot, choice: Choice | None = None) -> HostView:
    """What the readings mean, given what the user chose. Pure; equal snapshots give
    equal views, so that nothing is redrawn for them."""
    choice = choice or Choice()
    guests, nvml = _read(snapshot.guests), _read(snapshot.nvml)
    domains = guests.domains if guests else ()
    inventory = _read(snapshot.pci)
    gpus = _gpus(inventory, snapshot, domains, choice) if inventory else ()
    groups = _groups(inventory, gpus) if inventory else ()
    view = HostView(
        facts=_read(snapshot.facts),
        iommu_enabled=_iommu_enabled(inventory) if inventory else None,
        iommu_kind=inventory.iommu_kind if inventory else None,
        iommu_groups=len(inventory.isolating) if inventory else 0,
        gpus=gpus,
        groups=groups,
        guests=_guests(domains, gpus, choice, snapshot.agent),
        libvirt_uri=guests.uri if guests else None,
        libvirt_version=guests.version if guests else None,
        nvidia_driver=nvml.driver_version if nvml else None,
        swap=_read(snapshot.swap),
        problems=_problems(snapshot),
        expected=tuple(name for name in CAN_BE_CALM if _is_calm(getattr(snapshot, name))),
        absent_card=_absent_card(inventory, choice),
    )
    checks = with_captured_fixes(
        live_checks(view, snapshot.guests), captured=_is_captured(snapshot)
    )
    return replace(view, checks=checks)


def _is_captured(snapshot: Snapshot) -> bool:
    facts = _read(snapshot.facts)
    return facts is not None and facts.captured


def _iommu_enabled(inventory: Inventory) -> bool | None:
    on = bool(inventory.isolating)
    return on if on or inventory.groups_known else None


def _read(reading: T | Unavailable) -> T | None:
    return None if isinstance(reading, Unavailable) else reading


def _problems(snapshot: Snapshot) -> tuple[tuple[SourceName, str], ...]:
    readings = ((name, getattr(snapshot, name)) for name in get_args(SourceName))
    found = ((name, r) for name, r in readings if isinstance(r, Unavailable))
    # That there was no swap, or that there is no such card or guest, is how it should be, and
    # no panel is empty for it.
    return tuple((name, r.reason) for name, r in found if not (name in NOT_MISSED and r.expected))


def _absent_card(inventory: Inventory | None, choice: Choice) -> str | None:
    """The card that was chosen for the guest, where none is there any more."""
    if inventory is None or choice.guest_gpu in {None, *(gpu.address for gpu in inventory.gpus)}:
        return None
    return choice.guest_gpu


def _is_calm(reading: Reading) -> bool:
    return isinstance(reading, Unavailable) and reading.expected


# --- GPUs ---------------------------------------------------------------------


def _gpus(
    inventory: Inventory, snapshot: Snapshot, domains: tuple[Domain, ...], choice: Choice
) -> tuple[Gpu, ...]:
    functions = inventory.gpus
    role_of = roles(functions, domains, choice)
    had_by = vfio_users.users_by_card(functions, domains, _read(snapshot.vitals))
    beside = _named_beside(domains)
    gpus = (
        _gpu(
            f,
            role_of[f.address],
            inventory,
            snapshot,
            domains,
            has_it=had_by.get(f.address),
            beside=beside.get(f.address, {}),
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
    has_it: Domain | Holder | None,
    beside: Mapping[str, HostDev],
) -> Gpu:
    vitals, swap = _read(snapshot.vitals), _read(snapshot.swap)
    card = vitals.of(function.address) if vitals else None
    reading, why_not = _reading(function, card, snapshot, inventory, has_it)
    moved_by = swap if swap and swap.under_way and function.address in swap.moves else None
    nvidia = function.vendor == NVIDIA
    others = companions(function, inventory)
    whose = _owner(function, domains, card, snapshot.vitals, moved_by)
    if whose.kind == "vfio" and has_it is not None:
        name = has_it.name if isinstance(has_it, Domain) else vfio_users.display_name(has_it)
        whose = Owner("guest", name)
    return Gpu(
        function=function,
        companions=others,
        role=role,
        owner=whose,
        viability=_viability(function, inventory, snapshot, beside),
        nvidia=nvidia_model(function.device, function.name) if nvidia else None,
        vitals=card,
        reading=None if moved_by else reading,
        no_reading=_why_moved(moved_by) if moved_by else why_not,
        left_alone=_left_alone(function, snapshot.nvml),
        half_bound=moved_by is None and on_different_sides(function, others),
        guest_uuid=has_it.uuid if whose.kind == "guest" and isinstance(has_it, Domain) else None,
        taken_by=has_it if isinstance(has_it, Holder) else None,
        may_be_taken=has_it is None and vfio_users.may_be_in_use(function, card),
    )


def _viability(
    function: PciFunction, inventory: Inventory, snapshot: Snapshot, beside: Mapping[str, HostDev]
) -> Viability:
    facts = _read(snapshot.facts) or UNKNOWN_HOST
    found = viability(function, inventory, beside, facts)
    return replace(found, fix=captured_fix(found.fix)) if facts.captured else found


def _named_beside(domains: tuple[Domain, ...]) -> dict[str, dict[str, HostDev]]:
    """What the guests that take a function take whole, by that function and by address. Of
    several guests the one that does not have libvirt move it counts: it needs the advice."""
    found: dict[str, dict[str, HostDev]] = defaultdict(dict)
    for domain in domains:
        whole = [dev for dev in domain.hostdevs if dev.by != "mdev"]
        for address in domain.functions:
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
    """Without vitals a card that has no driver may be one that a driver is letting go of."""
    if moved_by is not None:
        return Owner("stuck" if moved_by.stuck else "moving")
    found = owner(function, domains, card.removal if card else None)
    lost = isinstance(vitals, Unavailable) and vitals != NOT_READ_YET
    leaving = function.driver is None and lost and function.vendor == NVIDIA
    return Owner("unknown") if found.kind == "none" and leaving else found


def _reading(
    function: PciFunction,
    vitals: CardVitals | None,
    snapshot: Snapshot,
    inventory: Inventory,
    has_it: Domain | Holder | None,
) -> tuple[CardReading | None, str | None]:
    """The card's reading, or why there is none."""
    if is_vfio_driver(function.driver):
        if isinstance(has_it, Domain) and _is_captured(snapshot):
            return None, snapshot.agent.reason if isinstance(snapshot.agent, Unavailable) else None
        if isinstance(has_it, Domain):
            return guest_readings.reading(function, has_it, inventory.gpus, snapshot.agent)
        if has_it is not None:
            return None, f"in use by {vfio_users.describe(has_it)}, of which libvirt does not know"
        return None, f"on {function.driver}: the host cannot read it"
    source = snapshot.nvml if function.vendor == NVIDIA else snapshot.drm
    listed = None if isinstance(source, Unavailable) else source.of(function.address)
    return (listed, None) if listed else (None, _why_unread(function, vitals, source))


def _why_unread(
    function: PciFunction,
    vitals: CardVitals | None,
    source: NvmlReading | DrmReading | Unavailable,
) -> str:
    not_woken = _why_not_woken(vitals.runtime_status if vitals else None)
    removal = vitals.removal if vitals else None
    spared = isinstance(source, NvmlReading) and function.address in source.reserved_for_guest
    resting = isinstance(source, NvmlReading) and function.address in source.released_idle
    reasons = (
        (removal is not None, _why_removed(removal, source) if removal else ""),
        ("driver" in function.unreadable, "its driver cannot be read"),
        (function.driver is None, "no driver: nothing can read it"),
        (not_woken is not None, not_woken or ""),
        ("power/runtime_status" in function.unreadable, UNKNOWN_SLEEP),
        (function.driver not in READ_DRIVERS, _why_no_source(function)),
        (isinstance(source, Unavailable), source.reason if isinstance(source, Unavailable) else ""),
        (spared, driver_gates.RESERVED),
        (resting, "idle: NVML has let go of it, so that it can sleep"),
        (isinstance(source, DrmReading), f"{function.driver} tells nothing of it now"),
    )
    return next((reason for applies, reason in reasons if applies), "NVML does not list this card")


def _why_not_woken(status: str | None) -> str | None:
    """Why a card with this power/runtime_status is not read."""
    return None if status in (None, "active") else NOT_WOKEN.get(status, UNKNOWN_SLEEP)


def _why_no_source(function: PciFunction) -> str:
    if function.vendor == NVIDIA:
        return f"on {function.driver}: NVML needs the nvidia driver"
    return f"on {function.driver}: it tells no readings"


def _why_moved(swap: Swap) -> str:
    since = f"since {CLOCK.time_of_day(swap.step_began_at)}"
    if swap.stuck:
        return f"stuck {since}: {swap.message or swap.current_step}"
    if swap.state == "undoing":
        return f"the {swap.direction} is undone: {swap.message or swap.current_step}"
    return f"{swap.direction}, step {swap.step + 1} of {len(swap.steps)}: {swap.current_step}"


def _why_removed(removal: Removal, source: NvmlReading | DrmReading | Unavailable) -> str:
    since = CLOCK.time_of_day(removal.since)
    if not removal.stuck:
        return f"being unbound from {removal.driver} since {since}"
    held = f"stuck since {since}: {removal.driver} does not let go of the card"
    version = source.driver_version if isinstance(source, NvmlReading) else None
    if never_recovers(NvidiaModule(version)):
        return f"{held}, which something used; with driver {version} only a reboot frees it"
    return f"{held} while something uses it; end what does, the kernel log tells more"


# --- groups -------------------------------------------------------------------


def _groups(inventory: Inventory, gpus: tuple[Gpu, ...]) -> tuple[Group, ...]:
    """The groups that have PCI functions: the guest GPU's, the host GPU's, those with
    further GPUs, the rest by id; functions in no group last."""
    members: dict[int | None, list[PciFunction]] = defaultdict(list)
    for function in inventory.functions:
        members[function.iommu_group].append(function)
    first: dict[int | None, Gpu] = {}
    for gpu in gpus:
        first.setdefault(gpu.function.iommu_group, gpu)
    order = {group: place for place, group in enumerate(first)}
    ids = sorted(members, key=lambda g: (g is None, order.get(g, len(order)), g or 0))
    noiommu = inventory.noiommu_groups
    return tuple(
        replace(_group(g, tuple(members[g]), first.get(g)), noiommu=g in noiommu) for g in ids
    )


def _group(number: int | None, functions: tuple[PciFunction, ...], gpu: Gpu | None) -> Group:
    """A group seen from the GPU in it that matters most."""
    if gpu is None:
        marks: tuple[Mark, ...] = tuple(
            "unknown" if driver_unreadable(f) else "ok" for f in functions
        )
        return Group(number, functions, marks)
    reasons = gpu.viability.blockers or _own_fault(gpu, functions)
    at_fault = {blocker.address for blocker in reasons}
    marks = tuple(_mark(f, gpu, at_fault) for f in functions)
    return Group(number, functions, marks, reasons, gpu.role)


def _own_fault(gpu: Gpu, functions: tuple[PciFunction, ...]) -> tuple[Blocker, ...]:
    """Where no device stands in the way and the group still cannot be had for certain:
    the devices that cannot be read, else the card itself."""
    if gpu.viability.viable or gpu.function.iommu_group is None:
        return ()
    dark = tuple(
        Blocker(f.address, "its driver cannot be read") for f in functions if driver_unreadable(f)
    )
    return dark or (Blocker(gpu.address, gpu.viability.reason or "unknown"),)


def _mark(function: PciFunction, gpu: Gpu, at_fault: Collection[str]) -> Mark:
    if function.address in at_fault:
        return "unknown" if gpu.viability.viable is None else "blocks"
    if function.address == gpu.address:
        return "gpu"
    if function.address in gpu.viability.moves:
        return "moves"
    return "unknown" if driver_unreadable(function) else "ok"


# --- guests -------------------------------------------------------------------


def _guests(
    domains: tuple[Domain, ...],
    gpus: tuple[Gpu, ...],
    choice: Choice,
    agent: AgentReading | Unavailable,
) -> tuple[Guest, ...]:
    """The allowed guest, then the active ones, then the rest, by name."""
    card = next((gpu.address for gpu in gpus if gpu.role == "guest"), None)
    allowed = allowed_guest(card, domains, choice)
    guests = (Guest(d, d.uuid == allowed, guest_readings.driver_version(d, agent)) for d in domains)
    return tuple(sorted(guests, key=lambda g: (not g.allowed, not g.domain.active, g.domain.name)))
