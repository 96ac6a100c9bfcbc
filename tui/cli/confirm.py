"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tui.model import Check
from tui.model.errors import Doubtful
from tui.process.output import ask, conversation, say
from tui.swap.consent import HANGS

ANSWER_LIMIT = 4096
"""Bytes of an answer; a terminal never returns a longer line (termios(3))."""


UNTOUCHED = "nothing was touched"
UNASKED = (
    f"{UNTOUCHED}: this asks first, and there is no terminal to ask at; --yes skips the question"
)


def why_not_confirmed(
    plan: str, action: str, doubts: Sequence[Check], risk: str = f": {HANGS}"
) -> str | None:
    """Show the plan, each doubt and its risk, then ask whether to do it. ``None`` if the answer is
    y. All of it goes to the terminal: nobody may agree to what went unseen into a file."""
    if not can_ask():
        say(plan)
        return UNASKED
    risks = [f"\nRisk: {doubt.why}{risk}." for doubt in doubts]
    return None if yes(f"{action} now? [y/N] ", "\n".join((plan, *risks, ""))) else UNTOUCHED


def can_ask() -> bool:
    """Whether a person can see a question and answer it. A script is not asked."""
    return sys.stdin.isatty() and conversation() is not None


def yes(question: str, about: str | None = None) -> bool:
    """Whether a person at the terminal answers y to a question ``about`` this text."""
    terminal = conversation()
    if terminal is None or not sys.stdin.isatty():
        return False
    if about is not None:
        say(about, terminal)
    if not ask(question, terminal):
        return False
    try:
        return sys.stdin.buffer.readline(ANSWER_LIMIT).strip().lower() == b"y"
    except OSError:  # the terminal is gone
        return False


def refusal(error: Exception) -> str:
    """A refusal in a sentence, with what a person at the command line can do about it."""
    if not isinstance(error, Doubtful):
        return str(error)
    return f"{error}: {HANGS}; check for yourself, or continue with --despite-doubts"
