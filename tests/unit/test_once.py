"""One reading for ``vfiotop status``: a second one where only two tell something."""

from __future__ import annotations

import threading
from typing import TypeVar

import pytest
from msgspec.structs import replace

from tests.ui.rig import FakeInspector, Held
from tests.unit.made import domain, guests, two_cards
from tui import once
from tui.host import Host, HostError
from tui.model import DomainState, HostFacts, NvmlReading, Unavailable, Vitals
from tui.once import RATES_S, view_once
from tui.rules.roles import Choice
from tui.swap.planning import plan_once

T = TypeVar("T")


@pytest.mark.parametrize(
    ("state", "captured", "pauses"),
    [("running", False, [RATES_S]), ("shut off", False, []), ("running", True, [])],
)
def test_the_rates_of_a_guest_that_runs_need_two_readings(
    state: DomainState, captured: bool, pauses: list[float]
) -> None:
    win11 = domain("win11", "02:00.0", state=state)
    first = replace(guests(win11), captured=captured)
    source = Held(first)
    host = Host(
        Held(HostFacts("atlas", "6.12")), Held(two_cards("vfio-pci")), Held(Vitals(())),
        Held(NvmlReading("580.95", ())), source, inspector=FakeInspector(),
    )  # fmt: skip
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        source.reading = guests(replace(win11, cpu_pct=34.0))

    guest = view_once(host, Choice(), pause=pause).guest
    assert guest is not None
    assert paused == pauses
    assert guest.domain.cpu_pct == (34.0 if pauses else None)


def test_a_plan_without_an_answer_says_what_gave_none() -> None:
    silent = Held(two_cards("vfio-pci"))
    silent.free.clear()
    host = Host(
        Held(HostFacts("atlas", "6.12")), silent, Held(Vitals(())),
        Held(NvmlReading("580.95", ())), Held(guests()), inspector=FakeInspector(),
    )  # fmt: skip
    try:
        with pytest.raises(HostError, match=r"^cannot read PCI: no answer within 1 s$"):
            plan_once(host, Choice(), "bind", None, patience=1)
    finally:
        silent.free.set()


class Clock:
    """Stands for the ``time`` module. Each look at it lets one source answer."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = threading.Semaphore(0)
        self.lock = threading.Lock()

    def monotonic(self) -> float:
        now = self.now
        self.looks.release()
        return now


class Slow(Held[T]):
    """A source that takes 4 s."""

    def __init__(self, reading: T, clock: Clock) -> None:
        super().__init__(reading)
        self._clock = clock

    def read(self) -> T:
        self._clock.looks.acquire()
        with self._clock.lock:
            self._clock.now += 4.0
        return super().read()


def test_a_slow_host_is_waited_for_while_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(once, "time", clock)
    host = Host(
        Slow(HostFacts("atlas", "6.12"), clock), Slow(two_cards("vfio-pci"), clock),
        Slow(Vitals(()), clock), Slow(NvmlReading("580.95", ()), clock), Slow(guests(), clock),
        inspector=FakeInspector(),
    )  # fmt: skip
    snapshot = once.read_once(host, timeout_s=5.0)
    readings = (snapshot.facts, snapshot.pci, snapshot.vitals, snapshot.nvml, snapshot.guests)
    assert not [reading for reading in readings if isinstance(reading, Unavailable)]
