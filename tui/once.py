"""One reading of everything, for commands that print and go."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from tui.host import Host, HostError
from tui.model import (
    DeviceUses,
    Domain,
    Gpu,
    Holders,
    HostView,
    Sample,
    Snapshot,
    SourceName,
    Unavailable,
    Vitals,
)
from tui.rules import holder_checks, hostdev_checks, vfio_users
from tui.rules.check_input import CheckInput
from tui.rules.guest_readings import demand
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.sampler import samplers

PATIENCE = 5.0
"""Seconds after which a source that has not answered is left out."""


_HOLDS_CARDS: tuple[SourceName, ...] = ("nvml",)

_MINDFUL: tuple[SourceName, ...] = ("nvml", "agent")
"""The sources that have to know which card is the guest's, and which guests run."""


def examine_once(
    host: Host, choice: Choice, patience: float = PATIENCE, *, with_readings: bool = False
) -> CheckInput:
    """What the doctor looks at, all of it read now; ``with_readings``: those of the cards too,
    for who prints them. Raises ``HostError``."""

    def everything(view: HostView) -> Scope:
        return view.gpus, hostdev_checks.domains_to_check(view)

    needless = () if with_readings else _HOLDS_CARDS
    return look(host, choice, patience, everything, without=(), needless=needless)


def _with_users(host: Host, snapshot: Snapshot) -> Snapshot:
    """The snapshot with the processes that have a card of which libvirt does not tell."""
    addresses, vitals = vfio_users.cards_to_inspect(snapshot), snapshot.vitals
    found = _holders(host, list(addresses)) if addresses else None
    if isinstance(found, Holders) and isinstance(vitals, Vitals):
        return replace(snapshot, vitals=vfio_users.with_users(vitals, found, addresses))
    return snapshot


def view_once(host: Host, choice: Choice, patience: float = PATIENCE) -> HostView:
    """The view of one reading of everything, without a closer look for verdicts."""
    return assess(_with_users(host, read_once(host, choice, patience)), choice)


Scope = tuple[Sequence[Gpu], Sequence[Domain]]
"""The cards whose holders are looked for, and the domains whose devices are looked at."""


def look(
    host: Host,
    choice: Choice,
    patience: float,
    scope: Callable[[HostView], Scope],
    *,
    without: Sequence[SourceName] = ("agent",),
    needless: Sequence[SourceName] = _HOLDS_CARDS,
) -> CheckInput:
    """What all verdicts rest on, whoever tells them. For root no card is held: NVML, which is
    ``needless`` then, is asked only who uses a card where that cannot be seen otherwise. For a
    plan no program is started in a guest."""
    root = host.inspector.readiness([]).root
    left_out = (*without, *(needless if root else ()))
    snapshot = _with_users(host, read_once(host, choice, patience, left_out))
    view = assess(snapshot, choice)
    gpus, domains = scope(view)
    readiness = host.inspector.readiness([gpu.address for gpu in view.gpus])
    asked = [function.address for gpu in gpus for function in gpu.functions]
    asked += [
        address
        for domain in domains
        for address in hostdev_checks.functions_with_open_files(domain, view)
    ]
    holders = _holders(host, list(dict.fromkeys(asked)))
    if isinstance(holders, Holders) and not holders.complete and not root:
        for gpu in gpus:
            holders = holder_checks.with_processes(holders, gpu)
    looked_at = [
        address
        for domain in domains
        for address in hostdev_checks.functions_to_inspect(domain, view)
    ]
    uses = host.uses(list(dict.fromkeys(looked_at))) if looked_at else DeviceUses()
    return CheckInput(view, snapshot.guests, holders, readiness, uses)


def _holders(host: Host, addresses: list[str]) -> Holders | Unavailable:
    try:
        return host.inspector.holders(addresses)
    except HostError as error:
        return Unavailable(str(error))


def read_once(
    host: Host,
    choice: Choice | None = None,
    patience: float = PATIENCE,
    without: Collection[SourceName] = (),
) -> Snapshot:
    """Read every source once, but for those ``without`` which it goes, all at the same time;
    those that mind what the others tell after them. One that does not answer within
    ``patience`` seconds of its turn is ``Unavailable`` and says so."""
    names = [name for name, _ in host.sources() if name not in without]
    snapshot = _read(host, Snapshot(), [n for n in names if n not in _MINDFUL], patience)
    last = [name for name in names if name in _MINDFUL]
    if last:
        host.set_demand(demand(assess(snapshot, choice)))
        snapshot = _read(host, snapshot, last, patience)
    return snapshot


def _read(host: Host, snapshot: Snapshot, names: Sequence[SourceName], patience: float) -> Snapshot:
    """The snapshot with a reading of each of these sources."""
    samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
    every = samplers(host, samples.put, interval=None)
    readers = {s.name: s for s in every if s.name in names}
    for reader in readers.values():
        reader.start()
    taken: dict[SourceName, Sample] = {}
    deadline = time.monotonic() + patience
    while len(taken) < len(readers):
        try:
            sample = samples.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        taken.setdefault(sample.source, sample)
    for name, reader in readers.items():
        reader.stop()
        silent = Sample(name, Unavailable(f"no answer within {patience:.0f} s"), host.now())
        snapshot = snapshot.updated(taken.get(name, silent))
    return snapshot
