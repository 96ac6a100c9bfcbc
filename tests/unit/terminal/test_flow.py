"""Flow control: how far the terminal is behind, and how much it may be sent."""

from __future__ import annotations

import pytest

from tui.terminal.flow import ANSWER_TIMEOUT_S, MIN_BUDGET, TARGET_S, FlowControl


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def link(clock: Clock) -> FlowControl:
    link = FlowControl(clock)
    link.open()
    return link


def frame(link: FlowControl, clock: Clock, size: int, took: float) -> None:
    link.sent(size)
    assert link.begin_query()
    clock.now += took
    link.answered()


def test_a_terminal_is_not_behind_before_it_is_known_to_answer(link: FlowControl) -> None:
    link.sent(100)
    assert link.begin_query()
    assert not link.behind


def test_one_query_is_pending_at_a_time(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 100, 0.01)
    link.sent(100)
    assert link.begin_query()
    assert link.behind
    link.sent(100)
    assert not link.begin_query()
    link.answered()
    assert not link.behind


def test_nothing_is_asked_if_nothing_was_written(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 100, 0.01)
    assert not link.begin_query()


def test_withheld_is_reported_once(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 100, 0.01)
    link.sent(10)
    link.begin_query()
    link.withheld = True
    assert link.answered()
    assert not link.answered()


def test_a_terminal_that_never_answers_is_not_asked_again(link: FlowControl, clock: Clock) -> None:
    link.sent(10)
    assert link.begin_query()
    clock.now += ANSWER_TIMEOUT_S
    link.sent(10)
    assert not link.begin_query()
    assert not link.behind
    link.close()


def test_a_lost_answer_does_not_block_forever(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 100, 0.01)
    link.sent(10)
    link.begin_query()
    clock.now += ANSWER_TIMEOUT_S
    assert not link.behind
    link.sent(10)
    assert link.begin_query()


def test_frames_are_cut_to_what_a_slow_link_carries(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 50, 0.05)
    assert link.room() is None
    frame(link, clock, 8000, 4.05)
    assert link.room() == pytest.approx(8000 * TARGET_S / 4, abs=5)
    frame(link, clock, 250, 0.15)
    assert link.room() == pytest.approx(2000 * TARGET_S, abs=5)
    frame(link, clock, 300, 1.05)
    assert link.room() == MIN_BUDGET


def test_bytes_in_flight_use_up_the_budget(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 50, 0.05)
    frame(link, clock, 8000, 4.05)
    room = link.room()
    assert room is not None
    link.sent(100)
    link.begin_query()
    link.sent(50)
    assert link.room() == room - 150
    link.sent(1000)
    assert link.room() == 0


def test_high_latency_is_not_a_slow_link(link: FlowControl, clock: Clock) -> None:
    """To the other side of the earth: every answer takes long, however small the frame."""
    for size in (50, 600, 12000, 700):
        frame(link, clock, size, 0.6)
        assert link.room() is None


def test_latency_that_has_grown_is_not_a_slow_link_in_the_end(
    link: FlowControl, clock: Clock
) -> None:
    for size in (50, 400, 8000):
        frame(link, clock, size, 0.02)
    for _ in range(60):
        frame(link, clock, min(8000, link.room() or 8000), 0.3)
    room = link.room()
    assert room is None or room > 8000


def test_a_lost_answer_frees_the_budget(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 50, 0.05)
    frame(link, clock, 8000, 4.05)
    link.sent(1000)
    link.begin_query()
    assert link.room() == 0
    clock.now += ANSWER_TIMEOUT_S
    assert link.room() != 0


def test_an_unsolicited_report_is_no_answer(link: FlowControl) -> None:
    assert not link.answered()
    link.sent(10)
    link.begin_query()
    assert not link.behind


def test_a_terminal_that_was_lent_starts_over(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 100, 0.01)
    link.sent(10)
    link.begin_query()
    link.open()
    assert not link.behind
    link.sent(10)
    assert link.begin_query()


def test_nothing_is_asked_after_close(link: FlowControl) -> None:
    link.close()
    link.sent(10)
    assert not link.begin_query()


def test_a_link_that_is_fast_again_gets_whole_frames(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 50, 0.01)
    frame(link, clock, 8000, 4.0)
    for _ in range(10):
        frame(link, clock, link.room() or 0, 0.01)
        if link.room() is None:
            break
    assert link.room() is None


def test_the_delay_grows_while_an_answer_is_pending(link: FlowControl, clock: Clock) -> None:
    frame(link, clock, 50, 0.01)
    assert link.delay_s == pytest.approx(0.01)
    link.sent(10)
    link.begin_query()
    clock.now += 3
    assert link.delay_s == pytest.approx(3)
