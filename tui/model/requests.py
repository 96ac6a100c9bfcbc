"""A user's request for a swap, and the consent that comes with it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

SwapAction = Literal["bind", "unbind", "finish", "undo"]
"""``finish`` and ``undo`` recover an interrupted swap."""

Requester = Literal["user", "watch"]
"""Who asks for a swap: a user, or the watch by its policies."""


class Consent(Struct, frozen=True):
    """What a user agreed to.

    ``plan`` is the digest of the plan on the screen (``tui.swap.consent.digest``), ``None`` if no
    plan was shown: then warnings need no consent. ``accepted`` are the points of consent of the
    checks that did not pass. ``everything`` accepts all that is not forbidden.
    """

    plan: str | None = None
    accepted: frozenset[str] = frozenset()
    everything: bool = False

    def and_also(self, points: Collection[str]) -> Consent:
        """This consent, extended to ``points``."""
        return Consent(self.plan, self.accepted | set(points), self.everything)


def new_identity() -> str:
    """A new request id. The journal records it with the swap that the request begins."""
    return uuid.uuid4().hex


class SwapRequest(Struct, frozen=True):
    """A swap of the GPU at ``address``, or the recovery of the interrupted swap ``swap``.

    The client chooses ``identity``, so that the journal can tell what became of a request whose
    answer was lost. ``consent`` is what the user agreed to. ``by`` is for display.
    """

    action: SwapAction
    address: str | None = None
    swap: str | None = None
    consent: Consent = Consent()
    identity: str = field(default_factory=new_identity)
    by: Requester = "user"

    @property
    def recovers(self) -> bool:
        return self.action in ("finish", "undo")

    @property
    def text(self) -> str:
        """The request as a user would type it."""
        return f"recover --{self.action}" if self.recovers else f"{self.action} {self.address}"

    def accepting(self, points: Collection[str]) -> SwapRequest:
        """A new request with consent to ``points`` as well."""
        consent = self.consent.and_also(points)
        return replace(self, consent=consent, identity=new_identity())
