"""What the swap screen and the guest screen have in common: the parts of a plan's page.

The parts come from the plan, from the swap in the journal once there is one, and from the last
readings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from tui.model import (
    Direction,
    Gpu,
    GuestPlan,
    HostView,
    PciFunction,
    Plan,
    Swap,
    is_host_driver,
    is_vfio_driver,
)
from tui.swap_times import SwapTimes
from widgets.card_names import card_name
from widgets.card_swap import HOST, NO_DRIVER, VFIO, step_overdue, swap_overdue
from widgets.device_names import device_name
from widgets.plan_page import Mark, Mover, PlanPage, PlanStep, Stayer


class Course(NamedTuple):
    """A swap in progress or ended, the seconds that its steps took, and the time. ``late``: it
    takes longer than usual; ``step_late``: its current step does."""

    swap: Swap
    took: tuple[float | None, ...]
    at: datetime
    late: bool = False
    step_late: bool = False

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began, or that it took."""
        swap = self.swap
        until = self.at if swap.under_way else swap.step_began_at
        return max(0.0, (until - swap.began_at).total_seconds())


def course(swap: Swap, times: SwapTimes, at: datetime) -> Course:
    """The course of a swap, from the journal and the session."""
    late = swap_overdue(swap, at, times.usual_s(swap.direction, swap.address))
    return Course(swap, times.took(swap), at, late, step_overdue(swap, at))


# --- what moves -------------------------------------------------------------------------------


def movers(
    moves: Sequence[str], direction: Direction, functions: Mapping[str, PciFunction],
    swap: Swap | None,
) -> tuple[Mover, ...]:  # fmt: skip
    """The functions of a swap. Until it begins, their drivers come from the readings."""
    known = dict(zip(swap.moves, swap.drivers, strict=False)) if swap is not None else {}
    return tuple(
        _mover(address, direction, functions.get(address), swap, known) for address in moves
    )


def _mover(
    address: str,
    direction: Direction,
    function: PciFunction | None,
    swap: Swap | None,
    known: Mapping[str, str | None],
) -> Mover:
    now = function.driver if function is not None else None
    before = known.get(address, now)
    home = now if swap is not None and is_host_driver(now) else None
    there = is_vfio_driver(before) if direction == "bind" else is_host_driver(before)
    after = VFIO if direction == "bind" else home or HOST
    name = device_name(function) if function is not None else ""
    if there:
        after = before or after
    return Mover(
        address, name, before or NO_DRIVER, after,
        _progress(address, swap) if swap is not None and not there else None,
    )  # fmt: skip


def _progress(address: str, swap: Swap) -> Mark | None:
    """The progress of a function, judging by the steps that name it."""
    if swap.state == "done":
        return "passed"
    if swap.state in ("undoing", "undone"):
        return "moving" if swap.state == "undoing" else None
    own = [number for number, text in enumerate(swap.steps) if address in text]
    if not own or swap.step < own[0]:
        return None
    if swap.step > own[-1]:
        return "passed"
    return _now(swap)


def _now(swap: Swap) -> Mark:
    """The mark for what a swap is working on."""
    return "failed" if swap.stuck else "warned" if swap.interrupted else "moving"


def undo_movers(swap: Swap, functions: Mapping[str, PciFunction]) -> tuple[Mover, ...]:
    """The functions of an interrupted swap, from their current drivers back to the previous
    ones."""
    rows = movers(swap.moves, swap.direction, functions, None)
    known = dict(zip(swap.moves, swap.drivers, strict=False))
    return tuple(
        replace(row, after=known.get(row.address) or NO_DRIVER if known else "as before")
        for row in rows
    )


def stayers(view: HostView, moves: Sequence[str]) -> tuple[Stayer, ...]:
    """The host's cards that stay, with what the host uses them for."""
    hosts = (gpu for gpu in view.gpus if gpu.role == "host" and gpu.address not in moves)
    return tuple(Stayer(gpu.address, card_name(gpu.name), _why_stays(gpu)) for gpu in hosts)


def _why_stays(gpu: Gpu) -> str:
    if gpu.function.boot_vga:
        return "drives the host's display"
    return f"stays with the host, on {gpu.function.driver or NO_DRIVER}"


def blockers(gpu: Gpu | None, functions: Mapping[str, PciFunction]) -> tuple[Stayer, ...]:
    """The functions that keep a card's group from being viable."""
    if gpu is None:
        return ()
    return tuple(
        Stayer(
            each.address,
            device_name(functions[each.address]) if each.address in functions else "",
            each.reason,
        )
        for each in gpu.viability.staying
    )


# --- the steps --------------------------------------------------------------------------------


def planned(plan: Plan | GuestPlan) -> tuple[PlanStep, ...]:
    """The steps of a plan before it is carried out."""
    return tuple(PlanStep(text) for text in plan.texts)


def carried_out(seen: Course) -> tuple[PlanStep, ...]:
    """The steps of a swap, with what the journal knows about each."""
    marks = _step_marks(seen.swap)
    now_s = max(0.0, (seen.at - seen.swap.step_began_at).total_seconds())
    return tuple(
        PlanStep(text, mark, now_s, seen.step_late)
        if _is_running(seen.swap, number)
        else PlanStep(text, mark, took)
        for number, (text, mark, took) in enumerate(
            zip(seen.swap.steps, marks, seen.took, strict=True)
        )
    )


def _is_running(swap: Swap, number: int) -> bool:
    return (
        swap.under_way
        and _now(swap) == "moving"
        and swap.state != "undoing"
        and number == swap.step
    )


def _step_marks(swap: Swap) -> list[Mark]:
    """The mark of each step. During an undo no step is current: an undo writes something else."""
    if swap.state == "done":
        return ["passed"] * len(swap.steps)
    current: Mark = "noted" if swap.state in ("undoing", "undone") else _now(swap)
    return [
        "passed" if number < swap.step else current if number == swap.step else "noted"
        for number in range(len(swap.steps))
    ]


# --- the page ---------------------------------------------------------------------------------


def with_swap(
    page: PlanPage, direction: Direction, plan: Plan | None, seen: Course | None, view: HostView
) -> PlanPage:
    """The page with the parts of a swap: its ``plan`` and its progress."""
    moves = plan.moves if plan is not None else seen.swap.moves if seen is not None else ()
    if not moves:
        return page
    functions = view.functions
    gpu = view.gpu(plan.address if plan is not None else moves[0])
    steps = carried_out(seen) if seen is not None else planned(plan) if plan is not None else ()
    return replace(
        page,
        movers=movers(moves, direction, functions, seen.swap if seen is not None else None),
        stayers=stayers(view, moves) if plan is not None and direction == "bind" else (),
        holders=plan.holders if plan is not None else (),
        checks=plan.checks if plan is not None else (),
        group=gpu.function.iommu_group if gpu is not None else None,
        blockers=blockers(gpu, functions),
        steps=steps,
        label="Writes",
    )


def with_guest_plan(
    page: PlanPage,
    plan: GuestPlan,
    seen: Course | None,
    marks: Sequence[Mark | None],
    view: HostView,
) -> PlanPage:
    """The page with the parts of a plan for a guest, and of the swap that comes first. ``marks``
    are those of the steps after the swap."""
    steps = tuple(PlanStep(text, mark) for text, mark in zip(plan.steps, marks, strict=True))
    if plan.swap is None:
        return replace(page, checks=plan.checks, steps=steps)
    page = with_swap(page, "bind", plan.swap, seen, view)
    return replace(page, checks=plan.checks, steps=(*page.steps, *steps), label="Steps")
