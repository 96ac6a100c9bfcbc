"""A check as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import Check


def check_lines(check: Check) -> Iterator[str]:
    """Verdict, id and reason, and below them the fix if the check does not pass."""
    yield f"  {check.verdict:<7}  {check.id:<23}  {check.why}"
    if check.fix and check.verdict != "pass":
        yield f"  {'':<7}  {'':<23}  → {check.fix}"
