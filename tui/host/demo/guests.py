"""The simulated host's control over guests: start, stop, pause, resume, reboot; USB devices.

Guests always obey, after the time that a real one takes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from tui.host import Forbids, HostError, Objection, Wake
from tui.host.demo.clock import Clock
from tui.host.demo.machine import DemoDomain, Machine
from tui.host.demo.traces import States
from tui.model import Domain, GuestAction, Guests, UsbHostDev, UsbReading

STOP_S, REBOOT_S = 3.0, 4.0
"""Seconds that a guest takes to shut down and to reboot."""

_NO_DEFINITION = "the guests of the simulated host have no definition to change"


class _Timeline(Struct, frozen=True):
    """The states that an action puts a domain into, in order of time; before the first one,
    the scenario decides."""

    steps: tuple[tuple[float, str], ...]
    scenario: States
    booted_s: float | None

    def state(self, at: float) -> str:
        past = [state for since, state in self.steps if since <= at]
        return past[-1] if past else self.scenario.state(at)

    def began(self, at: float) -> float:
        """When the domain last booted."""
        return self.booted_s if self.booted_s is not None else self.scenario.began(at)

    def next_change(self, after: float) -> float | None:
        return next((since for since, _ in self.steps if since > after), None)


class DemoGuests:
    """The domains of a ``machine`` with the user's actions applied; safe from any thread."""

    unavailable_reason = None

    def __init__(self, machine: Machine, clock: Clock, began: datetime) -> None:
        self._machine, self._clock, self._began = machine, clock, began
        self._lock = threading.Lock()
        self._timelines: dict[str, _Timeline] = {}
        self._lent: dict[str, tuple[UsbHostDev, ...]] = {}
        self.wakes: set[Wake] = set()

    def read(self, at: float) -> Guests:
        """What libvirt reports at a time."""
        with self._lock:
            timelines, lent = dict(self._timelines), dict(self._lent)
        domains = (
            replace(each, states=timelines[each.name]) if each.name in timelines else each
            for each in self._machine.domains
        )
        guests = replace(self._machine, domains=tuple(domains)).guests(at, self._began)
        return replace(guests, domains=tuple(_with_usb(each, lent) for each in guests.domains))

    def usb(self, at: float) -> UsbReading:
        """The USB devices. What a guest has is taken from the host's drivers."""
        seen = self._machine.usb_devices(at)
        has = [each for domain in self.read(at).domains for each in domain.usb]
        return replace(seen, devices=tuple(
            replace(device, attached=(), taken=True)
            if any(each.means(device) for each in has) else device
            for device in seen.devices
        ))  # fmt: skip

    # --- the control protocol ---

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        at, domain = self._clock.seconds(), self._domain(uuid)
        if action == "stop":
            self._schedule(domain, (at, "in shutdown"), (at + STOP_S, "shut off"))
        elif action == "reboot":
            self._schedule(domain, (at, "running"), booted_s=at + REBOOT_S)
        else:
            state = {"pause": "paused", "resume": "running", "force-off": "shut off"}[action]
            self._schedule(domain, (at, state))

    def start(self, uuid: str, forbids: Forbids, name: str | None = None) -> None:
        at = self._clock.seconds()
        reason = forbids(self.read(at))
        if reason is not None:
            raise HostError(reason)
        domain = self._domain(uuid)
        with self._lock:
            self._lent.pop(domain.name, None)  # a new run begins without the devices of the last
        self._schedule(domain, (at, "running"), booted_s=at)

    def lend_usb(
        self,
        uuid: str,
        device: UsbHostDev,
        stale: Sequence[UsbHostDev],
        objection: Objection,
        name: str | None = None,
    ) -> None:
        reason = objection()
        if reason is not None:
            raise HostError(reason)
        self._lend(self._domain(uuid).name, [*stale, device], [device])

    def return_usb(self, uuid: str, device: UsbHostDev, name: str | None = None) -> None:
        self._lend(self._domain(uuid).name, [device], [])

    def _lend(self, name: str, out: Sequence[UsbHostDev], into: Sequence[UsbHostDev]) -> None:
        with self._lock:
            kept = (each for each in self._lent.get(name, ()) if each not in out)
            self._lent[name] = (*kept, *into)
        self._wake()

    def definition(self, uuid: str) -> str:
        raise HostError(_NO_DEFINITION)

    def define(self, uuid: str, before: str, after: str) -> None:
        raise HostError(_NO_DEFINITION)

    def _domain(self, uuid: str) -> DemoDomain:
        names = {d.uuid: d.name for d in self.read(self._clock.seconds()).domains}
        found = next((d for d in self._machine.domains if d.name == names.get(uuid)), None)
        if found is None:
            raise HostError("the simulated host has no such domain")
        return found

    def _schedule(
        self, domain: DemoDomain, *steps: tuple[float, str], booted_s: float | None = None
    ) -> None:
        with self._lock:
            before = self._timelines.get(domain.name)
            booted = booted_s if booted_s is not None else before.booted_s if before else None
            self._timelines[domain.name] = _Timeline(steps, domain.states, booted)
        for since, _ in steps:
            self._clock.call_at(since, self._wake)
        self._wake()

    def _wake(self) -> None:
        for wake in tuple(self.wakes):
            wake()


def _with_usb(domain: Domain, lent: dict[str, tuple[UsbHostDev, ...]]) -> Domain:
    """The domain with what was lent to it. What a guest had is the host's again once it is off."""
    return replace(domain, usb=lent.get(domain.name, ())) if domain.active else domain
