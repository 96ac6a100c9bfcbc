"""The frame of a card's panel: which card it is, who has it, the keys that act on it, and where
its readings come from."""

from __future__ import annotations

from collections.abc import Iterable

from tui.model import Gpu
from widgets import owner
from widgets.card import WIDE, Card, age_text, guest_age_text, seconds_text
from widgets.card_names import short_card_name
from widgets.card_swap import overdue
from widgets.card_users import names_to_fit, users
from widgets.figures import model_name
from widgets.footer import Hint, hint_line
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, fit, join, line, width_of
from widgets.panel import FRAME_CELLS, Accent, Edges

BETWEEN = 4
"""Cells between the two texts in an edge: `` ── ``."""

LEAST_STATE = 10
"""Cells that a long name must leave for the owner."""

ROLES = {"guest": "Guest GPU", "host": "Host GPU", "other": "GPU"}

SERIES_ACTION, BIND_ACTION, UNBIND_ACTION = "screen.series", "app.bind", "app.unbind"


def accent_of(gpu: Gpu) -> Accent:
    """The accent of a card's panel: one for the guest's card, another for all the host's cards."""
    return "guest-gpu" if gpu.role == "guest" else "host-gpu"


def card_edges(
    card: Card, width: int, glyphs: Glyphs = RICH, *, ruled: bool = False, lower: bool = True,
    names: bool = False, hidden: bool = False,
) -> Edges:  # fmt: skip
    """The edges of a panel with ``width`` cells for its lines.

    ``lower``: a graph can be changed. ``names``: the processes have no row, so the frame names
    them. ``hidden``: what needs attention has no row, so a sign stands for it.
    """
    room = width - 2 if ruled else width + 4 - FRAME_CELLS
    states = [_attention(state, hidden, glyphs) for state in state_spans(card, glyphs)]
    title, state = _first_that_fit(titles(card, width, ruled=ruled), states, room)
    keys = _keys(card, lower=lower)
    notes = list(_notes(card, width, glyphs, names=names))
    while keys and not any(_lower_width(keys, note) <= room for note in notes or [()]):
        keys = keys[:-1]
    note = next((note for note in notes if _lower_width(keys, note) <= room), ())
    if not keys and names and users(card):
        return Edges(title, state, note)
    return Edges(title, state, join(map(hint_line, keys)), note)


def _lower_width(keys: list[Hint], note: Line) -> int:
    between = BETWEEN if keys and note else 0
    return width_of(join(map(hint_line, keys))) + between + width_of(note)


# --- above ------------------------------------------------------------------------


def titles(card: Card, width: int, *, ruled: bool = False) -> list[Line]:
    """The forms of the title, the longest first. All of them have the address of a card that
    shares its name with another card."""
    number = Span(f"{card.number} ", accent_of(card.gpu))
    role, name = Span(ROLES[card.gpu.role], "strong"), Span(card.name, "strong")
    address = Span(f" · {card.address}")
    full = line(number, role, f" · {model_name(card.gpu.name)}", address)
    normal = line(number, role, f" · {card.name}", address)
    short = line(number, name, f" {card.address}")
    bare = short if card.twin else line(number, name)
    least = line(number, Span(short_card_name(card.gpu.name), "strong"), *bare[2:])
    if ruled:
        return [bare, least]
    return [*([full] if width >= WIDE else []), normal, short, bare, least]


def _first_that_fit(titles: list[Line], states: list[Line], room: int) -> tuple[Line, Line]:
    """The longest title that fits beside a state. If none does, the shortest of each, and the
    state is cut: a guest may have a long name."""
    for title in titles:
        for state in states:
            if width_of(title) + BETWEEN + width_of(state) <= room:
                return title, state
    title = fit(titles[-1], max(room - BETWEEN - LEAST_STATE, 0))
    return title, fit(states[-1], max(room - BETWEEN - width_of(title), 0))


def state_spans(card: Card, glyphs: Glyphs = RICH) -> list[Line]:
    """Who has the card, with its sign: ``◆ in win11``. The longest form comes first."""
    sign, tone, words = owner_words(card, glyphs)
    return [line(Span(f"{sign} {each}", tone)) for each in words]


def owner_words(card: Card, glyphs: Glyphs = RICH) -> tuple[str, Tone, tuple[str, ...]]:
    """The sign of a card's owner, its tone, and the words for it, the longest first."""
    sign, tone, words = _owner_words(card, glyphs)
    return sign, "flash" if card.flash else tone, words


def _owner_words(card: Card, glyphs: Glyphs) -> tuple[str, Tone, tuple[str, ...]]:
    gpu, swap = card.gpu, card.moving_swap
    if card.lost and (swap is None or gpu.owner.kind != "moving"):
        return glyphs.stuck, "bad", ("lost",)
    sign, tone, words = owner.owner_words(gpu, swap, glyphs)
    if gpu.owner.kind == "host" and gpu.asleep:
        words = ("on host, asleep", "asleep")
    return sign, tone, words


def _attention(state: Line, hidden: bool, glyphs: Glyphs) -> Line:
    return (*state, Span(f" {glyphs.warned}", "bad")) if hidden else state


# --- below ------------------------------------------------------------------------


def _keys(card: Card, *, lower: bool) -> list[Hint]:
    """The keys that act on the card now. During its swap, that is only the key that shows it."""
    keys = [key for key in card.keys if key.action != SERIES_ACTION or lower]
    if card.gpu.role != "guest":
        keys = [key for key in keys if key.action not in (BIND_ACTION, UNBIND_ACTION)]
    if card.moving_swap is not None:
        keys = [key for key in keys if key.action == BIND_ACTION]
    return keys


def _notes(card: Card, width: int, glyphs: Glyphs, *, names: bool) -> Iterable[Line]:
    """The forms of the note, the longest first."""
    swap, reading = card.moving_swap, card.reading
    if swap is not None:
        tone: Tone = "warn" if swap.stuck or overdue(card, swap) else "label"
        seconds = seconds_text(card.swap_s)
        by = "watch" if swap.by == "watch" else "vfiotop"
        yield line(Span(f"by {by}, ", "label"), Span(seconds, tone))
        yield line(Span(seconds, tone))
    elif card.faded:
        yield line(Span(f"quiet, read {age_text(card.last_age_s)} ago", "warn"))
        yield line(Span(f"{age_text(card.last_age_s)} ago", "warn"))
    elif reading is not None and reading.source == "guest-agent":
        tone = "warn" if card.late else "label"
        age = guest_age_text(card.age_s)
        if card.guest_driver and width >= WIDE:
            more = Span(f" · driver {card.guest_driver}", "label")
            yield line(Span(f"read in the guest, {age}", tone), more)
        yield line(Span(f"read in the guest, {age}", tone))
        yield line(Span(f"guest, {age}", tone))
    elif card.late:
        yield line(Span(f"read {age_text(card.age_s)} ago", "warn"))
        yield line(Span(f"{age_text(card.age_s)} ago", "warn"))
    else:
        if names and (shown := names_to_fit(card, width - 2)):
            yield shown
        driver = card.gpu.function.driver
        version = card.host_driver if driver == "nvidia" else None
        if driver and version:
            yield line(Span(f"{driver} {version}", "label"))
        if driver:
            yield line(Span(driver, "label"))
