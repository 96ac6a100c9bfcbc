"""Suggests commands after an action left a guest in an unexpected state. Pure."""

from __future__ import annotations

import shlex

from tui.model import DomainState, GuestPlan


def next_commands(plan: GuestPlan, left: DomainState | None, connect: str | None = None) -> str:
    """Return a sentence with the commands for a guest that an action left in the state ``left``.

    ``left`` is ``None`` if the state is unknown. ``connect`` is the value of --connect.
    """
    resume, end, status = (command(c, plan, connect) for c in ("resume", "force-off", "status"))
    if left == "paused":
        return f"{resume} resumes it, {end} ends it"
    if left is not None:
        return f"{status} shows it, {command('stop', plan, connect)} shuts it down"
    if plan.action in ("start", "pause", "resume"):
        return f"{status} shows when libvirt responds again; then {resume} or {end}"
    return f"{status} shows when libvirt responds again"


def command(name: str, plan: GuestPlan, connect: str | None = None) -> str:
    """Return a vfiotop command for that guest, with the same --connect."""
    where = f" --connect {shlex.quote(connect)}" if connect else ""
    return f"`vfiotop{where} {name}{'' if name == 'status' else f' {plan.shell_word}'}`"
