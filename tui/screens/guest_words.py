"""The sentences of the screen that starts and stops a guest."""

from __future__ import annotations

from datetime import datetime

from tui.guest.next_commands import next_commands
from tui.guest.plan import STOP_S, doubts_to_confirm
from tui.host import Unsettled
from tui.model import Domain, GuestAction, GuestPlan
from widgets.figures import short
from widgets.lines import Tone

LOOKING = "Looks at the host and its guests: which run, who has the card, what the rules say …"

VERBS: dict[GuestAction, str] = {
    "start": "starts", "stop": "asks it to shut down:", "reboot": "asks it to boot again:",
    "pause": "pauses", "resume": "lets it run on:", "force-off": "ends at once",
}  # fmt: skip

UNDER_WAY: dict[GuestAction, str] = {
    "start": "is being started", "stop": "is asked to shut down",
    "reboot": "is asked to boot again", "pause": "is being paused",
    "resume": "is let run on", "force-off": "is being ended",
}  # fmt: skip

ENDS: dict[GuestAction, tuple[str, ...]] = {
    "start": ("running", "blocked"), "stop": ("shut off",), "reboot": ("running", "blocked"),
    "pause": ("paused",), "resume": ("running", "blocked"), "force-off": ("shut off",),
}  # fmt: skip
"""The states in which an action has come to its end."""


def title(action: GuestAction, name: str | None) -> str:
    """The panel's title."""
    return f"{action.capitalize()} {name}" if name else action.capitalize()


def question(plan: GuestPlan, forbidden: str | None, *, asks: bool) -> tuple[str, Tone]:
    """Whether the plan may be carried out, and the key that does it."""
    if plan.refusals:
        first = plan.refusals[0]
        fix = f" {first.fix.capitalize()}." if first.fix else ""
        return f"Refused: {first.why} ({first.id}).{fix}", "bad"
    if forbidden is not None:
        return f"This is what would be done. {forbidden.capitalize()}.", "strong"
    doubts = doubts_to_confirm(plan, elevated=asks)
    if doubts:
        return f"Not known whether it is safe: {doubts[0].why}. y asks once more.", "warn"
    lost = " What is not saved in it is lost." if plan.action == "force-off" else ""
    first_bind = f" Its card {short(plan.swap.address)} is bound first." if plan.swap else ""
    return f"y {VERBS[plan.action]} {plan.name}.{first_bind}{lost}", "strong"


def risk(doubt: str) -> str:
    """The second question."""
    return f"Risk: {doubt}. Y goes on all the same, esc does not."


def countdown(
    name: str, asked_at: datetime, at: datetime, problem: str | None = None
) -> tuple[str, Tone]:
    """A guest that was asked to shut down and still runs, for all that is known."""
    seconds = max(0, int((at - asked_at).total_seconds()))
    if problem is not None:
        return (
            f"{name} was asked to shut down {seconds} s ago; whether it did is not known: "
            f"{problem}.", "warn",
        )  # fmt: skip
    if seconds < STOP_S:
        left = int(STOP_S) - seconds
        return f"{name} was asked to shut down {seconds} s ago; it gets {left} s more.", "strong"
    return (
        f"{name} has not shut down after {seconds} s. Wait, look into the guest, or press x: it "
        "offers to force it off.", "warn",
    )  # fmt: skip


def ended(action: GuestAction, name: str, domain: Domain | None) -> tuple[str, Tone]:
    """What an action has come to."""
    if domain is None:
        return f"{name} is not defined any more.", "warn"
    if action == "reboot":
        return f"{name} was asked to boot again.", "good"
    return f"{name} is {domain.state}.", "good"


MAY_PAUSE: tuple[GuestAction, ...] = ("start", "pause", "resume")
"""The actions that may leave a guest paused."""


def hint(error: Exception, plan: GuestPlan, connect: str) -> str:
    """What may be done about a deed that failed when the screen had gone already."""
    return f". {next_commands(plan, error.state, connect)}" if isinstance(error, Unsettled) else ""


def unsettled(error: Unsettled, *, keys: bool) -> str:
    """A deed that ended half way, or may have, and with ``keys`` those that end that."""
    if not keys:
        return f"{error}."
    when = "" if error.state else " When libvirt answers again:"
    return f"{error}.{when} p lets it run, x ends it."


GIVE_BACK = " Its card is on vfio-pci: u gives it back to the host."
