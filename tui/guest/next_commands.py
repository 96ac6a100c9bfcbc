"""What a person may do about a guest that was left in some state, as commands. Pure."""

from __future__ import annotations

import shlex

from tui.model import DomainState, GuestPlan


def next_commands(plan: GuestPlan, left: DomainState | None, connect: str | None = None) -> str:
    """The commands for a guest that an action has left in a state, ``None`` where that is not
    known yet. ``connect`` is the libvirt that was asked for."""
    resume, end, look = (command(c, plan, connect) for c in ("resume", "force-off", "status"))
    if left == "paused":
        return f"{resume} lets it run, {end} ends it"
    if left is not None:
        return f"{look} shows it, {command('stop', plan, connect)} shuts it down"
    if plan.action in ("start", "pause", "resume"):
        return f"{look} tells when libvirt answers again; then {resume} or {end}"
    return f"{look} tells when libvirt answers again"


def command(name: str, plan: GuestPlan, connect: str | None = None) -> str:
    """A command of ours for that guest, at the same libvirt."""
    where = f" --connect {shlex.quote(connect)}" if connect else ""
    return f"`vfiotop{where} {name}{'' if name == 'status' else f' {plan.word}'}`"
