"""A plan as JSON for programs and as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tui.host.journal.entry import Entry
from tui.model import Check, GuestPlan, Holder, Plan

SCHEMA = 1
"""Of the JSON. Keys may be added; none is renamed or dropped."""


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values. ``allowed`` is null where a check could not be made."""
    allowed = False if plan.refusals else None if plan.doubts else True
    return {
        "schema": SCHEMA,
        "direction": plan.direction,
        "address": plan.address,
        "moves": list(plan.moves),
        "allowed": allowed,
        "steps": [{**asdict(step), "text": step.text} for step in plan.steps],
        "checks": [asdict(check) for check in plan.checks],
        "holders": [asdict(holder) for holder in plan.holders],
    }


def as_text(plan: Plan | GuestPlan) -> str:
    """The plan in three blocks: what is checked, who is in the way, what would be done."""
    blocks = [
        [head(plan)],
        ["Checks", *(line for check in plan.checks for line in _check(check))],
        ["In use by", *(line for holder in plan.holders for line in _holder(holder))]
        if plan.holders
        else [],
        ["Steps", *(f"  {n:>2}. {text}" for n, text in enumerate(plan.texts, start=1))],
        [outcome(plan)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def head(plan: Plan | GuestPlan) -> str:
    """What is to be done, in a line."""
    if isinstance(plan, GuestPlan):
        return f"{plan.action.capitalize()} {plan.name}"
    where = "to vfio-pci" if plan.direction == "bind" else "back to the host"
    return f"{plan.direction.capitalize()} {' '.join(plan.moves)} {where}"


def origins(entry: Entry) -> str:
    """What an undo gives back: what was recorded before the first step."""
    lines = (f"  {o.address}  to {o.driver or 'no driver'}" for o in reversed(entry.origins))
    return "\n".join([f"Undo the {entry.direction} of {entry.address}", *lines])


def outcome(plan: Plan | GuestPlan) -> str:
    """Whether it may be done, in a sentence."""
    if plan.refusals:
        return f"Refused: {plan.refusals[0].why}."
    if plan.doubts:
        return f"Not known whether it is safe: {plan.doubts[0].why}."
    return "It may be done."


def _check(check: Check) -> Iterator[str]:
    yield f"  {check.verdict:<7}  {check.id:<23}  {check.why}"
    if check.fix and check.verdict != "pass":
        yield f"  {'':<7}  {'':<23}  → {check.fix}"


def _holder(holder: Holder) -> Iterator[str]:
    words = (
        f"{holder.pid or '–':>8}", holder.user or "–", holder.name, holder.what,
        holder.unit or "–", holder.command or "",
    )  # fmt: skip
    yield "  ".join(words).rstrip()
    if holder.stop:
        yield f"{'':<8}  → {holder.stop}"
