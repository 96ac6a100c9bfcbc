"""Names are shown so that no two look alike, and so that everybody can tell what each one is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.untrusted import NAME_LIMIT, alike, shown_name, visible

UUID = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"


@pytest.mark.parametrize(
    "name",
    ["win11", "My VM", "a-b_c.d+e", "[bold]x", "für Ümit", "čeština", "Việt", "ゲーム", "游戏 pc",
     "게임", "винда10", "שולחן", "win🎮"],
)  # fmt: skip
def test_what_looks_like_it_is_is_shown_as_it_is(name: str) -> None:
    assert visible(name) == name
    assert shown_name(name, UUID) == (name, None)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("gaming\u200b", r"gaming\u200b"),
        ("gaming ", r"gaming\x20"),
        (" gaming", r"\x20gaming"),
        ("my  vm", r"my \x20vm"),
        ("my\u00a0vm", r"my\xa0vm"),
        ("gam\u00ading", r"gam\xading"),
        ("\u202egnimag", r"\u202egnimag"),
        ("g\u0430ming", r"g\u0430ming"),
        ("g\u0251ming", r"g\u0251ming"),
        ("gamin\uff47", r"gamin\uff47"),
        ("re\u0301sume\u0301", r"re\u0301sume\u0301"),
        ("gaming\u034f", r"gaming\u034f"),
        ("gaming\ufe0f", r"gaming\ufe0f"),
        ("gaming\U000e0041", r"gaming\U000e0041"),
        ("gaming\u3164", r"gaming\u3164"),
        ("gaming\u115f", r"gaming\u115f"),
        ("gaming\u2800", r"gaming\u2800"),
        ("win\u201311", r"win\u201311"),
        ("a\tb\n", r"a\tb\n"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        (r"gaming\u200b", r"gaming\\u200b"),
        ("gaming…", r"gaming\u2026"),
        ("\u200b", r"\u200b"),
        (" ", r"\x20"),
    ],
)
def test_what_does_not_says_so(raw: str, shown: str) -> None:
    assert visible(raw) == shown
    assert shown_name(raw, UUID) == (shown, raw)


@given(st.text(max_size=NAME_LIMIT))
def test_what_is_shown_tells_what_it_is(raw: str) -> None:
    shown = visible(raw)
    assert shown.isprintable()
    assert shown.encode("ascii", "backslashreplace").decode("unicode_escape") == raw


@given(st.text(min_size=NAME_LIMIT + 1, max_size=3 * NAME_LIMIT))
def test_a_name_that_is_cut_says_whose_it_is(raw: str) -> None:
    shown, unshown = shown_name(raw, UUID)
    assert shown.endswith(f"… {UUID}")
    assert unshown == raw


@pytest.mark.parametrize("name", ["gaming\u200b", "GAMING", " gaming ", "ｇaming", "gam\u00ading"])
def test_what_a_person_could_have_meant(name: str) -> None:
    assert alike("gaming", "other", name)
    assert not alike("gaming", "gaming2")
