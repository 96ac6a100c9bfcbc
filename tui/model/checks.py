"""The verdict of one rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Verdict = Literal["pass", "warn", "fail", "unknown"]
"""``unknown``: it could not be measured. It never counts as ``pass``."""

VERDICT_ORDER: tuple[Verdict, ...] = ("fail", "unknown", "warn", "pass")
"""The verdicts, the worst first."""


class Check(Struct, frozen=True):
    """One rule's verdict on a subject: an address, a domain, or None for the host."""

    id: str
    subject: str | None
    verdict: Verdict
    why: str
    fix: str | None = None


NOT_CAPTURED = "a capture does not contain what they need"
"""Why checks of a captured host are unknown if they have no fix."""


def told_together(checks: Iterable[Check], *, captured: bool) -> list[tuple[Check, ...]]:
    """The checks that did not pass, in groups that can be reported as one: those of one verdict,
    reason and fix; and on a ``captured`` host the unknown ones without a fix. On any other host the
    reason of each is news."""
    found: dict[tuple[str | None, ...], list[Check]] = {}
    for check in checks:
        if check.verdict != "pass":
            lacking = captured and check.verdict == "unknown" and not check.fix
            key = ("unknown",) if lacking else (check.verdict, check.why, check.fix)
            found.setdefault(key, []).append(check)
    return [tuple(each) for each in found.values()]
