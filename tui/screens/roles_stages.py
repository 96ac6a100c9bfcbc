"""The stages of the roles screen, and what each one says and lets the user do.

A stage is what the screen itself knows. The readings have the rest: which card and which guest are
chosen, and whether the guest's definition has the card.
"""

from __future__ import annotations

from msgspec import Struct

from tui.guest.hostdevs import Change
from widgets.lines import Tone


class Stage(Struct, frozen=True, kw_only=True):
    """``change`` is the change to a definition that can be undone."""

    change: Change | None = None


class Choosing(Stage, frozen=True, kw_only=True):
    """A card and a guest are being chosen, and nothing is saved yet."""


class Saved(Stage, frozen=True, kw_only=True):
    """The choice is in effect. ``warning``: why it is not in the state file."""

    warning: str | None = None


class Changing(Stage, frozen=True, kw_only=True):
    """The definition of the guest ``name`` is being changed or restored."""

    name: str


class Changed(Stage, frozen=True, kw_only=True):
    """The definition of the guest ``name`` now has the card."""

    name: str
    change: Change


class Restored(Stage, frozen=True, kw_only=True):
    """The change was undone."""


class Failed(Stage, frozen=True, kw_only=True):
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
