"""Pixels: what screens and scenarios look like, with a stopped clock and a seeded host.

``pytest --snapshot-update`` accepts what is drawn; check it first.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.demo import HeldClock
from tests.ui.rig import NORMAL, PHONE, WIDE
from tests.ui.screenshots import EVENING, PICTURES, prepared, reach


@pytest.mark.parametrize("size", [WIDE, NORMAL, PHONE], ids=["120x40", "80x24", "45x20"])
@pytest.mark.parametrize(
    "name",
    [
        "overview-120x40",
        "overview-light",
        "groups",
        "help",
        "zoom-card",
        "scenario-lost",
        "swap-plan",
        "swap-running",
        "start-plan",
        "stop-countdown",
        "roles",
        "scenario-evening",
    ],
)
def test_pixels(name: str, size: tuple[int, int], snap_compare: Callable[..., bool]) -> None:
    picture = replace(PICTURES[name], size=size)
    clock = HeldClock(EVENING)
    app = prepared(picture, clock)

    async def ready(pilot: Pilot[None]) -> None:
        await reach(pilot, app, picture, clock)

    assert snap_compare(app, terminal_size=size, run_before=ready)


def test_a_day_of_a_card(snap_compare: Callable[..., bool]) -> None:
    picture, clock = PICTURES["zoom-day"], HeldClock(EVENING)
    app = prepared(picture, clock)

    async def ready(pilot: Pilot[None]) -> None:
        await reach(pilot, app, picture, clock)

    assert snap_compare(app, terminal_size=picture.size, run_before=ready)
