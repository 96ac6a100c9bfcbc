"""The frame of a card's panel: names, owners, keys and notes in the room that there is."""

from __future__ import annotations

import pytest

from tests.unit.widgets.cards import GUEST, HOST, SWAP, moving, text, tones, unread
from tests.values import replace
from tui.model import CardReading, CardVitals, Gpu, Metrics, Owner, OwnerKind
from widgets.card import Card, twins
from widgets.card_edges import card_edges, owner_words, titles
from widgets.footer import Hint
from widgets.glyphs import PLAIN, RICH


def owned(kind: OwnerKind, guest: str | None = None, **facts: object) -> Card:
    return unread(GUEST, owner=Owner(kind, guest), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("card", "state", "tone"),
    [
        (owned("guest", "win11"), "◆ in win11", "guest"),
        (owned("host"), "● on host", "host-gpu"),
        (owned("vfio"), "○ free for a guest", "guest-gpu"),
        (owned("none"), "– no driver", "bad"),
        (owned("unknown"), "? owner unknown", "warn"),
        (owned("moving"), "◐ moving", "warn"),
        (owned("stuck"), "✗ stuck", "bad"),
        (moving(), "◐ bind 6/8", "warn"),
        (moving(replace(SWAP, state="undoing")), "◐ undo bind", "warn"),
        (moving(replace(SWAP, state="stuck")), "✗ stuck", "bad"),
    ],
)
def test_the_owner_has_a_sign_and_a_colour(card: Card, state: str, tone: str) -> None:
    (shown,) = card_edges(card, 56).state
    assert (shown.text, shown.tone) == (state, tone)


def test_an_owner_that_has_just_changed_flashes() -> None:
    (shown,) = card_edges(replace(moving(), flash=True), 56).state
    assert (shown.text, shown.tone) == ("◐ bind 6/8", "flash")


def test_the_signs_of_the_linux_console_are_ascii() -> None:
    kinds: tuple[OwnerKind, ...] = ("host", "vfio", "none", "unknown", "moving", "stuck")
    cards = [owned("guest", "win11"), *(owned(kind) for kind in kinds)]
    assert all(owner_words(card, PLAIN)[0].isascii() for card in cards)
    assert len({owner_words(card, RICH)[0] for card in cards}) == len(cards)


def test_a_sleeping_card_says_so() -> None:
    vitals = CardVitals(HOST.gpu.address, "suspended")
    card = replace(HOST, gpu=replace(HOST.gpu, vitals=vitals, reading=None))
    assert text(card_edges(card, 60).state) == "● on host, asleep"
    assert text(card_edges(card, 36).state) == "● asleep"


def test_the_title_is_shortened_by_whole_parts() -> None:
    shown = [text(card_edges(GUEST, width).title) for width in (96, 56, 36, 28, 24)]
    assert shown == [
        "1 Guest GPU · GeForce RTX 4090 · 01:00.0",
        "1 Guest GPU · RTX 4090 · 01:00.0",
        "1 RTX 4090 01:00.0",
        "1 RTX 4090",
        "1 4090",
    ]


def test_number_and_name_stand_out() -> None:
    full, *_, bare, _ = titles(GUEST, 96)
    assert [(s.text, s.tone) for s in full][:2] == [("1 ", "guest-gpu"), ("Guest GPU", "strong")]
    assert [(s.text, s.tone) for s in bare] == [("1 ", "guest-gpu"), ("RTX 4090", "strong")]
    assert titles(HOST, 96)[0][0].tone == "host-gpu"


def test_cards_of_one_name_keep_their_address() -> None:
    other = replace(GUEST.gpu.function, address="0000:0a:00.0")
    gpus: list[Gpu] = [GUEST.gpu, replace(GUEST.gpu, function=other), HOST.gpu]
    assert twins(gpus) == {"0000:01:00.0", "0000:0a:00.0"}
    card = replace(GUEST, twin=True)
    assert text(card_edges(card, 43, ruled=True).title) == "1 RTX 4090 01:00.0"
    assert text(card_edges(card, 30, ruled=True).title) == "1 4090 01:00.0"


def test_a_long_guest_leaves_room_for_the_card() -> None:
    edges = card_edges(owned("guest", "a-guest-with-a-very-long-name"), 36)
    assert text(edges.title) == "1 4090"
    assert text(edges.state) == "◆ in a-guest-with-a-ver…"


# --- keys and notes ---------------------------------------------------------------


def test_a_key_that_cannot_work_now_is_dim() -> None:
    keys = (Hint("b", "bind", "app.bind", enabled=False), Hint("u", "unbind", "app.unbind"))
    edges = card_edges(replace(GUEST, keys=keys), 56)
    assert [(s.text, s.tone, s.action) for s in edges.keys if s.text.strip()] == [
        ("b bind", "disabled", "app.bind"),
        ("u", "key", "app.unbind"), (" unbind", "text", "app.unbind"),
    ]  # fmt: skip


def test_keys_are_dropped_whole_and_the_note_is_shortened() -> None:
    def below(card: Card, width: int) -> tuple[str, str]:
        edges = card_edges(card, width)
        return text(edges.keys), text(edges.note)

    assert below(GUEST, 56) == ("b bind  u unbind  m series", "read in the guest, <10 s")
    assert below(GUEST, 46) == ("b bind  u unbind  m series", "guest, <10 s")
    assert below(GUEST, 36) == ("b bind  u unbind", "guest, <10 s")
    assert below(HOST, 56) == ("m series", "nvidia 580.95.05")
    assert below(HOST, 26) == ("m series", "nvidia")


def test_the_series_key_is_there_where_a_series_can_be_chosen() -> None:
    assert text(card_edges(GUEST, 56, lower=False).keys) == "b bind  u unbind"
    assert card_edges(HOST, 56, lower=False).keys == ()


def test_during_a_swap_one_key_is_left_and_the_note_says_by_whom() -> None:
    edges = card_edges(moving(), 56)
    assert (text(edges.keys), text(edges.note)) == ("b bind", "by vfiotop, 2.1 s")
    swap = moving().swap
    assert swap is not None
    watched = replace(moving(), swap=replace(swap, by="watch"))
    assert text(card_edges(watched, 56).note) == "by watch, 2.1 s"


def test_a_late_reading_has_its_age_in_steps() -> None:
    late = replace(HOST, age_s=13.0)
    (note,) = card_edges(late, 56).note
    assert (note.text, note.tone) == ("read 10 s ago", "warn")
    assert replace(HOST, age_s=14.0) == late
    assert replace(HOST, age_s=21.0) != late


def test_the_age_of_a_guests_reading_changes_only_if_they_stop() -> None:
    assert text(card_edges(replace(GUEST, age_s=9.0), 56).note) == "read in the guest, <10 s"
    (note,) = card_edges(replace(GUEST, age_s=44.0), 56).note
    assert (note.text, note.tone) == ("read in the guest, 40 s", "warn")


def test_without_a_row_for_them_the_processes_are_in_the_frame() -> None:
    edges = card_edges(HOST, 36, lower=False, names=True)
    assert text(edges.keys) + text(edges.note) == "firefox obs Xorg gnome-shell"
    assert tones(edges.keys or edges.note, "firefox obs Xorg gnome-shell") == ["label"]


def test_a_sign_stands_for_what_has_no_row() -> None:
    edges = card_edges(GUEST, 38, ruled=True, hidden=True)
    assert text(edges.state) == "◆ in win11 !"
    assert edges.state[-1].tone == "bad"


def test_a_lost_card_belongs_to_nobody() -> None:
    reading = CardReading(HOST.gpu.address, "nvml", Metrics(), lost="fallen off the bus")
    card = replace(HOST, gpu=replace(HOST.gpu, reading=reading))
    assert text(card_edges(card, 56).state) == "✗ lost"
