"""The users of a card, from its driver's list and from the open device nodes."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

CardUse = Literal["guest", "uses", "may use", "ours"]
"""``guest``: the guest that has the whole card. ``may use``: it has only nodes that belong to all
cards of the driver. ``ours``: it is a process of vfiotop's."""


class CardUser(Struct, frozen=True):
    """A process that uses a card; if ``pid`` is None, a guest or a part of the kernel.

    ``resources`` are its kinds of work in the driver's list (``graphics``, ``compute``) and its
    nodes (``/dev/nvidia0``, ``maps /dev/nvidia0``). ``login`` is its user's name. ``util_pct`` is
    its share of the card's busiest engine, 0-100. ``note`` is a remark on it; ``stop`` says how to
    end its use, as a command or a short sentence.
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


class CardUsers(Struct, frozen=True):
    """The users of a card, in this order: its guest, users, possible users, our own; each by pid.

    ``pending``: the processes have not been inspected yet. ``doubt``: why there may be more users
    than these.
    """

    rows: tuple[CardUser, ...]
    pending: bool = False
    doubt: str | None = None
