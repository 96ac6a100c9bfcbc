"""Who uses a card: what its driver lists and what is found in its nodes, as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CardUse = Literal["guest", "uses", "may use", "ours"]
"""``guest``: the guest that has the whole card. ``may use``: what it has belongs to all cards
of the driver. ``ours``: it is a process of vfiotop's."""


@dataclass(frozen=True, slots=True)
class CardUser:
    """A process, with ``pid`` None a guest or a part of the kernel, that uses a card.

    ``has`` is what it does there by the driver's list (``graphics``, ``compute``) and the
    nodes that it has (``/dev/nvidia0``, ``maps /dev/nvidia0``). ``login`` is its user's name.
    ``util_pct`` is its share of the card's busiest engine, 0-100. ``note`` is a sentence on
    it; ``stop`` what ends its use, as a command or a short sentence.
    """

    pid: int | None
    name: str
    resources: tuple[str, ...]
    use: CardUse = "uses"
    login: str | None = None
    memory_mib: float | None = None
    util_pct: float | None = None
    command: str | None = None
    unit: str | None = None
    note: str | None = None
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class CardUsers:
    """The users of a card: its guest, who uses it, who may, what is ours; each by pid.

    ``looking``: the processes were not looked into yet. ``doubt`` says why there may be more
    than are known.
    """

    rows: tuple[CardUser, ...]
    pending: bool = False
    doubt: str | None = None
