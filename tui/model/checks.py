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
    """One rule's verdict on a subject: an address, a domain, or with None the host."""

    id: str
    subject: str | None
    verdict: Verdict
    why: str
    fix: str | None = None


NOT_CAPTURED = "a capture does not contain what they need"
"""Why checks of a captured host are unknown that nothing can be done about."""


def told_together(checks: Iterable[Check], *, captured: bool) -> list[tuple[Check, ...]]:
    """The checks that did not pass, those together that need not be told one by one: of one
    verdict, reason and fix; and on a ``captured`` host, unknown with nothing to do about it. On any
    other host the reason of each is news."""
    found: dict[tuple[str | None, ...], list[Check]] = {}
    for check in checks:
        if check.verdict != "pass":
            lacking = captured and check.verdict == "unknown" and not check.fix
            key = ("unknown",) if lacking else (check.verdict, check.why, check.fix)
            found.setdefault(key, []).append(check)
    return [tuple(each) for each in found.values()]
