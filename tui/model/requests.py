"""What a user asks for: a swap, and what was agreed to."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal

SwapAction = Literal["bind", "unbind", "finish", "undo"]
"""``finish`` and ``undo`` are for a swap that was interrupted."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a user agreed to.

    ``plan`` is the digest of the plan that was shown (``tui.swap.consent.digest``), ``None``
    where none was shown: warnings are then no question. ``accepted`` are the points of the
    checks that did not pass and were named. ``everything`` accepts all that is not forbidden.
    """

    plan: str | None = None
    accepted: frozenset[str] = frozenset()
    everything: bool = False

    def and_also(self, points: Collection[str]) -> Consent:
        """The same consent, to ``points`` as well."""
        return Consent(self.plan, self.accepted | set(points), self.everything)


def new_identity() -> str:
    """A new name for a request; the swap that it begins bears it in the journal."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class SwapRequest:
    """A swap of the GPU at ``address``, or the recovery of the interrupted swap ``swap``.

    ``identity`` is chosen by who asks, so that the journal can tell what became of a request
    whose answer was lost. ``consent`` is what the user was shown and agreed to.
    """

    action: SwapAction
    address: str | None = None
    swap: str | None = None
    consent: Consent = field(default_factory=Consent)
    identity: str = field(default_factory=new_identity)

    @property
    def recovers(self) -> bool:
        return self.action in ("finish", "undo")

    @property
    def text(self) -> str:
        """The request as a person would type it."""
        return f"recover --{self.action}" if self.recovers else f"{self.action} {self.address}"

    def accepting(self, points: Collection[str]) -> SwapRequest:
        """A new request that consents to ``points`` as well."""
        consent = self.consent.and_also(points)
        return replace(self, consent=consent, identity=new_identity())
