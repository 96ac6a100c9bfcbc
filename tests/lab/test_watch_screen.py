"""A return by the watch, on a screen that is open at the time."""

from __future__ import annotations

import pytest

from tests.lab.recording import Recording
from tests.lab.returns import assert_home_once, borrow
from tests.lab.screens import both_with_the_host, nvml_reads_both, shows
from tests.lab.sector import SectorGuest
from tests.lab.terminal import terminal
from tests.lab.watches import AFTER_STOP, followed_moves, watching

pytestmark = [pytest.mark.only("systemd"), pytest.mark.usefixtures("whole")]


@pytest.mark.thorough
def test_a_return_on_the_screen(guest: SectorGuest) -> None:
    with watching(AFTER_STOP, "pause = 10"), terminal("vfiotop", size=(100, 30)) as screen:
        borrow(guest)
        with followed_moves() as moves:
            recording = Recording(screen)
            screen.until(shows(f"◆ in {guest.name} ─╮"))
            screen.until(shows("● running"))
            recording.frame("a guest runs with the card")
            guest.shut_down()
            screen.until(shows("returns to the host in"))
            recording.frame("it has shut down: the watch counts down")
            screen.until(shows("◐ unbind"))
            recording.frame("the swap that the watch has begun")
            screen.until(both_with_the_host)
            screen.until(nvml_reads_both)
            recording.frame("home")
            assert_home_once(moves)
    recording.write("lab-return.txt")
