"""What is kept between two starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui import state
from tui.config import Config
from tui.host.demo import demo_host
from tui.rules.roles import Choice

CARD = "0000:0a:00.0"
REAL = replace(demo_host("desk"), banner=None)


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "vfiotop"


def test_what_is_kept_is_read_again_and_each_alone(place: Path) -> None:
    assert state.load() == state.State()
    state.save(theme="vfiotop-light")
    state.save(guest_gpu=CARD, guest="win11")
    assert state.load() == state.State("vfiotop-light", CARD, "win11")
    state.save(guest=None)
    assert state.load() == state.State("vfiotop-light", CARD)
    assert [path.name for path in place.iterdir()] == ["state.json"]


def test_the_configuration_comes_first_and_simulated_hosts_are_others() -> None:
    state.save(guest_gpu=CARD, guest="win11")
    assert state.choice(Config(), REAL) == Choice(CARD, "win11")
    fixed = Config(guest_gpu="0000:01:00.0")
    assert state.choice(fixed, REAL) == Choice("0000:01:00.0", "win11")
    assert state.choice(fixed, demo_host("desk")) == Choice("0000:01:00.0", None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), st.dictionaries(
    st.sampled_from(["theme", "guest_gpu", "guest", "other"]),
    st.one_of(st.none(), st.integers(), st.text(max_size=8)), max_size=4,
).map(lambda d: __import__("json").dumps(d).encode())))  # fmt: skip
def test_whatever_lies_there_is_kept_state_or_nothing(place: Path, written: bytes) -> None:
    place.mkdir(exist_ok=True)
    (place / "state.json").write_bytes(written)
    kept = state.load()
    assert kept.guest_gpu is None or len(kept.guest_gpu) == len(CARD)
    assert all(text is None or text.isprintable() for text in (kept.theme, kept.guest))
