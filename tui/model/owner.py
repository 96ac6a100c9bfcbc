"""Which side has a card now."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

OwnerKind = Literal["host", "vfio", "guest", "none", "moving", "stuck", "unknown"]
"""``host``: a host driver. ``vfio``: a VFIO driver, with no guest. ``guest``: a running guest.
``none``: no driver, or one that the host cannot use the card with. ``moving``: a swap or a driver
removal is under way. ``stuck``: a kernel call does not return. ``unknown``: the driver cannot be
read."""


class Owner(Struct, frozen=True):
    """The owner of a card. ``guest`` is the guest's display name, set only for kind ``guest``."""

    kind: OwnerKind
    guest: str | None = None

    def __str__(self) -> str:
        """The owner as ``status --json`` writes it: the kind, or ``guest:<name>``."""
        return f"guest:{self.guest}" if self.kind == "guest" else self.kind
