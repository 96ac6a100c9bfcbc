"""Figures: what a person reads for a number, and for a missing one."""

from datetime import UTC, datetime, timedelta

import pytest

from tui.model import Link
from widgets import figures
from widgets.lines import DASH


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, DASH), (0, "0 B/s"), (999, "999 B/s"), (1500, "1.5 kB/s"), (12_345_678, "12 MB/s"),
     (999_600, "1.0 MB/s"), (3.2e9, "3.2 GB/s"), (12e9, "12 GB/s")],
)  # fmt: skip
def test_rate(value: float | None, text: str) -> None:
    assert figures.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, DASH), (0, "0 B"), (256 << 20, "256 MiB"), (32 << 30, "32 GiB")]
)
def test_size(value: int | None, text: str) -> None:
    assert figures.size(value) == text


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        (12e6, 1.8e6, ("12", "1.8", "MB")), (40e3, 27e3, ("40", "27", "kB")),
        (None, None, (DASH, DASH, "B")), (None, 3.2e9, (DASH, "3.2", "GB")),
        (0, 999.6e3, ("0", "1.0", "MB")), (999e9, 1, ("999", "0.0", "GB")),
    ],
)  # fmt: skip
def test_two_rates_share_the_larger_unit(
    first: float | None, second: float | None, shown: tuple[str, str, str]
) -> None:
    assert figures.rates(first, second) == shown


def test_what_was_not_measured_is_never_a_zero() -> None:
    assert figures.percent(None).strip() == DASH
    assert figures.number(None, "%").text == DASH
    assert figures.temperature(None).text == DASH
    assert figures.memory(None, 12288) == f"{DASH}/12.0 GiB"
    assert figures.pcie(None, None) == DASH
    assert figures.link(None) == DASH


def test_temperatures_are_marked_where_a_card_slows_down() -> None:
    assert [figures.temperature(t).tone for t in (60, 80, 90)] == ["text", "warn", "bad"]


def test_link_generation() -> None:
    assert figures.link(Link(16.0, 16)) == "4.0 x16"
    assert figures.link(Link(7.0, 4)) == f"{DASH} x4"


def test_uptime_changes_once_a_minute() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert figures.uptime(start, start + timedelta(seconds=59)) == "0 min"
    assert figures.uptime(start, start + timedelta(hours=2, minutes=5)) == "2 h 05 min"
    assert figures.uptime(start, start + timedelta(days=3, hours=1)) == "3 d 1 h"
    assert figures.uptime(start, start - timedelta(hours=1)) == "0 min"


@pytest.mark.parametrize(
    ("name", "short"),
    [("AD102 [GeForce RTX 4090]", "GeForce RTX 4090"), ("Phoenix3", "Phoenix3"),
     ("odd []", "odd []"), ("open [x", "open [x")],
)  # fmt: skip
def test_model_name(name: str, short: str) -> None:
    assert figures.model_name(name) == short
