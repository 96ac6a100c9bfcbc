"""The base of all errors that a user is told about."""

from __future__ import annotations

from collections.abc import Collection


class VfiotopError(Exception):
    """An error with a sentence for the user: what happened and why. ``fix`` says what to do
    about it, and is part of the text."""

    def __init__(self, sentence: str = "", fix: str | None = None) -> None:
        super().__init__(f"{sentence}: {fix}" if fix else sentence)
        self.sentence = sentence
        self.fix = fix


class Refused(VfiotopError):
    """An action that was not begun: nothing was touched."""


class Doubtful(Refused):
    """An action with checks that did not pass and that the user has not accepted: the
    ``tui.swap.consent.point`` of each is in ``checks``."""

    def __init__(self, sentence: str, checks: Collection[str] = ()) -> None:
        super().__init__(sentence)
        self.checks = tuple(checks)


class Unfinished(Refused):
    """An earlier swap of this boot has to be finished or undone first."""
