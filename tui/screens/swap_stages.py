"""The stages of the swap screen, and what each one shows and lets the user do.

A stage is what the screen itself knows. The progress of the swap is in the journal: every function
here takes a stage and the swap in the journal, ``None`` if the screen shows none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from tui.commands import KEYS
from tui.host import Mover
from tui.model import Direction, Plan, Swap
from tui.model.errors import Doubtful
from tui.model.requests import Consent
from tui.screens import swap_words as words
from tui.screens.plan_pages import Course
from tui.screens.swap_words import Said
from tui.swap.consent import consent_to
from widgets.plan_page import State

Recovery = Literal["finish", "undo"]


class Stage(Struct, frozen=True, kw_only=True):
    """``recovery`` is how the user wants to end an interrupted swap, ``None`` before that choice
    and for a new swap. ``plan`` is the last plan made; an undo has none."""

    recovery: Recovery | None = None
    plan: Plan | None = None


class Planning(Stage, frozen=True, kw_only=True):
    """The host is being checked for a plan."""


class Shown(Stage, frozen=True, kw_only=True):
    """What would be done is on the screen, waiting for the user."""

    @property
    def consent(self) -> Consent:
        """The consent that the user gives by carrying out what is shown."""
        return consent_to(self.plan) if self.plan and self.recovery != "undo" else Consent()


class Asking(Stage, frozen=True, kw_only=True):
    """The user has consented, and is now asked to accept a risk."""

    consent: Consent
    doubt: Doubtful


class Beginning(Stage, frozen=True, kw_only=True):
    """The swap was requested, and the journal does not show it yet."""

    consent: Consent


class Failed(Stage, frozen=True, kw_only=True):
    """No plan could be made, or nothing was begun."""

    why: str


def at_rest(stage: Stage) -> Stage:
    """The stage after the swap in the journal changed: older answers and questions are void."""
    return Planning() if stage.plan is None else Shown(plan=stage.plan)


def visible_keys(stage: Stage, swap: Swap | None) -> dict[str, bool]:
    """Whether each key of the screen does something at this stage."""
    asking = isinstance(stage, Asking)
    interrupted = swap is not None and swap.interrupted
    recovers = interrupted and not asking and not isinstance(stage, Beginning)
    return {
        "carry_out": not asking and (swap is None or interrupted),
        "despite": asking,
        "finish": recovers,
        "take_back": recovers,
        "start_guest": swap is not None and swap.state == "done" and swap.direction == "bind",
    }


def why_not(action: str, stage: Stage, swap: Swap | None, mover: Mover) -> str | None:
    """Why one of ``visible_keys`` does nothing now; ``None`` if it works."""
    if isinstance(stage, Beginning):
        return "it is starting"
    return _why_not_begin(stage, swap, mover) if action == "carry_out" else None


def _why_not_begin(stage: Stage, swap: Swap | None, mover: Mover) -> str | None:
    if swap is not None and not swap.interrupted:
        return "a swap is under way" if swap.under_way else "it has ended; press esc to go back"
    if swap is not None and stage.recovery is None:
        return "choose first: f finishes it, u undoes it"
    failure = stage.why if isinstance(stage, Failed) else None
    if stage.recovery != "undo":
        if stage.plan is None:
            return failure or "the plan is not ready yet"
        if stage.plan.refusals:
            return f"refused: {stage.plan.refusals[0].why}"
    return failure or mover.unavailable_reason


class Situation(Struct, frozen=True):
    """What the last readings say. ``course`` is that of the swap in the journal, if the screen
    shows one; ``direction`` is where the card goes; ``guest`` may start after a bind; ``usual_s``
    is how many seconds such a swap takes."""

    course: Course | None
    mover: Mover
    direction: Direction | None = None
    guest: str | None = None
    usual_s: float | None = None
    keys: Mapping[str, str] = field(default_factory=lambda: KEYS)

    @property
    def swap(self) -> Swap | None:
        return self.course.swap if self.course is not None else None


def _is_asked(stage: Stage, swap: Swap | None) -> bool:
    """Whether the screen shows what could be done, and not what a swap does."""
    return swap is None or stage.recovery is not None


def _doubts(stage: Stage, mover: Mover) -> bool:
    """Whether the screen asks about a risk next. A runner with a terminal asks itself."""
    if stage.plan is None or stage.recovery == "undo" or stage.plan.refusals:
        return False
    return bool(stage.plan.doubts) and not mover.needs_terminal


def sentence(stage: Stage, seen: Situation) -> Said:
    """The message at the top of the screen."""
    swap, mover = seen.swap, seen.mover
    match stage:
        case Asking():
            return words.risk(str(stage.doubt), seen.keys)
        case Failed():
            return stage.why, "bad"
    if swap is not None and not _is_asked(stage, swap):
        what = words.purpose(swap.direction, seen.guest, seen.usual_s)
        return words.progress(swap, what, seen.guest, seen.keys)
    if swap is not None and stage.recovery == "undo":
        return words.undo(swap, mover.unavailable_reason)
    if stage.plan is None:
        return words.CHECKING, "dim"
    what = words.purpose(stage.plan.direction, seen.guest, seen.usual_s)
    risky = _doubts(stage, mover)
    return words.question(stage.plan, what, mover.unavailable_reason, risky=risky, keys=seen.keys)


_STATES: dict[type[Stage], State] = {
    Asking: State("unknown", "accept the risk?"),
    Failed: State("failed", "not begun"),
    Beginning: State("moving", "starting"),
}


def state(stage: Stage, seen: Situation) -> State:
    """The state at the right of the title."""
    if type(stage) in _STATES:
        return _STATES[type(stage)]
    if seen.course is not None and not _is_asked(stage, seen.swap):
        course = seen.course
        return words.swap_state(course.swap, course.elapsed_s, late=course.late)
    if stage.recovery == "undo":
        return words.plan_state((), seen.mover.unavailable_reason)
    if stage.plan is None:
        return State("moving", "checking")
    reason = seen.mover.unavailable_reason
    return words.plan_state(stage.plan.checks, reason, risky=_doubts(stage, seen.mover))


def note(stage: Stage, swap: Swap | None) -> str:
    """The note at the bottom: what has been changed, or what continues."""
    if swap is not None:
        return words.GOES_ON if swap.under_way and not swap.stuck else ""
    return "" if isinstance(stage, Beginning) else words.UNTOUCHED


def asks(stage: Stage, swap: Swap | None) -> Literal["plan", "message"] | None:
    """The part of the screen that the user is asked about."""
    if isinstance(stage, Asking):
        return "message"
    if not isinstance(stage, Shown) or not _is_asked(stage, swap):
        return None
    if stage.recovery == "undo":
        return "plan"
    return "plan" if stage.plan is not None and not stage.plan.refusals else None


def word(command: str, stage: Stage, seen: Situation) -> str | None:
    """What a key does at this stage, if that differs from its usual label."""
    swap = seen.swap
    if command == "carry-out":
        action = stage.recovery or seen.direction
        return "show the risk" if _doubts(stage, seen.mover) else action and f"{action} now"
    if command != "back":
        return None
    if swap is not None and swap.under_way:
        return "leave it running"
    offers = isinstance(stage, Planning | Shown | Asking) and _is_asked(stage, swap)
    refused = stage.plan is not None and stage.plan.refusals
    return "cancel" if offers and not refused else None
