"""Which cards may be read, so that a card that can sleep gets to sleep."""

from __future__ import annotations

import pytest

from tui.host.idle import HOLD_ANYWAY, IDLE_AFTER, SUSPEND_GRACE, IdlePolicy, RuntimePower
from tui.model import CardReading, DrmReading, GpuProcess, Metrics

CARD = "0000:03:00.0"
AWAKE = RuntimePower(CARD, may_sleep=True)
ASLEEP = RuntimePower(CARD, asleep=True, may_sleep=True)
IDLE_READING = DrmReading((CardReading(CARD, "amdgpu", Metrics(util_pct=0), processes=()),))


class Clock:
    """Monotonic seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def idled(
    clock: Clock, power: RuntimePower = AWAKE, reading: DrmReading = IDLE_READING
) -> IdlePolicy:
    """The policy has seen the card idle for long enough."""
    rest = IdlePolicy(clock)
    rest.observe(reading, [power])
    clock.now += IDLE_AFTER
    rest.observe(reading, [power])
    return rest


def test_a_sleeping_card_is_never_wanted(clock: Clock) -> None:
    assert IdlePolicy(clock).readable([ASLEEP]) == ()


def test_an_idle_card_is_released_until_something_wakes_it(clock: Clock) -> None:
    rest = idled(clock)
    assert rest.readable([AWAKE]) == ()
    clock.now += 1
    assert rest.readable([ASLEEP]) == ()
    clock.now += 1
    assert rest.readable([AWAKE]) == (CARD,)


def test_a_card_that_does_not_fall_asleep_is_wanted_again_for_long(clock: Clock) -> None:
    rest = idled(clock)
    clock.now += SUSPEND_GRACE - 1
    assert rest.readable([AWAKE]) == ()
    clock.now += 1
    assert rest.readable([AWAKE]) == (CARD,)
    rest.observe(IDLE_READING, [AWAKE])
    clock.now += HOLD_ANYWAY - 1
    rest.observe(IDLE_READING, [AWAKE])
    assert rest.readable([AWAKE]) == (CARD,)


@pytest.mark.parametrize(
    ("power", "card"),
    [
        (RuntimePower(CARD), IDLE_READING.cards[0]),
        (AWAKE, CardReading(CARD, "nvml", Metrics(util_pct=1), processes=())),
        (AWAKE, CardReading(CARD, "nvml", Metrics(util_pct=0, enc_pct=5), processes=())),
        (AWAKE, CardReading(CARD, "nvml", Metrics(), processes=())),
        (AWAKE, CardReading(CARD, "nvml", Metrics(util_pct=0), processes=None)),
        (AWAKE, CardReading(CARD, "nvml", Metrics(util_pct=0), lost="off the bus", processes=())),
        (
            AWAKE,
            CardReading(CARD, "nvml", Metrics(util_pct=0), processes=(GpuProcess(7, "x", "y"),)),
        ),
        (AWAKE, CardReading("0000:09:00.0", "nvml", Metrics(util_pct=0), processes=())),
    ],
)
def test_a_card_that_may_be_in_use_is_not_released(
    clock: Clock, power: RuntimePower, card: CardReading
) -> None:
    assert idled(clock, power, DrmReading((card,))).readable([power]) == (CARD,)
