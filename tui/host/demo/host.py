"""The simulated host: the sources of a real one, driven by a scenario, a seed and a clock.

Readings are pure functions of the three, so two hosts that share them read the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from tui.host import Host, HostError, NothingToRead, Wake
from tui.host.demo.clock import Cancel, Clock, RealClock
from tui.host.demo.guests import DemoGuests
from tui.host.demo.history import DemoHistory
from tui.host.demo.machine import next_agent_query
from tui.host.demo.scenarios import SCENARIOS as _SCENARIOS
from tui.host.demo.swaps import DemoJournal, DemoSwaps
from tui.host.demo.watch import DemoWatch
from tui.host.untrusted import clean
from tui.model import AgentReading, Demand, Guests, HostMemory

T = TypeVar("T")

SCENARIOS: dict[str, str] = {name: each.summary for name, each in _SCENARIOS.items()}
"""The scenarios: name to one-line summary."""

NextEvent = Callable[[float], float | None]
"""The time of the first event after a given time, in seconds; ``None`` if there is none."""


class UnknownScenario(HostError):
    """No scenario has that name."""

    def __init__(self, name: str) -> None:
        known = ", ".join(SCENARIOS)
        super().__init__(f"unknown scenario “{clean(name, 40)}”; choose one of {known}")


class DemoSource(Generic[T]):
    """One source of the simulated host.

    ``next_event`` schedules the source's own events. ``wakes`` collects the callbacks of all
    hosts on the same machine, which run when the user changes something.
    """

    def __init__(
        self,
        clock: Clock,
        reading: Callable[[float], T],
        next_event: NextEvent = lambda _: None,
        *,
        wakes: set[Wake] | None = None,
    ) -> None:
        self._clock, self._reading, self._next_event = clock, reading, next_event
        self._wakes: set[Wake] = set() if wakes is None else wakes
        self._wake: Wake | None = None
        self._cancel: Cancel = lambda: None
        self._closed = False

    def read(self) -> T:
        return self._reading(self._clock.seconds())

    def watch(self, wake: Wake) -> None:
        self._wake = wake
        self._wakes.add(wake)
        at = self._next_event(self._clock.seconds())
        if at is not None and not self._closed:
            self._cancel = self._clock.call_at(at, lambda: self._fire(wake))

    def close(self) -> None:
        self._closed = True
        self._cancel()
        if self._wake is not None:
            self._wakes.discard(self._wake)

    def _fire(self, wake: Wake) -> None:
        if not self._closed:
            wake()
            self.watch(wake)


def demo_host(
    scenario: str = "gaming",
    *,
    seed: int = 1,
    clock: Clock | None = None,
    swaps: DemoSwaps | None = None,
    guests: DemoGuests | None = None,
    watch: DemoWatch | None = None,
) -> Host:
    """The simulated host of a scenario.

    Pass the ``swaps``, ``guests`` and ``watch`` of another host to get a second view of the same
    machine. Raises ``UnknownScenario``.
    """
    if scenario not in _SCENARIOS:
        raise UnknownScenario(scenario)
    machine = _SCENARIOS[scenario].machine(seed)
    time_ = clock or RealClock()
    began = _whole_seconds(time_.now() - timedelta(seconds=time_.seconds()))
    swaps = swaps or DemoSwaps(machine, time_)
    guests = guests or DemoGuests(machine, time_, began)
    policy, day = _SCENARIOS[scenario].policy, _SCENARIOS[scenario].day
    if watch is None and policy is not None:
        watch = DemoWatch(machine, policy, time_, swaps=swaps, guests=guests)
    machine_at = swaps.machine
    demand = Demand()
    demand_wakes: set[Wake] = set()

    def agent(at: float) -> AgentReading:
        if demand.quiet:
            raise NothingToRead("quiet: the guest is not asked")
        return machine_at(at).agent(guests.read(at), at, began)

    def memory(at: float) -> HostMemory:
        try:
            return machine.memory(guests.read(at))
        except HostError:  # libvirt does not answer
            return machine.memory(Guests("", None, ()))

    def set_demand(new: Demand) -> None:
        nonlocal demand
        demand = new
        for wake in tuple(demand_wakes):
            wake()

    return Host(
        facts=DemoSource(time_, lambda _: machine.facts),
        pci=DemoSource(time_, lambda at: machine_at(at).inventory(at), machine.next_bus_event),
        vitals=DemoSource(time_, lambda at: machine_at(at).vitals(at)),
        nvml=DemoSource(time_, lambda at: machine_at(at).nvml(at)),
        guests=DemoSource(time_, guests.read, machine.next_domain_event, wakes=guests.wakes),
        drm=DemoSource(time_, lambda at: machine_at(at).drm(at)),
        threads=DemoSource(
            time_, lambda at: machine.threads(demand.threads_of, at), wakes=demand_wakes
        ),
        agent=DemoSource(time_, agent, next_agent_query, wakes=demand_wakes),
        swap=DemoJournal(swaps),
        usb=DemoSource(time_, guests.usb, machine.next_usb_event, wakes=guests.wakes),
        kernel=DemoSource(time_, machine.kernel_log, machine.next_kernel_line),
        memory=DemoSource(time_, memory, wakes=guests.wakes),
        kind="simulated",
        banner=f"Simulated host: {scenario}",
        inspector=swaps,
        mover=swaps,
        control=guests,
        now=time_.now,
        set_demand=set_demand,
        reopen=lambda: demo_host(
            scenario, seed=seed, clock=time_, swaps=swaps, guests=guests, watch=watch
        ),
        history=DemoHistory(day(machine), began) if day is not None else None,
        **_watched(time_, watch),
    )


def _watched(clock: Clock, watch: DemoWatch | None) -> dict[str, Any]:
    """The fields of a host that has a watch."""
    if watch is None:
        return {}
    return {
        "watch": DemoSource(clock, lambda _: watch.read(), wakes=watch.wakes), "keeper": watch,
    }  # fmt: skip


def _whole_seconds(moment: datetime) -> datetime:
    """The nearest whole second, so hosts created at different times on one clock agree."""
    return (moment + timedelta(microseconds=500_000)).replace(microsecond=0)
