"""The base of all errors that are shown to the user."""

from __future__ import annotations

from collections.abc import Collection


class VfiotopError(Exception):
    """An error with a sentence for the user: what happened and why. ``fix`` says what to do, and
    is part of the error's text."""

    def __init__(self, sentence: str = "", fix: str | None = None) -> None:
        super().__init__(f"{sentence}: {fix}" if fix else sentence)
        self.sentence = sentence
        self.fix = fix


class Refused(VfiotopError):
    """An action that did not begin: nothing was touched."""


class Doubtful(Refused):
    """An action refused because of doubts that the user has not accepted. ``checks`` are their
    points of consent (``tui.swap.consent.point``)."""

    def __init__(self, sentence: str, checks: Collection[str] = ()) -> None:
        super().__init__(sentence)
        self.checks = tuple(checks)


class Unfinished(Refused):
    """An action refused because an earlier swap of this boot must be finished or undone first."""
