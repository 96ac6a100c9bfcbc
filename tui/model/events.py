"""What changed on a host, as the screen shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

EventKind = Literal["done", "change", "note", "warn", "failed"]
"""``done``: something that was asked for or awaited has happened. ``change``: something went from
one state to another. ``note``: worth knowing, no more."""

EventCause = Literal["vfiotop", "watch", "external", "host", "card", "kernel"]
"""``watch`` is the service; ``external`` is anybody else; ``host`` and ``card`` change by
themselves; ``kernel``: its log says so."""


class Event(Struct, frozen=True):
    """Something that changed, by whom, and what to do about it, if that is known."""

    at: datetime
    subject: str
    text: str
    kind: EventKind = "note"
    by: EventCause = "external"
    fix: str | None = None
