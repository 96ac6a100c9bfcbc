"""The line that says that a card is about to return to the host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.widgets.drawn import text
from tests.unit.widgets.guests import AT
from tests.values import replace
from tui.model.watch import PendingReturn
from widgets.glyphs import PLAIN
from widgets.lines import width_of
from widgets.return_line import Offer, in_words, return_line

RETURN = PendingReturn("a" * 32, "0000:02:00.0", "win11", AT)
KEY = Offer("k")
NOT_ROOT = Offer("k", "only root can: `sudo vfiotop watch --keep`")


def shown(width: int, left: int = 27, offer: Offer = KEY, pending: PendingReturn = RETURN) -> str:
    """The line of a terminal ``width`` cells wide, which keeps a blank at each side."""
    return text(return_line(pending, left, offer, width - 2))


def test_the_key_stays_when_words_do_not_fit() -> None:
    assert shown(120) == "02:00.0 returns to the host in 27 s: win11 has ended · k keeps it here"
    assert shown(60) == "02:00.0 returns to the host in 27 s · k keeps it here"
    assert shown(45) == "02:00.0 returns in 27 s · k keeps it here"
    assert shown(36) == "returns in 27 s · k keeps it here"


def test_without_root_it_says_what_root_may_do() -> None:
    told = "02:00.0 returns to the host in 27 s: win11 has ended · only root can: `sudo vfiotop wat"
    assert shown(120, offer=NOT_ROOT).startswith(told)
    assert shown(45, offer=NOT_ROOT) == "02:00.0 returns to the host in 27 s"
    assert shown(120, offer=Offer()) == "02:00.0 returns to the host in 27 s: win11 has ended"


def test_a_return_that_was_refused_says_why_it_waits() -> None:
    refused = replace(RETURN, reason="Xorg uses it")
    told = "02:00.0 returns to the host in 9 s; refused before: Xorg uses it · k keeps it here"
    assert shown(120, 9, pending=refused) == told


@pytest.mark.parametrize(
    ("left", "words"),
    [(0, "now"), (1, "in 1 s"), (119, "in 119 s"), (120, "in 2 min 00 s"), (725, "in 12 min 05 s")],
)
def test_how_long_it_takes(left: int, words: str) -> None:
    assert in_words(left) == words


def test_the_key_and_its_words_can_be_clicked() -> None:
    spans = return_line(RETURN, 27, KEY, 100)
    assert [(s.text, s.tone) for s in spans if s.action == "app.keep"] == [
        ("k", "key"), (" keeps it here", "text"),
    ]  # fmt: skip


@given(st.integers(1, 200), st.integers(0, 3600), st.text(max_size=80), st.sampled_from(
    [KEY, NOT_ROOT, Offer()]))  # fmt: skip
def test_it_fits_and_counts_down_at_every_width(
    width: int, left: int, guest: str, offer: Offer
) -> None:
    pending = replace(RETURN, guest=guest)
    drawn = return_line(pending, left, offer, width, PLAIN)
    assert width_of(drawn) <= width
    assert in_words(left) in text(drawn) or width < 22
