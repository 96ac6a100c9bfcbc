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


# --- what was measured before this run ------------------------------------------------


def test_earlier_values_fill_the_steps_without_any() -> None:
    history = History(span_s=12, step_s=2)
    for at, value in ((8.0, 10.0), (10.0, None), (12.0, 30.0)):
        history.record("a", at, value)
    history.recall(lambda key: {2: 2.0, 4: 99.0, 5: 5.0, 6: 99.0, 7: 99.0} if key == "a" else {})
    assert history.series("a") == (2.0, None, 10.0, 5.0, 30.0)
    history.record("a", 14.0, 40.0)
    history.record("a", 16.0, 50.0)
    assert history.series("a") == (2.0, None, 10.0, 5.0, 30.0, 40.0, 50.0)
    history.record("a", 18.0, 60.0)
    assert history.series("a") == (10.0, 5.0, 30.0, 40.0, 50.0, 60.0)


def test_earlier_values_are_asked_for_once_and_again_when_there_are_more() -> None:
    history = History()
    asked: list[str] = []

    def earlier(key: str) -> dict[int, float]:
        asked.append(key)
        return {}

    history.record("guest.cpu", 100.0, 1.0)
    history.recall(earlier)
    for _ in range(3):
        history.series("guest.cpu")
        history.series("nothing recorded")
    assert asked == ["guest.cpu"]
    history.recall(lambda _: {48: 7.0})
    assert history.series("guest.cpu") == (7.0, None, 1.0)


def test_another_guest_has_other_earlier_values() -> None:
    history, guest = History(), {"value": 7.0}
    history.recall(lambda _: {48: guest["value"]})
    history.record("guest.cpu", 100.0, 1.0)
    assert history.series("guest.cpu")[0] == 7.0
    history.forget("guest.")
    guest["value"] = 9.0
    history.record("guest.cpu", 100.0, 1.0)
    assert history.series("guest.cpu")[0] == 9.0


@given(
    st.dictionaries(st.integers(0, 40), st.floats(0, 100)),
    st.lists(st.tuples(st.integers(0, 80), st.none() | st.floats(0, 100)), min_size=1),
)
def test_earlier_values_move_no_value_of_this_run(
    earlier: dict[int, float], samples: list[tuple[int, float | None]]
) -> None:
    alone, filled = History(span_s=40, step_s=2), History(span_s=40, step_s=2)
    for at, value in samples:
        alone.record("a", at, value)
        filled.record("a", at, value)
    filled.recall(lambda _: earlier)
    old, new = alone.series("a"), filled.series("a")
    assert len(new) <= 21
    newest = max(at for at, _ in samples) // 2
    for back, value in enumerate(reversed(new)):
        known = old[-1 - back] if back < len(old) else None
        # A series begins at an even step, so the one before ``old`` may be of this run.
        if value != known and back != len(old):
            assert (known, value) == (None, earlier.get(newest - back))
