"""The guests of the simulated host that the user has started and stopped.

They do what they are asked, after the time that a guest takes for it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from tui.host import Forbids, HostError, Wake
from tui.host.demo.machine import DemoDomain, Machine
from tui.host.demo.traces import States
from tui.model import GuestAction, Guests

STOP_S, REBOOT_S = 3.0, 4.0
"""Seconds that a guest takes to shut down, and to boot again."""


class Clock(Protocol):
    """The part of the simulation's clock that is needed here."""

    def seconds(self) -> float: ...

    def call_at(self, seconds: float, call: Wake) -> object: ...


@dataclass(frozen=True, slots=True)
class _Life:
    """States that a domain is in from a time on, in the order of time."""

    steps: tuple[tuple[float, str], ...]
    before: States
    booted_s: float | None

    def state(self, at: float) -> str:
        past = [state for since, state in self.steps if since <= at]
        return past[-1] if past else self.before.state(at)

    def began(self, at: float) -> float:
        """When its run began."""
        return self.booted_s if self.booted_s is not None else self.before.began(at)

    def next_change(self, after: float) -> float | None:
        return next((since for since, _ in self.steps if since > after), None)


class DemoGuests:
    """What the user did to the domains of a ``machine``; from any thread."""

    unavailable_reason = None

    def __init__(self, machine: Machine, clock: Clock, began: datetime) -> None:
        self._machine, self._clock, self._began = machine, clock, began
        self._lock = threading.Lock()
        self._lives: dict[str, _Life] = {}
        self.wakes: set[Wake] = set()

    def machine(self, machine: Machine) -> Machine:
        """The machine with its domains as they are after that."""
        with self._lock:
            lives = dict(self._lives)
        if not lives:
            return machine
        tenants = (
            replace(each, states=lives[each.name]) if each.name in lives else each
            for each in machine.tenants
        )
        return replace(machine, tenants=tuple(tenants))

    def guests(self, at: float) -> Guests:
        return self.machine(self._machine).guests(at, self._began)

    # --- what is asked for ---

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        at, tenant = self._clock.seconds(), self._tenant(uuid)
        if action == "stop":
            self._live(tenant, (at, "in shutdown"), (at + STOP_S, "shut off"))
        elif action == "reboot":
            self._live(tenant, (at, "running"), booted_s=at + REBOOT_S)
        else:
            state = {"pause": "paused", "resume": "running", "force-off": "shut off"}[action]
            self._live(tenant, (at, state))

    def start(self, uuid: str, forbids: Forbids, name: str | None = None) -> None:
        at = self._clock.seconds()
        reason = forbids(self.guests(at))
        if reason is not None:
            raise HostError(reason)
        self._live(self._tenant(uuid), (at, "running"), booted_s=at)

    def definition(self, uuid: str) -> str:
        raise HostError("the guests of a simulated host have no definition to be changed")

    def define(self, uuid: str, before: str, after: str) -> None:
        raise HostError("the guests of a simulated host have no definition to be changed")

    def _tenant(self, uuid: str) -> DemoDomain:
        names = {d.uuid: d.name for d in self.guests(self._clock.seconds()).domains}
        found = next((t for t in self._machine.tenants if t.name == names.get(uuid)), None)
        if found is None:
            raise HostError("the simulated host has no such domain")
        return found

    def _live(
        self, tenant: DemoDomain, *steps: tuple[float, str], booted_s: float | None = None
    ) -> None:
        with self._lock:
            before = self._lives.get(tenant.name)
            booted = booted_s if booted_s is not None else before.booted_s if before else None
            self._lives[tenant.name] = _Life(steps, tenant.states, booted)
        for since, _ in steps:
            self._clock.call_at(since, self._wake)
        self._wake()

    def _wake(self) -> None:
        for wake in tuple(self.wakes):
            wake()
