"""Plans an action on a guest: its steps, and every check that may refuse it. Pure.

A start includes the swap of its card if the host still has it. libvirt never moves the card: it
would not check who uses it, and would wait for it without a time limit.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from tui.model import Check, Domain, Gpu, GuestAction, GuestPlan, Plan, is_vfio_driver
from tui.rules import (
    card_checks,
    driver_gates,
    guest_checks,
    guest_setup_checks,
    holder_checks,
    hostdev_checks,
    memory_checks,
    r465,
)
from tui.rules.captured_fixes import with_captured_fixes
from tui.rules.check_input import CheckInput
from tui.swap import preflight

ROOT_ONLY = frozenset({holder_checks.ID, driver_gates.ID})
"""Checks that need root: the runner of a swap makes them, an ordinary user cannot."""

STOP_S = 60.0
"""Seconds that a guest gets to shut down before force-off is offered."""


def make_plan(action: GuestAction, domain: Domain, readings: CheckInput) -> GuestPlan:
    """Return the plan of an action on ``domain``, which is one of the domains in ``readings``."""
    cards = guest_checks.cards_of(domain, readings.view.gpus)
    swap = _swap(cards, readings) if action == "start" else None
    found = (
        *_common_checks(action, domain, readings),
        *_action_checks(action, domain, cards, readings),
    )
    return GuestPlan(
        action, domain.name, domain.raw_name, domain.uuid, domain.shell_word,
        _steps(action, domain),
        tuple(gpu.address for gpu in cards), swap,
        with_captured_fixes(_merged(found, swap), captured=readings.readiness.captured),
    )  # fmt: skip


def _swap(cards: tuple[Gpu, ...], readings: CheckInput) -> Plan | None:
    away = _with_host(cards)
    return preflight.make_plan(away[0], "bind", readings) if away else None


def doubts_to_confirm(plan: GuestPlan, *, elevated: bool) -> tuple[Check, ...]:
    """Return the doubts that the user has to confirm.

    With ``elevated`` the swap runs as root in another process. It can make the checks that could
    not be made here, and asks about any doubt that is left.
    """
    by_root = ROOT_ONLY if elevated and plan.swap else frozenset()
    return tuple(doubt for doubt in plan.doubts if doubt.id not in by_root)


def _with_host(cards: tuple[Gpu, ...]) -> list[Gpu]:
    return [gpu for gpu in cards if not all(is_vfio_driver(f.driver) for f in gpu.functions)]


def _merged(found: tuple[Check, ...], swap: Plan | None) -> tuple[Check, ...]:
    """Merge the start's checks with those of the swap before it, without duplicates."""
    known = {(check.id, check.subject) for check in found}
    more = (c for c in swap.checks if (c.id, c.subject) not in known) if swap else ()
    return (*found, *more)


def _steps(action: GuestAction, domain: Domain) -> tuple[str, ...]:
    """Return the steps as virsh commands, which an operator can repeat."""
    if action == "start":
        return (
            domain.virsh("start", "--paused"),
            "check all guests again before the guest runs its first instruction",
            domain.virsh("resume"),
        )
    if action == "stop":
        return (domain.virsh("shutdown"), f"wait up to {STOP_S:.0f} s for it to shut down")
    verbs: dict[GuestAction, str] = {
        "reboot": "reboot", "pause": "suspend", "resume": "resume", "force-off": "destroy"
    }  # fmt: skip
    return (domain.virsh(verbs[action]),)


# --- checks ---------------------------------------------------------------------


def _common_checks(action: GuestAction, domain: Domain, readings: CheckInput) -> Iterator[Check]:
    yield guest_checks.state_allows(domain, action)
    yield guest_checks.writable(readings)


def _action_checks(
    action: GuestAction, domain: Domain, cards: tuple[Gpu, ...], readings: CheckInput
) -> Iterator[Check]:
    if action == "start":
        yield from _start_checks(domain, cards, readings)
    if action == "resume":
        for gpu in cards:
            yield r465.one_vm_for(
                gpu, readings.view.gpus, readings.local_guests, coming=domain.uuid
            )
    if action == "force-off":
        yield Check("guest.unsaved", domain.name, "warn", "unsaved data in the guest is lost")


def _start_checks(domain: Domain, cards: tuple[Gpu, ...], readings: CheckInput) -> Iterator[Check]:
    if domain.problem is not None:
        yield Check("guest.hostdevs-complete", domain.name, "unknown",
                    guest_checks.unreadable(domain))  # fmt: skip
    if domain.hostdevs:
        yield hostdev_checks.check(domain, readings)
    rom = guest_setup_checks.rom(domain, readings.view, readings.files)
    if rom.verdict == "fail":
        yield rom
    if domain.setup is not None:
        if readings.guests_here:
            yield memory_checks.memory(domain, readings.memory)
        yield memory_checks.locked(domain)
    view = readings.view
    guest = view.guest.domain if view.guest else None
    for gpu in cards:
        yield r465.one_vm_for(gpu, view.gpus, readings.local_guests, coming=domain.uuid)
        yield guest_checks.allowed(domain, gpu, guest)
        yield guest_checks.hostdevs_complete(domain, gpu)
        yield guest_checks.managed(domain, gpu)
        yield card_checks.movable(gpu)
        yield preflight.no_guest(gpu, view, readings.local_guests)
        yield r465.not_shared(gpu, view)
        yield r465.two_gpus(gpu, view)
        yield r465.family(gpu)
        yield r465.sriov(gpu, readings.readiness)
        yield hostdev_checks.viable(gpu, readings, domain)
    away = _with_host(cards)
    if len(away) > 1:
        names = " ".join(gpu.address for gpu in away)
        yield Check("guest.cards", domain.name, "fail", f"{names} must all be moved first",
                    f"`vfiotop bind {shlex.quote(away[0].address)}`, and so on")  # fmt: skip
