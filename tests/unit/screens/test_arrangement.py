"""Where the panels of the overview stand: in the body, next to each other, without overlaps."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region, Size

from tui.screens.arrangement import LAYOUTS, Layout, PanelId, arrange, size_class

FULL = {
    (120, 38): {
        "card-0": (0, 0, 60, 17), "card-1": (60, 0, 60, 17), "guest": (0, 17, 72, 21),
        "groups": (72, 17, 48, 11), "events": (72, 28, 48, 10),
    },
    (200, 58): {
        "card-0": (0, 0, 100, 26), "card-1": (100, 0, 100, 26), "guest": (0, 26, 120, 32),
        "groups": (120, 26, 80, 16), "events": (120, 42, 80, 16),
    },
    (80, 22): {
        "card-0": (0, 0, 40, 9), "card-1": (40, 0, 40, 9), "guest": (0, 9, 40, 13),
        "groups": (40, 9, 40, 5), "events": (40, 14, 40, 8),
    },
    (45, 17): {
        "card-0": (0, 0, 45, 6), "card-1": (0, 6, 45, 5), "guest": (0, 11, 45, 3),
        "events": (0, 14, 45, 3),
    },
    (40, 12): {
        "card-0": (0, 0, 40, 3), "card-1": (0, 3, 40, 3), "guest": (0, 6, 40, 2),
        "events": (0, 8, 40, 4),
    },
}  # fmt: skip
"""The mock-ups: a body, and the places of its panels."""


@pytest.mark.parametrize("body", FULL)
def test_the_sizes_of_the_mock_ups(body: tuple[int, int]) -> None:
    found = {panel: tuple(place.region) for panel, place in arrange(Size(*body), "full", 2).items()}
    assert found == FULL[body]


OFF = {
    (120, 38): {
        "card-0": (0, 0, 60, 17), "card-1": (60, 0, 60, 17), "guest": (0, 17, 72, 11),
        "groups": (72, 17, 48, 11), "events": (0, 28, 120, 10),
    },
    (200, 58): {
        "card-0": (0, 0, 100, 26), "card-1": (100, 0, 100, 26), "guest": (0, 26, 120, 16),
        "groups": (120, 26, 80, 16), "events": (0, 42, 200, 16),
    },
    (80, 22): FULL[80, 22],
    (45, 17): FULL[45, 17],
}  # fmt: skip
"""The places while the guest is off: no other panel moves, and events get its rows."""


@pytest.mark.parametrize("body", OFF)
def test_events_get_the_rows_that_a_guest_does_not_need_that_is_off(body: tuple[int, int]) -> None:
    places = arrange(Size(*body), "full", 2, guest_off=True)
    assert {panel: tuple(place.region) for panel, place in places.items()} == OFF[body]


@pytest.mark.parametrize(("layout", "cards"), [("gaming", 2), ("gaming", 1), ("groups", 2)])
def test_events_get_them_in_every_layout(layout: Layout, cards: int) -> None:
    runs, off = (arrange(Size(120, 38), layout, cards, guest_off=each) for each in (False, True))
    assert off["guest"].region.height == 11 < runs["guest"].region.height
    assert off["events"].region.area > runs["events"].region.area
    assert off.keys() == runs.keys()


BODIES = st.builds(Size, st.integers(30, 240), st.integers(7, 68))


@given(BODIES, st.sampled_from(LAYOUTS), st.integers(0, 12), st.booleans())
def test_panels_are_in_the_body_and_none_covers_another(
    body: Size, layout: Layout, cards: int, off: bool
) -> None:
    places = arrange(body, layout, cards, guest_off=off)
    whole = Region(0, 0, *body)
    assert all(whole.contains_region(place.region) for place in places.values())
    assert all(place.region.area > 0 for place in places.values())
    for one, other in combinations(places.values(), 2):
        assert not one.region.overlaps(other.region), places


@given(BODIES, st.sampled_from(LAYOUTS), st.integers(1, 12), st.booleans())
def test_no_cell_is_left_over(body: Size, layout: Layout, cards: int, off: bool) -> None:
    places = arrange(body, layout, cards, guest_off=off)
    assert sum(place.region.area for place in places.values()) == body.area, places


@given(BODIES, st.sampled_from(LAYOUTS), st.integers(1, 12), st.booleans())
def test_every_layout_shows_the_cards_and_events(
    body: Size, layout: Layout, cards: int, off: bool
) -> None:
    places = arrange(body, layout, cards, guest_off=off)
    assert "card-0" in places or "cards" in places
    if body.height >= 10:
        assert "events" in places


@given(BODIES, st.sampled_from(LAYOUTS), st.integers(1, 4), st.sampled_from(["card-0", "events"]))
def test_a_zoomed_panel_has_the_whole_body(
    body: Size, layout: Layout, cards: int, panel: PanelId
) -> None:
    assert {name: place.region for name, place in arrange(body, layout, cards, panel).items()} == {
        panel: Region(0, 0, *body)
    }


@pytest.mark.parametrize(
    ("size", "name"),
    [((200, 60), "wide"), ((120, 40), "desk"), ((100, 30), "desk"), ((80, 24), "normal"),
     ((90, 18), "sideways"), ((45, 20), "phone"), ((40, 15), "phone"), ((71, 60), "phone")],
)  # fmt: skip
def test_classes_of_sizes(size: tuple[int, int], name: str) -> None:
    assert size_class(Size(*size)) == name
