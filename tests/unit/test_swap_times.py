"""The times of a swap's steps, as far as its journal was followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.values import replace
from tui.model import Swap
from tui.swap_times import SwapTimes

CARD = "0000:01:00.0"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SWAP = Swap("first", "bind", CARD, (CARD,), "running", ("a", "b", "c", "d"), 0, NOON, NOON)


def at(step: int, seconds: float, **changes: object) -> Swap:
    moment = NOON + timedelta(seconds=seconds)
    return replace(SWAP, step=step, step_began_at=moment, **changes)


def seen(*swaps: Swap) -> SwapTimes:
    times = SwapTimes()
    for swap in swaps:
        times.see(swap)
    return times


def rounded(times: SwapTimes, swap: Swap = SWAP) -> list[float | None]:
    return [None if each is None else round(each, 3) for each in times.took(swap)]


def test_each_step_lasts_until_the_next_one_begins() -> None:
    times = seen(SWAP, at(1, 0.25), at(1, 0.25), at(2, 1.5), at(3, 1.75))
    assert rounded(times) == [0.25, 1.25, 0.25, None]
    times.see(at(3, 2.0, state="done"))
    assert rounded(times) == [0.25, 1.25, 0.25, 0.25]


def test_the_end_of_the_last_step_is_not_in_every_journal() -> None:
    assert rounded(seen(SWAP, at(3, 2.0), at(3, 2.0, state="done")))[3] is None


def test_steps_from_before_the_first_entry_have_no_time() -> None:
    assert rounded(seen(at(2, 1.5), at(3, 2.5))) == [None, None, 1.0, None]


def test_steps_that_nobody_saw_one_by_one_have_a_time_only_if_all_were_quick() -> None:
    assert rounded(seen(SWAP, at(2, 0.03), at(3, 1.0))) == [0.03, 0.03, 0.97, None]
    assert rounded(seen(SWAP, at(2, 0.3), at(3, 1.0))) == [None, None, 0.7, None]


def test_another_swap_begins_afresh() -> None:
    other = replace(SWAP, id="second")
    times = seen(SWAP, at(1, 1), other)
    assert rounded(times, SWAP) == [None] * 4
    times.see(replace(at(1, 2), id="second"))
    assert rounded(times, other) == [2.0, None, None, None]


def test_a_swap_that_is_taken_up_again_does_not_count_the_time_between() -> None:
    lost = at(1, 0.5, runner_alive=False)
    times = seen(SWAP, at(1, 0.5), lost, at(1, 0.5), at(2, 90), at(3, 91))
    assert rounded(times) == [None, None, 1.0, None]
    times.see(at(3, 92, state="done"))
    assert times.usual_s("bind", CARD) is None


def test_the_usual_time_is_that_of_the_last_such_swap() -> None:
    times = seen(SWAP, at(3, 3.8, state="done"))
    assert times.usual_s("bind", CARD) == 3.8
    assert times.usual_s("unbind", CARD) is None
    times.see(replace(SWAP, id="second"))
    times.see(replace(at(3, 9), id="second", state="undone"))
    assert times.usual_s("bind", CARD) == 3.8
