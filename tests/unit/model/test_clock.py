"""Time that advances steadily while somebody sets the wall clock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from tests.unit.host.journal.test_file import ENTRY
from tests.unit.made import card, inventory
from tui.host.journal.entry import JournalError, updated
from tui.host.journal.format import dump, parse
from tui.host.journal.source import reading
from tui.host.proc.process import this_process
from tui.live import Live
from tui.model import CLOCK, CardReading, Clock, Metrics, NvmlReading, Sample
from tui.model.clock import since_boot
from tui.rules.roles import Choice

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
CARD = "0000:01:00.0"


class Watch:
    """A machine with an uptime of a thousand seconds, whose wall clock can be set."""

    def __init__(self) -> None:
        self.set_by, self.up_s = timedelta(), 1000.0
        self.clock = Clock(lambda: NOON + self.set_by + timedelta(seconds=self.up_s - 1000.0),
                           lambda: self.up_s)  # fmt: skip


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return Watch()


STEPS = [timedelta(hours=-1), timedelta(hours=1), timedelta(days=-4000), timedelta(seconds=-2)]


@pytest.mark.parametrize("step", STEPS)
def test_what_lies_between_two_times_is_what_has_passed(watch: Watch, step: timedelta) -> None:
    began = watch.clock.now()
    assert began == NOON
    watch.set_by, watch.up_s = step, 1007.5
    assert watch.clock.now() - began == timedelta(seconds=7.5)
    assert watch.clock.at(1000.0) == began


@pytest.mark.parametrize("step", STEPS)
def test_seconds_since_boot_are_the_same_whatever_the_wall_clock_shows(
    watch: Watch, step: timedelta
) -> None:
    watch.set_by = step
    assert watch.clock.seconds(watch.clock.at(1234.5)) == 1234.5
    assert watch.clock.booted_by_wall() == (NOON + step).timestamp() - 1000.0


@pytest.mark.parametrize("step", STEPS)
def test_a_time_of_day_is_what_the_wall_clock_shows_now(watch: Watch, step: timedelta) -> None:
    event = watch.clock.now()
    assert watch.clock.time_of_day(event) == "12:00:00"
    watch.set_by = step
    assert watch.clock.time_of_day(event) == f"{NOON + step:%H:%M:%S}"


def test_a_day_is_the_local_one_that_the_wall_clock_shows_now(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch.clock.day(NOON) == NOON.date()
    watch.set_by = timedelta(days=-4000)
    assert watch.clock.day(NOON) == (NOON - timedelta(days=4000)).date()
    watch.set_by = timedelta()
    monkeypatch.setenv("TZ", "UTC-13")
    time.tzset()
    assert watch.clock.day(NOON) == (NOON + timedelta(days=1)).date()


def test_a_clock_that_is_only_slewed_changes_no_second(watch: Watch) -> None:
    watch.set_by = timedelta(milliseconds=-300)
    assert watch.clock.time_of_day(NOON) == "12:00:00"


@pytest.mark.parametrize("step", STEPS)
def test_graphs_and_ages_go_on_when_the_clock_is_set(watch: Watch, step: timedelta) -> None:
    live = Live(Choice())
    live.take(Sample("pci", inventory(*card("01:00", 1, boot_vga=True)), watch.clock.now()))
    for second in range(20):
        if second == 10:
            watch.set_by = step
        watch.up_s = 1000.0 + second
        metrics = Metrics(util_pct=float(second))
        seen = NvmlReading("580", (CardReading(CARD, "nvml", metrics),))
        live.take(Sample("nvml", seen, watch.clock.now()))
    assert live.card_series(CARD)["load"] == tuple(n + 0.5 for n in range(0, 20, 2))
    gpu = live.view.gpu(CARD)
    assert gpu is not None
    watch.up_s += 3
    assert live.age(gpu, watch.clock.now()) == 3.0


def test_a_swap_takes_as_long_as_it_does(watch: Watch) -> None:
    """The runner started before a change of the clock, and this program after it."""
    boot = since_boot()
    entry = replace(ENTRY, runner=this_process(), began_s=boot - 9.0, step_began_s=boot - 4.0)
    swap = reading(entry)
    assert swap.step_began_at - swap.began_at == timedelta(seconds=5)
    age, since = CLOCK.now() - swap.step_began_at, timedelta(seconds=since_boot() - boot)
    assert timedelta(seconds=4) <= age <= timedelta(seconds=4) + since
    assert reading(entry) == swap  # or the screen would be drawn again for nothing
    assert parse(dump(entry).encode()) == entry
    older = reading(replace(entry, began_s=None))
    assert older.began_at == datetime.fromisoformat(ENTRY.began_at)


def test_a_new_step_has_a_new_time_since_boot() -> None:
    entry = replace(ENTRY, began_s=1.0, step_began_s=1.0)
    assert updated(entry, NOON, 7.0, step=1).step_began_s == 7.0
    assert updated(entry, NOON, 7.0, message="waits").step_began_s == 1.0
    assert "began_s" not in dump(ENTRY)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "true", '"1"', "1e11", "[]"])
def test_what_is_no_time_since_boot_is_not_believed(value: str) -> None:
    text = dump(replace(ENTRY, began_s=1.0)).replace('"began_s": 1.0', f'"began_s": {value}')
    with pytest.raises(JournalError):
        parse(text.encode())


HOURS = """
from datetime import datetime
from tui.host.demo.clock import RealClock
from tui.model import CLOCK
print((datetime.now().astimezone() - CLOCK.now()).total_seconds())
print((RealClock().now() - CLOCK.now()).total_seconds())
"""


def test_it_begins_with_the_wall_clock_and_all_hosts_go_by_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOURS], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "TZ": "Asia/Tokyo"},
    )  # fmt: skip
    assert [round(float(text)) for text in done.stdout.split()] == [0, 0]
