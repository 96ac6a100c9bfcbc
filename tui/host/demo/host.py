"""A simulated host: the same sources as a real one, from a seed and a clock.

Readings are pure functions of the scenario, the seed and the clock's time; tests hold the
clock, and can make a source fail or hang.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from tui.host import Host, HostError, NothingToRead, Wake
from tui.host.demo.guests import DemoGuests
from tui.host.demo.machine import Machine, next_asked
from tui.host.demo.scenarios import SCENARIOS as _SCENARIOS
from tui.host.demo.swaps import DemoJournal, DemoSwaps
from tui.host.untrusted import clean
from tui.model import CLOCK, AgentReading, Demand, SourceName

T = TypeVar("T")

SCENARIOS: dict[str, str] = {name: each.summary for name, each in _SCENARIOS.items()}
"""What can be simulated: names, and a line on each."""

Cancel = Callable[[], None]
Change = Callable[[float], float | None]
"""When a reading next changes by an event, after a time; ``None``: never."""


class UnknownScenario(HostError):
    """There is no scenario of that name."""

    def __init__(self, name: str) -> None:
        known = ", ".join(SCENARIOS)
        super().__init__(f"no scenario is called “{clean(name, 40)}”; choose one of {known}")


# --- time ---------------------------------------------------------------------


class Clock(Protocol):
    """The simulation's time. Every method may be called from any thread."""

    def now(self) -> datetime:
        """The date and time, with its zone."""
        ...

    def seconds(self) -> float:
        """Seconds since the simulation began; never goes back."""
        ...

    def call_at(self, seconds: float, call: Wake) -> Cancel:
        """Call ``call`` once ``seconds()`` is at least ``seconds``, unless cancelled."""
        ...


class RealClock:
    """Time as it passes; the simulation begins when the clock is made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> datetime:
        return CLOCK.now()

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def call_at(self, seconds: float, call: Wake) -> Cancel:
        timer = threading.Timer(max(0.0, seconds - self.seconds()), call)
        timer.daemon = True
        timer.start()
        return timer.cancel


class HeldClock:
    """Time that stands still until ``advance`` moves it; calls that fall due are made in
    order on the thread that advances it."""

    def __init__(self, began: datetime = datetime(2026, 1, 1, 20, tzinfo=UTC)) -> None:
        self._began = began
        self._seconds = 0.0
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, Wake]] = []
        self._numbers = itertools.count()
        self._cancelled: set[int] = set()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._seconds)

    def seconds(self) -> float:
        return self._seconds

    def call_at(self, seconds: float, call: Wake) -> Cancel:
        with self._lock:
            number = next(self._numbers)
            heapq.heappush(self._due, (seconds, number, call))
        return lambda: self._cancelled.add(number)

    def advance(self, seconds: float) -> None:
        """Move the time on by ``seconds``."""
        target = self._seconds + seconds
        while (due := self._pop(target)) is not None:
            at, number, call = due
            self._seconds = max(self._seconds, at)
            if number not in self._cancelled:
                call()
        self._seconds = target

    def _pop(self, until: float) -> tuple[float, int, Wake] | None:
        with self._lock:
            return heapq.heappop(self._due) if self._due and self._due[0][0] <= until else None


# --- faults -------------------------------------------------------------------

Fault = Callable[[], None]
"""Called before a reading: raises ``HostError``, or returns late, or never."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A fault: the source cannot be read, for the reason that ``sentence`` gives."""

    sentence: str

    def __call__(self) -> None:
        raise HostError(self.sentence)


@dataclass(frozen=True, slots=True)
class Hang:
    """A fault: the source does not answer until ``event`` is set."""

    event: threading.Event

    def __call__(self) -> None:
        self.event.wait()


# --- the host -----------------------------------------------------------------


class DemoSource(Generic[T]):
    """One source of the simulated host. ``changes`` tells when it would hear an event, and
    those in ``wakes`` are called when the user changes something."""

    def __init__(
        self,
        name: SourceName,
        clock: Clock,
        faults: Mapping[SourceName, Fault],
        reading: Callable[[float], T],
        changes: Change = lambda _: None,
        *,
        wakes: set[Wake] | None = None,
    ) -> None:
        self._name, self._clock, self._faults = name, clock, faults
        self._reading, self._changes = reading, changes
        self._wakes: set[Wake] = set() if wakes is None else wakes
        self._wake: Wake | None = None
        self._cancel: Cancel = lambda: None
        self._closed = False

    def read(self) -> T:
        fault = self._faults.get(self._name)
        if fault is not None:
            fault()
        return self._reading(self._clock.seconds())

    def watch(self, wake: Wake) -> None:
        self._wake = wake
        self._wakes.add(wake)
        at = self._changes(self._clock.seconds())
        if at is not None and not self._closed:
            self._cancel = self._clock.call_at(at, lambda: self._event(wake))

    def close(self) -> None:
        self._closed = True
        self._cancel()
        if self._wake is not None:
            self._wakes.discard(self._wake)

    def _event(self, wake: Wake) -> None:
        if not self._closed:
            wake()
            self.watch(wake)


def demo_host(
    scenario: str = "gaming",
    *,
    seed: int = 1,
    clock: Clock | None = None,
    faults: Mapping[SourceName, Fault] | None = None,
    swaps: DemoSwaps | None = None,
    guests: DemoGuests | None = None,
) -> Host:
    """The simulated host of a scenario. ``faults`` is looked into on every reading, so
    that a source may break and fix while the host is in use; ``swaps`` and ``guests`` are
    those of another host that is to be the same machine. Raises ``UnknownScenario``."""
    if scenario not in _SCENARIOS:
        raise UnknownScenario(scenario)
    machine = _SCENARIOS[scenario].machine(seed)
    time_ = clock or RealClock()
    broken = {} if faults is None else faults
    began = _whole_seconds(time_.now() - timedelta(seconds=time_.seconds()))
    swaps = swaps or DemoSwaps(machine, time_, time_.now)
    lives = guests or DemoGuests(machine, time_, began)

    attention = [Demand()]
    asks: set[Wake] = set()

    def now_on(at: float) -> Machine:
        return swaps.machine(at)

    def agent(at: float) -> AgentReading:
        if attention[0].quiet:
            raise NothingToRead("quiet mode: the guest is not read")
        return now_on(at).agent(lives.guests(at), at, began)

    def attend(to: Demand) -> None:
        attention[0] = to
        for wake in asks:
            wake()

    return Host(
        facts=DemoSource("facts", time_, broken, lambda _: machine.facts),
        pci=DemoSource(
            "pci", time_, broken, lambda at: now_on(at).inventory(at), machine.next_bus_event
        ),
        vitals=DemoSource("vitals", time_, broken, lambda at: now_on(at).vitals(at)),
        nvml=DemoSource("nvml", time_, broken, lambda at: now_on(at).nvml(at, began)),
        guests=DemoSource(
            "guests",
            time_,
            broken,
            lives.guests,
            machine.next_domain_event,
            wakes=lives.wakes,
        ),
        drm=DemoSource("drm", time_, broken, lambda at: now_on(at).drm(at, began)),
        agent=DemoSource("agent", time_, broken, agent, next_asked, wakes=asks),
        swap=DemoJournal(swaps),
        kind="simulated",
        banner=f"Simulated host: {scenario}",
        inspector=swaps,
        mover=swaps,
        control=lives,
        now=time_.now,
        set_demand=attend,
        reopen=lambda: demo_host(
            scenario, seed=seed, clock=time_, faults=faults, swaps=swaps, guests=lives
        ),
    )


def _whole_seconds(moment: datetime) -> datetime:
    """So that hosts made at different times on one clock agree on when it began."""
    return (moment + timedelta(microseconds=500_000)).replace(microsecond=0)
