"""Pixels: what screens and scenarios look like, from a held clock and a seeded host.

``pytest --snapshot-update`` accepts what is drawn; look at it before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from tests.ui.rig import SIZES, all_read, until
from tests.ui.screenshots import PICTURES, prepared


@pytest.mark.parametrize("size", SIZES, ids=["120x40", "80x24", "45x20"])
@pytest.mark.parametrize(
    "name", ["overview-120x40", "overview-light", "groups", "help", "details-gpu", "scenario-lost"]
)
def test_pixels(name: str, size: tuple[int, int], snap_compare: Callable[..., bool]) -> None:
    picture = replace(PICTURES[name], size=size)
    app = prepared(picture)

    async def ready(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: all_read(app.live.snapshot))
        await pilot.press(*picture.keys)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=ready)
