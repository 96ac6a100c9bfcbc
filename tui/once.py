"""One reading of everything, for commands that print and go."""

from __future__ import annotations

import queue
import time

from tui.host import Host
from tui.model import Sample, Snapshot, SourceName, Unavailable
from tui.sampler import samplers

PATIENCE = 5.0
"""Seconds after which a source that has not answered is left out."""


def read_once(host: Host, patience: float = PATIENCE) -> Snapshot:
    """Read every source once, all at the same time. One that does not answer within
    ``patience`` seconds is ``Unavailable`` and says so."""
    samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
    readers = {s.name: s for s in samplers(host, samples.put, interval=None)}
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
