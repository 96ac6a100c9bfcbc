"""The texts of the USB screen."""

from __future__ import annotations

from collections.abc import Mapping

from tui.model import HostView, Usb, UsbAction, UsbPlan, UsbState
from tui.screens.swap_words import Said, plan_state
from widgets.choice_list import Candidate
from widgets.plan_page import State

__all__ = ["Said"]

NOTHING = State("noted", "nothing to do")

STATES: dict[UsbState, str] = {
    "free": "can be lent", "in use": "in use, asks first", "kept": "stays with the host",
    "lent": "lent", "taken": "stays with the host", "away": "lent, unplugged",
}  # fmt: skip

RUNNING: dict[UsbAction, str] = {"lend": "Attaching it to {} …", "return": "Detaching it from {} …"}


def candidate(usb: Usb) -> Candidate:
    """A device in the list: its name and port; the verdict, and why."""
    return Candidate(
        usb.device.port,
        f"{usb.device.port} {usb.device.name}",
        f"{STATES[usb.state]}: {usb.why}",
    )


def title(plan: UsbPlan) -> tuple[str, str]:
    """The panel's title."""
    verb, where = ("Lend", "to") if plan.action == "lend" else ("Take back", "from")
    return f"{verb} {plan.device.name}", f" · {where} {plan.name}"


def state(plan: UsbPlan, unavailable: str | None, *, running: bool) -> State:
    """The state of the plan: whether it may be carried out."""
    if running:
        return State("moving", "waiting for libvirt")
    if plan.doubts and not plan.refusals and unavailable is None:
        return State("warned", "asks first")
    return plan_state(plan.checks, unavailable)


def question(plan: UsbPlan, unavailable: str | None, keys: Mapping[str, str]) -> Said:
    """What the plan does, and what the user needs to know about it."""
    what = (
        f"Attaches it to {plan.name}, and again if it is replugged while vfiotop runs."
        if plan.action == "lend"
        else "Gives it back to the host."
    )
    if not plan.refusals and unavailable is not None:
        return f"This is what would be done; {unavailable}.", "text"
    if not plan.refusals and plan.doubts:
        return f"{what} The host uses it: {keys['carry-out']} asks again.", "warn"
    return what, "text"


def refusal(plan: UsbPlan) -> str:
    """Why the plan is refused, with what to do."""
    worst = plan.refusals[0]
    return f"{worst.why}: {worst.fix}" if worst.fix else worst.why


def nothing(usb: Usb | None, view: HostView, keys: Mapping[str, str]) -> str:
    """Why there is no plan: no device, or no guest."""
    if usb is None and view.usb:
        return "the device was unplugged: choose another one, or plug it in again"
    if usb is None:
        return view.problem("usb") or "no USB device is plugged in"
    return view.problem("guests") or f"no guest is chosen: {keys['roles']} chooses one"


def done(plan: UsbPlan) -> str:
    """What was done."""
    if plan.action == "lend":
        return f"{plan.name} has {plan.device.name}."
    return f"{plan.device.name} is back with the host."
