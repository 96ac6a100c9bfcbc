"""Checks that a plan is still the one that the user saw and confirmed.

The runner makes its own plan, as root and under the lock. It may know more than the user was shown,
and the host may have changed. Then it does nothing until the user has seen that, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from tui.model import Check, GuestPlan, Plan, UsbPlan
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent

HANGS = "a card that is in use may hang until the host is rebooted"


def consent_key(check: Check) -> str:
    """Return what accepting a check records: accepting a warning does not accept an unknown."""
    return f"{check.id}:{check.verdict}"


def digest(plan: Plan | GuestPlan | UsbPlan) -> str:
    """Return a digest of a plan; it differs between plans."""
    return hashlib.sha256("\n".join(plan.identity).encode()).hexdigest()[:16]


def consent_to(plan: Plan | GuestPlan | UsbPlan, *, doubts: bool = False) -> Consent:
    """Return the consent of a user who saw a plan and its warnings, and accepted its ``doubts``."""
    asked = () if doubts else plan.doubts
    points = frozenset(
        consent_key(check)
        for check in plan.checks
        if check.verdict in ("warn", "unknown") and check not in asked
    )
    return Consent(digest(plan), points)


def require_consent(plan: Plan | GuestPlan | UsbPlan, consent: Consent) -> None:
    """Raise ``Refused`` if a check forbids the plan, ``Doubtful`` if the user may accept it."""
    if plan.refusals:
        worst = plan.refusals[0]
        raise Refused(f"{worst.why}{f': {worst.fix}' if worst.fix else ''} ({worst.id})")
    if consent.plan not in (None, digest(plan)):
        raise Refused("the host has changed, and so has the plan: review it again")
    shown = consent.plan is not None
    left = [
        check for check in plan.checks
        if (check in plan.doubts or (shown and check.verdict == "warn"))
        and consent_key(check) not in consent.accepted
    ]  # fmt: skip
    if left and not consent.everything:
        raise Doubtful(_sentence(left), [consent_key(check) for check in left])


def _sentence(checks: Collection[Check]) -> str:
    unknown = any(check.verdict == "unknown" for check in checks)
    head = "cannot tell whether it is safe" if unknown else "needs confirmation"
    return f"{head}: {'; '.join(f'{check.why} ({check.id})' for check in checks)}"
