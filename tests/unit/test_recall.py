"""What a screen that opens gets from the history of the watch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from threading import Thread

import pytest

from tests.unit.made import card, domain, guests, inventory
from tui.host.history.entry import Entry, StoredEvent, StoredSwap, block
from tui.host.history.reader import Past
from tui.live import GUEST_CPU, Live, card_key
from tui.model import CardReading, Event, Metrics, NvmlReading, Sample
from tui.model.clock import Clock
from tui.model.past import MINUTES, Bucket, SeriesKey
from tui.recall import FAILED, READING, Recall
from tui.rules.roles import Choice

CARD, UUID = "0000:01:00.0", "00000000-0000-0000-0000-000000000001"
BOOT_ID = "11111111-0000-0000-0000-000000000000"
BOOTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_S = 1000.0
CLOCK = Clock(lambda: BOOTED + timedelta(seconds=NOW_S), lambda: NOW_S)
LOAD, CPU = SeriesKey(CARD, "load"), SeriesKey(UUID, "cpu")
PATIENCE = 60.0


def past(step_s: int, *seconds: int, events: tuple[StoredEvent, ...] = ()) -> Past:
    """A history in which the load and the guest's CPU were 40 and 60 % in these steps."""
    steps = [second // step_s for second in seconds]
    buckets = {
        key: {step: Bucket(1, mean, mean) for step in steps}
        for key, mean in ((LOAD, 40.0), (CPU, 60.0))
    }
    blocks = (block(step_s, buckets),)
    return Past([Entry(BOOT_ID, BOOTED.timestamp(), NOW_S, blocks, events)], BOOT_ID, CLOCK)


def screen() -> Live:
    """A screen that has just opened, with its first readings."""
    live, now = Live(Choice()), CLOCK.now()
    live.take(Sample("pci", inventory(*card("01:00", 1, boot_vga=True)), now))
    running = domain("win11", "01:00.0", state="running", uuid=UUID, cpu_pct=5.0)
    live.take(Sample("guests", guests(running), now))
    live.take(Sample("nvml", NvmlReading("580", (CardReading(CARD, "nvml", Metrics(7.0)),)), now))
    return live


class Kept:
    """A history of which the newest part is read first; ``then`` is called in between."""

    def __init__(self, newest: Past, everything: Past, then: Callable[[], object]) -> None:
        self._newest, self._everything, self._then = newest, everything, then

    def newest(self) -> Past:
        return self._newest

    def everything(self) -> Past:
        self._then()
        return self._everything


def recalled(live: Live, newest: Past, everything: Past, then: Callable[[], object]) -> None:
    """Have ``live`` recall the last minutes, call ``then``, and have it recall everything."""

    def between() -> None:
        recall.settle()
        then()

    recall = Recall(live, CLOCK.now(), Kept(newest, everything, between), wait_s=0.0)
    recall.settle()
    recall.open()
    recall.settle()


def load(live: Live) -> tuple[float | None, ...]:
    return live.card_series(CARD)["load"]


def test_the_last_minutes_are_there_at_once_and_what_is_older_soon() -> None:
    live = screen()
    first: list[tuple[float | None, ...]] = []

    def then() -> None:
        first.extend((load(live), live.history.series(GUEST_CPU)))

    assert load(live) == (7.0,)
    recalled(live, past(1, 996, 997, 998, 999), past(10, 970, 990), then)
    assert first == [(40.0, 40.0, 7.0), (60.0, 60.0, 5.0)]
    # 970 is in the steps from 485 on; a graph begins at an even one.
    assert load(live) == (*[40.0] * 4, *[None] * 5, *[40.0] * 5, 7.0)
    assert live.history.series(card_key(CARD, "power")) == (None,)


def test_events_of_the_time_before_are_there_once() -> None:
    live = screen()
    live.note(Event(CLOCK.at(999.4), CARD, "is bound", "done", "watch"))
    events = (
        StoredEvent(900.0, "win11", "started"),
        StoredEvent(999.0, CARD, "is bound", "done", "watch"),
        StoredEvent(1000.0, "win11", "of this run"),
    )
    recalled(live, past(1, events=events), past(1, events=events), lambda: None)
    words = {"started", "is bound", "of this run"}
    assert [e.text for e in live.events if e.text in words] == ["is bound", "started"]
    assert list(live.events) == sorted(live.events, key=lambda event: event.at, reverse=True)


def test_a_swap_that_nobody_watched_is_an_event_too() -> None:
    live = screen()
    swap = StoredSwap("1", "bind", CARD, "done", 500.0, 503.8)
    entry = Entry(BOOT_ID, BOOTED.timestamp(), NOW_S, swaps=(swap,))
    kept = Past([entry], BOOT_ID, CLOCK)
    recalled(live, kept, kept, lambda: None)
    told = [(event.at, event.text) for event in live.events if "bind" in event.text]
    assert told == [(CLOCK.at(503.8), "bind done in 3.8 s")]


def test_without_a_thread_there_is_no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    recall = Recall(screen(), CLOCK.now(), Kept(past(1), past(1), lambda: None), wait_s=0.0)
    recall.start(recall.settle)
    assert recall.problem == FAILED


def test_buckets_are_read_on_the_thread_when_a_graph_asks_for_them() -> None:
    told: SimpleQueue[None] = SimpleQueue()
    hour = past(60, 60, 600)
    recall = Recall(screen(), CLOCK.now(), Kept(hour, hour, lambda: None), wait_s=0.0)
    assert recall.problem == READING
    recall.start(lambda: told.put(None))
    minute = int(BOOTED.timestamp() // 60)
    while not (found := recall.buckets(LOAD, MINUTES, CLOCK.now(), 60.0)):
        told.get(timeout=PATIENCE)
        recall.settle()
    assert found == {minute + 1: Bucket(1, 40.0, 40.0), minute + 10: Bucket(1, 40.0, 40.0)}
    assert recall.problem is None
