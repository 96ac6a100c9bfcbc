"""A plan as JSON for programs and as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import asdict

from tui.model import GuestPlan, Holder, Plan, UsbPlan
from tui.report.checks import check_lines

SCHEMA = 1
"""Version of the JSON. Keys may be added; none is renamed or dropped."""


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values. ``allowed`` is null if a check could not run."""
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


def as_text(plan: Plan | GuestPlan | UsbPlan) -> str:
    """The plan in blocks: headline, checks, holders, steps, outcome."""
    blocks = [
        [head(plan)],
        ["Checks", *(line for check in plan.checks for line in check_lines(check))],
        ["In use by", *(line for holder in plan.holders for line in _holder_lines(holder))]
        if plan.holders
        else [],
        ["Steps", *(f"  {n:>2}. {text}" for n, text in enumerate(plan.texts, start=1))],
        [outcome(plan)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def head(plan: Plan | GuestPlan | UsbPlan) -> str:
    """The headline: what the plan does."""
    if isinstance(plan, GuestPlan):
        return f"{plan.action.capitalize().replace('-', ' ')} {plan.name}"
    if isinstance(plan, UsbPlan):
        where = "to" if plan.action == "lend" else "from"
        return f"{plan.action.capitalize()} {plan.device.text} {where} {plan.name}"
    where = "to vfio-pci" if plan.direction == "bind" else "back to the host"
    return f"{plan.direction.capitalize()} {' '.join(plan.moves)} {where}"


def outcome(plan: Plan | GuestPlan | UsbPlan) -> str:
    """Whether the plan is allowed, in a sentence."""
    if plan.refusals:
        return f"Refused: {plan.refusals[0].why}."
    if plan.doubts and plan.doubts[0].verdict == "warn":
        return f"Asks first: {plan.doubts[0].why}."
    if plan.doubts:
        return f"Cannot tell whether it is safe: {plan.doubts[0].why}."
    return "Ready: no check forbids it."


def _holder_lines(holder: Holder) -> Iterator[str]:
    """PID, user, name, kind, unit and command; below, how to stop it."""
    words = (
        f"{holder.pid or '–':>8}", holder.user or "–", holder.name, holder.what,
        holder.unit or "–", holder.command or "",
    )  # fmt: skip
    yield "  ".join(words).rstrip()
    if holder.stop:
        yield f"{'':<8}  → {holder.stop}"
