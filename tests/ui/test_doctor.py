"""The doctor's screen."""

from __future__ import annotations

import pytest

from tests.ui.rig import SIZES, Rig, until
from tests.ui.test_swap import at_home
from tui.host import HostError
from tui.model import Holder, Holders
from widgets.doctor_panel import DoctorPanel


def panel_text(rig: Rig) -> str:
    """The panel's lines, joined."""
    lines = rig.app.screen.query_one(DoctorPanel).lines
    return " ".join(" ".join("".join(span.text for span in line) for line in lines).split())


@pytest.mark.parametrize("size", SIZES)
async def test_every_check_is_listed_with_its_fix(size: tuple[int, int]) -> None:
    rig = Rig()
    at_home(rig)
    rig.inspector.found = Holders((Holder("0000:01:00.0", 5, "game", "/dev/nvidia0"),))
    async with rig.running(size) as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "checks, 1 failed" in panel_text(rig))
        for words in (
            "Guest GPU",
            "iommu.viable",
            "in use by game (5,",
            "close game, or run `kill 5`",
        ):
            assert words in panel_text(rig), words


async def test_the_same_key_checks_again() -> None:
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        await pilot.press("d")
        await until(pilot, lambda: "no process uses it" in panel_text(rig))
        rig.inspector.found = HostError("no /proc")
        await pilot.press("d")
        await until(pilot, lambda: "no /proc" in panel_text(rig))
        await pilot.press("escape")
        assert rig.app.screen.name == "overview"
