"""The stages of the guest screen, and what each one shows and lets the user do.

A stage is what the screen itself knows. The rest comes from the last readings: every function here
takes a stage and the ``Situation`` that the readings show.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from tui.commands import KEYS
from tui.guest.plan import STOP_S, doubts_to_confirm
from tui.model import Domain, GuestAction, GuestPlan, Swap
from tui.model.errors import Doubtful
from tui.model.requests import Consent
from tui.rules import guest_checks
from tui.screens import guest_words as words
from tui.screens.plan_pages import Course
from tui.screens.swap_words import UNTOUCHED, Said, plan_state, step_state
from widgets.plan_page import Mark, State


class Stage(Struct, frozen=True, kw_only=True):
    """``plan`` is the last plan made; ``swap_id`` is the swap begun for it, if it needs one."""

    plan: GuestPlan | None = None
    swap_id: str | None = None


class Planning(Stage, frozen=True, kw_only=True):
    """The host and its guests are being checked for a plan."""


class Shown(Stage, frozen=True, kw_only=True):
    """The plan is on the screen and waits for the user."""


class Asking(Stage, frozen=True, kw_only=True):
    """The user has consented, and is now asked to accept a risk."""

    consent: Consent
    doubt: Doubtful


class Running(Stage, frozen=True, kw_only=True):
    """The plan is being carried out. ``requested``: a stop may have reached the guest, although
    libvirt has not answered yet."""

    consent: Consent
    requested: bool = False


class Requested(Stage, frozen=True, kw_only=True):
    """libvirt has accepted the action; the guest's state tells when it has ended."""


class Failed(Stage, frozen=True, kw_only=True):
    """No plan could be made, or carrying it out failed. ``half_done``: the guest may be in between,
    and can be resumed or forced off. ``requested``: the guest may still do what it was asked."""

    why: str
    half_done: bool = False
    requested: bool = False


class Situation(Struct, frozen=True):
    """What the last readings say about the guest and the screen's swap.

    ``domain`` is ``None`` if it is no longer defined; ``problem`` is why guests cannot be read;
    ``asked_at`` is when the guest was asked to shut down; ``course`` is that of the swap in the
    journal, if this screen began it; ``free_card``: its card could be unbound now.
    """

    action: GuestAction
    name: str
    domain: Domain | None
    problem: str | None
    asked_at: datetime | None
    course: Course | None
    free_card: bool
    at: datetime

    @property
    def swap(self) -> Swap | None:
        return self.course.swap if self.course is not None else None


def is_requested(stage: Stage) -> bool:
    """Whether the guest may be doing what it was asked."""
    return isinstance(stage, Requested) or (isinstance(stage, Running | Failed) and stage.requested)


def has_ended(stage: Stage, seen: Situation) -> bool:
    """Whether the guest has done what it was asked. If it cannot be read, it has not."""
    if seen.problem is not None or not is_requested(stage):
        return False
    return seen.domain is None or seen.domain.state in words.END_STATES[seen.action]


def counts_down(stage: Stage, seen: Situation) -> bool:
    """Whether the guest was asked to shut down and is not off yet."""
    return seen.action == "stop" and is_requested(stage) and not has_ended(stage, seen)


def _overdue(stage: Stage, seen: Situation) -> bool:
    if seen.asked_at is None or not counts_down(stage, seen):
        return False
    return (seen.at - seen.asked_at).total_seconds() >= STOP_S


def _half_done(stage: Stage) -> bool:
    return isinstance(stage, Failed) and stage.half_done


def visible_keys(stage: Stage, seen: Situation) -> dict[str, bool]:
    """Whether each key of the screen does something at this stage."""
    asking, half_done = isinstance(stage, Asking), _half_done(stage)
    return {
        "carry_out": not asking and not half_done and not is_requested(stage),
        "despite": asking,
        "force": half_done or counts_down(stage, seen),
        "resume": half_done,
        "give_back": seen.free_card and has_ended(stage, seen),
    }


def why_not(
    action: str, stage: Stage, seen: Situation, before: Domain, unavailable: str | None
) -> str | None:
    """Why ``carry_out``, ``force`` or ``resume`` does nothing now; ``None`` if it works.
    ``before`` is the domain as it was when the screen was opened, ``unavailable`` why no guest can
    be acted on at all."""
    if action == "carry_out":
        return _why_not_begin(stage, unavailable)
    if action == "resume":
        return seen.problem or guest_checks.why_not(seen.domain or before, "resume")
    if action == "force" and not _half_done(stage) and not _overdue(stage, seen):
        left = _left_s(seen) if counts_down(stage, seen) else None
        return f"it still has {left} s to shut down" if left else "ask it to shut down first"
    return None


def _left_s(seen: Situation) -> int | None:
    """Seconds until a guest that was asked to shut down can be forced off."""
    if seen.asked_at is None:
        return None
    return int(STOP_S) - max(0, int((seen.at - seen.asked_at).total_seconds()))


def _why_not_begin(stage: Stage, unavailable: str | None) -> str | None:
    if isinstance(stage, Running):
        return "it is under way"
    failure = stage.why if isinstance(stage, Failed) else None
    if stage.plan is None:
        return failure or "the plan is not ready yet"
    if stage.plan.refusals:
        return f"refused: {stage.plan.refusals[0].why}"
    return failure or unavailable


def is_risky(stage: Stage, *, asks: bool) -> bool:
    """Whether the screen asks about a risk next. ``asks``: a tool will ask for the password, and
    the runner about what only root can check."""
    plan = stage.plan
    if plan is None or plan.refusals:
        return False
    return bool(doubts_to_confirm(plan, elevated=asks))


def sentence(
    stage: Stage,
    seen: Situation,
    unavailable: str | None,
    *,
    asks: bool,
    keys: Mapping[str, str] = KEYS,
) -> Said:
    """The message at the top of the screen."""
    match stage:
        case Asking():
            return words.risk(str(stage.doubt), keys)
        case Failed():
            return stage.why, "bad"
        case Running() | Requested():
            return _progress(stage, seen, keys)
    if stage.plan is None:
        return words.CHECKING, "dim"
    return words.question(stage.plan, unavailable, risky=is_risky(stage, asks=asks), keys=keys)


def _progress(stage: Stage, seen: Situation, keys: Mapping[str, str]) -> Said:
    name = seen.name
    if has_ended(stage, seen):
        return words.ended(seen.action, name, seen.domain, free_card=seen.free_card, keys=keys)
    if counts_down(stage, seen) and seen.asked_at is not None:
        return words.countdown(name, seen.asked_at, seen.at, seen.problem, keys)
    if seen.swap is not None and seen.swap.under_way:
        return f"Its card is bound first; then {name} is started.", "text"
    return f"{name} is {words.UNDER_WAY[seen.action]} …", "text"


def state(stage: Stage, seen: Situation, unavailable: str | None, *, asks: bool) -> State:
    """The state at the right of the title."""
    match stage:
        case Asking():
            return State("unknown", "accept the risk?")
        case Failed():
            return State("warned", "half done") if stage.half_done else State("failed", "not done")
        case Running() | Requested():
            return _progress_state(stage, seen)
    if stage.plan is None:
        return State("moving", "checking")
    return plan_state(stage.plan.checks, unavailable, risky=is_risky(stage, asks=asks))


def _progress_state(stage: Stage, seen: Situation) -> State:
    if has_ended(stage, seen):
        now = "gone" if seen.domain is None else seen.domain.state
        return State("passed", "asked to reboot" if seen.action == "reboot" else now)
    left = _left_s(seen) if counts_down(stage, seen) else None
    if left is not None:
        if seen.problem is not None:
            return State("unknown", "cannot tell")
        return State("moving", f"{left} s left") if left > 0 else State("warned", "still running")
    course = seen.course
    if course is not None and course.swap.under_way and stage.plan is not None:
        steps = len(stage.plan.texts)
        return step_state(course.swap, steps, course.elapsed_s, late=course.late)
    return State("moving", words.UNDER_WAY[seen.action])


def note(stage: Stage, seen: Situation) -> str:
    """The note at the bottom: what has been changed, or what continues."""
    match stage:
        case Running() | Requested():
            return "" if has_ended(stage, seen) else words.GOES_ON
        case Failed():
            return ""
    return UNTOUCHED if stage.swap_id is None else ""


def asked_about(stage: Stage) -> Literal["plan", "message"] | None:
    """The part of the screen that the user is asked about."""
    if isinstance(stage, Asking):
        return "message"
    if not isinstance(stage, Shown) or stage.plan is None or stage.plan.refusals:
        return None
    return "plan"


def word(command: str, stage: Stage, seen: Situation, *, asks: bool) -> str | None:
    """What a key does at this stage, if that differs from its usual label."""
    if command == "carry-out":
        risky = is_risky(stage, asks=asks)
        return "show the risk" if risky else f"{words.NAMES[seen.action].lower()} now"
    offers = isinstance(stage, Planning | Shown | Asking)
    refused = stage.plan is not None and stage.plan.refusals
    return "cancel" if command == "back" and offers and not refused else None


# --- the steps after the swap -----------------------------------------------------------------


def step_marks(stage: Stage, seen: Situation, plan: GuestPlan) -> list[Mark | None]:
    """The mark of each step after the swap; ``None`` before anything was done. ``plan`` is the plan
    as it was shown, including its swap."""
    rest: list[Mark | None] = ["noted"] * (len(plan.steps) - 1)
    done: list[Mark | None] = ["passed"] * len(plan.steps)
    bound = plan.swap is None or (stage.plan is not None and stage.plan.swap is None)
    if has_ended(stage, seen):
        return done
    match stage:
        case Requested():
            return [*done[1:], "moving" if seen.action == "stop" else "passed"]
        case Running() if bound:
            return ["moving", *rest]
        case Failed() if bound:
            return ["failed", *rest]
    begun = isinstance(stage, Running) or stage.swap_id is not None
    return ["noted" if begun else None for _ in plan.steps]
