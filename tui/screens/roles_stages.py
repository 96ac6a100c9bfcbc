"""The stages of the roles screen, and what each one says and lets the user do.

A stage is what the screen itself knows. The readings have the rest: which card and which guest are
chosen, and whether the guest's definition has the card.
"""

from __future__ import annotations

from dataclasses import dataclass

from tui.guest.hostdevs import Change
from widgets.lines import Tone


@dataclass(frozen=True, kw_only=True)
class Stage:
    """``change`` is the change to a definition that can be undone."""

    change: Change | None = None


@dataclass(frozen=True, kw_only=True)
class Choosing(Stage):
    """A card and a guest are being chosen, and nothing is saved yet."""


@dataclass(frozen=True, kw_only=True)
class Saved(Stage):
    """The choice is in effect. ``warning``: why it is not in the state file."""

    warning: str | None = None


@dataclass(frozen=True, kw_only=True)
class Changing(Stage):
    """The definition of the guest ``name`` is being changed or restored."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Changed(Stage):
    """The definition of the guest ``name`` now has the card."""

    name: str
    change: Change


@dataclass(frozen=True, kw_only=True)
class Restored(Stage):
    """The change was undone."""


@dataclass(frozen=True, kw_only=True)
class Failed(Stage):
    """The definition was not changed, or not restored."""

    why: str


def can_choose(stage: Stage) -> bool:
    """Whether another card or guest can be chosen."""
    return not isinstance(stage, Changing)


def outcome(stage: Stage, undo_key: str) -> tuple[str, Tone] | None:
    """The message for a stage; ``None`` if it depends on the readings."""
    match stage:
        case Saved(warning=str(warning)):
            return (
                f"The choice could not be saved: {warning}. It lasts only until vfiotop exits.",
                "warn",
            )
        case Changing():
            return f"Changing the definition of {stage.name} …", "strong"
        case Changed():
            return _changed(stage, undo_key)
        case Restored():
            return "The old definition is restored.", "good"
        case Failed():
            return stage.why, "bad"
    return None


def _changed(stage: Changed, undo_key: str) -> tuple[str, Tone]:
    change = stage.change
    saved = f"{stage.name} lists the card now. {undo_key} restores its old definition, saved in "
    if change.rom:
        rom = f" Its <rom> {change.rom[0]} was made for the other card: check it."
        return f"{saved}{change.backup}.{rom}", "warn"
    return f"{saved}{change.backup}.", "good"
