"""Output of nvidia-smi in a guest: only values that a card can have are accepted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from tui.host.agent.nvidia_smi import (
    CUT_SHORT,
    FIELDS,
    MalformedOutput,
    arguments,
    has_rows,
    parse,
    remarks,
    without_unknown,
)
from tui.host.agent.nvidia_smi_errors import REMARK_LIMIT, REMARKS_LIMIT, explain, why_ended
from tui.model import Metrics

VALUES = {
    "pci.device_id": "0x268410DE", "pci.sub_device_id": "0x16F310DE", "driver_version": "572.83",
    "utilization.gpu": "97", "utilization.memory": "41", "memory.used": "9120",
    "memory.total": "24564", "temperature.gpu": "67", "fan.speed": "48", "power.draw": "386.41",
    "power.limit": "450.00", "clocks.gr": "2730", "clocks.mem": "10501",
    "pcie.link.gen.current": "4", "pcie.link.gen.max": "4", "pcie.link.width.current": "16",
    "pcie.link.width.max": "16", "utilization.encoder": "12", "utilization.decoder": "0",
    "encoder.stats.sessionCount": "1", "encoder.stats.averageFps": "60",
    "encoder.stats.averageLatency": "4180",
    "clocks_event_reasons.active": "0x0000000000000004", "name": "NVIDIA GeForce RTX 4090",
}  # fmt: skip


def output(**changed: str) -> str:
    """Return a row of nvidia-smi; underscores stand for the dots in a field's name."""
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
        enc_sessions=1, enc_fps=60, enc_latency_us=4180, throttle=("power cap",),
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
        ("", "no output"), ("\n \n", "no output"), ("No devices were found", "1 values"),
        ("1, 2, 3", "3 values"), (output(pci_device_id="GPU"), "no PCI id"),
        (output() * 17, "more than 16 cards"),
    ],
)  # fmt: skip
def test_nonsense(said: str, why: str) -> None:
    with pytest.raises(MalformedOutput, match=why):
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


def test_an_older_one_does_not_know_of_streams() -> None:
    field = "encoder.stats.sessionCount"
    fewer = without_unknown(FIELDS, unknown(field))
    assert fewer is not None
    assert field not in fewer


@pytest.mark.parametrize("said", ["[N/A]", "-1", "65", "1.5", "1e1"])
def test_what_is_no_number_of_streams_is_not_known(said: str) -> None:
    assert metrics(encoder_stats_sessionCount=said).enc_sessions is None


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


UNREACHED = "Unable to determine the device handle for GPU0000:01:00.0"
"""What nvidia-smi writes for a card that fell off the bus, with or without rows of others."""

# --- remarks ----------------------------------------------------------------------

INFOROM = "WARNING: infoROM is corrupted at gpu 0000:01:00.0"


@pytest.mark.parametrize(
    "said",
    [
        f"{output()}{INFOROM}\n", f"{INFOROM}\n{output()}", f"\n{INFOROM}\n\n{output()}",
        f"{output()}{INFOROM}", f"{output()}\r\n{INFOROM}\r\n",
    ],
)  # fmt: skip
def test_a_remark_beside_a_row_is_reported_and_the_row_counts(said: str) -> None:
    version, (card,) = parse(said, FIELDS)
    assert (version, card.metrics.util_pct) == ("572.83", 97)
    (told,) = remarks(said, FIELDS)
    assert told.startswith(INFOROM)
    assert "the card's infoROM is corrupted" in told


def test_a_remark_between_two_rows() -> None:
    said = f"{output()}{INFOROM}\n{output(pci_device_id='0x220410DE')}"
    assert [card.device for card in parse(said, FIELDS)[1]] == ["2684", "2204"]
    assert len(remarks(said, FIELDS)) == 1


def test_no_remark_is_none() -> None:
    assert remarks(output() * 2, FIELDS) == ()


def card_remarks(said: str) -> list[tuple[str, ...]]:
    return [card.remarks for card in parse(said, FIELDS)[1]]


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("[GPU requires reset]", "needs a reset"), ("[GPU requires restart]", "needs a reset"),
        ("[GPU is lost]", "fallen off the bus"), ("[Insufficient Permissions]", "as root"),
        ("[Unknown Error]", "does not say why"), ("ERR!", "does not say why"),
        ("[Insufficient External Power]", "power cables"), ("[Corrupted infoROM]", "infoROM"),
        ("[Interrupt Request Issue]", "interrupts"), ("[Timeout]", "[Timeout]"),
        ("[RM has detected an NVML/RM version mismatch.]", "reboot the guest"),
        ("[The operating system has blocked the request.]", "blocked the request"),
    ],
)  # fmt: skip
def test_an_error_in_the_place_of_a_value_is_named_with_its_card(word: str, words: str) -> None:
    said = output(utilization_gpu=word, power_draw=word)
    metrics = parse(said, FIELDS)[1][0].metrics
    assert (metrics.util_pct, metrics.power_w, metrics.temp_c) == (None, None, 67)
    ((told,),) = card_remarks(said)
    assert told.startswith(f"{word} for utilization.gpu, power.draw")
    assert words in told
    assert remarks(said, FIELDS) == ()


@pytest.mark.parametrize(
    "word",
    ["[N/A]", "N/A", "[Not Supported]", "[Not Available]", "[Function Not Found]", "[Not Found]",
     "[No Data]", "[Requested functionality has been deprecated]", "[n/a]", "Unknown", "37 %", ""],
)  # fmt: skip
def test_a_value_that_is_not_there_is_no_remark(word: str) -> None:
    said = output(utilization_gpu=word)
    assert parse(said, FIELDS)[1][0].metrics.util_pct is None
    assert remarks(said, FIELDS) == ()
    assert card_remarks(said) == [()]


def test_an_error_of_one_card_is_not_reported_for_another() -> None:
    said = output() + output(pci_device_id="0x220410DE", temperature_gpu="[GPU requires reset]")
    fine, broken = card_remarks(said)
    assert (fine, len(broken)) == ((), 1)


def test_a_card_that_tells_errors_only_is_still_there() -> None:
    """Everything is an error except its ids and its name, which the driver knows without the
    card."""
    errors = {field.replace(".", "_"): "[GPU is lost]" for field in FIELDS[3:-1]}
    ((told,),) = card_remarks(output(**errors))
    assert told.startswith(f"[GPU is lost] for {len(errors)} of {len(FIELDS)} values (the card has")
    assert parse(output(**errors), FIELDS)[1][0].metrics == Metrics()


def test_more_errors_than_are_named() -> None:
    fields = ("temperature_gpu", "fan_speed", "power_draw", "power_limit", "clocks_gr")
    ((told,),) = card_remarks(output(**dict.fromkeys(fields, "[Timeout]")))
    assert told == "[Timeout] for temperature.gpu, fan.speed, power.draw, 2 more"


@pytest.mark.parametrize("word", ["[N/A]", "[Unknown Error]", "[GPU is lost]"])
def test_an_error_is_no_name(word: str) -> None:
    assert parse(output(name=word), FIELDS)[1][0].name is None


@pytest.mark.parametrize("word", ["[GPU is lost]", "[Unknown Error]", "[N/A]"])
@pytest.mark.parametrize("field", ["pci_sub_device_id", "driver_version"])
def test_a_card_whose_other_ids_are_missing_is_there(word: str, field: str) -> None:
    (card,) = parse(output(**{field: word}), FIELDS)[1]
    assert (card.device, card.metrics.util_pct) == ("2684", 97)


def test_a_card_that_does_not_tell_its_id_is_a_remark_beside_the_others() -> None:
    said = output() + output(pci_device_id="[Unknown Error]")
    assert [card.device for card in parse(said, FIELDS)[1]] == ["2684"]
    (told,) = remarks(said, FIELDS)
    assert told.startswith("[Unknown Error] for pci.device_id (")


def test_a_card_that_is_lost_takes_no_other_with_it() -> None:
    lost = ", ".join(["[GPU is lost]"] * len(FIELDS))
    said = f"{output()}{lost}\n"
    version, (card,) = parse(said, FIELDS)
    assert (version, card.device) == ("572.83", "2684")
    (told,) = remarks(said, FIELDS)
    assert "fallen off the bus" in told


def test_a_driver_that_one_row_does_not_tell_is_that_of_the_other() -> None:
    assert parse(output() + output(driver_version="[N/A]"), FIELDS)[0] == "572.83"
    assert parse(output() + output(driver_version="570.10"), FIELDS)[0] is None


def test_remarks_are_bounded_and_safe_to_draw() -> None:
    noise = "".join(f"\x1b[31m{n}{'x' * 500}\u202e\n" for n in range(50))
    told = remarks(noise + output(), FIELDS)
    assert len(told) == REMARKS_LIMIT
    assert all(len(each) <= REMARK_LIMIT and each.isprintable() for each in told)


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (2, "", "update the NVIDIA driver"), (3, "", "does not support"), (4, "", "as root"),
        (6, "", "finds no card"), (8, "", "power cables"), (9, "", "cannot reach"),
        (10, "", "interrupts"), (12, "", "NVML library is missing"), (13, "", "older"),
        (14, INFOROM, "infoROM is corrupted"), (15, "", "fallen off the bus"),
        (16, "", "needs a reset"), (18, "", "reboot the guest"),
        (255, "", "failed with exit status 255"),
        (255, "Failed to initialize NVML: Driver/library version mismatch", "reboot the guest"),
        (0, "No devices were found", "finds no card"),
        (6, f"{UNREACHED}: Unknown Error\nNo devices were found", "cannot reach the card"),
        (6, f"{UNREACHED}: GPU is lost.  Reboot the system", "fallen off the bus"),
        (255, f"{UNREACHED}: Unknown Error", "cannot reach the card"),
        (255, "Failed to initialize NVML: Unknown Error", "Failed to initialize NVML"),
        (1, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make "
            "sure that the latest NVIDIA driver is installed and running.", "cannot reach"),
        (0xC0000005, "", "failed with exit status 3221225477"), (None, "", "was killed"),
    ],
)  # fmt: skip
def test_each_status_has_a_sentence_of_its_own(status: int | None, said: str, words: str) -> None:
    sentence, _ = why_ended(status, said)
    assert words in sentence


def test_no_two_statuses_are_described_alike() -> None:
    told = [why_ended(status, "")[0] for status in (2, 3, 4, 6, 8, 9, 10, 12, 13, 14, 15, 255)]
    assert len(set(told)) == len(told)


ERRORS = st.sampled_from(
    ["[N/A]", "[Unknown Error]", "[GPU is lost]", "ERR!", "[x]", "[]", "[[", "", "7"]
) | st.text(max_size=30).map(lambda text: f"[{text}]")


@given(st.dictionaries(st.sampled_from(FIELDS[1:-1]), ERRORS))
def test_no_error_takes_a_card_or_what_else_it_tells(errors: dict[str, str]) -> None:
    said = output(**{field.replace(".", "_"): word for field, word in errors.items()})
    if len(said.splitlines()) > 1 or any(", " in word for word in errors.values()):
        return
    _, (card,) = parse(said, FIELDS)
    assert card.device == "2684"
    assert "utilization.gpu" in errors or card.metrics.util_pct == 97
    assert "temperature.gpu" in errors or card.metrics.temp_c == 67
    assert len(card.remarks) <= REMARKS_LIMIT
    assert all(told.isprintable() for told in card.remarks)


ROWS = st.lists(st.sampled_from(["0x268410DE", "0x220410DE"]), min_size=1, max_size=3)
NOISE = st.text(max_size=80).filter(lambda text: not has_rows(text))


@given(ROWS, NOISE, NOISE)
def test_any_noise_beside_the_rows_leaves_them_as_they_are(
    devices: list[str], before: str, after: str
) -> None:
    rows = "".join(output(pci_device_id=device) for device in devices)
    assert parse(f"{before}\n{rows}{after}", FIELDS) == parse(rows, FIELDS)
    for told in remarks(f"{before}\n{rows}{after}", FIELDS):
        assert told.isprintable()
        assert len(told) <= REMARK_LIMIT or explain(told) is not None


@given(st.text(max_size=300))
def test_any_text_is_a_reading_or_nonsense(said: str) -> None:
    try:
        _, cards = parse(said, FIELDS)
    except MalformedOutput:
        return
    assert all(card.vendor for card in cards)


@given(st.sampled_from(FIELDS[3:-1]), st.text(max_size=30))
def test_no_value_of_a_field_makes_a_number_that_no_card_has(field: str, said: str) -> None:
    line = ", ".join((VALUES | {field: said})[f] for f in FIELDS)
    try:
        _, cards = parse(line, FIELDS)
    except MalformedOutput:
        return
    for value in (v for card in cards for v in astuple(card.metrics)):
        if isinstance(value, (int, float)):
            assert math.isfinite(value)
            assert 0 <= value <= 1 << 30


def test_a_row_that_is_cut_short_takes_no_other_with_it() -> None:
    whole = output()
    cut = f"{whole.rstrip()}\n0x220610DE, 0x38811462, 535.54.03, 12"
    assert parse(cut, FIELDS) == parse(whole, FIELDS)
    assert remarks(cut, FIELDS) == (CUT_SHORT,)
    with pytest.raises(MalformedOutput, match="4 values instead of"):
        parse("0x220610DE, 0x38811462, 535.54.03, 12", FIELDS)


def test_a_name_that_is_empty_is_one() -> None:
    row = output().rstrip().rpartition(", ")[0]
    for end in (",", ", "):
        _, (card,) = parse(f"{row}{end}", FIELDS)
        assert not card.name
