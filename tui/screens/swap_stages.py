"""The stages of a swap's screen, and what each shows and lets the user do.

A stage is what the screen itself knows. What the swap has come to is in the journal: every
function here takes the stage together with the journal's swap, ``None`` if the screen shows none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tui.host import Mover
from tui.model import Plan, Swap
from tui.model.errors import Doubtful
from tui.model.requests import Consent
from tui.screens import swap_words as words
from tui.swap.consent import consent_to
from widgets.lines import Tone

Recovery = Literal["finish", "undo"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """``recovery`` is how the user wants to end an interrupted swap, ``None`` before that choice
    and for a new swap. ``plan`` is the plan made last; an undo has none."""

    recovery: Recovery | None = None
    plan: Plan | None = None


@dataclass(frozen=True, kw_only=True)
class Planning(Stage):
    """The host is being checked for a plan."""


@dataclass(frozen=True, kw_only=True)
class Shown(Stage):
    """What would be done is on the screen and waits for the user."""

    @property
    def consent(self) -> Consent:
        """The consent of a user who carries out what is shown."""
        return consent_to(self.plan) if self.plan and self.recovery != "undo" else Consent()


@dataclass(frozen=True, kw_only=True)
class Asking(Stage):
    """The user has consented, and is asked whether to take a risk as well."""

    consent: Consent
    doubt: Doubtful


@dataclass(frozen=True, kw_only=True)
class Beginning(Stage):
    """A request was made, and the journal does not show its swap yet."""

    consent: Consent


@dataclass(frozen=True, kw_only=True)
class Failed(Stage):
    """No plan could be made, or nothing was begun."""

    why: str


def at_rest(stage: Stage) -> Stage:
    """The stage after the journal's swap changed: older answers and questions are void."""
    return Planning() if stage.plan is None else Shown(plan=stage.plan)


def visible_keys(stage: Stage, swap: Swap | None) -> dict[str, bool]:
    """Whether each key of the screen has a meaning at this stage."""
    asking = isinstance(stage, Asking)
    interrupted = swap is not None and swap.interrupted
    recovers = interrupted and not asking and not isinstance(stage, Beginning)
    return {
        "carry_out": not asking and (swap is None or interrupted),
        "despite": asking,
        "finish": recovers,
        "take_back": recovers,
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


def sentence(stage: Stage, swap: Swap | None, mover: Mover) -> tuple[str, Tone]:
    """What is said on top of the screen."""
    match stage:
        case Asking():
            return words.risk(str(stage.doubt)), "bad"
        case Failed():
            return stage.why, "bad"
        case Beginning():
            return "Starting …", "strong"
    if swap is not None and stage.recovery is None:
        return words.progress(swap)
    return _offer(stage, swap, mover)


def _offer(stage: Stage, swap: Swap | None, mover: Mover) -> tuple[str, Tone]:
    if swap is not None and stage.recovery == "undo":
        return words.undo(swap, mover.unavailable_reason)
    if stage.plan is None:
        return words.CHECKING, "dim"
    return words.question(stage.plan, mover.unavailable_reason, asks=mover.needs_terminal)
