"""Past values: bounded, aligned to steps, and with gaps where nothing was measured."""

from hypothesis import given
from hypothesis import strategies as st

from tui.history import History


def test_a_step_is_the_mean_of_its_values() -> None:
    history = History(span_s=20, step_s=2)
    for at, value in ((0.0, 10.0), (1.0, 20.0), (2.0, 50.0)):
        history.record("a", at, value)
    assert history.series("a") == (15.0, 50.0)


def test_a_step_without_values_is_a_gap() -> None:
    history = History(span_s=20, step_s=2)
    history.record("a", 0.0, 10.0)
    history.record("a", 2.0, None)
    history.record("a", 8.0, 30.0)
    assert history.series("a") == (10.0, None, None, None, 30.0)


def test_a_series_begins_with_an_even_step() -> None:
    history = History(span_s=20, step_s=2)
    history.record("a", 2.0, 10.0)
    history.record("a", 4.0, 20.0)
    assert history.series("a") == (20.0,)
    history.record("a", 6.0, 30.0)
    assert history.series("a") == (20.0, 30.0)


def test_an_unknown_key_has_no_series() -> None:
    assert History().series("a") == ()


def test_the_clock_may_go_back() -> None:
    history = History(span_s=20, step_s=2)
    history.record("a", 100.0, 10.0)
    history.record("a", 0.0, 30.0)
    assert history.series("a") == (20.0,)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.none() | st.floats(0, 100)), max_size=50))
def test_series_is_bounded(samples: list[tuple[int, float | None]]) -> None:
    history = History(span_s=20, step_s=2)
    for at, value in samples:
        history.record("a", at, value)
    series = history.series("a")
    assert len(series) <= 11
    assert all(value is None or 0 <= value <= 100 for value in series)
