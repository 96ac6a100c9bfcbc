"""What the watch of the simulated host has kept of the day before an evening."""

from __future__ import annotations

from datetime import timedelta

from tests.demo import HeldClock
from tui.host import Host
from tui.host.demo.host import SCENARIOS, demo_host
from tui.model.past import MINUTES, SECONDS, TENS, PastReadings, SeriesKey
from tui.rules.past_swaps import of_past_swaps

CARD = "0000:01:00.0"
LOAD = SeriesKey(CARD, "load")


def past_of(host: Host) -> PastReadings:
    assert host.history is not None
    past = host.history.everything()
    assert past is not None
    return past


def evening() -> tuple[PastReadings, HeldClock]:
    clock = HeldClock()
    return past_of(demo_host("evening", clock=clock)), clock


def test_only_the_evening_has_a_history() -> None:
    assert [name for name in SCENARIOS if demo_host(name, clock=HeldClock()).history] == ["evening"]


def test_the_day_ends_where_the_simulation_begins_and_has_a_gap_at_night() -> None:
    past, clock = evening()
    began = int(clock.now().timestamp())
    minutes = past.buckets(LOAD, MINUTES)
    assert (min(minutes), max(minutes)) == (began // 60 - 1440, began // 60 - 1)
    gaps = [step for step in range(min(minutes), max(minutes)) if step not in minutes]
    assert len(gaps) == 9 * 60
    assert gaps[-1] - gaps[0] == len(gaps) - 1, "one night"


def test_the_finer_steps_are_those_of_the_last_hours() -> None:
    past, clock = evening()
    assert len(past.buckets(LOAD, SECONDS)) == SECONDS.keep_s
    assert len(past.buckets(LOAD, TENS)) == TENS.keep_s // TENS.step_s
    since = clock.now().timestamp() - 60
    recent = [at for at, _ in past.means(LOAD, TENS, 60.0)]
    assert [at - since for at in recent] == [5, 15, 25, 35, 45, 55]


def test_each_series_has_values_and_the_same_ones_again() -> None:
    (past, _), (again, _) = evening(), evening()
    assert {key.owner for key in past.keys} > {CARD, "0000:0a:00.0"}
    for key in past.keys:
        assert past.buckets(key, MINUTES)
        assert past.buckets(key, MINUTES) == again.buckets(key, MINUTES)


def test_the_swaps_fit_the_load_and_one_has_no_event_yet() -> None:
    past, _ = evening()
    assert [swap.direction for swap in past.swaps] == ["bind", "unbind", "bind", "unbind"]
    assert len(of_past_swaps(past.swaps, past.events)) == 1
    minutes = past.buckets(LOAD, MINUTES)
    for swap in past.swaps:
        played = timedelta(minutes=5 if swap.direction == "bind" else -5)
        during, beside = swap.ended_at + played, swap.ended_at - played
        assert minutes[int(during.timestamp() // 60)].mean > 10
        assert minutes[int(beside.timestamp() // 60)].maximum == 0
