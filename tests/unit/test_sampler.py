"""Samplers: one thread per source, woken by events, independent of each other."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tui.host import EmptySource, Host, HostError, NothingToRead, NothingYet, Wake
from tui.model import HostFacts, Sample, Unavailable
from tui.sampler import FIRST, SELDOM_S, SHORTEST_GAP, Readers, Sampler

PATIENCE = 60.0


class FakeSource:
    """Returns ``HostFacts`` with a running number; ``gate`` holds a reading back."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.closed = threading.Event()
        self.error: Exception | None = None
        self.deaf: Exception | None = None
        self.readings = 0
        self.wake: Wake | None = None

    def read(self) -> HostFacts:
        self.entered.release()
        self.gate.wait()
        if self.error is not None:
            raise self.error
        self.readings += 1
        return HostFacts("host", str(self.readings))

    def watch(self, wake: Wake) -> None:
        if self.deaf is not None:
            raise self.deaf
        self.wake = wake

    def close(self) -> None:
        self.closed.set()


class Rig:
    def __init__(self, interval: float | None = None, turn: threading.Lock | None = None) -> None:
        self.source = FakeSource()
        self.samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
        self.sampler = Sampler(
            "facts", self.source, self.samples.put, interval, lambda: datetime.now(UTC), turn=turn
        )

    def next(self) -> Sample:
        return self.samples.get(timeout=PATIENCE)


@pytest.fixture
def rig():  # type: ignore[no-untyped-def]
    rig = Rig()
    yield rig
    rig.source.gate.set()
    rig.sampler.stop()
    assert rig.source.closed.wait(PATIENCE)


@pytest.mark.parametrize("soon_s", [0.0, PATIENCE])
def test_a_reading_that_has_just_begun_may_soon_be_there(
    rig: Rig, soon_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.sampler.SOON_S", soon_s)
    rig.source.gate.clear()
    assert not rig.sampler.soon_read
    rig.sampler.start()
    rig.source.entered.acquire(timeout=PATIENCE)
    assert rig.sampler.soon_read == (soon_s > 0)
    rig.source.gate.set()
    rig.next()
    assert not rig.sampler.soon_read


def test_reads_at_start_and_then_only_when_woken(rig: Rig) -> None:
    rig.sampler.start()
    assert rig.next().reading == HostFacts("host", "1")
    assert rig.source.wake is not None
    rig.source.wake()
    assert rig.next().reading == HostFacts("host", "2")
    assert rig.samples.empty()


def test_interval_reads_again_without_a_poke() -> None:
    rig = Rig(interval=0.01)
    rig.sampler.start()
    readings = [rig.next().reading for _ in range(3)]
    rig.sampler.stop()
    assert readings == [HostFacts("host", str(n)) for n in (1, 2, 3)]
    assert rig.source.closed.wait(PATIENCE)


def test_a_source_that_waits_for_an_event_is_read_seldom() -> None:
    rig = Rig(interval=1.0)
    rig.source.error = NothingYet("no card is on the driver")
    rig.sampler.start()
    assert rig.next().reading == Unavailable("no card is on the driver", expected=True)
    assert rig.source.wake is not None
    for error, interval_s in ((rig.source.error, SELDOM_S), (NothingToRead("asleep"), 1.0)):
        rig.source.error = error
        rig.source.wake()
        rig.next()
        assert rig.sampler.interval_s == interval_s
    rig.sampler.stop()
    assert rig.source.closed.wait(PATIENCE)


@pytest.mark.parametrize(("interval", "factor", "seldom_s"), [(1.0, 60.0, 60.0), (None, 1.0, None)])
def test_seldom_is_never_more_often(
    interval: float | None, factor: float, seldom_s: float | None
) -> None:
    rig = Rig(interval)
    rig.source.error = NothingYet("nothing")
    rig.sampler.set_pace(factor)
    rig.sampler.start()
    rig.next()
    assert rig.sampler.interval_s == seldom_s
    rig.sampler.stop()
    assert rig.source.closed.wait(PATIENCE)


# --- turns ------------------------------------------------------------------------------


@pytest.fixture
def two() -> Iterator[tuple[Rig, Rig]]:
    """Two samplers that take turns, after the first reading of each; both may hold the next one
    back."""
    turn = threading.Lock()
    rigs = Rig(interval=PATIENCE, turn=turn), Rig(interval=PATIENCE, turn=turn)
    for rig in rigs:
        rig.sampler.start()
        rig.next()
        rig.source.entered.acquire(timeout=PATIENCE)
        rig.source.gate.clear()
    yield rigs
    for rig in rigs:
        rig.source.gate.set()
        rig.sampler.stop()
        assert rig.source.closed.wait(PATIENCE)


class Turn:
    """A turn that says when somebody asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.asked = threading.Semaphore(0)

    def acquire(self, *, timeout: float) -> bool:
        self.asked.release()
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()


def test_sources_are_read_one_after_the_other(
    two: tuple[Rig, Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    monkeypatch.setattr("tui.sampler.TURN_S", PATIENCE)
    turn = Turn()
    for rig in two:
        monkeypatch.setattr(rig.sampler, "_turn", turn)
    first.sampler.poke()
    assert first.source.entered.acquire(timeout=PATIENCE)
    assert turn.asked.acquire(timeout=PATIENCE)
    second.source.gate.set()
    second.sampler.poke()
    assert turn.asked.acquire(timeout=PATIENCE)
    assert second.sampler.reading_s is not None  # so that the screen waits for it
    assert not second.source.entered.acquire(blocking=False)
    first.source.gate.set()
    assert first.next().reading == second.next().reading == HostFacts("host", "2")


def test_one_that_hangs_keeps_none_from_reading(
    two: tuple[Rig, Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    first.sampler.poke()
    assert first.source.entered.acquire(timeout=PATIENCE)
    second.source.gate.set()
    for number in ("2", "3"):
        second.sampler.poke()
        assert second.next().reading == HostFacts("host", number)
    assert first.sampler.reading_s is not None


class LateTurn:
    """A turn that does not come, after five seconds on a clock."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def acquire(self, *, timeout: float) -> bool:
        self.now_s += 5.0
        return False


def test_waiting_for_a_turn_is_not_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, turn = Rig(interval=PATIENCE), LateTurn()
    monkeypatch.setattr("tui.sampler.time", SimpleNamespace(monotonic=lambda: turn.now_s))
    monkeypatch.setattr(rig.sampler, "_turn", turn)
    rig.sampler.start()
    rig.next()
    rig.sampler.poke()
    rig.next()
    assert (turn.now_s, rig.sampler.took_s) == (5.0, 0.0)
    rig.sampler.stop()
    assert rig.source.closed.wait(PATIENCE)


@pytest.mark.parametrize(("interval", "readings"), [(PATIENCE, 0), (None, 1)])
def test_first_and_irregular_readings_take_no_turn(
    interval: float | None, readings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.sampler.TURN_S", PATIENCE * 2)
    turn = threading.Lock()
    rig = Rig(interval, turn)
    with turn:
        rig.sampler.start()
        for _ in range(readings):
            rig.next()
            rig.sampler.poke()
        assert rig.next().reading == HostFacts("host", str(readings + 1))
    rig.sampler.stop()
    assert rig.source.closed.wait(PATIENCE)


def test_a_wake_during_a_reading_is_not_lost(rig: Rig) -> None:
    rig.source.gate.clear()
    rig.sampler.start()
    assert rig.source.entered.acquire(timeout=PATIENCE)
    rig.sampler.poke()
    rig.source.gate.set()
    rig.next()
    assert rig.next().reading == HostFacts("host", "2")


def test_host_error_is_a_reading_that_says_why(rig: Rig) -> None:
    rig.source.error = HostError("libvirtd is not running")
    rig.sampler.start()
    assert rig.next().reading == Unavailable("libvirtd is not running")
    rig.source.error = None
    rig.sampler.poke()
    assert rig.next().reading == HostFacts("host", "1")


def test_a_defect_is_shown_and_the_thread_continues(rig: Rig) -> None:
    rig.source.error = ZeroDivisionError("by\x1b[31m zero")
    rig.sampler.start()
    reading = rig.next().reading
    assert isinstance(reading, Unavailable)
    assert "ZeroDivisionError" in reading.reason
    assert "\x1b" not in reading.reason
    rig.source.error = None
    rig.sampler.poke()
    assert rig.next().reading == HostFacts("host", "1")


def test_a_watch_that_fails_is_reported_and_tried_again(rig: Rig) -> None:
    rig.source.deaf = OSError("no netlink")
    rig.sampler.start()
    reading = rig.next().reading
    assert isinstance(reading, Unavailable)
    assert "no netlink" in reading.reason
    rig.source.deaf = None
    rig.sampler.poke()
    assert rig.next().reading == HostFacts("host", "1")


def test_a_storm_of_events_is_not_a_storm_of_readings(rig: Rig) -> None:
    rig.sampler.start()
    rig.next()
    began = time.monotonic()
    for _ in range(3):
        rig.sampler.poke()
        rig.next()
        rig.sampler.poke()
    assert time.monotonic() - began > 2 * SHORTEST_GAP


def test_a_hung_reading_is_stalled_since_it_began(rig: Rig) -> None:
    rig.source.gate.clear()
    rig.sampler.start()
    assert rig.source.entered.acquire(timeout=PATIENCE)
    sample = rig.sampler.stalled(after=0.0)
    assert sample is not None
    assert isinstance(sample.reading, Unavailable)
    assert sample.reading.reason.startswith("no answer since ")
    assert rig.sampler.stalled(after=3600) is None
    rig.source.gate.set()
    rig.next()
    assert rig.sampler.stalled(after=0.0) is None


def test_a_paused_source_is_not_read_until_it_is_resumed() -> None:
    rig = Rig()
    rig.sampler.start()
    first = rig.next()
    rig.sampler.set_pace(paused=True)
    rig.sampler.poke()
    with pytest.raises(queue.Empty):
        rig.samples.get(timeout=4 * SHORTEST_GAP)
    rig.sampler.set_pace()
    assert rig.next().reading != first.reading
    rig.sampler.stop()


def test_a_slower_pace_is_kept_and_its_end_reads_at_once() -> None:
    rig = Rig(interval=0.1)
    rig.sampler.set_pace(36000)
    assert rig.sampler.interval_s == 3600
    rig.sampler.start()
    rig.next()
    with pytest.raises(queue.Empty):
        rig.samples.get(timeout=0.3)
    rig.sampler.set_pace(1)
    rig.next()
    rig.next()
    rig.sampler.stop()


def all_read(source: FakeSource) -> Readers:
    """Readers without a receiver that have read every source of a host once."""
    silent = EmptySource("none")
    readers = Readers(Host(source, silent, silent, silent, silent), 3600)
    readers.start()
    readers.start()
    assert source.entered.acquire(timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while len(readers._early) < len(readers.by_name):
        assert time.monotonic() < deadline
    return readers


def test_samples_taken_before_a_receiver_connects_are_delivered_first() -> None:
    source = FakeSource()
    readers = all_read(source)
    samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
    readers.connect(samples.put)
    early = {samples.get(timeout=PATIENCE).source for _ in readers.by_name}
    assert early == set(readers.by_name)
    readers.by_name["facts"].poke()
    later = samples.get(timeout=PATIENCE)
    assert (later.source, later.reading) == ("facts", HostFacts("host", "2"))
    for sampler in readers.by_name.values():
        sampler.stop()


def test_samples_taken_before_a_receiver_connects_may_go_elsewhere() -> None:
    readers = all_read(FakeSource())
    early: list[Sample] = []
    samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
    readers.connect(samples.put, early=early.append)
    assert {sample.source for sample in early} == set(readers.by_name)
    readers.by_name["facts"].poke()
    later = samples.get(timeout=PATIENCE)
    assert (later.source, later.reading) == ("facts", HostFacts("host", "2"))
    for sampler in readers.by_name.values():
        sampler.stop()


def test_it_reads_before_it_watches_if_told_so_and_then_once_more(rig: Rig) -> None:
    rig.sampler.start(watch=False)
    assert rig.next().reading == HostFacts("host", "1")
    assert rig.source.wake is None
    rig.sampler.watch()
    assert rig.next().reading == HostFacts("host", "2")
    assert rig.source.wake is not None
    rig.sampler.watch()
    rig.source.wake()
    assert rig.next().reading == HostFacts("host", "3")
    assert rig.samples.empty()


def test_what_the_first_frame_is_about_is_read_first() -> None:
    sources = {name: FakeSource() for name in (*FIRST, "guests", "usb")}
    samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
    readers = Readers(Host(**sources), 3600)  # type: ignore[arg-type]
    readers.connect(samples.put)
    readers.start_first()
    first = [samples.get(timeout=PATIENCE) for _ in FIRST]
    assert {sample.source for sample in first} == set(FIRST)
    assert samples.empty()
    assert sources["pci"].wake is None
    readers.start()
    later = {samples.get(timeout=PATIENCE).source for _ in readers.by_name}
    assert later == set(readers.by_name)
    assert None not in [source.wake for source in sources.values()]
    for sampler in readers.by_name.values():
        sampler.stop()
