"""Where each panel of the overview goes, for a size and a layout.

Pure: a screen passes its size and gets a place for each panel to show. A panel that does not fit is
left out. Spare rows go to the guest GPU's graphs, then to the events; rows that a guest does not
need because it is off go to the events.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from textual.geometry import Region, Size

from tui import state

PanelId = Literal["card-0", "card-1", "cards", "no-gpu", "guest", "groups", "events"]
"""``cards`` lists those without a panel; ``no-gpu`` takes the place of the first card."""
Layout = state.Layout
SizeClass = state.SizeClass

LAYOUTS: tuple[Layout, ...] = get_args(Layout)

PHONE_WIDTH = 72
"""Width, in cells, below which panels are stacked."""

FRAMED_HEIGHT = 20
"""Minimum rows of the body for panels with frames, side by side."""

OFF_ROWS = 11
"""Rows of the panel of a guest that is off, which has no graph and no vCPUs to show."""

LISTED = 3
"""How many further cards are listed on a small screen."""


class Place(NamedTuple):
    """The region of a panel, and whether it has a frame or a single rule above its lines."""

    region: Region
    framed: bool = True


Arrangement = dict[PanelId, Place]


def size_class(size: Size) -> SizeClass:
    """The class of a terminal of ``size`` cells; a layout is chosen for each."""
    width, height = size
    if width < PHONE_WIDTH:
        return "phone"
    if height < FRAMED_HEIGHT + 2:
        return "sideways"
    if width >= 160 and height >= 45:
        return "wide"
    return "desk" if width >= 100 and height >= 30 else "normal"


def has_frames(size: Size) -> bool:
    """Whether a panel that fills a terminal of ``size`` cells gets a frame."""
    return size_class(size) not in ("phone", "sideways")


def arrange(
    body: Size, layout: Layout, cards: int, zoomed: PanelId | None = None, *,
    guest_off: bool = False,
) -> Arrangement:  # fmt: skip
    """The places of the panels in a body (the terminal without header and footer) for ``cards``
    GPUs. Panels without a place are not shown. ``guest_off``: the guest is known, and off."""
    width, height = body
    if zoomed is not None:
        framed = width >= PHONE_WIDTH and height >= FRAMED_HEIGHT
        return {zoomed: Place(Region(0, 0, width, height), framed)}
    if layout == "phone" or width < PHONE_WIDTH:
        return _groups_stacked(body, cards) if layout == "groups" else _phone(body, cards)
    if height < FRAMED_HEIGHT and layout != "groups":
        return _sideways(body, cards)
    place = {"gaming": _gaming, "groups": _groups}.get(layout, _full)
    return place(body, cards, guest_off=guest_off)


def _row(
    widths: list[tuple[PanelId, int]], y: int, height: int, *, framed: bool = True
) -> Arrangement:
    """Panels of these widths side by side."""
    placed: Arrangement = {}
    x = 0
    for panel, width in widths:
        placed[panel] = Place(Region(x, y, width, height), framed)
        x += width
    return placed


def _stack(
    heights: list[tuple[PanelId, int]], x: int, y: int, width: int, *, framed: bool = True
) -> Arrangement:
    """Panels of these heights, stacked; those of height 0 are left out."""
    placed: Arrangement = {}
    for panel, height in heights:
        if height > 0:
            placed[panel] = Place(Region(x, y, width, height), framed)
            y += height
    return placed


def _cards_row(width: int, cards: int) -> list[tuple[PanelId, int]]:
    if cards == 1:
        return [("card-0", width)]
    return [("card-0", width - width // 2), ("card-1", width // 2)]


def _full(body: Size, cards: int, *, guest_off: bool) -> Arrangement:
    width, height = body
    top = max(9, int(height * 0.45)) if cards else 5
    listed = _listed(height, cards)
    if listed:
        top = max(8, top - listed)
    placed = _row(_cards_row(width, cards), 0, top) if cards else {}
    if not cards:
        placed["card-0"] = Place(Region(0, 0, width, top))
    placed |= _stack([("cards", listed)], 0, top, width)
    above = top + listed
    rest = height - above
    left = int(width * 0.6) if width >= 100 else width - width // 2
    groups = (rest + 1) // 2 if width >= 100 else max(5, int(rest * 0.4))
    if guest_off and groups >= OFF_ROWS:
        placed |= _row([("guest", left), ("groups", width - left)], above, groups)
        return placed | _stack([("events", rest - groups)], 0, above + groups, width)
    placed["guest"] = Place(Region(0, above, left, rest))
    placed |= _stack([("groups", groups), ("events", rest - groups)], left, above, width - left)
    return placed


def _listed(height: int, cards: int) -> int:
    """Rows of the panel that lists the cards without a panel of their own."""
    further = max(0, cards - 2)
    return 2 + min(further, LISTED if height < 28 else 8) if further else 0


def _gaming(body: Size, cards: int, *, guest_off: bool) -> Arrangement:
    width, height = body
    low = (8 if height >= 28 else 6) if cards > 1 else max(6, height // 4)
    left = width - width // 2
    if guest_off and height >= 28:
        second = low if cards > 1 else 0
        return _stack([("card-0", height - second), ("card-1", second)], 0, 0, left) | _stack(
            [("guest", OFF_ROWS), ("events", height - OFF_ROWS)], left, 0, width - left
        )
    placed = _row([("card-0", left), ("guest", width - left)], 0, height - low)
    if cards > 1:
        return placed | _row([("card-1", left), ("events", width - left)], height - low, low)
    return placed | _row([("events", width)], height - low, low)


def _groups(body: Size, cards: int, *, guest_off: bool) -> Arrangement:
    width, height = body
    framed = height >= FRAMED_HEIGHT
    frame = 2 if framed else 1
    top = frame + min(max(cards, 1), max(1, height // 6))
    left = width * 2 // 3
    rest = height - top
    guest = min(rest // 2, OFF_ROWS) if guest_off else rest // 2
    return (
        _row([("cards", width)], 0, top, framed=framed)
        | _row([("groups", left)], top, rest, framed=framed)
        | _stack(
            [("guest", guest), ("events", rest - guest)], left, top, width - left, framed=framed
        )
    )


def _groups_stacked(body: Size, cards: int) -> Arrangement:
    width, height = body
    top = 1 + min(max(cards, 1), max(1, height // 6))
    rest = height - top
    events = 3 if rest >= 8 else 0
    guest = 2 if rest >= 12 else 0
    return _stack(
        [("cards", top), ("groups", rest - guest - events), ("guest", guest), ("events", events)],
        0, 0, width, framed=False,
    )  # fmt: skip


def _sideways(body: Size, cards: int) -> Arrangement:
    """A phone turned sideways: rules, two columns."""
    width, height = body
    top = 6 if height >= 12 else 5 if height >= 9 else 3
    rest = height - top
    left = width - width // 2
    placed = _row(_cards_row(width, cards), 0, top, framed=False)
    return placed | _row([("guest", left), ("events", width - left)], top, rest, framed=False)


def _phone(body: Size, cards: int) -> Arrangement:
    """All panels stacked. From 16 rows on, each value has a row of its own; below that, two share a
    row."""
    width, height = body
    second = cards > 1
    if height >= 16 or (height >= 11 and not second):
        first, host, guest, events = 5, 5 if second else 0, 3, 3
        left = height - first - host - guest - events
        graph = min(left, 1)
        left -= graph
        listed = 1 + min(cards - 2, LISTED) if cards > 2 and left >= 2 else 0
        listed = min(listed, left)
        left -= listed
        groups = max(5, left // 3) if left >= 8 else 0
        left -= groups
        more_guest = left // 3 if groups else 0
        left -= more_guest
        more_graph = left // 2
        heights: list[tuple[PanelId, int]] = [
            ("card-0", first + graph + more_graph), ("card-1", host), ("cards", listed),
            ("guest", guest + more_guest), ("groups", groups),
            ("events", events + left - more_graph),
        ]  # fmt: skip
        return _stack(heights, 0, 0, width, framed=False)
    host = 3 if second else 0
    left = height - 3 - host
    guest = min(2 if left >= 4 else 1, max(left, 0))
    heights = [("card-0", 3), ("card-1", host), ("guest", guest), ("events", max(0, left - guest))]
    return _stack(heights, 0, 0, width, framed=False)
