"""One reading of everything, for commands that print and go."""

from __future__ import annotations

import queue
import time
from collections.abc import Collection

from tui.host import Host, HostError
from tui.model import (
    Direction,
    Holders,
    HostView,
    Plan,
    Sample,
    Snapshot,
    SourceName,
    Unavailable,
)
from tui.rules import holding
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.sampler import samplers
from tui.swap.plan import moves
from tui.swap.preflight import Fresh, planned

PATIENCE = 5.0
"""Seconds after which a source that has not answered is left out."""


_HOLDS_CARDS: tuple[SourceName, ...] = ("nvml",)


class NoSuchCard(Exception):
    """The card of a swap is not known: what to name in its place, in a sentence."""


def plan_once(
    host: Host,
    choice: Choice,
    direction: Direction,
    address: str | None,
    patience: float = PATIENCE,
) -> Plan:
    """The plan of a swap of the GPU at ``address``, or of the guest GPU, on readings taken
    for it. For root it holds no card itself: NVML is asked only who uses the card where that
    cannot be seen otherwise. Raises ``NoSuchCard`` and ``HostError``."""
    sees_all = host.inspector.readiness([]).root
    snapshot = read_once(host, patience, without=_HOLDS_CARDS if sees_all else ())
    view = assess(snapshot, choice)
    gpu = next(
        (g for g in view.gpus if (g.address == address if address else g.role == "guest")), None
    )
    if gpu is None:
        raise NoSuchCard(_no_such_card(view, address))
    readiness = host.inspector.readiness([each.address for each in view.gpus])
    holders = _holders(host, [function.address for function in moves(gpu)])
    if isinstance(holders, Holders) and holders.unseen:
        holders = holding.with_processes(holders, gpu)
    return planned(gpu, direction, Fresh(view, snapshot.guests, holders, readiness))


def _holders(host: Host, addresses: list[str]) -> Holders | Unavailable:
    try:
        return host.inspector.holders(addresses)
    except HostError as error:
        return Unavailable(str(error))


def holders_once(host: Host, view: HostView) -> Holders | None:
    """Who holds the functions of all GPUs now; ``None`` where that cannot be seen."""
    addresses = [f.address for gpu in view.gpus for f in moves(gpu)]
    found = _holders(host, addresses)
    return None if isinstance(found, Unavailable) else found


def _no_such_card(view: HostView, address: str | None) -> str:
    known = ", ".join(gpu.address for gpu in view.gpus)
    if not known:
        return view.problem("pci") or "this host has no GPU"
    if address is not None:
        return f"{address} is no GPU; the GPUs are {known}"
    return f"which card is the guest's is not known: name one of {known}"


def read_once(
    host: Host, patience: float = PATIENCE, without: Collection[SourceName] = ()
) -> Snapshot:
    """Read every source once, but for those ``without`` which it goes, all at the same time.
    One that does not answer within ``patience`` seconds is ``Unavailable`` and says so."""
    samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
    every = samplers(host, samples.put, interval=None)
    readers = {s.name: s for s in every if s.name not in without}
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
    snapshot = Snapshot()
    for name, reader in readers.items():
        reader.stop()
        silent = Sample(name, Unavailable(f"no answer within {patience:.0f} s"), host.now())
        snapshot = snapshot.updated(taken.get(name, silent))
    return snapshot
