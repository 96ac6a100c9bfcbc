"""The verdict of one rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "warn", "fail", "unknown"]
"""``unknown``: it could not be measured. It never counts as ``pass``."""

VERDICT_ORDER: tuple[Verdict, ...] = ("fail", "unknown", "warn", "pass")
"""The verdicts, the worst first."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's verdict on a subject: an address, a domain, or with None the host."""

    id: str
    subject: str | None
    verdict: Verdict
    why: str
    fix: str | None = None
