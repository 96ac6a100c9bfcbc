"""The day before the evening: games, a render job, and a night in which the host is off."""

from __future__ import annotations

from msgspec.structs import replace

from tui.host.demo.cards import DemoCard, Program
from tui.host.demo.history import DAY_S, Day, Happened, Moved
from tui.host.demo.machine import Machine
from tui.host.demo.traces import Cycle, Load, Scenes

# hours, oldest first: yesterday's game is still on, and this evening's has begun
_HOURS = (
    (1.4, "game"), (1.1, "desk"), (9.0, "off"), (2.5, "desk"), (1.5, "game"), (2.0, "desk"),
    (1.5, "render"), (3.0, "desk"), (2.0, "game"),
)  # fmt: skip
DOES = Cycle(*((3600 * hours, name) for hours, name in _HOURS))
"""What the host does in the hours of the day."""

RENDERS = 0.97
"""The load of a render job."""

CROWDED_S = 1.3 * 3600
"""Seconds ago that the host began to take CPU time from the guest, for two minutes."""

CROWDED = Scenes(((DAY_S - CROWDED_S, 0.0), (120, 0.4), (CROWDED_S - 120, 0.0)), seed=5)


def day_before(machine: Machine) -> Day:
    """The day before a ``machine`` whose guest has been running for two hours."""
    card, host_card = machine.cards
    guest, *others = machine.domains
    placement = replace(guest.placement, intruded=guest.placement.vcpus[3], intruder=CROWDED)
    before = replace(
        machine,
        cards=(_card(card), host_card),
        domains=(
            replace(guest, states=_while("game", "running", "shut off"), placement=placement),
            *others,
        ),
    )
    events, swaps = _games(card.address, guest.name)
    crowded = f"vCPU 3 waited over 20 ms/s for core {placement.intruded}"
    warned = Happened(CROWDED_S - 10, guest.name, crowded, "warn", "host")
    return Day(before, guest.name, _while("off", "down", "up"), (*events, warned), swaps)


def _card(card: DemoCard) -> DemoCard:
    """The guest's card: in the guest while a game runs, else on the host."""
    runs, renders = _while("game", "up", "down"), _while("render", "up", "down")
    programs = (
        *(Program(p.pid, p.name, p.what, p.mib, runs) for p in card.programs),
        Program(5210, "blender", "compute", 9480, renders),
    )
    return DemoCard(card.address, card.model, _load(card.load), programs=programs, seed=card.seed)


def _load(game: Load) -> Load:
    def load(at: float) -> float:
        does = DOES.state(at)
        return game(at) if does == "game" else RENDERS if does == "render" else 0.0

    return load


def _while(does: str, then: str, otherwise: str) -> Cycle:
    """One state in the hours in which the host ``does`` something, and another in the rest."""
    return Cycle(*((3600 * hours, then if name == does else otherwise) for hours, name in _HOURS))


def _games(card: str, guest: str) -> tuple[list[Happened], tuple[Moved, ...]]:
    """What happened when each game began and ended. The swap after yesterday's has no event."""
    events: list[Happened] = []
    swaps: list[Moved] = []
    ago_s = DAY_S
    for number, (hours, does) in enumerate(_HOURS):
        end_s = ago_s - 3600 * hours
        if does == "game" and number:
            swaps.append(Moved(ago_s + 3, "bind", card, 3.8))
            events += [
                Happened(ago_s + 3, card, "bind done in 3.8 s", "done", "vfiotop"),
                Happened(ago_s, guest, "started", "done", "vfiotop"),
            ]
        if does == "game" and end_s:
            swaps.append(Moved(end_s - 16, "unbind", card, 2.9))
            events.append(Happened(end_s, guest, "stopped"))
            if number:
                events.append(Happened(end_s - 16, card, "unbind done in 2.9 s", "done", "watch"))
        ago_s = end_s
    return events, tuple(swaps)
