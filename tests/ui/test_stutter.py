"""A guest that stutters, on the screen: the vCPU that waits, its core, and who else is there."""

from __future__ import annotations

import re

import pytest

from tests.demo import HeldClock
from tests.thorough import thorough
from tests.ui.rig import NORMAL, PHONE, WIDE, text_of
from tests.ui.screenshots import EVENING, PICTURES, Picture, prepared, reach

HUGE = (200, 60)
BEGINS_S = 18
"""Simulated seconds after which the host is on the core of vCPU 3 for the first time."""

HOST = r"25 +host \d+ %"
WAITS, WORST, ROW = r"Wait +\d+ ms ■+·* vCPU 3 !", r"vCPU 3 waited \d+ ms at ", "3  .+ 25h +[0-9]+!"
SHORT = "Huge pages 12.0 of 16.0 GiB"


def stutter(size: tuple[int, int], *keys: str) -> Picture:
    return Picture("stutter", size, keys, past_s=BEGINS_S)


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        (stutter(WIDE), (WAITS, WORST, ROW, "h host work", SHORT)),
        (stutter(WIDE, "l"), (WAITS, WORST, ROW, "wait, ms per second")),
        *thorough((stutter(HUGE, "l"), (WAITS, WORST, ROW, "also on the core", HOST))),
        (stutter(WIDE, "3", "3"), (WAITS, WORST, ROW, "Longest wait of a vCPU", HOST)),
        (stutter(NORMAL), (WAITS, WORST, "Mem", "Disk")),
        (stutter(PHONE), (WAITS, r"CPU +\d+ % .+ Mem +\d")),
    ],
    ids=["overview", "gaming", "gaming, wide", "zoomed", "80x24", "phone"],
)  # fmt: skip
async def test_the_vcpu_that_waits_is_named(picture: Picture, shown: tuple[str, ...]) -> None:
    clock = HeldClock(EVENING)
    app = prepared(picture, clock)
    async with app.run_test(size=picture.size) as pilot:
        await reach(pilot, app, picture, clock)
        text = text_of(app)
    for pattern in shown:
        assert re.search(pattern, text), f"{pattern}\n{text}"


def test_the_picture_of_the_scenario_shows_a_wait() -> None:
    live = prepared(PICTURES["scenario-stutter"], HeldClock(EVENING)).session.live
    assert live.view.guest is not None and live.view.guest.cpus is not None
    worst = live.view.guest.cpus.worst
    assert worst is not None and worst.shared_with == ("host",)
