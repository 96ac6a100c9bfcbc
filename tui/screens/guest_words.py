"""The sentences of the screen that starts and stops a guest."""

from __future__ import annotations

from datetime import datetime

from tui.guest.next_commands import next_commands
from tui.guest.plan import STOP_S, doubts_to_confirm
from tui.host import Unsettled
from tui.model import Domain, GuestAction, GuestPlan
from widgets.figures import short
from widgets.lines import Tone

CHECKING = "Checking the host and its guests …"

CONFIRM: dict[GuestAction, str] = {
    "start": "y starts {}.", "stop": "y asks {} to shut down.", "reboot": "y asks {} to reboot.",
    "pause": "y pauses {}.", "resume": "y resumes {}.", "force-off": "y forces {} off.",
}  # fmt: skip

UNDER_WAY: dict[GuestAction, str] = {
    "start": "is starting", "stop": "has been asked to shut down", "reboot": "is rebooting",
    "pause": "is being paused", "resume": "is resuming", "force-off": "is being forced off",
}  # fmt: skip

END_STATES: dict[GuestAction, tuple[str, ...]] = {
    "start": ("running", "blocked"), "stop": ("shut off",), "reboot": ("running", "blocked"),
    "pause": ("paused",), "resume": ("running", "blocked"), "force-off": ("shut off",),
}  # fmt: skip
"""The states in which an action has done what it was for."""

MAY_PAUSE: tuple[GuestAction, ...] = ("start", "pause", "resume")
"""The actions that may leave a guest paused."""

GIVE_BACK = " Its card is on vfio-pci: u gives it back to the host."


def title(action: GuestAction, name: str | None) -> str:
    """The panel's title."""
    return f"{action.capitalize()} {name}" if name else action.capitalize()


def question(plan: GuestPlan, unavailable: str | None, *, asks: bool) -> tuple[str, Tone]:
    """Whether the plan may be carried out, and the key for it.

    ``unavailable`` is why nothing can be done to guests at all; ``asks``: the runner asks about
    doubts that only root can settle.
    """
    if plan.refusals:
        first = plan.refusals[0]
        fix = f" {first.fix.capitalize()}." if first.fix else ""
        return f"Refused: {first.why} ({first.id}).{fix}", "bad"
    if unavailable is not None:
        return f"This is what would be done. {unavailable.capitalize()}.", "strong"
    doubts = doubts_to_confirm(plan, elevated=asks)
    if doubts:
        return f"Cannot tell whether it is safe: {doubts[0].why}. y asks once more.", "warn"
    lost = " Unsaved work in it is lost." if plan.action == "force-off" else ""
    first_bind = f" Its card {short(plan.swap.address)} is bound first." if plan.swap else ""
    return f"{CONFIRM[plan.action].format(plan.name)}{first_bind}{lost}", "strong"


def risk(doubt: str) -> str:
    """The second question."""
    return f"Risk: {doubt}. Y continues anyway, esc goes back."


def countdown(
    name: str, asked_at: datetime, at: datetime, problem: str | None = None
) -> tuple[str, Tone]:
    """A guest that was asked to shut down and is not known to be off."""
    seconds = max(0, int((at - asked_at).total_seconds()))
    if problem is not None:
        return (
            f"{name} was asked to shut down {seconds} s ago; cannot tell whether it has: "
            f"{problem}.", "warn",
        )  # fmt: skip
    if seconds < STOP_S:
        left = int(STOP_S) - seconds
        return f"{name} was asked to shut down {seconds} s ago; it has {left} s left.", "strong"
    return (
        f"{name} has not shut down after {seconds} s. Wait, check the guest itself, or press x: "
        "it offers to force it off.", "warn",
    )  # fmt: skip


def ended(action: GuestAction, name: str, domain: Domain | None) -> tuple[str, Tone]:
    """How an action ended."""
    if domain is None:
        return f"{name} is no longer defined.", "warn"
    if action == "reboot":
        return f"{name} was asked to reboot.", "good"
    return f"{name} is {domain.state}.", "good"


def hint(error: Exception, plan: GuestPlan, connect: str) -> str:
    """What the user can do about an action that failed after the screen had closed."""
    return f". {next_commands(plan, error.state, connect)}" if isinstance(error, Unsettled) else ""


def unsettled(error: Unsettled, *, keys: bool) -> str:
    """An action that did not finish, or may not have; with ``keys``, those that settle it."""
    if not keys:
        return f"{error}."
    when = "" if error.state else " When libvirt answers again:"
    return f"{error}.{when} p resumes it, x forces it off."
