"""The figures of a card: what each bar is drawn against, and what is dropped first."""

from __future__ import annotations

import pytest

from tests.unit.widgets.cards import GUEST, HOST, IRIS, on_host, text, tones
from tests.values import replace
from tui.model import CardReading, CardSeries, Link, Metrics, MetricsSource
from widgets.card import Card
from widgets.card_bars import bar_names, bar_row, bars, info_line, pairs


def told(card: Card, source: MetricsSource = "nvml", **metrics: object) -> Card:
    """The card with nothing but these metrics, and no past."""
    reading = CardReading(card.gpu.address, source, Metrics(**metrics))  # type: ignore[arg-type]
    return replace(card, gpu=replace(card.gpu, reading=reading), series={})


def row(card: Card, name: CardSeries, width: int = 56) -> str:
    return text(bar_row(name, card, width))


def test_a_figure_without_a_limit_has_no_bar() -> None:
    card = told(HOST, power_w=56, mem_used_mib=1843)
    assert row(card, "power").rstrip() == "Power     56 W"
    assert row(card, "vram").rstrip() == "VRAM   1.8 GiB"


def test_a_temperature_without_a_limit_is_drawn_against_100() -> None:
    assert row(told(HOST, temp_c=50), "temp") == (
        "Temp     50 °C ■■■■■■■■■■■■■■■■················         "
    )


def test_what_holds_the_card_back_is_marked_at_its_limit() -> None:
    card = told(GUEST, power_w=449, power_limit_w=450, throttle=("power cap",))
    drawn = bar_row("power", card, 56)
    assert text(drawn).endswith(" 450 W ! ")
    assert tones(drawn, "!") == ["warn"]
    assert "!" not in text(bar_row("temp", card, 56))
    hot = told(GUEST, temp_c=83, temp_limit_c=83, throttle=("hw thermal",))
    assert text(bar_row("temp", hot, 56)).endswith(" 83 °C ! ")


def test_much_memory_fits_the_column() -> None:
    card = told(HOST, mem_used_mib=131072, mem_total_mib=196608)
    assert row(card, "vram", 36).startswith("VRAM  128 GiB ■")


def test_load_is_cold_and_the_others_are_warm() -> None:
    for name, ramp in (("load", "load-"), ("vram", "heat-"), ("power", "heat-"), ("temp", "heat-")):
        drawn = bar_row(name, GUEST, 56)  # type: ignore[arg-type]
        assert {tone[:5] for tone in tones(drawn, "■■■■")} == {ramp}


@pytest.mark.parametrize("source", ["nvml", "guest-agent", "amdgpu"])
def test_a_source_that_gives_everything_keeps_its_rows(source: MetricsSource) -> None:
    assert bar_names(told(HOST, source)) == ("load", "vram", "power", "temp")


def test_a_source_that_gives_little_has_rows_for_what_was_measured() -> None:
    assert bar_names(told(IRIS, "i915", util_pct=3)) == ("load", "power")
    assert bar_names(told(IRIS, "xe", temp_c=40)) == ("load", "power", "temp")
    once = replace(told(IRIS, "xe"), series={"temp": (None, 40.0, None)})
    assert bar_names(once) == ("load", "power", "temp")


def test_a_card_that_is_not_read_keeps_the_rows_of_its_driver() -> None:
    assert bar_names(on_host(GUEST)) == ("load", "vram", "power", "temp")
    asleep = replace(IRIS, gpu=replace(IRIS.gpu, reading=None), series={})
    assert bar_names(asleep) == ("load", "power")


def test_two_columns_go_down_first() -> None:
    drawn = [text(each) for each in bars(GUEST, 96)]
    assert [(each[:5], each[49:54]) for each in drawn] == [("Load ", "Power"), ("VRAM ", "Temp ")]
    assert [len(each) for each in drawn] == [96, 96]


def test_an_odd_value_in_pairs_stands_alone() -> None:
    card = replace(IRIS, series={"temp": (40.0,)})
    assert [text(each)[:5] for each in pairs(card, 38)] == ["Load ", "Temp "]


# --- the further figures ----------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (96, "Fan 36 %   Memory 7501 MHz   Enc 22 %   Dec 0 %   PCIe 4.0 x4 of x16   "
             "Held back by nothing"),
        (56, "Fan 36 %  Memory 7501 MHz  Enc 22 %  PCIe 4.0 x4 of x16"),
        (54, "Fan 36 %  Enc 22 %  PCIe 4.0 x4 of x16"),
        (36, "Fan 36 %  Enc 22 %  PCIe 4.0 x4/16"),
        (30, "Fan 36 %  Enc 22 %"),
        (10, "Fan 36 %"),
        (5, ""),
    ],
)  # fmt: skip
def test_fields_are_dropped_whole(width: int, expected: str) -> None:
    assert text(info_line(HOST, width)) == expected


def test_a_field_without_a_value_is_left_out() -> None:
    card = told(replace(HOST, gpu=replace(HOST.gpu, vitals=None)), fan_pct=0, enc_pct=5)
    assert text(info_line(card, 56)) == "Fan 0 %   Enc 5 %"
    assert info_line(IRIS, 56) == ()


def test_a_stream_has_its_frames_and_goes_before_the_load_of_the_encoder() -> None:
    card = told(replace(HOST, gpu=replace(HOST.gpu, vitals=None)), enc_pct=22, enc_fps=60.0,
                enc_sessions=1)  # fmt: skip
    assert text(info_line(card, 56)) == "Enc 22 %   Stream 60 fps"
    assert text(info_line(card, 12)) == "Enc 22 %"
    idle = told(card, enc_pct=0, enc_fps=0.0, enc_sessions=0)
    assert text(info_line(idle, 56)) == "Enc 0 %"


def test_a_link_that_the_source_does_not_give_is_that_of_sysfs() -> None:
    assert HOST.gpu.vitals is not None
    slow = replace(HOST.gpu.vitals, link=Link(8.0, 8))
    card = told(replace(HOST, gpu=replace(HOST.gpu, vitals=slow)), "amdgpu", fan_pct=0)
    assert text(info_line(card, 56)) == "Fan 0 %   PCIe 3.0 x8 of x16"


def test_other_reasons_to_be_held_back_are_named() -> None:
    card = told(GUEST, fan_pct=60, mem_clock_mhz=405, enc_pct=0, throttle=("hw slowdown",))
    assert text(info_line(card, 56)) == "Fan 60 %  Enc 0 %  Held back by hw slowdown"
    assert tones(info_line(card, 56), "hw slowdown") == ["warn"]
