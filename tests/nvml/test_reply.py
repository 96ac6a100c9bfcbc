"""NVML's answers are validated: whatever the process sends, the worst result is a reason."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host import HostError
from tui.host.nvml.reply import Malformed, NvmlFailed, parse_reply
from tui.model import Metrics

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)
KEYS = (
    "name", "failure", "util", "mem_used", "mem_total", "temp", "fan", "power", "power_limit",
    "gen", "width", "throttle", "graphics", "compute", "unnamed",
)  # fmt: skip
CARDS = st.dictionaries(st.sampled_from(KEYS), ANY).map(lambda d: {"address": "0000:01:00.0", **d})


def parsed(**card: object) -> Metrics:
    line = json.dumps({"driver": "580", "cards": [{"address": "0000:01:00.0", **card}]})
    return parse_reply(line.encode())[0].cards[0].metrics


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reading_or_a_reason(line: bytes) -> None:
    with pytest.raises(HostError):
        parse_reply(line)


@given(ANY)
def test_any_json_is_a_reading_or_a_reason(value: object) -> None:
    try:
        parse_reply(json.dumps(value).encode())
    except HostError as error:
        assert str(error).isprintable()


@given(st.lists(CARDS, max_size=3))
def test_any_card_has_sane_values_or_none(cards: list[dict[str, object]]) -> None:
    line = json.dumps({"driver": "580", "cards": cards}).encode()
    try:
        reading, _ = parse_reply(line)
    except Malformed:
        return
    for card in reading.cards:
        numbers = [getattr(card.metrics, n) for n in Metrics.names() if n != "throttle"]
        assert all(n is None or (math.isfinite(n) and n >= 0) for n in numbers)
        assert all(p.name.isprintable() for p in card.processes or ())


@pytest.mark.parametrize(
    ("loads", "wanted"),
    [
        ([[7, 40]], 40), ([[7, 101]], None), ([[7, -1]], None), ([[7, 4294967295]], None),
        ([[8, 40]], None), ([["7", 40]], None), ([[7]], None), ("x", None), (None, None),
    ],
)  # fmt: skip
def test_the_load_of_a_process_is_one_that_it_can_have(loads: object, wanted: int | None) -> None:
    found = {"address": "0000:01:00.0", "graphics": [[7, 1 << 30, "game"]], "loads": loads}
    line = json.dumps({"driver": "580", "cards": [found]}).encode()
    (process,) = parse_reply(line)[0].cards[0].processes or ()
    assert process.util_pct == wanted


@pytest.mark.parametrize("value", [-1, 101, 2**32 - 1, 2**63, 37.5, "37", True, None, [37]])
def test_a_load_that_cannot_be_is_none(value: object) -> None:
    assert parsed(util=value).util_pct is None


NVML_UNITS = {
    "util": 1, "mem_util": 1, "mem_used": 1 << 20, "mem_total": 1 << 20, "temp": 1,
    "temp_limit": 1, "fan": 1,
    "power": 1000, "power_limit": 1000, "clock": 1, "mem_clock": 1, "gen": 1, "gen_max": 1,
    "width": 1, "width_max": 1, "enc": 1, "dec": 1,
}  # fmt: skip
"""The keys of a card, and how many of their units make one of the unit in ``Metrics``."""


@pytest.mark.parametrize("mark", [2**32 - 1, 2**64 - 1])
@pytest.mark.parametrize("key", [*NVML_UNITS, "throttle"])
def test_the_mark_for_what_is_not_available_is_no_value(key: str, mark: int) -> None:
    assert parsed(**{key: mark}) == Metrics()


SAID = st.dictionaries(
    st.sampled_from([*NVML_UNITS, "throttle"]),
    st.integers(-1, 300) | st.integers() | st.sampled_from([2**n - 1 for n in range(8, 66)]) | ANY,
)


@given(SAID)
def test_each_number_is_what_the_process_sent_or_none(said: dict[str, object]) -> None:
    """Whatever else is in the answer, no value takes another one's place."""
    found = parsed(**said)
    told = {
        value / NVML_UNITS[key] for key, value in said.items()
        if key in NVML_UNITS and type(value) is int and abs(value) < 2**64
    }  # fmt: skip
    for name in Metrics.names():
        value = getattr(found, name)
        assert name == "throttle" or value is None or value in told
    for name in ("util_pct", "mem_util_pct", "enc_pct", "dec_pct"):
        assert 0 <= (getattr(found, name) or 0) <= 100
    assert found.temp_c is None or 0 < found.temp_c < 126
    assert (found.pcie_gen, found.pcie_width) != (0, 0)
    assert found.throttle is None or len(set(found.throttle)) == len(found.throttle)


PIDS = st.integers(-1, 5) | st.sampled_from([2**31 - 1, 2**31, 2**32 - 1, 2**63])
LISTED = st.lists(
    st.tuples(PIDS, st.none() | st.integers(-1, 2**64), st.none() | st.text(max_size=9)),
    max_size=6,
)


@given(LISTED, st.none() | LISTED)
def test_no_process_takes_a_card_away(
    graphics: list[tuple[int, int | None, str | None]],
    compute: list[tuple[int, int | None, str | None]] | None,
) -> None:
    cards = [
        {"address": "0000:01:00.0", "temp": 50, "graphics": graphics, "compute": compute},
        {"address": "0000:02:00.0", "temp": 60},
    ]
    one, two = parse_reply(json.dumps({"driver": "580", "cards": cards}).encode())[0].cards
    assert (one.metrics.temp_c, two.metrics.temp_c) == (50, 60)
    listed = [pid for pid, _, _ in (*graphics, *(compute or ()))]
    real = {pid for pid in listed if 0 < pid < 2**31}
    named = [process for process in one.processes or () if process.pid is not None]
    assert {process.pid for process in named} == real
    assert len(named) == len(real)
    assert all(0 <= (process.memory_mib or 0) <= 1 << 30 for process in named)
    left = len([pid for pid in listed if pid not in real])
    assert [p.name for p in one.processes or () if p.pid is None] == (
        [f"and {left} more" if real else f"{left} not named"] if left else []
    )


def test_used_memory_is_within_the_total() -> None:
    assert parsed(mem_used=3 << 30, mem_total=2 << 30).mem_used_mib is None
    assert parsed(mem_used=1 << 30, mem_total=2 << 30).mem_used_mib == 1024


def test_the_calls_that_it_took_are_no_part_of_the_reading() -> None:
    first, more = (
        parse_reply(b'{"driver": "580", "cards": [{"address": "0000:01:00.0"}], "asked": %d}' % n)
        for n in (34, 9)
    )
    assert (first[1], more[1]) == (34, 9)
    assert first[0] == more[0]


def test_deep_nesting_is_no_answer() -> None:
    with pytest.raises(Malformed):
        parse_reply(b"[" * 200_000)


def test_an_error_of_nvml_has_its_fix() -> None:
    with pytest.raises(NvmlFailed, match="install the package") as caught:
        parse_reply(b'{"error": [12, "NVML Shared Library Not Found"]}')
    assert caught.value.code == 12
    with pytest.raises(NvmlFailed, match=r"Odd \(error 77\)"):
        parse_reply(b'{"error": [77, "Odd\\u001b"]}')
