"""What a run keeps of past readings: series of every card, and each card's last reading."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.unit.made import NOON, card, inventory
from tui.live import Live
from tui.model import CARD_SERIES, CardReading, Metrics, NvmlReading, Sample
from tui.rules.roles import Choice

CARD = "0000:01:00.0"
BUSY = Metrics(
    util_pct=84, mem_used_mib=6963, power_w=381, temp_c=64, clock_mhz=2655, fan_pct=60
)  # fmt: skip


def live() -> Live:
    made = Live(Choice())
    made.take(Sample("pci", inventory(*card("01:00", 1, boot_vga=True)), NOON))
    return made


def read(made: Live, at: datetime, metrics: Metrics = BUSY, lost: str | None = None) -> None:
    made.take(Sample("nvml", NvmlReading("580", (CardReading(CARD, "nvml", metrics, lost=lost),)),
                     at))  # fmt: skip


def test_every_series_of_a_card_is_recorded() -> None:
    made = live()
    read(made, NOON)
    assert made.card_series(CARD) == {
        "load": (84.0,), "vram": (6963.0,), "power": (381.0,), "temp": (64.0,), "clock": (2655.0,)
    }  # fmt: skip


def test_series_have_fields_of_their_own() -> None:
    assert len(set(CARD_SERIES.values())) == len(CARD_SERIES)
    assert set(CARD_SERIES.values()) <= set(Metrics.names())


def test_a_value_that_is_missing_is_a_gap_in_its_series_alone() -> None:
    made = live()
    read(made, NOON, Metrics(util_pct=5))
    assert made.card_series(CARD)["load"] == (5.0,)
    assert made.card_series(CARD)["temp"] == (None,)


def test_a_lost_card_leaves_gaps() -> None:
    made = live()
    read(made, NOON)
    read(made, NOON + timedelta(seconds=2), lost="fallen off the bus")
    assert made.card_series(CARD)["load"] == (84.0, None)


def test_the_last_reading_stays_when_a_card_cannot_be_read() -> None:
    made = live()
    assert made.last_readings == {}
    read(made, NOON)
    read(made, NOON + timedelta(seconds=1))
    read(made, NOON + timedelta(seconds=2), lost="fallen off the bus")
    last = made.last_readings[CARD]
    assert last.reading.metrics == BUSY
    assert last.at == NOON + timedelta(seconds=1)
