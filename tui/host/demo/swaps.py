"""Swaps of the simulated host: who holds a card there, and how one moves, step by step.

The kernel of it takes its time for each step, as a real one does, and nothing goes wrong.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol

from tui.host import HostError, NothingToRead, Wake
from tui.host.demo.holders import holders
from tui.host.demo.machine import Machine
from tui.model import (
    Direction,
    Holders,
    Inventory,
    NvidiaModule,
    PciFunction,
    Readiness,
    Snapshot,
    Step,
    StepKind,
    Swap,
)
from tui.model.requests import SwapRequest
from tui.rules.view import assess
from tui.swap.plan import steps

STEP_S: dict[StepKind, float] = {
    "load": 0.3, "drivers": 0.2, "override": 0.1, "unbind": 0.9, "probe": 0.7, "power": 0.1,
    "node": 0.1, "nvml": 0.4,
}  # fmt: skip
"""Seconds that the steps take."""


class Clock(Protocol):
    """The part of the simulation's clock that is needed here."""

    def seconds(self) -> float: ...

    def call_at(self, seconds: float, call: Wake) -> object: ...


@dataclass(frozen=True, slots=True)
class _Move:
    """A swap that began at ``began_s``, and the seconds after which each step ends."""

    number: int
    direction: Direction
    address: str
    functions: tuple[PciFunction, ...]
    steps: tuple[Step, ...]
    began_s: float
    ends: tuple[float, ...]

    def done(self, at: float) -> int:
        """How many of its steps are done."""
        return sum(self.began_s + end <= at for end in self.ends)

    def drivers(self, at: float) -> dict[str, str | None]:
        """The drivers of its functions as its steps have left them."""
        found = {f.address: f.driver for f in self.functions}
        homes = {f.address: _home(f) for f in self.functions}
        for step in self.steps[: self.done(at)]:
            if step.address is not None and step.kind == "unbind":
                found[step.address] = None
            elif step.address is not None and step.kind == "probe":
                found[step.address] = step.driver or homes[step.address]
        return found


class DemoSwaps:
    """The swaps that the user has had done on a ``machine``; from any thread."""

    def __init__(self, machine: Machine, clock: Clock, now: Callable[[], datetime]) -> None:
        self._machine, self._clock, self._now = machine, clock, now
        self._lock = threading.Lock()
        self._moves: list[_Move] = []
        self.wakes: set[Wake] = set()

    def machine(self, at: float) -> Machine:
        """The machine with its functions on the drivers that they are on at a time."""
        drivers = self._drivers(at)
        return _moved(self._machine, tuple(sorted(drivers.items()))) if drivers else self._machine

    def _drivers(self, at: float) -> dict[str, str | None]:
        with self._lock:
            moves = list(self._moves)
        found: dict[str, str | None] = {}
        for move in moves:
            found |= move.drivers(at)
        return found

    def last(self) -> Swap:
        """The last one, as a journal would tell it. Raises ``NothingToRead``."""
        at = self._clock.seconds()
        with self._lock:
            if not self._moves:
                raise NothingToRead("no card was moved on the simulated host")
            move = self._moves[-1]
        count = len(move.steps)
        done = move.done(at)
        began = self._now() - timedelta(seconds=at - move.began_s)
        elapsed = ([0.0, *move.ends])[min(done, count)]
        return Swap(
            id=f"demo-{move.number}",
            direction=move.direction,
            address=move.address,
            moves=tuple(f.address for f in move.functions),
            state="done" if done == count else "running",
            steps=tuple(step.text for step in move.steps),
            step=min(done, count - 1),
            began_at=began,
            step_began_at=began + timedelta(seconds=elapsed),
        )

    def _wake(self) -> None:
        for wake in tuple(self.wakes):
            wake()

    # --- who asks for one ---

    unavailable_reason = None
    needs_terminal = False

    def begin(self, request: SwapRequest) -> str:
        direction, address = request.action, request.address or ""
        at = self._clock.seconds()
        inventory: Inventory = self.machine(at).inventory(at)
        gpu = assess(Snapshot(pci=inventory)).gpu(address)
        if gpu is None or direction not in ("bind", "unbind"):
            raise HostError("the simulated host knows bind and unbind of its own cards only")
        todo = steps(gpu, "bind" if direction == "bind" else "unbind")
        ends: list[float] = []
        for step in todo:
            ends.append((ends[-1] if ends else 0.0) + STEP_S[step.kind])
        with self._lock:
            move = _Move(
                len(self._moves) + 1, "bind" if direction == "bind" else "unbind", address,
                gpu.functions, todo, at, tuple(ends),
            )  # fmt: skip
            self._moves.append(move)
        for end in ends:
            self._clock.call_at(at + end, self._wake)
        self._wake()
        return f"demo-{move.number}"

    # --- who looks closer ---

    def holders(self, addresses: Collection[str]) -> Holders:
        """The programs on a card that is with the host."""
        at = self._clock.seconds()
        return holders(self.machine(at), at, addresses)

    def readiness(self, gpus: Collection[str]) -> Readiness:
        module = NvidiaModule(self._machine.driver_version, modeset=False)
        return Readiness(root=True, vfio_pci=True, nvidia=module)


class DemoJournal:
    """The source that tells of them."""

    def __init__(self, swaps: DemoSwaps) -> None:
        self._swaps = swaps
        self._wake: Wake | None = None

    def read(self) -> Swap:
        return self._swaps.last()

    def watch(self, wake: Wake) -> None:
        self._wake = wake
        self._swaps.wakes.add(wake)

    def close(self) -> None:
        if self._wake is not None:
            self._swaps.wakes.discard(self._wake)


@lru_cache(maxsize=64)
def _moved(machine: Machine, drivers: tuple[tuple[str, str | None], ...]) -> Machine:
    known: Mapping[str, str | None] = dict(drivers)
    functions = tuple(
        replace(f, driver=known[f.address]) if f.address in known else f for f in machine.functions
    )
    return replace(machine, functions=functions)


def _home(function: PciFunction) -> str:
    """The driver that the simulated kernel has for a function."""
    by_class = {"0403": "snd_hda_intel", "0c03": "xhci_hcd", "0c80": "nvidia-gpu"}
    by_vendor = {"10de": "nvidia", "1002": "amdgpu", "8086": "i915"}
    return by_class.get(function.class_code[:4]) or by_vendor.get(function.vendor, "none")
