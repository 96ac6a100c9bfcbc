"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tui.model import Check
from tui.model.errors import Doubtful
from tui.process.output import ask, say
from tui.swap.consent import HANGS

ANSWER_LIMIT = 4096
"""Bytes of an answer; a terminal never returns a longer line (termios(3))."""


def confirmed(action: str, doubts: Sequence[Check], risk: str = f": {HANGS}") -> bool:
    """Print each doubt and its risk, then ask whether to do it."""
    for doubt in doubts:
        say(f"\nRisk: {doubt.why}{risk}.")
    return yes(f"\n{action} now? [y/N] ")


def yes(question: str) -> bool:
    """Whether a person at the terminal answers y. A script is not asked and has not agreed."""
    if not sys.stdin.isatty() or not ask(question):
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
