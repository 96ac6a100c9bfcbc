"""Checks whether a swap may run, on one fresh reading.

What could not be measured is ``unknown``, never ``pass``: continuing is then a risk, which must be
named to the user.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from tui.model import (
    Check,
    Direction,
    Gpu,
    Guests,
    HostView,
    Plan,
    Unavailable,
)
from tui.rules import (
    attached_checks,
    card_checks,
    driver_gates,
    holder_checks,
    host_checks,
    hostdev_checks,
    privilege,
    r465,
    vfio_users,
)
from tui.rules.captured_fixes import with_captured_fixes
from tui.rules.check_input import CheckInput
from tui.rules.viability import already_there
from tui.swap.plan import steps

NEEDED = "swap.needed"
"""The one check that a recovery may fail: its swap may have been interrupted at the very end."""

CARD = "the card"

UNDO_CHECKS = frozenset({"swap.movable", "guest.inactive", "privilege"})
"""The checks that an undo has to pass."""


def make_plan(gpu: Gpu, direction: Direction, readings: CheckInput) -> Plan:
    """Return the plan of a swap with its checks and holders."""
    moving = tuple(function.address for function in gpu.functions)
    todo = steps(gpu, direction, readings.readiness.home_power)
    plan = Plan(direction, gpu.address, moving, todo)
    found = () if isinstance(readings.holders, Unavailable) else readings.holders.of(plan.unbinds)
    holders = tuple(replace(holder, stop=holder_checks.how_to_stop(holder)) for holder in found)
    return replace(plan, checks=checks(gpu, plan, readings), holders=holders)


def for_recovery(plan: Plan, *, finish: bool) -> Plan:
    """Return the plan with the checks that matter to a recovery.

    To finish, all but ``swap.needed``. To undo, those that say whether somebody uses the card now.
    """
    relevant = (c for c in plan.checks if (c.id != NEEDED if finish else _matters_to_undo(c)))
    return replace(plan, checks=tuple(relevant))


def _matters_to_undo(check: Check) -> bool:
    """Whether an undo needs a check.

    Holders are scanned again right before each function moves. But if they cannot be seen, the
    user has to accept that.
    """
    return check.id in UNDO_CHECKS or (check.id == holder_checks.ID and check.verdict == "unknown")


def checks(gpu: Gpu, plan: Plan, readings: CheckInput) -> tuple[Check, ...]:
    """Return every check of a swap of ``gpu``, the most telling first."""
    found = (
        _bind_checks(gpu, readings) if plan.direction == "bind" else _unbind_checks(gpu, readings)
    )
    moves_whole = (card_checks.movable(gpu), _needed(gpu, plan.direction))
    every = (*moves_whole, *found, *_holder_checks(gpu, plan, readings))
    # That a guest runs with the card says more than that the card is on vfio-pci.
    ordered = sorted(every, key=lambda c: (c.id, c.verdict) != ("guest.inactive", "fail"))
    return with_captured_fixes(tuple(ordered), captured=readings.readiness.captured)


def _bind_checks(gpu: Gpu, readings: CheckInput) -> Iterator[Check]:
    view, readiness = readings.view, readings.readiness
    yield r465.not_shared(gpu, view)
    yield r465.two_gpus(gpu, view)
    yield host_checks.iommu(view, readiness)
    yield hostdev_checks.viable(gpu, readings)
    yield r465.family(gpu)
    yield r465.one_vm_for(gpu, view.gpus, readings.local_guests, coming=gpu.guest_uuid)
    yield r465.sriov(gpu, readiness)
    yield no_guest(gpu, view, readings.local_guests)
    yield host_checks.vfio(readiness)
    yield driver_gates.check(gpu, readiness, view.gpus)
    yield privilege.check(readiness)


def _unbind_checks(gpu: Gpu, readings: CheckInput) -> Iterator[Check]:
    yield no_guest(gpu, readings.view, readings.local_guests)
    yield privilege.check(readings.readiness)


def _needed(gpu: Gpu, direction: Direction) -> Check:
    """swap.needed: something is left to do."""
    where = already_there(gpu, direction)
    if where is not None:
        return Check(NEEDED, gpu.address, "fail", f"the card is {where} already")
    there = "on vfio-pci" if direction == "bind" else "back with the host"
    return Check(NEEDED, gpu.address, "pass", f"the card is not {there} yet")


def no_guest(gpu: Gpu, view: HostView, guests: Guests | Unavailable) -> Check:
    """guest.inactive: no running guest has a function of the card's group."""
    check = "guest.inactive"
    group = next((g for g in view.groups if g.id == gpu.function.iommu_group and g.id is not None),
                 None)  # fmt: skip
    members = {f.address for f in group.functions} if group else set()
    members |= {f.address for f in gpu.functions}
    for other in view.gpus:
        process = other.taken_by
        if process is not None and other.address in members:
            return Check(
                check, gpu.address, "fail",
                f"{vfio_users.describe(process)} uses {_what(other.address, gpu)}, "
                f"and {vfio_users.to_libvirt(guests)}",
                holder_checks.how_to_stop(process),
            )  # fmt: skip
    if isinstance(guests, Unavailable):
        return Check(check, gpu.address, "unknown", f"libvirt: {guests.reason}")
    users = [d for d in guests.domains if d.active and members & set(d.addresses)]
    if users:
        used = sorted(members & set(users[0].addresses), key=lambda a: _what(a, gpu) != CARD)
        name = users[0].name
        return Check(check, gpu.address, "fail", f"“{name}” is running with {_what(used[0], gpu)}",
                     f"shut down {name} first")  # fmt: skip
    lost = [f.address for f in gpu.functions if "iommu_group" in f.unreadable]
    if lost:
        return Check(check, gpu.address, "unknown", f"the IOMMU group of {lost[0]} cannot be read")
    unclear = [d.name for d in guests.domains if d.problem or d.state == "unknown"]
    if unclear:
        return Check(check, gpu.address, "unknown", f"cannot tell which devices “{unclear[0]}” has")
    return Check(
        check, gpu.address, "pass", "no running guest uses a device in the card's IOMMU group"
    )


def _what(address: str, gpu: Gpu) -> str:
    """The card, or a device of its group, as a phrase."""
    own = any(function.address == address for function in gpu.functions)
    return CARD if own else "a device in the card's IOMMU group"


def _holder_checks(gpu: Gpu, plan: Plan, readings: CheckInput) -> Iterator[Check]:
    """Check holders of the functions that are unbound from a driver; the others may be in use."""
    if plan.unbinds:
        yield holder_checks.check(
            gpu.address, plan.unbinds, readings.holders, readings.readiness.nvidia, gpu.owner.guest
        )
    attached = attached_checks.check(gpu, readings.view, readings.uses)
    if attached is not None and plan.direction == "bind":
        yield attached
