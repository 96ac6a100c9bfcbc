"""What flashes: the owner that changes, in the title of its card, the header and its group row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from textual import constants
from textual.widget import Widget

from tests.ui.rig import GUEST_CARD, GUESTS, INVENTORY, NOON, SIZES, WIN11, Rig, until
from tui.host import HostError
from tui.live import EVENTS_KEPT
from tui.model import Event
from tui.screens.flashes import EVENT_S, OWNER_S
from tui.screens.overview import OverviewScreen

ON_HOST = "● on host"


class HeldTimers:
    """Timers of the overview that run when the test says so."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.callbacks: dict[float, list[Callable[[], None]]] = {}
        others = OverviewScreen.set_timer

        def set_timer(screen: Widget, delay: float, callback: Callable[[], None]) -> object:
            if delay not in (OWNER_S, EVENT_S):
                return others(screen, delay, callback)
            self.callbacks.setdefault(delay, []).append(callback)
            return others(screen, 3600.0)

        patch.setattr(OverviewScreen, "set_timer", set_timer)

    def end(self, delay: float) -> None:
        for callback in self.callbacks.pop(delay):
            callback()


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> HeldTimers:
    return HeldTimers(monkeypatch)


def flashing(rig: Rig) -> list[str]:
    """The texts in reverse video, row by row."""
    app = rig.app
    rows = app.screen._compositor.render_strips(app.size)[: app.size.height]
    spans = (each for row in rows for each in row if each.style and each.style.reverse)
    return [span.text.strip() for span in spans]


def give_back(rig: Rig) -> None:
    """The guest is gone, and its card is with the host."""
    functions = (replace(GUEST_CARD, driver="nvidia"), *INVENTORY.functions[1:])
    rig.guests.put(replace(GUESTS, domains=(replace(WIN11, state="shut off"),)))
    rig.pci.put(replace(INVENTORY, functions=functions))


def is_back(rig: Rig) -> bool:
    gpu = rig.session.live.view.guest_gpu
    return gpu is not None and gpu.owner.kind == "host"


@pytest.mark.parametrize("size", SIZES)
async def test_a_new_owner_flashes_wherever_it_stands(
    size: tuple[int, int], timers: HeldTimers
) -> None:
    rig = Rig()
    async with rig.running(size) as pilot:
        assert not [text for text in flashing(rig) if ON_HOST in text]
        give_back(rig)
        await until(pilot, lambda: is_back(rig) and ON_HOST in rig.text().splitlines()[1])
        titles = rig.text().splitlines()
        assert ON_HOST in titles[0]
        assert flashing(rig).count(ON_HOST) == 2, "in the header, and in the panel's title"
        assert size[0] < 72 or len(flashing(rig)) > 2, "and its group's row"
        timers.end(OWNER_S)
        await pilot.pause()
        assert ON_HOST not in flashing(rig)


async def test_it_flashes_on_the_whole_screen_too(timers: HeldTimers) -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("1")
        give_back(rig)
        await until(pilot, lambda: is_back(rig) and flashing(rig).count(ON_HOST) == 2)
        timers.end(OWNER_S)
        await pilot.pause()
        assert ON_HOST not in flashing(rig)


async def test_the_host_s_card_does_not_flash(timers: HeldTimers) -> None:
    rig = Rig()
    async with rig.running() as pilot:
        give_back(rig)
        await until(pilot, lambda: is_back(rig) and flashing(rig).count(ON_HOST) == 2)
        assert rig.text().splitlines()[1].count(ON_HOST) == 2, "one of them is the host's"


async def test_the_lines_of_new_events_flash(timers: HeldTimers) -> None:
    """Even if the list of events is full."""
    rig = Rig()
    async with rig.running() as pilot:
        for number in range(EVENTS_KEPT):
            rig.session.live.note(Event(NOON, "win11", f"event {number}"))
        rig.session.live.new_events()
        rig.guests.put(HostError("libvirtd is not running"))
        await until(pilot, lambda: any("libvirtd is not running" in t for t in flashing(rig)))
        assert not [text for text in flashing(rig) if "event 499" in text]
        timers.end(EVENT_S)
        await pilot.pause()
        assert not [text for text in flashing(rig) if "libvirtd" in text]


@pytest.mark.parametrize("still", ["quiet", "animation"])
async def test_nothing_flashes_in_quiet_or_without_animation(
    still: str, timers: HeldTimers, monkeypatch: pytest.MonkeyPatch
) -> None:
    if still == "animation":
        monkeypatch.setattr(constants, "TEXTUAL_ANIMATIONS", "none")
    rig = Rig()
    async with rig.running() as pilot:
        if still == "quiet":
            await pilot.press("z")
        give_back(rig)
        await until(pilot, lambda: is_back(rig) and ON_HOST in rig.text().splitlines()[0])
        assert not timers.callbacks
        assert ON_HOST not in flashing(rig)


async def test_an_owner_that_becomes_known_does_not_flash(timers: HeldTimers) -> None:
    """As at the start, when libvirt is read after the cards."""
    rig = Rig()
    rig.guests.free.clear()
    async with rig.app.run_test(size=(120, 40)) as pilot:
        try:
            await until(pilot, lambda: rig.session.live.view.guest_gpu is not None)
            gpu = rig.session.live.view.guest_gpu
            assert gpu is not None
            assert gpu.owner.kind == "unknown"
        finally:
            rig.free()
        await until(pilot, lambda: "in win11" in rig.text())
        assert flashing(rig) == []
