"""How busy a card's engines are, and its processes, from its clients. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from tui.host.drm.fdinfo import ENGINE_PURPOSES, Client
from tui.host.drm.hwmon import MIB
from tui.model import NOT_SEEN, GpuProcess

PROCESSES_LIMIT = 256
"""Processes of a card that are named; the others are counted."""


class ClientUse(Struct, frozen=True):
    """A client of a process: its latest sample, and how busy it keeps each engine.

    ``loads`` are 0-100, and ``None`` until they are known.
    """

    pid: int
    name: str
    client: Client
    loads: Mapping[str, float] | None = None

    @property
    def reports_engines(self) -> bool:
        """Whether its driver reports engines for it.

        i915 does not before Broadwell, nor if the GuC schedules; xe does not while the card
        cannot be reached.
        """
        engines = self.client.engines
        return bool(engines) and (self.loads is None or self.loads.keys() >= engines.keys())


class CardUse(Struct, frozen=True):
    """How a card is used.

    ``processes`` is ``None`` if none can be seen at all. ``loads`` is how busy each engine is,
    0-100; ``None`` if some process could not be inspected, because the sum would then be too
    low.
    """

    processes: tuple[GpuProcess, ...] | None = None
    loads: Mapping[str, float] | None = None


def card_use(
    clients: Collection[ClientUse], unreported: Mapping[int, str], unseen: int, hidden: bool
) -> CardUse:
    """Return how the card with these ``clients`` is used.

    ``unreported`` names, by pid, the processes that have the card open and whose use the driver
    does not report. ``unseen`` processes could not be inspected; with ``hidden`` there may be
    others.
    """
    seen = engine_loads(clients)
    known = not clients or (bool(seen) and all(used.reports_engines for used in clients))
    processes = {pid: GpuProcess(pid, name, "open") for pid, name in unreported.items()}
    processes |= _processes(clients, seen)
    return CardUse(
        (*_listed([processes[pid] for pid in sorted(processes)]), *_not_seen(unseen, hidden)),
        seen if known and not unreported and not unseen and not hidden else None,
    )


def engine_loads(clients: Iterable[ClientUse]) -> dict[str, float]:
    """Return how busy each engine is, 0-100, as the sum over the clients."""
    total: defaultdict[str, float] = defaultdict(float)
    for used in clients:
        for engine, load in (used.loads or {}).items():
            total[engine] += load
    return {engine: round(min(100.0, load), 1) for engine, load in total.items()}


def _processes(clients: Iterable[ClientUse], seen: Mapping[str, float]) -> dict[int, GpuProcess]:
    """Return one entry for all clients of a process, with its share of the busiest engine."""
    busiest = max(seen, key=lambda engine: seen[engine], default=None)
    by_pid: defaultdict[int, list[ClientUse]] = defaultdict(list)
    for used in clients:
        by_pid[used.pid].append(used)
    return {
        pid: GpuProcess(pid, mine[0].name, _what(mine), _memory(mine), _share(mine, busiest))
        for pid, mine in by_pid.items()
    }


def _what(clients: Iterable[ClientUse]) -> str:
    """Return what the engines that the clients have used are for; ``open`` if they have used
    none."""
    engines = [item for used in clients for item in used.client.engines.items()]
    words = {ENGINE_PURPOSES.get(name, name) for name, engine in engines if engine.busy}
    order = dict.fromkeys([*ENGINE_PURPOSES.values(), *sorted(words)])
    return ", ".join(word for word in order if word in words) or "open"


def _memory(clients: Iterable[ClientUse]) -> float | None:
    sizes = [used.client.memory for used in clients if used.client.memory is not None]
    return sum(sizes) / MIB if sizes else None


def _share(clients: Iterable[ClientUse], engine: str | None) -> float | None:
    """Return what the clients together use of an engine.

    amdgpu does not list an engine that a client has never used: its use is 0.
    """
    if engine is None:
        return None
    known = [used.loads.get(engine, 0.0) for used in clients if used.loads is not None]
    return round(min(100.0, sum(known)), 1) if known else None


def _listed(processes: list[GpuProcess]) -> list[GpuProcess]:
    more = len(processes) - PROCESSES_LIMIT
    if more <= 0:
        return processes
    return [*processes[:PROCESSES_LIMIT], GpuProcess(None, f"and {more} more", "not listed")]


def _not_seen(unseen: int, hidden: bool) -> Collection[GpuProcess]:
    if hidden:
        return (GpuProcess(None, "other processes", NOT_SEEN),)
    if not unseen:
        return ()
    whose = "process of another user" if unseen == 1 else "processes of other users"
    return (GpuProcess(None, f"{unseen} {whose}", NOT_SEEN),)
