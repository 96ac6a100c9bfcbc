"""The reading of a card from the source that has it, or why there is none."""

from __future__ import annotations

from tui.model import (
    CLOCK,
    NVIDIA,
    CardReading,
    CardVitals,
    Domain,
    DrmReading,
    Holder,
    Inventory,
    NvidiaModule,
    NvmlReading,
    PciFunction,
    Removal,
    Snapshot,
    Swap,
    Unavailable,
    is_awake,
    is_vfio_driver,
)
from tui.rules import driver_gates, guest_readings, vfio_users
from tui.rules.card_checks import SLEEP_FAILED
from tui.rules.readings import is_captured

UNKNOWN_SLEEP = "cannot tell whether it is awake, so it is not read"

NOT_WOKEN = {
    "suspended": "asleep: reading it would wake it",
    "suspending": "falling asleep: reading it would wake it",
    "resuming": "waking up: it is read once it is awake",
    "error": SLEEP_FAILED,
    "unsupported": "runtime power management is off; the card may be asleep, so it is not read",
}
"""By power/runtime_status (kernel: drivers/base/power/sysfs.c)."""

READ_DRIVERS = ("nvidia", "amdgpu", "i915", "xe")
"""The drivers whose cards we can read on the host."""


def reading(
    function: PciFunction,
    vitals: CardVitals | None,
    snapshot: Snapshot,
    inventory: Inventory,
    user: Domain | Holder | None,
) -> tuple[CardReading | None, str | None]:
    """The card's reading, or why there is none. ``user`` is who has the card on VFIO."""
    if is_vfio_driver(function.driver):
        agent = snapshot.agent
        if isinstance(user, Domain) and is_captured(snapshot) and isinstance(agent, Unavailable):
            return None, agent.reason
        if isinstance(user, Domain):
            return guest_readings.reading(function, user, inventory.gpus, agent)
        if user is not None:
            known = vfio_users.to_libvirt(snapshot.guests)
            return None, f"in use by {vfio_users.describe(user)}, and {known}"
        return None, f"on {function.driver}: the host cannot read it"
    source = snapshot.nvml if function.vendor == NVIDIA else snapshot.drm
    found = None if isinstance(source, Unavailable) else source.of(function.address)
    return (found, None) if found else (None, _why_unread(function, vitals, source))


def why_moving(swap: Swap) -> str:
    """Why a card that a swap moves is not read, with the swap's progress."""
    since = f"since {CLOCK.time_of_day(swap.step_began_at)}"
    if swap.stuck:
        return f"stuck {since}: {swap.message or swap.current_step}"
    if swap.state == "undoing":
        return f"undoing the {swap.direction}: {swap.message or swap.current_step}"
    return f"{swap.direction}, step {swap.step + 1} of {len(swap.steps)}: {swap.current_step}"


def _why_unread(
    function: PciFunction,
    vitals: CardVitals | None,
    source: NvmlReading | DrmReading | Unavailable,
) -> str:
    not_woken = _why_not_woken(vitals.runtime_status if vitals else None)
    removal = vitals.removal if vitals else None
    reserved = isinstance(source, NvmlReading) and function.address in source.reserved_for_guest
    released = isinstance(source, NvmlReading) and function.address in source.released_idle
    reasons = (
        (removal is not None, _why_removed(removal, source) if removal else ""),
        ("driver" in function.unreadable, "the card's driver cannot be read"),
        (function.driver is None, "no driver: nothing can read it"),
        (not_woken is not None, not_woken or ""),
        ("power/runtime_status" in function.unreadable, UNKNOWN_SLEEP),
        (function.driver not in READ_DRIVERS, _why_no_source(function)),
        (isinstance(source, Unavailable), source.reason if isinstance(source, Unavailable) else ""),
        (reserved, driver_gates.RESERVED),
        (released, "idle: NVML has released it, so that it can sleep"),
        (isinstance(source, DrmReading), f"{function.driver} reports nothing about it now"),
    )
    return next((reason for applies, reason in reasons if applies), "NVML does not list this card")


def _why_not_woken(status: str | None) -> str | None:
    """Why a card with this power/runtime_status is not read; ``None`` if it is awake."""
    return None if is_awake(status) else NOT_WOKEN.get(status or "", UNKNOWN_SLEEP)


def _why_no_source(function: PciFunction) -> str:
    if function.vendor == NVIDIA:
        return f"on {function.driver}: NVML needs the nvidia driver"
    return f"on {function.driver}, which reports no readings"


def _why_removed(removal: Removal, source: NvmlReading | DrmReading | Unavailable) -> str:
    since = CLOCK.time_of_day(removal.since)
    if not removal.stuck:
        return f"being unbound from {removal.driver} since {since}"
    held = f"stuck since {since}: {removal.driver} does not release the card"
    version = source.driver_version if isinstance(source, NvmlReading) else None
    if driver_gates.never_recovers(NvidiaModule(version)):
        return f"{held}, which was in use; with driver {version} only a reboot frees it"
    return f"{held} while something uses it; end that process, or check the kernel log"
