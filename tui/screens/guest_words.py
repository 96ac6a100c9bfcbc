"""The texts of the screen that starts and stops a guest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tui.commands import KEYS
from tui.guest.next_commands import next_commands
from tui.guest.plan import STOP_S
from tui.host import Unsettled
from tui.model import Domain, GuestAction, GuestPlan
from tui.screens.swap_words import Said
from widgets.figures import short

CHECKING = "Checking the host and its guests …"

NAMES: dict[GuestAction, str] = {
    "start": "Start", "stop": "Stop", "reboot": "Reboot", "pause": "Pause", "resume": "Resume",
    "force-off": "Force off",
}  # fmt: skip

PURPOSES: dict[GuestAction, str] = {
    "start": "Starts {}.",
    "stop": f"Asks {{}} to shut down, and waits up to {STOP_S:.0f} s for it.",
    "reboot": "Asks {} to reboot.",
    "pause": "Pauses {}: it keeps its memory and its card.",
    "resume": "Resumes {}.",
    "force-off": "Forces {} off. Unsaved work in it is lost.",
}

UNDER_WAY: dict[GuestAction, str] = {
    "start": "starting", "stop": "shutting down", "reboot": "rebooting", "pause": "pausing",
    "resume": "resuming", "force-off": "forcing it off",
}  # fmt: skip

END_STATES: dict[GuestAction, tuple[str, ...]] = {
    "start": ("running", "blocked"), "stop": ("shut off",), "reboot": ("running", "blocked"),
    "pause": ("paused",), "resume": ("running", "blocked"), "force-off": ("shut off",),
}  # fmt: skip
"""The states in which an action has had its effect."""

MAY_PAUSE: tuple[GuestAction, ...] = ("start", "pause", "resume")
"""The actions that may leave a guest paused."""

GOES_ON = "continues if you leave"


def title(action: GuestAction, name: str) -> tuple[str, str]:
    """The panel's title."""
    return f"{NAMES[action]} {name}", ""


def purpose(plan: GuestPlan) -> str:
    """What a plan does."""
    text = PURPOSES[plan.action].format(plan.name)
    return f"{text} Its card {short(plan.swap.address)} is bound first." if plan.swap else text


def question(
    plan: GuestPlan, unavailable: str | None, *, risky: bool, keys: Mapping[str, str] = KEYS
) -> Said:
    """What a plan does, and what the user needs to know about it.

    ``unavailable`` is why no guest can be acted on at all; ``risky``: the next question is about a
    risk.
    """
    what = purpose(plan)
    if plan.refusals:
        return what, "text"
    if unavailable is not None:
        return f"This is what would be done; {unavailable}.", "text"
    if risky:
        return f"{what} This may not be safe: {keys['carry-out']} shows the risk and asks.", "warn"
    return what, "warn" if plan.action == "force-off" else "text"


def risk(doubt: str, keys: Mapping[str, str] = KEYS) -> Said:
    """The second question."""
    ways = f"{keys['despite']} continues anyway, {keys['back']} goes back."
    return f"Risk: {doubt}. {ways}", "bad"


def countdown(
    name: str,
    asked_at: datetime,
    at: datetime,
    problem: str | None = None,
    keys: Mapping[str, str] = KEYS,
) -> Said:
    """The message while a guest was asked to shut down and is not known to be off."""
    seconds = max(0, int((at - asked_at).total_seconds()))
    asked = f"{name} was asked to shut down {seconds} s ago"
    if problem is not None:
        return f"{asked}; cannot tell whether it has: {problem}.", "warn"
    if seconds < STOP_S:
        return f"{asked}; {int(STOP_S) - seconds} s until it can be forced off.", "text"
    return (
        f"{name} has not shut down after {seconds} s. Wait, check inside the guest, or press "
        f"{keys['force']} to force it off (asks first).", "warn",
    )  # fmt: skip


def ended(
    action: GuestAction, name: str, domain: Domain | None, *, free_card: bool,
    keys: Mapping[str, str] = KEYS,
) -> Said:  # fmt: skip
    """How an action ended. ``free_card``: the guest's card could be unbound now."""
    if domain is None:
        return f"{name} is no longer defined.", "warn"
    then = f" Its card is on vfio-pci: {keys['give-back']} gives it back to the host."
    did = f"{name} was asked to reboot." if action == "reboot" else f"{name} is {domain.state}."
    return did + (then if free_card else ""), "good"


def hint(error: Exception, plan: GuestPlan, connect: str) -> str:
    """What the user can do about an action that failed after the screen was closed."""
    return f". {next_commands(plan, error.state, connect)}" if isinstance(error, Unsettled) else ""


def unsettled(error: Unsettled, *, usable: bool, keys: Mapping[str, str] = KEYS) -> str:
    """The message for an action that did not finish, or may not have; if its keys are ``usable``,
    with the keys that settle it."""
    if not usable:
        return f"{error}."
    when = "" if error.state else " When libvirt answers again:"
    return f"{error}.{when} {keys['resume']} resumes it, {keys['force']} forces it off."
