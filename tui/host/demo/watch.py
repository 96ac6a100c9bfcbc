"""The watch of the simulated host: it decides as the real one does, and moves simulated cards."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import timedelta

from tui.host import HostError, NothingToRead, Wake
from tui.host.demo.clock import Clock
from tui.host.demo.guests import DemoGuests
from tui.host.demo.machine import Machine
from tui.host.demo.swaps import DemoSwaps
from tui.model import Event, HostView, Snapshot, Swap, Unavailable, Watch
from tui.model.requests import SwapRequest
from tui.model.watch import Pending, PendingReturn, WatchMemory, WatchPolicy
from tui.rules.view import assess
from tui.watch import policies
from tui.watch.policies import Decision, News, Outcome

FILE = "~root/.config/vfiotop/config.toml"

LATE_S = 0.01
"""Seconds by which a return begins after its time, since a timer may fire a little early."""


class DemoWatch:
    """Watches a ``machine`` whose cards and guests others move too; safe from any thread."""

    def __init__(
        self,
        machine: Machine,
        policy: WatchPolicy,
        clock: Clock,
        *,
        swaps: DemoSwaps,
        guests: DemoGuests,
    ) -> None:
        self._machine, self._policy = machine, policy
        self._clock, self._began = clock, clock.now() - timedelta(seconds=clock.seconds())
        self._swaps, self._guests = swaps, guests
        self._lock = threading.Lock()
        self._memory = WatchMemory(booted=True)
        self._stays_awake = False
        self._events: tuple[Event, ...] = ()
        self.wakes: set[Wake] = set()
        swaps.wakes.add(self._look)
        guests.wakes.add(self._look)
        self._look_at_each_event()

    def read(self) -> Watch:
        """What it says about itself."""
        with self._lock:
            memory, events, awake = self._memory, self._events, self._stays_awake
        pending = self._return(memory.pending) if memory.pending is not None else None
        return Watch(True, True, self._policy, FILE, pending, awake, events)

    def _return(self, found: Pending) -> PendingReturn:
        due_at = self._began + timedelta(seconds=found.due_s)
        return PendingReturn(found.id, found.address, found.guest, due_at, found.reason)

    # --- decisions ---

    def _look_at_each_event(self) -> None:
        self._look()
        at = self._machine.next_domain_event(self._clock.seconds())
        if at is not None:
            self._clock.call_at(at, self._look_at_each_event)

    def _look(self) -> None:
        with self._lock:
            at = self._clock.seconds()
            view = self._view(at)
            self._stays_awake = policies.stays_awake(view, before=self._stays_awake)
            decision = policies.observe(self._memory, view, at, self._policy)
            self._follow(decision)
        if decision.due is not None:
            outcome = self._unbind(decision.due.address)
            with self._lock:
                now_s = self._clock.seconds()
                self._follow(policies.settle(self._memory, outcome, now_s))
        self._wake()

    def _view(self, at: float) -> HostView:
        machine = self._swaps.machine(at)
        swap: Swap | Unavailable
        try:
            swap = self._swaps.last()
        except NothingToRead as error:
            swap = Unavailable(str(error), expected=True)
        return assess(Snapshot(
            pci=machine.inventory(at), vitals=machine.vitals(at), guests=self._guests.read(at),
            swap=swap,
        ))  # fmt: skip

    def _follow(self, decision: Decision) -> None:
        before, self._memory = self._memory.pending, decision.memory
        self._note(decision.news)
        pending = self._memory.pending
        if pending is not None and (before is None or before.due_s != pending.due_s):
            self._clock.call_at(pending.due_s + LATE_S, self._look)

    def _unbind(self, address: str) -> Outcome:
        try:
            self._swaps.begin(SwapRequest("unbind", address, by="watch"))
        except HostError as error:
            return Outcome(False, str(error))
        return Outcome(True)

    def _note(self, news: Iterable[News]) -> None:
        for each in news:
            now = self._clock.now()
            event = Event(now, each.subject, each.text, each.kind, "watch", each.fix)
            self._events = (event, *self._events)

    def _wake(self) -> None:
        for wake in tuple(self.wakes):
            wake()

    # --- the keeper protocol ---

    unavailable_reason = None

    def keep(self, pending: str) -> None:
        with self._lock:
            self._follow(policies.keep(self._memory, pending))
        self._wake()
