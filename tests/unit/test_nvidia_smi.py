"""What nvidia-smi says in a guest: whoever answers in its place, only what a card can have is
taken."""

from __future__ import annotations

import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.nvidia_smi import FIELDS, Nonsense, arguments, parse, without_unknown
from tui.model import Metrics

VALUES = {
    "pci.device_id": "0x268410DE", "pci.sub_device_id": "0x16F310DE", "driver_version": "572.83",
    "utilization.gpu": "97", "utilization.memory": "41", "memory.used": "9120",
    "memory.total": "24564", "temperature.gpu": "67", "fan.speed": "48", "power.draw": "386.41",
    "power.limit": "450.00", "clocks.gr": "2730", "clocks.mem": "10501",
    "pcie.link.gen.current": "4", "pcie.link.gen.max": "4", "pcie.link.width.current": "16",
    "pcie.link.width.max": "16", "utilization.encoder": "12", "utilization.decoder": "0",
    "clocks_event_reasons.active": "0x0000000000000004", "name": "NVIDIA GeForce RTX 4090",
}  # fmt: skip


def output(**changed: str) -> str:
    """A line of nvidia-smi's; dots of a field's name are underscores here."""
    keys = {field.replace(".", "_"): field for field in FIELDS}
    values = VALUES | {keys[key]: value for key, value in changed.items()}
    return ", ".join(values[field] for field in FIELDS) + "\n"


def metrics(**changed: str) -> Metrics:
    return parse(output(**changed), FIELDS)[1][0].metrics


def test_a_whole_line() -> None:
    version, cards = parse(output(), FIELDS)
    assert version == "572.83"
    (card,) = cards
    assert (card.vendor, card.device, card.subsystem) == ("10de", "2684", "10de:16f3")
    assert card.name == "NVIDIA GeForce RTX 4090"
    assert card.metrics == Metrics(
        util_pct=97, mem_util_pct=41, mem_used_mib=9120, mem_total_mib=24564, temp_c=67,
        fan_pct=48, power_w=386.41, power_limit_w=450, clock_mhz=2730, mem_clock_mhz=10501,
        pcie_gen=4, pcie_gen_max=4, pcie_width=16, pcie_width_max=16, enc_pct=12, dec_pct=0,
        throttle=("power cap",),
    )  # fmt: skip


def test_it_is_asked_for_all_of_it_at_once_and_ends_by_itself() -> None:
    query, form = arguments(FIELDS)
    assert query == f"--query-gpu={','.join(FIELDS)}"
    assert form == "--format=csv,noheader,nounits"
    assert FIELDS[-1] == "name"


@pytest.mark.parametrize(
    "said",
    ["[N/A]", "N/A", "[Not Supported]", "[Unknown Error]", "", "nan", "NaN", "inf", "-1", "101",
     "1e1", "0x10", "9223372036854775808", "37 %", "٣٧", "3 7", "\x1b[31m37"],
)  # fmt: skip
def test_what_is_no_load_is_not_known(said: str) -> None:
    assert metrics(utilization_gpu=said).util_pct is None


def test_a_decimal_comma_is_a_decimal_comma() -> None:
    found = metrics(power_draw="386,41", power_limit="450,00")
    assert (found.power_w, found.power_limit_w) == (386.41, 450)


def test_a_number_with_thousands_set_off_is_not_guessed_at() -> None:
    assert metrics(memory_used="9,120").mem_used_mib is None


def test_more_memory_in_use_than_there_is_is_not_known() -> None:
    found = metrics(memory_used="30000")
    assert (found.mem_used_mib, found.mem_total_mib) == (None, 24564)


def test_a_name_may_have_commas_and_nothing_that_acts_on_a_terminal() -> None:
    _, (card,) = parse(output(name="Model, [bold]X\x1b[2J\u202e, 2"), FIELDS)
    assert card.name == "Model, [bold]X[2J, 2"


def test_a_version_that_is_none_is_not_known() -> None:
    assert parse(output(driver_version="latest"), FIELDS)[0] is None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "says nothing"), ("\n \n", "says nothing"), ("No devices were found", "1 values"),
        ("1, 2, 3", "3 values"), (output(pci_device_id="GPU"), "no PCI id"),
        (output() * 17, "more than 16 cards"),
    ],
)  # fmt: skip
def test_nonsense(said: str, why: str) -> None:
    with pytest.raises(Nonsense, match=why):
        parse(said, FIELDS)


def test_two_cards() -> None:
    version, cards = parse(output() + output(pci_device_id="0x220410DE"), FIELDS)
    assert (version, [card.device for card in cards]) == ("572.83", ["2684", "2204"])


def unknown(field: str) -> str:
    return f'Field "{field}" is not a valid field to query.\n\n'


def test_an_older_one_does_not_know_all_fields() -> None:
    fewer = without_unknown(FIELDS, unknown("utilization.encoder"))
    assert fewer is not None
    assert set(FIELDS) - set(fewer) == {"utilization.encoder"}
    line = ", ".join(VALUES[field] for field in fewer)
    assert parse(line, fewer)[1][0].metrics.enc_pct is None


def test_the_reasons_have_another_name_with_older_drivers() -> None:
    older = without_unknown(FIELDS, unknown("clocks_event_reasons.active"))
    assert older is not None
    assert "clocks_throttle_reasons.active" in older
    line = ", ".join((VALUES | {"clocks_throttle_reasons.active": "0x20"})[f] for f in older)
    assert parse(line, older)[1][0].metrics.throttle == ("thermal",)
    oldest = without_unknown(older, unknown("clocks_throttle_reasons.active"))
    assert oldest is not None
    assert not any("reasons" in field for field in oldest)


@pytest.mark.parametrize("said", ["", "no", unknown("bogus"), unknown("pci.device_id")])
def test_what_is_no_complaint_of_a_field_takes_none_away(said: str) -> None:
    assert without_unknown(FIELDS, said) is None


def test_fields_do_not_run_out_in_a_loop() -> None:
    fields, turns = FIELDS, 0
    while (found := without_unknown(fields, unknown(fields[3]))) is not None:
        fields, turns = found, turns + 1
    assert turns < 30


@given(st.text(max_size=300))
def test_any_text_is_a_reading_or_nonsense(said: str) -> None:
    try:
        _, cards = parse(said, FIELDS)
    except Nonsense:
        return
    assert all(card.vendor for card in cards)


@given(st.sampled_from(FIELDS[3:-1]), st.text(max_size=30))
def test_no_value_of_a_field_makes_a_number_that_no_card_has(field: str, said: str) -> None:
    line = ", ".join((VALUES | {field: said})[f] for f in FIELDS)
    try:
        _, cards = parse(line, FIELDS)
    except Nonsense:
        return
    for value in (v for card in cards for v in astuple(card.metrics)):
        if isinstance(value, (int, float)):
            assert math.isfinite(value)
            assert 0 <= value <= 1 << 30
