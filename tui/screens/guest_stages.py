"""The stages of a guest's screen, and what each shows and lets the user do.

A stage is what the screen itself knows. The rest is in the last readings: every function here
takes the stage together with the ``Situation`` that they show.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from tui.guest.plan import STOP_S
from tui.model import Domain, GuestAction, GuestPlan, Swap
from tui.model.errors import Doubtful
from tui.model.requests import Consent
from tui.rules import guest_checks
from tui.screens import guest_words as words
from widgets.lines import Tone


class Stage(Struct, frozen=True, kw_only=True):
    """``plan`` is the plan made last; ``swap_id`` the swap begun for it, if it needs one."""

    plan: GuestPlan | None = None
    swap_id: str | None = None


class Planning(Stage, frozen=True, kw_only=True):
    """The host and its guests are being checked for a plan."""


class Shown(Stage, frozen=True, kw_only=True):
    """The plan is on the screen and waits for the user."""


class Asking(Stage, frozen=True, kw_only=True):
    """The user has consented, and is asked whether to take a risk as well."""

    consent: Consent
    doubt: Doubtful


class Running(Stage, frozen=True, kw_only=True):
    """The plan is being carried out. ``requested``: a stop may have reached the guest, though
    libvirt has not answered."""

    consent: Consent
    requested: bool = False


class Requested(Stage, frozen=True, kw_only=True):
    """libvirt has accepted the action; the guest's state tells when it has ended."""


class Failed(Stage, frozen=True, kw_only=True):
    """No plan could be made, or carrying it out failed. ``half_done``: the guest may be in
    between, and can be resumed or ended. ``requested``: the guest may still do it."""

    why: str
    half_done: bool = False
    requested: bool = False


class Situation(Struct, frozen=True):
    """What the last readings say about the guest and its screen's swap.

    ``domain`` is ``None`` if it is not defined any more; ``problem`` is why guests cannot be
    read; ``asked_at`` is when the guest was asked to shut down; ``swap`` is the journal's, if
    this screen began it; ``free_card``: its card could be unbound now.
    """

    action: GuestAction
    name: str
    domain: Domain | None
    problem: str | None
    asked_at: datetime | None
    swap: Swap | None
    free_card: bool
    at: datetime


def is_requested(stage: Stage) -> bool:
    """Whether the guest may be doing what was asked of it."""
    return isinstance(stage, Requested) or (isinstance(stage, Running | Failed) and stage.requested)


def has_ended(stage: Stage, seen: Situation) -> bool:
    """Whether the guest has done what was asked. One that cannot be read has not."""
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
    """Whether each key of the screen has a meaning at this stage."""
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
    ``before`` is the domain as it was when the screen was opened, ``unavailable`` why nothing
    can be done to guests at all."""
    if action == "carry_out":
        return _why_not_begin(stage, unavailable)
    if action == "resume":
        return seen.problem or guest_checks.why_not(seen.domain or before, "resume")
    if action == "force" and not _half_done(stage) and not _overdue(stage, seen):
        return "it has not been asked to shut down, or still has time left"
    return None


def _why_not_begin(stage: Stage, unavailable: str | None) -> str | None:
    if isinstance(stage, Running):
        return "it is under way"
    failure = stage.why if isinstance(stage, Failed) else None
    if stage.plan is None:
        return failure or "the plan is not ready yet"
    if stage.plan.refusals:
        return f"refused: {stage.plan.refusals[0].why}"
    return failure or unavailable


def sentence(
    stage: Stage, seen: Situation, unavailable: str | None, *, asks: bool
) -> tuple[str, Tone]:
    """What is said on top of the screen. ``asks``: a tool asks for the password."""
    match stage:
        case Asking():
            return words.risk(str(stage.doubt)), "bad"
        case Failed():
            return stage.why, "bad"
        case Running() | Requested():
            return _progress(stage, seen)
    if stage.plan is None:
        return words.CHECKING, "dim"
    return words.question(stage.plan, unavailable, asks=asks)


def _progress(stage: Stage, seen: Situation) -> tuple[str, Tone]:
    name = seen.name
    if has_ended(stage, seen):
        text, tone = words.ended(seen.action, name, seen.domain)
        return text + (words.GIVE_BACK if seen.free_card else ""), tone
    if counts_down(stage, seen) and seen.asked_at is not None:
        return words.countdown(name, seen.asked_at, seen.at, seen.problem)
    if seen.swap is not None and seen.swap.under_way:
        return f"Its card is bound first; then {name} is started.", "strong"
    return f"{name} {words.UNDER_WAY[seen.action]} …", "strong"


def drawn(stage: Stage, seen: Situation) -> tuple[GuestPlan | None, Swap | None]:
    """The plan or the swap that is drawn below the sentence."""
    swap = seen.swap
    if swap is not None and (isinstance(stage, Running) or swap.under_way):
        return None, swap
    return (None if is_requested(stage) else stage.plan), None
