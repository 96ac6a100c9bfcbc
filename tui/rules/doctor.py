"""Every check of a host in one list: what was measured, and what to do about it.

What could not be measured is ``unknown``, with the reason. A check without a subject, such as a
rule for the guest if there is none, is ``unknown`` too and is not left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from tui.model import Check, Gpu, Guest
from tui.rules import (
    attached_checks,
    card_checks,
    card_setup_checks,
    driver_gates,
    guest_checks,
    guest_setup_checks,
    holder_checks,
    host_checks,
    host_setup_checks,
    hostdev_checks,
    kernel_log,
    memory_checks,
    pinning,
    privilege,
    r465,
)
from tui.rules.captured_fixes import with_captured_fixes
from tui.rules.check_input import CheckInput


class CheckGroup(Struct, frozen=True):
    """Checks of one subject, under a heading."""

    title: str
    checks: tuple[Check, ...]


def examine(readings: CheckInput) -> tuple[CheckGroup, ...]:
    """All checks, in the order in which to fix them: host, cards, guest."""
    view = readings.view
    gpu = view.guest_gpu
    groups = (
        CheckGroup("Host", tuple(_host(readings))),
        *(_cards(readings) if gpu is None else _guest_card(gpu, readings)),
        CheckGroup("Guest", tuple(_guest(view.guest, gpu, readings))),
    )
    captured = readings.readiness.captured
    return tuple(
        CheckGroup(g.title, with_captured_fixes(g.checks, captured=captured)) for g in groups
    )


def all_checks(groups: tuple[CheckGroup, ...]) -> tuple[Check, ...]:
    """The checks of all groups in one list."""
    return tuple(check for group in groups for check in group.checks)


def summary(groups: tuple[CheckGroup, ...]) -> str:
    """The number of checks by verdict, in a sentence."""
    checks = all_checks(groups)
    words = {"fail": "failed", "warn": "passed with a warning", "unknown": "could not be made"}
    counts = {verdict: sum(check.verdict == verdict for check in checks) for verdict in words}
    if not any(counts.values()):
        return f"All {len(checks)} checks passed."
    results = ", ".join(f"{count} {words[verdict]}" for verdict, count in counts.items() if count)
    return f"Of {len(checks)} checks, {results}."


def _host(readings: CheckInput) -> Iterator[Check]:
    yield host_checks.linux(readings.view)
    yield host_checks.iommu(readings.view, readings.readiness)
    yield host_checks.vfio(readings.readiness)
    yield host_checks.libvirt(readings)
    yield privilege.check(readings.readiness, grants=True)
    yield kernel_log.check(readings.view, readings.readiness)
    yield host_setup_checks.kernel_options(readings.readiness)
    yield host_setup_checks.second_writer(readings.view, readings.readiness)


def _guest_card(gpu: Gpu, readings: CheckInput) -> Iterator[CheckGroup]:
    """The guest's card in full, and the faults of other cards."""
    yield CheckGroup("Guest GPU", tuple(_card(gpu, readings)))
    for other in readings.view.gpus:
        if other.address != gpu.address:
            yield from _faults(other, readings)


def _faults(gpu: Gpu, readings: CheckInput) -> Iterator[CheckGroup]:
    """The faults of a card that is not the guest's."""
    checks = tuple(check for check in _condition(gpu, readings) if check.verdict != "pass")
    if checks:
        yield CheckGroup(f"{gpu.address} {gpu.name}", checks)


def _condition(gpu: Gpu, readings: CheckInput) -> Iterator[Check]:
    """The checks of any card's state."""
    yield card_checks.answers(gpu)
    yield card_checks.movable(gpu)
    yield card_checks.half_bound(gpu, readings.view)


def _card(gpu: Gpu, readings: CheckInput) -> Iterator[Check]:
    """The checks of a card that may be the guest's."""
    yield from _condition(gpu, readings)
    rules = (r465.two_gpus(gpu, readings.view), r465.not_shared(gpu, readings.view))
    yield from rules
    stays = any(rule.verdict == "fail" for rule in rules)
    for check in _for_a_move(gpu, readings):
        yield _of_one_that_stays(check) if stays else check


def _of_one_that_stays(check: Check) -> Check:
    """The check of a card that no guest can have: without advice, and its users are no fault."""
    if check.id in (driver_gates.ID, holder_checks.ID) and check.verdict != "pass":
        return Check(check.id, check.subject, "unknown", "not checked: the host keeps the card")
    return replace(check, fix=None)


def _for_a_move(gpu: Gpu, readings: CheckInput) -> Iterator[Check]:
    """The checks of what a card needs before it can move to a guest."""
    view, readiness = readings.view, readings.readiness
    yield hostdev_checks.viable(gpu, readings)
    yield r465.family(gpu)
    yield r465.sriov(gpu, readiness)
    yield driver_gates.check(gpu, readiness, view.gpus)
    yield holder_checks.check(
        gpu.address, gpu.viability.moves, readings.holders, readiness.nvidia, gpu.owner.guest
    )
    attached = attached_checks.check(gpu, view, readings.uses)
    if attached is not None:
        yield attached
    yield from _card_setup(gpu, readings)


def _card_setup(gpu: Gpu, readings: CheckInput) -> Iterator[Check]:
    """The checks of how a card is set up for a guest."""
    view, readiness = readings.view, readings.readiness
    yield card_setup_checks.user(gpu)
    yield host_setup_checks.early_binding(gpu, view, readiness)
    yield card_setup_checks.framebuffer(gpu, view, readiness)
    yield card_setup_checks.reset(gpu, view, readiness)
    yield card_setup_checks.d3cold(gpu, readiness)
    yield card_setup_checks.resizable_bar(gpu, view)


def _cards(readings: CheckInput) -> Iterator[CheckGroup]:
    """Every card that could be the guest's, if that one is not known yet."""
    view = readings.view
    if not view.gpus:
        why = view.problem("pci") or "this host has no GPU"
        yield CheckGroup("Guest GPU", tuple(Check(c, None, "unknown", why) for c in _CARD_CHECKS))
        return
    yield CheckGroup("Guest GPU", (card_checks.chosen(view),))
    free = card_checks.free_for_guest(view)
    for gpu in view.gpus:
        if gpu in (free or view.gpus):
            yield CheckGroup(f"{gpu.address} {gpu.name}", tuple(_card(gpu, readings)))
        else:
            yield from _faults(gpu, readings)


_CARD_CHECKS = (
    card_checks.ANSWERS, card_checks.MOVABLE, card_checks.HALF_BOUND, "host.two-gpus",
    "host.not-shared", "iommu.viable", "r465.family", "r465.sriov", "nvidia.release",
    holder_checks.ID, card_setup_checks.USER, host_setup_checks.EARLY,
    card_setup_checks.FRAMEBUFFER, card_setup_checks.RESET, card_setup_checks.D3COLD,
    card_setup_checks.REBAR,
)  # fmt: skip


def _guest(guest: Guest | None, gpu: Gpu | None, readings: CheckInput) -> Iterator[Check]:
    view = readings.view
    yield r465.one_vm(view.gpus, readings.local_guests)
    yield from _devices(readings)
    if guest is None or gpu is None:
        for check in ("guest.hostdevs-complete", "guest.managed", "r465.guest-driver", pinning.ID):
            yield Check(check, None, "unknown", *guest_checks.NO_GUEST)
        return
    yield memory_checks.memory(guest.domain, readings.memory)
    yield memory_checks.balloon(guest.domain)
    yield memory_checks.locked(guest.domain)
    yield guest_setup_checks.rom(guest.domain, view, readings.files)
    yield guest_setup_checks.mmio_space(guest.domain, view)
    yield guest_setup_checks.looking_glass(guest.domain, readings.files)
    yield guest_checks.hostdevs_complete(guest.domain, gpu)
    yield guest_checks.managed(guest.domain, gpu)
    yield _driver(guest, gpu)
    yield pinning.check(guest.domain, readings)


def _driver(guest: Guest, gpu: Gpu) -> Check:
    """The driver in the guest; the rule is for NVIDIA's only."""
    found = guest_checks.driver(guest.domain, guest.driver_version, gpu.no_reading)
    if found.verdict == "unknown" and r465.is_not_nvidia(gpu):
        return Check(found.id, found.subject, "pass", r465.OTHER_VENDOR)
    return found


def _devices(readings: CheckInput) -> Iterator[Check]:
    """The devices of the guest, or the faults of every domain that could be it."""
    found = [
        hostdev_checks.check(domain, readings)
        for domain in hostdev_checks.domains_to_check(readings.view)
    ]
    wrong = [check for check in found if check.verdict != "pass"]
    yield from wrong or found[:1]
    if not found:
        yield Check(hostdev_checks.ID, None, "unknown", *guest_checks.NO_GUEST)
