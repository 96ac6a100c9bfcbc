"""The verdict of one rule."""

from __future__ import annotations

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
