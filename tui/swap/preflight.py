"""Whether a swap may be: every refusal, as checks on one fresh reading.

What could not be measured is ``unknown`` and never ``pass``: going on then is a risk that
the user has to be told of by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tui.model import (
    Check,
    Direction,
    Gpu,
    Guests,
    Holders,
    HostView,
    Plan,
    Readiness,
    Unavailable,
    Verdict,
)
from tui.rules import holding, passthrough, release
from tui.rules.viability import on_vfio
from tui.swap.plan import moves, steps

NEEDED = "swap.needed"
"""The check that a swap which was interrupted at its end fails, and may."""

UNDO_NEEDS = frozenset({"swap.movable", "guest.inactive", "privilege"})
"""The checks of an undo; who holds a function is looked at right before it is moved."""

SYSTEM = "qemu:///system"
"""The libvirt that knows which guests of this machine have its devices."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """What preflight looks at: all of it read after the user asked for the swap. Domains
    of another libvirt than the system's tell nothing of who has a card."""

    view: HostView
    guests: Guests | Unavailable
    holders: Holders | Unavailable
    readiness: Readiness

    @property
    def here(self) -> Guests | Unavailable:
        if isinstance(self.guests, Guests) and self.guests.uri != SYSTEM:
            return Unavailable(f"{self.guests.uri} does not know who has the devices here")
        return self.guests


def planned(gpu: Gpu, direction: Direction, fresh: Fresh) -> Plan:
    """The plan of a swap with its checks and holders."""
    moving = tuple(function.address for function in moves(gpu))
    found = () if isinstance(fresh.holders, Unavailable) else fresh.holders.of(moving)
    holders = tuple(replace(holder, stop=holding.how_to_stop(holder)) for holder in found)
    return Plan(
        direction, gpu.address, moving, steps(gpu, direction), checks(gpu, direction, fresh),
        holders,
    )  # fmt: skip


def for_recovery(plan: Plan, *, finish: bool) -> Plan:
    """To finish needs all that a swap needs, but that there is something left to do; to undo
    needs that nobody has come to use the card meanwhile."""
    needed = {check.id for check in plan.checks} - {NEEDED} if finish else UNDO_NEEDS
    return replace(plan, checks=tuple(check for check in plan.checks if check.id in needed))


def checks(gpu: Gpu, direction: Direction, fresh: Fresh) -> tuple[Check, ...]:
    """Every check of a swap of ``gpu``, the ones that tell most first."""
    found = _bind(gpu, fresh) if direction == "bind" else _unbind(gpu, fresh)
    return (_movable(gpu), _needed(gpu, direction), *found)


def _bind(gpu: Gpu, fresh: Fresh) -> Iterator[Check]:
    view, readiness = fresh.view, fresh.readiness
    yield passthrough.not_shared(gpu)
    yield passthrough.two_gpus(gpu, view)
    yield _iommu(view)
    yield _viable(gpu)
    yield passthrough.family(gpu)
    yield passthrough.one_vm(gpu, view.gpus, fresh.here)
    yield passthrough.sriov(gpu, readiness.with_vfs)
    yield _no_guest(gpu, view, fresh.here)
    yield _vfio(readiness)
    yield release.check(gpu, readiness.nvidia, view.gpus)
    yield _privilege(readiness)
    yield _holders(gpu, fresh)


def _unbind(gpu: Gpu, fresh: Fresh) -> Iterator[Check]:
    yield _no_guest(gpu, fresh.view, fresh.here)
    yield _privilege(fresh.readiness)
    yield _holders(gpu, fresh)


def _movable(gpu: Gpu) -> Check:
    """swap.movable: the kernel is not busy with the card."""
    check, address = "swap.movable", gpu.address
    if gpu.owner in ("stuck", "moving"):
        return Check(check, address, "fail", gpu.no_reading or f"the card is {gpu.owner}",
                     "wait until the kernel is done with it")  # fmt: skip
    if gpu.owner == "unknown":
        return Check(check, address, "unknown", "the driver of the card cannot be read")
    return Check(check, address, "pass", f"on {gpu.function.driver or 'no driver'} now")


def _needed(gpu: Gpu, direction: Direction) -> Check:
    """swap.needed: there is something to do."""
    there = [on_vfio(f.driver) for f in moves(gpu)]
    if all(there) if direction == "bind" else not any(there):
        where = "on vfio-pci" if direction == "bind" else "with the host"
        return Check(NEEDED, gpu.address, "fail", f"the card is {where} already")
    return Check(NEEDED, gpu.address, "pass", "the card is not there yet")


def _iommu(view: HostView) -> Check:
    if view.iommu_enabled:
        kind = f" ({view.iommu_kind})" if view.iommu_kind else ""
        return Check("iommu.enabled", None, "pass", f"on{kind}, {view.iommu_groups} groups")
    if view.iommu_enabled is None:
        return Check("iommu.enabled", None, "unknown", "the PCI devices could not be read")
    return Check(
        "iommu.enabled", None, "fail", "the IOMMU is off, or without groups",
        "turn on VT-d or AMD-Vi in the firmware, and add intel_iommu=on to the kernel's command "
        "line on Intel",
    )  # fmt: skip


def _viable(gpu: Gpu) -> Check:
    viability = gpu.viability
    if viability.viable:
        count = len(viability.moves)
        return Check("iommu.viable", gpu.address, "pass", f"the group is free but for {count} "
                     f"function{'s' if count > 1 else ''} that move")  # fmt: skip
    named = ", ".join(f"{b.address} is {b.reason}" for b in viability.blockers[:3])
    verdict: Verdict = "unknown" if viability.viable is None else "fail"
    return Check(
        "iommu.viable", gpu.address, verdict, named or viability.reason or "not viable",
        viability.reason if named else None,
    )  # fmt: skip


def _no_guest(gpu: Gpu, view: HostView, guests: Guests | Unavailable) -> Check:
    """guest.inactive: no running guest has a function of the card's group."""
    check = "guest.inactive"
    if isinstance(guests, Unavailable):
        return Check(check, gpu.address, "unknown", f"libvirt: {guests.reason}")
    group = next((g for g in view.groups if g.id == gpu.function.iommu_group and g.id is not None),
                 None)  # fmt: skip
    members = {f.address for f in group.functions} if group else set()
    members |= {f.address for f in moves(gpu)}
    users = [d.name for d in guests.domains if d.active and members & set(d.addresses)]
    if users:
        return Check(check, gpu.address, "fail", f"“{users[0]}” runs and has the card's group",
                     f"shut down {users[0]} first")  # fmt: skip
    unclear = [d.name for d in guests.domains if d.problem or d.state == "unknown"]
    if unclear:
        return Check(check, gpu.address, "unknown", f"what “{unclear[0]}” has cannot be read")
    return Check(check, gpu.address, "pass", "no running guest has a function of its group")


def _vfio(readiness: Readiness) -> Check:
    check = "vfio.available"
    if readiness.vfio_pci is None:
        return Check(check, None, "unknown", "whether vfio-pci can be loaded could not be found "
                     "out", "modprobe vfio-pci")  # fmt: skip
    if not readiness.vfio_pci:
        return Check(check, None, "fail", "the kernel has no vfio-pci, or may not load it",
                     "install the kernel's extra modules, or see `modprobe vfio-pci`")  # fmt: skip
    return Check(check, None, "pass", "vfio-pci is there")


def _privilege(readiness: Readiness) -> Check:
    if readiness.root:
        return Check("privilege", None, "pass", "root")
    return Check("privilege", None, "warn", "only root may move a card",
                 "run it with sudo, doas or run0")  # fmt: skip


def _holders(gpu: Gpu, fresh: Fresh) -> Check:
    moving = tuple(function.address for function in moves(gpu))
    return holding.check(gpu.address, moving, fresh.holders, fresh.readiness.nvidia)
