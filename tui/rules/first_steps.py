"""What is left to do before a guest can have a card, in the order in which it has to be done.

The verdicts are those of the checks; this module only says which comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from tui.model import (
    NOT_READ_YET,
    Check,
    Domain,
    Gpu,
    Guests,
    HostView,
    Readiness,
    Unavailable,
    Verdict,
)
from tui.rules import card_checks, guest_checks, holder_checks, host_checks, r465
from tui.rules.captured_fixes import captured_fix
from tui.rules.check_input import CheckInput
from tui.rules.iommu_fix import Place, places_left

StepId = Literal[
    "cards", "firmware", "kernel", "reboot", "vfio", "libvirt", "guest", "roles", "ready"
]

Lack = Literal[
    "one-gpu", "iommu-off", "vfio", "libvirt", "no-guest", "card-unknown",
    "card-unnamed", "card-not-listed", "card-gone", "guest-unknown",
]  # fmt: skip
"""What is missing, where that is known."""

TITLES: dict[StepId, str] = {
    "cards": "a second GPU", "firmware": "firmware", "kernel": "kernel command line",
    "reboot": "reboot", "vfio": "vfio-pci", "libvirt": "libvirt",
    "guest": "a guest with the card", "roles": "roles", "ready": "the other checks",
}  # fmt: skip

TWO_NEEDED = "passthrough needs two GPUs, one for the host and one for a guest; there is none"

DEFINE_GUEST = "define one, for example with virt-manager or `virt-install`"

NOW: Sequence[str] = (holder_checks.ID,)
"""Checks of what a card is used for at the moment, which each swap repeats."""


class Step(Struct, frozen=True):
    """One step. ``next``: it is the first that is not done; ``later``: something comes before it.
    ``lack`` is ``None`` if the step is done, if it could not be measured whether it is, or if the
    host has no GPU at all."""

    id: StepId
    state: Literal["done", "next", "later"]
    why: str
    fix: str | None = None
    lack: Lack | None = None

    @property
    def title(self) -> str:
        return TITLES[self.id]


class _Found(Struct, frozen=True):
    """A step before its place in the order is known. ``waits``: it cannot be measured until the
    steps after it are done."""

    id: StepId
    verdict: Verdict
    why: str
    fix: str | None = None
    lack: Lack | None = None
    waits: bool = False

    @property
    def done(self) -> bool:
        """``unknown`` is not done. A warning is: what it is about works."""
        return self.verdict in ("pass", "warn")


def first_steps(
    view: HostView, checks: Sequence[Check], readiness: Readiness | None = None
) -> tuple[Step, ...]:
    """The steps, as the doctor's ``checks`` find them. A host check that is not among them has no
    step. Without ``readiness`` it is only known that an IOMMU is off, not why."""
    by_id = {check.id: check for check in reversed(checks)}
    found = [_cards(view)]
    if (iommu := by_id.get("iommu.enabled")) is not None:
        found += _iommu(iommu, readiness)
    if (vfio := by_id.get("vfio.available")) is not None:
        found.append(_of("vfio", vfio, "vfio"))
    if (libvirt := by_id.get("libvirt.reachable")) is not None:
        found.append(_of("libvirt", libvirt, "libvirt"))
    found += [_guest(view), _roles(view)]
    found.append(_ready(view, checks, all_done=all(each.done for each in found)))
    captured = readiness is not None and readiness.captured
    return tuple(_in_order(found, captured=captured))


def next_step(steps: Iterable[Step]) -> Step | None:
    """The first step that is not done; ``None`` if nothing is left."""
    return next((step for step in steps if step.state == "next"), None)


def later(steps: Iterable[Step]) -> tuple[str, ...]:
    """What comes after the next step."""
    return tuple(step.title for step in steps if step.state == "later" and step.id != "ready")


def ahead(steps: Sequence[Step]) -> tuple[Step, tuple[str, ...]] | None:
    """The next step and the names of those after it. ``None`` if fewer than two are left: a single
    one is what the first of the checks says."""
    step, after = next_step(steps), later(steps)
    return (step, after) if step is not None and after else None


def live_steps(view: HostView, guests: Guests | Unavailable) -> tuple[Step, ...]:
    """The steps as far as the last readings tell, without the readiness that only checks read."""
    unread = Readiness(root=None, vfio_pci=None)
    readings = CheckInput(view, guests, NOT_READ_YET, unread)
    checks = (host_checks.iommu(view, unread), host_checks.libvirt(readings))
    return first_steps(view, (*checks, *view.checks), unread)


def _in_order(found: Iterable[_Found], *, captured: bool) -> Iterator[Step]:
    left = False
    for each in found:
        if each.done:
            yield Step(each.id, "done", each.why)
            continue
        fix = captured_fix(each.fix) if captured else each.fix
        state: Literal["next", "later"] = "later" if left or each.waits else "next"
        yield Step(each.id, state, each.why, fix, each.lack)
        left = left or state == "next"


def _of(id: StepId, check: Check, lack: Lack) -> _Found:
    known = lack if check.verdict == "fail" else None
    return _Found(id, check.verdict, check.why, check.fix, known)


# --- the host ---------------------------------------------------------------------


def _cards(view: HostView) -> _Found:
    """Two cards: one for the guest, one that can stay with the host."""
    if not view.gpus:
        problem = view.problem("pci")
        return _Found("cards", "unknown" if problem else "fail", problem or TWO_NEEDED)
    gpu = view.guest_gpu
    free = [gpu] if gpu is not None else card_checks.free_for_guest(view)
    if not free:
        fix = r465.not_shared(view.gpus[0], view).fix
        return _Found("cards", "fail", card_checks.NO_CARD_LEFT, fix, "one-gpu")
    for each in free:
        other = next((g for g in view.gpus if g.address not in each.viability.moves), None)
        if other is not None:
            return _Found("cards", "pass", f"{each.address} and {other.address}")
    return _of("cards", r465.two_gpus(free[0], view), "one-gpu")


def _iommu(check: Check, readiness: Readiness | None) -> Iterator[_Found]:
    """The steps that turn the IOMMU on."""
    places: Sequence[Place] = ("firmware", "kernel", "reboot")
    left = places
    if check.verdict == "pass":
        left = ()
    elif check.verdict == "warn":  # without interrupt remapping VFIO refuses every card
        left = ("kernel", "reboot")
    elif check.verdict == "fail" and readiness is not None:
        left = places_left(readiness)
    for place in places:
        if place in left:
            verdict: Verdict = "unknown" if check.verdict == "unknown" else "fail"
            lack: Lack | None = "iommu-off" if check.verdict == "fail" else None
            yield _Found(place, verdict, check.why, check.fix, lack)
        elif check.verdict == "fail" and place == "firmware":
            why = "cannot tell before the next boot"
            yield _Found(place, "unknown", why, check.fix, waits=True)
        else:
            yield _Found(place, "pass", check.why)


# --- the guest --------------------------------------------------------------------


def _guest(view: HostView) -> _Found:
    """A guest whose definition has the card."""
    domains, gpu = [guest.domain for guest in view.guests], view.guest_gpu
    if not domains:
        return _Found("guest", "fail", "no guest is defined", DEFINE_GUEST, "no-guest")
    if view.guest is not None and gpu is not None:
        return _of("guest", guest_checks.hostdevs_complete(view.guest.domain, gpu),
                   "card-not-listed")  # fmt: skip
    named = _naming(domains, view.gpus if gpu is None else (gpu,))
    if named:
        return _Found("guest", "pass", f"{' and '.join(f'“{d.name}”' for d in named[:2])} "
                      f"name{'s' if len(named) == 1 else ''} a GPU")  # fmt: skip
    if gpu is None:
        return _Found("guest", "fail", "no guest names a GPU", card_checks.CHOOSE_CARD,
                      "card-unknown")  # fmt: skip
    fix = guest_checks.NO_GUEST[1]
    return _Found("guest", "fail", f"no guest names {gpu.address}", fix, "card-unnamed")


def _naming(domains: Iterable[Domain], gpus: Iterable[Gpu]) -> list[Domain]:
    addresses = {gpu.address for gpu in gpus}
    return [domain for domain in domains if addresses & set(domain.functions)]


def _roles(view: HostView) -> _Found:
    """It is known which card is the guest's, and which guest it is."""
    gpu, guest = view.guest_gpu, view.guest
    if gpu is None:
        check = card_checks.chosen(view)
        lack: Lack = "card-gone" if view.absent_card is not None else "card-unknown"
        return _Found("roles", check.verdict, check.why, check.fix, lack)
    if guest is None:
        why, fix = guest_checks.NO_GUEST
        return _Found("roles", "unknown", why, fix, "guest-unknown")
    return _Found("roles", "pass", f"“{guest.domain.name}” gets {gpu.address}")


def _ready(view: HostView, checks: Iterable[Check], *, all_done: bool) -> _Found:
    """No other check of the host, the card and the guest fails, and the group is known."""
    if not all_done:
        return _Found("ready", "unknown", "other steps come first")
    gpu, guest = view.guest_gpu, view.guest
    subjects = {None, gpu.address if gpu else None, guest.domain.name if guest else None}
    for check in checks:
        wrong = check.verdict == "fail" or (check.id, check.verdict) == ("iommu.viable", "unknown")
        if wrong and check.subject in subjects and check.id not in NOW:
            return _Found("ready", check.verdict, check.why, check.fix)
    return _Found("ready", "pass", "no check fails")
