"""The texts of the swap screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from tui.commands import KEYS
from tui.model import CLOCK, Check, Direction, Gpu, Plan, Swap
from tui.swap.consent import HANGS
from widgets.card_names import card_name
from widgets.figures import short
from widgets.lines import Tone
from widgets.plan_lines import seconds
from widgets.plan_page import State

Said = tuple[str, Tone]
"""A sentence and its tone."""

CHECKING = "Checking the host …"

UNTOUCHED = "nothing has been touched yet"
GOES_ON = "continues if you leave or lose the connection"

USUALLY = " About {:.0f} s."


def title(
    direction: Direction | None,
    gpu: Gpu | None,
    address: str | None = None,
    recovery: Literal["finish", "undo"] | None = None,
) -> tuple[str, str]:
    """The title: what is done to the card at ``address``, and where it goes."""
    swap: str = direction or "swap"
    action = (f"{recovery} {swap} of" if recovery else swap).capitalize()
    where = {"bind": " → vfio-pci", "unbind": " → host"}.get(direction or "", "")
    where = "" if recovery == "undo" else where
    if gpu is not None:
        return f"{action} {card_name(gpu.name)}", f" · {short(gpu.address)}{where}"
    return action, f" {short(address)}{where}" if address else where


def purpose(direction: Direction, guest: str | None, usual_s: float | None) -> str:
    """What a swap is for, and how long the last such swap took."""
    usually = USUALLY.format(max(1.0, usual_s)) if usual_s is not None else ""
    if direction == "unbind":
        return f"Gives the card back to the host.{usually}"
    return f"Gives the card to vfio-pci, so that {guest or 'a guest'} can start with it.{usually}"


def question(
    plan: Plan, what: str, unavailable: str | None, *, risky: bool, keys: Mapping[str, str] = KEYS
) -> Said:
    """``what`` the plan is for, and what the user needs to know about it.

    ``unavailable`` is why no card can be moved at all; ``risky``: the next question is about a
    risk.
    """
    if plan.refusals:
        return what, "text"
    if unavailable is not None:
        return f"This is what would be done; {unavailable}.", "text"
    if risky:
        return f"{what} This may not be safe: {keys['carry-out']} shows the risk and asks.", "warn"
    return what, "text"


def plan_state(checks: Iterable[Check], unavailable: str | None, *, risky: bool = False) -> State:
    """The state of a plan: whether it may be carried out."""
    verdicts = {check.verdict for check in checks}
    if "fail" in verdicts:
        return State("failed", "refused")
    if unavailable is not None:
        return State("noted", "preview only")
    if "unknown" in verdicts:
        return State("unknown", "cannot tell" if risky else "root checks more")
    return State("warned" if "warn" in verdicts else "passed", "ready")


def undo(swap: Swap, unavailable: str | None) -> Said:
    """The question before an undo, which restores what was recorded and has no plan."""
    if unavailable is not None:
        return f"This is what would be undone; {unavailable}.", "text"
    functions = " and ".join(map(short, swap.moves))
    return f"Restores {functions} to their state before this {swap.direction}.", "text"


def risk(doubt: str, keys: Mapping[str, str] = KEYS) -> Said:
    """The second question."""
    ways = f"{keys['despite']} continues anyway, {keys['back']} goes back."
    return f"Risk: {doubt}: {HANGS}. {ways}", "bad"


def defect(error: Exception) -> str:
    """The message for a bug in vfiotop."""
    return f"vfiotop failed here ({error!r}); please report it"


def progress(swap: Swap, what: str, guest: str | None, keys: Mapping[str, str] = KEYS) -> Said:
    """What a swap is doing, or how it ended, and what the user can do. ``what`` is its purpose,
    ``guest`` the guest that can start afterwards."""
    why = f" {swap.message}." if swap.message else ""
    if swap.interrupted:
        ways = f"{keys['finish']} finishes it, {keys['undo']} undoes it."
        return f"It was interrupted and has stopped.{why} {ways}", "bad"
    if swap.stuck:
        since = CLOCK.time_of_day(swap.step_began_at)
        reason = why or " the kernel does not return."
        rest = "Nothing more is written; it continues when the kernel returns."
        return f"Stuck since {since}:{reason} {rest}", "bad"
    said: dict[str, Said] = {
        "done": (f"{_done(swap, guest, keys)}{why}", "warn" if why else "text"),
        "undone": (
            f"Undone, the card is as it was:{why}"
            if why
            else "Undone as requested; the card is as it was.", "warn",
        ),
        "undoing": (f"It is being undone:{why}", "warn"),
    }  # fmt: skip
    return said.get(swap.state, (what, "text"))


def _done(swap: Swap, guest: str | None, keys: Mapping[str, str]) -> str:
    if swap.direction == "unbind":
        return "The card is back with the host."
    if guest is None:
        return "The card is ready for a guest."
    return f"The card is ready: {keys['start-next']} starts {guest}."


def swap_state(swap: Swap, elapsed_s: float, *, late: bool = False) -> State:
    """The progress of a swap. ``late``: it takes longer than usual."""
    if swap.interrupted:
        return State("warned", "interrupted")
    if swap.stuck:
        return State("failed", "stuck")
    if swap.state == "done":
        return State("passed", f"done in {seconds(elapsed_s)}")
    if swap.state == "undone":
        return State("warned", "undone")
    if swap.state == "undoing":
        return State("moving", "undoing", took=seconds(elapsed_s), late=late)
    return step_state(swap, len(swap.steps), elapsed_s, late=late)


def step_state(swap: Swap, steps: int, elapsed_s: float, *, late: bool = False) -> State:
    """The current step of a swap out of ``steps``. ``late``: it takes longer than usual."""
    at, took = swap.step + 1, seconds(elapsed_s)
    return State("moving", f"step {at} of {steps}", f"{at}/{steps}", took, late)
