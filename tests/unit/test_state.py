"""State that is saved between runs."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tui import state
from tui.config import MAX_BYTES, MAX_TEXT, Config
from tui.host.demo.host import demo_host
from tui.rules.roles import Choice

CARD = "0000:0a:00.0"
REAL = replace(demo_host("desk"), banner=None)


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "vfiotop"


def test_saved_state_is_loaded_again_field_by_field(place: Path) -> None:
    assert state.load() == state.State()
    state.save(theme="vfiotop-light")
    state.save(guest_gpu=CARD, guest="win11")
    assert state.load() == state.State("vfiotop-light", CARD, "win11")
    state.save(guest=None)
    assert state.load() == state.State("vfiotop-light", CARD)
    assert [path.name for path in place.iterdir()] == ["state.json"]


def test_a_layout_is_saved_for_its_size_class() -> None:
    state.save(theme="vfiotop-light")
    state.save_layout("phone", "gaming")
    state.save_layout("wide", "groups")
    state.save_layout("wide", "full")
    assert state.load() == state.State("vfiotop-light", layouts={"phone": "gaming", "wide": "full"})
    state.save(guest="win11")
    assert state.load().layouts == {"phone": "gaming", "wide": "full"}


def test_how_events_are_told_is_saved_and_what_is_unknown_ignored(place: Path) -> None:
    state.save(alerts=("desktop", "bell"))
    assert state.load() == state.State(alerts=("bell", "desktop"))
    for half in (["siren", "bell", 1, None], ["bell", "bell"]):
        (place / "state.json").write_text(json.dumps({"alerts": half}))
        assert state.load().alerts == ("bell",)
    for wrong in ("bell", {"bell": True}, 1, None):
        (place / "state.json").write_text(json.dumps({"alerts": wrong}))
        assert state.load().alerts == ()


def test_layouts_that_do_not_exist_are_ignored(place: Path) -> None:
    place.mkdir()
    wrong = {"phone": "full", "watch": "full", "wide": "huge", "desk": ["full"], "normal": None}
    (place / "state.json").write_text(json.dumps({"layouts": wrong}))
    assert state.load().layouts == {"phone": "full"}


def test_a_choice_that_cannot_be_saved_is_lost_silently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(state, "write_atomically", full)
    done = threading.Event()

    def change() -> None:
        try:
            state.save_layout("phone", "full")
        finally:
            done.set()

    state.in_background(change)
    assert done.wait(60)
    assert state.load() == state.State()


def test_the_configuration_wins_and_simulated_hosts_have_no_saved_choice() -> None:
    state.save(guest_gpu=CARD, guest="win11")
    assert state.choice(Config(), REAL) == Choice(CARD, "win11")
    fixed = Config(guest_gpu="0000:01:00.0")
    assert state.choice(fixed, REAL) == Choice("0000:01:00.0", "win11")
    assert state.choice(fixed, demo_host("desk")) == Choice("0000:01:00.0", None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=8)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["theme", "guest_gpu", "guest", "layouts", "phone"]), inner, max_size=4
        ), max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
))  # fmt: skip
def test_any_content_is_state_or_nothing(place: Path, written: bytes) -> None:
    place.mkdir(exist_ok=True)
    (place / "state.json").write_bytes(written)
    kept = state.load()
    assert kept.guest_gpu is None or len(kept.guest_gpu) == len(CARD)
    assert set(kept.layouts.values()) <= set(get_args(state.Layout))
    for text in (kept.theme, kept.guest):
        assert text is None or (0 < len(text) <= MAX_TEXT and "\x1b" not in text)
        assert text is None or text.encode()  # no surrogates


def test_a_name_is_saved_unchanged() -> None:
    """Without its zero-width space it would name another domain."""
    state.save(guest="gaming\u200b")
    assert state.load().guest == "gaming\u200b"


@pytest.mark.parametrize("written", [
    b"[" * 30_000, b'{"guest":' * 5_000, b'{"theme": ' + b"9" * 5_000 + b"}", b"\xff\xfe", b"",
    b'{"theme": "x", "guest": "a\\u001b[31m", "guest_gpu": "\\ud800"}',
    b'{"guest": "' + b"x" * 2_000 + b'"}', b" " * (MAX_BYTES + 1) + b"{}",
])  # fmt: skip
def test_invalid_values_are_ignored(place: Path, written: bytes) -> None:
    place.mkdir()
    (place / "state.json").write_bytes(written)
    assert (state.load().guest, state.load().guest_gpu) == (None, None)


def test_a_path_that_is_no_file_is_ignored_and_replaced(place: Path) -> None:
    place.mkdir()
    os.mkfifo(place / "state.json")
    assert state.load() == state.State()
    state.save(theme="vfiotop-light")
    assert state.load().theme == "vfiotop-light"
