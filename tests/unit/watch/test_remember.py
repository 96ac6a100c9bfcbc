"""What the watch remembers: readings, events and swaps, written rarely; a failure is told once."""

from __future__ import annotations

import errno
import os
import threading
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from tests.unit.made import domain, guests, two_cards
from tui.host.history.entry import Entry, buckets_of, decoded, encoded
from tui.host.run_folder import Untrusted
from tui.live import Live
from tui.model import (
    CardReading,
    Domain,
    Event,
    Metrics,
    NvmlReading,
    Reading,
    Sample,
    SourceName,
    Swap,
    Unavailable,
)
from tui.model.clock import Clock
from tui.model.past import Bucket, SeriesKey
from tui.rules.roles import Choice
from tui.watch.remember import (
    EVENT_TEXT,
    EVENTS_AT_ONCE,
    WAITING_LIMIT,
    DiskThread,
    Problem,
    Remember,
)

CARD = "0000:01:00.0"
WALL = datetime(2026, 3, 1, 12, tzinfo=UTC)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
BOOT_ID = "11111111-0000-0000-0000-000000000000"
PATIENCE = 60.0


class Kept:
    """Keeps the entries that it gets; ``problem`` is raised instead, if there is one."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.problem: Exception | None = None
        self.closed = False

    def write(self, entry: Entry) -> None:
        if self.problem is not None:
            raise self.problem
        found = decoded(encoded(entry))
        assert found is not None, "a reader would refuse it"
        self.entries.append(found)

    def close(self) -> None:
        self.closed = True

    def buckets(self, key: SeriesKey, step_s: int) -> list[tuple[int, Bucket]]:
        """The buckets of a series in the order in which they were written."""
        blocks = [block for entry in self.entries for block in entry.blocks]
        return [
            (step, bucket)
            for block in blocks
            if block.step_s == step_s
            for found, step, bucket in buckets_of(block)
            if found == key
        ]


class Stage:
    """A watch that remembers, at a time that the test sets. It begins 600 s after boot."""

    def __init__(self) -> None:
        self.now_s = 600.0
        self.set_by = timedelta()
        self.clock = Clock(self._wall, lambda: self.now_s)
        self.live = Live(Choice())
        self.disk, self.memory = Kept(), Kept()
        self.remember = Remember(self.live, self.disk, self.memory, BOOT_ID, self.clock)
        self.take("pci", two_cards())

    def _wall(self) -> datetime:
        return WALL + timedelta(seconds=self.now_s - 600.0) + self.set_by

    def take(self, source: SourceName, reading: Reading | Unavailable) -> None:
        self.live.take(Sample(source, reading, self.clock.now()))

    def load(self, value: float | None, at_s: float) -> str | None:
        """A reading of the host's card at that time, and a look of the watch."""
        self.now_s = at_s
        self.take("nvml", NvmlReading("580", (CardReading(CARD, "nvml", Metrics(value)),)))
        return self.remember.look()

    def event(self, text: str) -> None:
        self.remember.tell(Event(self.clock.now(), CARD, text))


@pytest.fixture
def stage() -> Stage:
    return Stage()


LOAD = SeriesKey(CARD, "load")


def test_a_minute_is_written_once_it_is_over(stage: Stage) -> None:
    for second in range(600, 725):
        stage.load(float(second - 600), second + 0.2)
    stage.remember.close()
    # Two whole minutes, and what was left at the end.
    assert [entry.at_s for entry in stage.disk.entries] == pytest.approx([661.2, 721.2, 724.2])
    assert stage.disk.buckets(LOAD, 60) == [
        (10, Bucket(60, 29.5, 59.0)), (11, Bucket(60, 89.5, 119.0)), (12, Bucket(5, 122.0, 124.0)),
    ]  # fmt: skip
    assert [step for step, _ in stage.disk.buckets(LOAD, 10)] == list(range(60, 73))
    assert stage.disk.closed


def test_the_seconds_are_in_memory_at_once(stage: Stage) -> None:
    stage.load(5.0, 601.2)
    stage.load(7.0, 603.2)
    assert stage.memory.buckets(LOAD, 1) == [(601, Bucket(1, 5.0, 5.0))]
    assert stage.disk.entries == []
    stage.remember.close()
    assert stage.memory.buckets(LOAD, 1)[1:] == [(603, Bucket(1, 7.0, 7.0))]


def test_what_is_not_measured_is_not_written(stage: Stage) -> None:
    stage.load(None, 601.2)
    stage.take("nvml", Unavailable("NVML fails"))
    stage.load(None, 700.2)
    stage.remember.close()
    assert (stage.disk.entries, stage.memory.entries) == ([], [])


def guest(cpu_pct: float, name: str = "win11") -> Domain:
    uuid = f"00000000-0000-0000-0000-{sum(name.encode()):012x}"
    return domain(name, "02:00.0", state="running", uuid=uuid, cpu_pct=cpu_pct)


def test_a_guest_is_remembered_by_its_uuid(stage: Stage) -> None:
    """Another guest is another series: the screen forgets the values of the one before."""
    stage.take("guests", guests(guest(40.0)))
    stage.take("guests", guests(guest(60.0, "linux")))
    stage.remember.close()
    for found, name in ((40.0, "win11"), (60.0, "linux")):
        key = SeriesKey(guest(0, name).uuid, "cpu")
        assert stage.disk.buckets(key, 60) == [(10, Bucket(1, found, found))]


def test_a_guest_without_a_proper_uuid_spoils_nothing(stage: Stage) -> None:
    stage.take("guests", guests(replace(guest(40.0), uuid="uuid-win11")))
    stage.load(5.0, 601.2)
    stage.remember.close()
    (entry,) = stage.disk.entries
    assert list(entry.blocks[0].owners) == [CARD]


def test_a_clock_that_is_set_moves_no_reading(stage: Stage) -> None:
    stage.load(1.0, 601.2)
    stage.set_by = timedelta(days=-300)
    stage.load(3.0, 602.2)
    stage.set_by = timedelta(days=3)
    stage.load(5.0, 661.5)
    stage.remember.close()
    assert stage.disk.buckets(LOAD, 60) == [(10, Bucket(2, 2.0, 3.0)), (11, Bucket(1, 5.0, 5.0))]
    assert stage.disk.entries[-1].booted_at == pytest.approx(
        (WALL + timedelta(days=3, seconds=-600)).timestamp()
    )


def test_without_a_battery_the_wall_clock_may_count_for_less_than_the_host_is_up() -> None:
    """It begins in 1970 at each boot, until NTP sets it."""
    stage = Stage()
    stage.set_by = datetime.fromtimestamp(300, UTC) - WALL
    stage.load(1.0, 601.2)
    stage.load(1.0, 661.2)
    stage.set_by = timedelta()
    stage.load(3.0, 721.2)
    stage.remember.close()
    assert [step for step, _ in stage.disk.buckets(LOAD, 60)] == [10, 11, 12]
    wrong, right, _ = (entry.booted_at for entry in stage.disk.entries)
    assert wrong == pytest.approx(-300.0)
    assert right == (WALL - timedelta(seconds=600)).timestamp()


# --- events and swaps -------------------------------------------------------------------


def test_events_are_in_memory_at_once_and_on_disk_within_a_minute(stage: Stage) -> None:
    stage.event("lost\x07 " + "x" * 3 * EVENT_TEXT)
    stage.remember.look()
    (entry,) = stage.memory.entries
    (event,) = entry.events
    assert (event.at_s, event.text[:8], len(event.text)) == (600.0, "lost xxx", EVENT_TEXT)
    stage.remember.look()
    assert len(stage.memory.entries) == 1
    stage.load(None, 661.5)
    stage.remember.close()
    assert [entry.events for entry in stage.disk.entries] == [(event,)]


def test_a_storm_of_events_stays_small(stage: Stage) -> None:
    for number in range(EVENTS_AT_ONCE + 50):
        stage.event(f"{number} " + "€" * EVENT_TEXT)
    stage.remember.look()
    stage.remember.close()
    for (entry,), limit in ((stage.memory.entries, 1 << 20), (stage.disk.entries, 2 << 20)):
        assert len(entry.events) == EVENTS_AT_ONCE
        assert entry.events[-1].text.startswith("149 ")
        assert len(encoded(entry)) < limit


def test_a_swap_is_remembered_once_it_has_ended(stage: Stage) -> None:
    began = stage.clock.now()
    swap = Swap("7", "bind", CARD, (CARD,), "running", ("echo",), 0, began, began)
    stage.take("swap", swap)
    stage.remember.look()
    stage.now_s = 604.0
    stage.take("swap", replace(swap, state="done", step=1, step_began_at=stage.clock.now()))
    stage.remember.look()
    stage.remember.look()
    stage.remember.close()
    (entry,) = stage.disk.entries
    (found,) = entry.swaps
    assert (found.id, found.state, found.began_s, found.ended_s) == ("7", "done", 600.0, 604.0)


# --- what fails -------------------------------------------------------------------------


def test_a_full_run_is_told_once_and_the_disk_is_still_written(stage: Stage) -> None:
    stage.memory.problem = FULL
    told = [stage.load(5.0, 600.2 + second) for second in range(65)]
    sentence = "history: its newest part is not kept: No space left on device"
    assert [text for text in told if text] == [sentence]
    stage.memory.problem = None
    assert stage.load(5.0, 666.2) is None
    stage.memory.problem = FULL
    assert stage.load(5.0, 668.2) == sentence
    stage.remember.close()
    assert stage.disk.buckets(LOAD, 60)[0] == (10, Bucket(60, 5.0, 5.0))


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (FULL, "No space left on device"),
        (Untrusted("it is not ours"), "it is not ours"),
        (
            ZeroDivisionError("oh"),
            "vfiotop failed here (ZeroDivisionError('oh')); please report it",
        ),
    ],
)
def test_a_problem_is_told_once_for_each_reason(error: Exception, why: str) -> None:
    problem, kept = Problem("not kept"), Kept()
    entry = Entry(BOOT_ID, 0.0, 0.0)
    kept.problem = error
    for told in (f"history: not kept: {why}", None):
        problem.attempt(kept, entry)
        assert problem.told() == told
    kept.problem = OSError(errno.EIO, "broken")
    problem.attempt(kept, entry)
    assert problem.told() == "history: not kept: broken"
    kept.problem = None
    problem.attempt(kept, entry)
    assert (problem.told(), kept.entries) == (None, [entry])


class Hanging(Kept):
    """Does not return from a write before ``free`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.free = threading.Event(), threading.Event()

    def write(self, entry: Entry) -> None:
        self.entered.set()
        assert self.free.wait(PATIENCE)
        super().write(entry)


def test_a_disk_that_hangs_holds_up_nobody_and_takes_no_memory() -> None:
    writer = Hanging()
    disk = DiskThread(writer)
    entries = [Entry(BOOT_ID, 0.0, float(number)) for number in range(WAITING_LIMIT + 3)]
    disk.put(entries[0])
    assert writer.entered.wait(PATIENCE)
    for entry in entries[1:]:
        disk.put(entry)
    assert disk.problem.told() == (
        "history: the last minutes are not on disk: the disk does not answer"
    )
    disk.close(0.01)
    assert not writer.closed
    writer.free.set()
    disk.close(PATIENCE)
    assert writer.closed
    assert writer.entries == entries[: WAITING_LIMIT + 1]
