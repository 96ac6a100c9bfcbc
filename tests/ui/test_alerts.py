"""Events are announced outside the screen, if the user wants that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.thorough import thorough
from tests.ui.rig import GUESTS, NOON, Rig, until
from tests.values import replace
from tui import app, state
from tui.app import VfiotopApp
from tui.config import Config
from tui.model import Event, Swap, Watch
from tui.model.watch import WatchPolicy
from tui.session import Session

GUEST_GPU = "0000:01:00.0"
SWAP = Swap("1", "unbind", GUEST_GPU, (GUEST_GPU,), "running", ("a",), 0, NOON, NOON)
WATCH = Watch(True, True, WatchPolicy(after_stop="unbind"))
FAILURE = Event(NOON, GUEST_GPU, "stays on vfio-pci: busy", "failed", "watch")


class Heard(VfiotopApp):
    """Records each alert: its text, and whether it rings or shows on the desktop."""

    CSS_PATH = str(Path(app.__file__).with_name("app.tcss"))

    def __init__(self, rig: Rig, *alerts: state.Alert) -> None:
        super().__init__(Session(rig.host, Config(theme="vfiotop-dark", interval=3600)))
        self.session.alerts = alerts
        self.told: list[tuple[str, bool, bool]] = []

    def alert(self, text: str, *, bell: bool, desktop: bool) -> None:
        self.told.append((text, bell, desktop))


def hearing(*alerts: state.Alert) -> tuple[Rig, Heard]:
    rig = Rig()
    rig.app = heard = Heard(rig, *alerts)
    return rig, heard


@pytest.mark.parametrize("alerts", [("bell",), *thorough((("desktop",),), (("bell", "desktop"),))])
async def test_the_end_of_a_swap_is_told_once(alerts: tuple[state.Alert, ...]) -> None:
    rig, heard = hearing(*alerts)
    rig.swap.reading = SWAP
    async with rig.running() as pilot:
        rig.swap.put(replace(SWAP, state="done", step_began_at=NOON + timedelta(seconds=3.8)))
        await until(pilot, lambda: "unbind done in 3.8 s" in rig.text())
        wanted = ("01:00.0 unbind done in 3.8 s", "bell" in alerts, "desktop" in alerts)
        await until(pilot, lambda: heard.told == [wanted])
        rig.session.alerts = ()
        rig.swap.put(replace(SWAP, id="2"))
        await until(pilot, lambda: "unbind began" in rig.text())
        rig.swap.put(replace(SWAP, id="2", state="undone", message="busy"))
        await until(pilot, lambda: "unbind undone: busy" in rig.text())
        assert heard.told == [wanted]


async def test_what_the_watch_did_before_the_start_is_past() -> None:
    rig, heard = hearing("bell")
    old = replace(FAILURE, at=NOON - timedelta(hours=3), text="not bound at boot")
    rig.watch.reading = replace(WATCH, events=(old,))
    async with rig.running() as pilot:
        await until(pilot, lambda: "not bound at boot" in rig.text())
        assert heard.told == []
        rig.watch.put(replace(WATCH, events=(FAILURE, old)))
        await until(pilot, lambda: heard.told == [("01:00.0 stays on vfio-pci: busy", True, False)])
        line = next(line for line in rig.text().splitlines() if "stays on vfio-pci" in line)
        assert line.split()[-2:] == ["watch", "│"]


async def test_events_that_come_together_are_told_together() -> None:
    rig, heard = hearing("desktop")
    rig.watch.reading = WATCH
    async with rig.running() as pilot:
        await until(pilot, lambda: rig.session.live.view.watch is not None)
        warning = replace(FAILURE, kind="warn", text="waits")
        rig.watch.put(replace(WATCH, events=(warning, FAILURE)))
        wanted = ("01:00.0 stays on vfio-pci: busy (and 1 more)", False, True)
        await until(pilot, lambda: heard.told == [wanted])


async def test_what_failed_after_its_screen_was_left_is_told() -> None:
    rig, heard = hearing("bell")
    async with rig.running() as pilot:
        rig.session.live.note(replace(FAILURE, by="vfiotop"))
        rig.guests.put(replace(GUESTS, version="10.0.1"))
        wanted = ("01:00.0 stays on vfio-pci: busy", True, False)
        await until(pilot, lambda: heard.told == [wanted])


async def test_one_that_is_switched_on_is_tried_and_kept() -> None:
    rig, heard = hearing()
    async with rig.running() as pilot:
        await pilot.press("o", "down", "down", "down", "right")
        await until(pilot, lambda: state.load().alerts == ("bell",))
        assert heard.told == [("events are told here", True, False)]
        assert "Bell ‹ on › 2 of 2" in " ".join(rig.text().split())
        await pilot.press("down", "space")
        await until(pilot, lambda: state.load().alerts == ("bell", "desktop"))
        assert heard.told[1:] == [("events are told here", False, True)]
        await pilot.press("up", "left")
        await until(pilot, lambda: state.load().alerts == ("desktop",))
        assert len(heard.told) == 2
