"""What the user was shown and agreed to, and whether a plan is still that.

A runner makes its plan anew, as root and under the lock. It may know more than the user was
shown, and the host may have changed: then nothing is done before that was shown, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from tui.model import Check, GuestPlan, Plan
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent

HANGS = "a card that is in use may hang until the host is rebooted"


def consent_key(check: Check) -> str:
    """What is accepted: a warning is less than that nothing is known."""
    return f"{check.id}:{check.verdict}"


def digest(plan: Plan | GuestPlan) -> str:
    """Another one for every other plan."""
    return hashlib.sha256("\n".join(plan.identity).encode()).hexdigest()[:16]


def consent_to(plan: Plan | GuestPlan, *, doubts: bool = False) -> Consent:
    """The consent of who has seen a plan with its warnings, and has accepted its doubts."""
    seen = ("warn", "unknown") if doubts else ("warn",)
    points = frozenset(consent_key(check) for check in plan.checks if check.verdict in seen)
    return Consent(digest(plan), points)


def require_consent(plan: Plan | GuestPlan, consent: Consent) -> None:
    """Raise ``Refused`` where the plan may not be carried out, ``Doubtful`` where the user
    may still agree to it."""
    if plan.refusals:
        worst = plan.refusals[0]
        raise Refused(f"{worst.why}{f': {worst.fix}' if worst.fix else ''} ({worst.id})")
    if consent.plan not in (None, digest(plan)):
        raise Refused("the host has changed, and it would be another plan now: look at it again")
    asked = ("warn", "unknown") if consent.plan is not None else ("unknown",)
    left = [
        check for check in plan.checks
        if check.verdict in asked and consent_key(check) not in consent.accepted
    ]  # fmt: skip
    if left and not consent.everything:
        raise Doubtful(_sentence(left), [consent_key(check) for check in left])


def _sentence(checks: Collection[Check]) -> str:
    unknown = any(check.verdict == "unknown" for check in checks)
    head = "not known whether it is safe" if unknown else "not without a warning"
    return f"{head}: {'; '.join(f'{check.why} ({check.id})' for check in checks)}"
