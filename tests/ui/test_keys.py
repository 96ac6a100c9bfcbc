"""Keys that arrive faster than the application handles them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace
from textual import events
from textual.message import Message
from textual.widgets import Input

from tests.ui.rig import NVML, Held, Rig, until
from tui.app import VfiotopApp
from tui.config import Config
from tui.model import NvmlReading
from tui.screens.overview import OverviewScreen
from tui.session import Session
from tui.terminal.driver import TerminalDriver


class Typist:
    """Types at an application, as the thread that reads the terminal does."""

    def __init__(self, rig: Rig) -> None:
        self.driver = TerminalDriver(rig.app)
        self.delivered: list[str] = []
        forward = self.driver.send_message

        def count(message: Message) -> None:
            if isinstance(message, events.Key):
                self.delivered.append(message.key)
            forward(message)

        self.driver.send_message = count  # type: ignore[method-assign]

    async def type(self, *keys: str) -> None:
        def put() -> None:
            for key in keys:
                self.driver._typed(events.Key(key, key if len(key) == 1 else None))

        await asyncio.to_thread(put)


@asynccontextmanager
async def busy(rig: Rig) -> AsyncIterator[None]:
    """Keep the application busy with another message, so that it takes no key."""
    began, over = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        await over.wait()

    rig.app.call_later(work)
    await began.wait()
    yield
    over.set()


def zoomed(rig: Rig) -> str | None:
    """The panel that has the whole screen."""
    assert isinstance(rig.app.screen, OverviewScreen)
    return rig.app.screen.zoomed


async def rounds(count: int = 50) -> None:
    """Let the event loop run some iterations."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_busy_application_gets_one_key_and_q_overtakes_the_rest() -> None:
    rig = Rig()
    async with rig.running():
        typist = Typist(rig)
        async with busy(rig):
            await typist.type(*["tab"] * 500)
            await rounds()
            assert typist.delivered == ["tab"]
            await typist.type("q")
            await rounds()
        async with asyncio.timeout(10):
            while rig.app._running:
                await asyncio.sleep(0.001)
    assert typist.delivered == ["tab", "q"]
    assert rig.app.return_code == 0


async def test_keys_arrive_one_by_one_and_in_order() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        typist = Typist(rig)
        await typist.type("tab", "down", "tab", "g")
        await until(pilot, lambda: zoomed(rig) == "groups")
        assert typist.delivered == ["tab", "down", "tab", "g"]


async def test_text_after_the_filters_key_goes_to_the_filter() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        typist = Typist(rig)
        await typist.type("slash", *"quay")
        await until(pilot, lambda: len(typist.delivered) == 5)
        await until(pilot, lambda: rig.app.screen.query_one("#filter", Input).value == "quay")


async def test_a_paste_into_the_filter_arrives_whole() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        typist = Typist(rig)
        await typist.type("slash")
        await until(pilot, lambda: isinstance(rig.app.focused, Input))
        await asyncio.to_thread(typist.driver._typed, events.Paste("q" * 30))
        await until(pilot, lambda: rig.app.screen.query_one("#filter", Input).value == "q" * 30)


async def test_escape_overtakes_earlier_keys() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        typist = Typist(rig)
        await typist.type("g")
        await until(pilot, lambda: zoomed(rig) == "groups")
        async with busy(rig):
            await typist.type(*["down", "up"] * 300, "escape")
            await rounds()
        await until(pilot, lambda: zoomed(rig) is None)
        assert typist.delivered in (["g", "escape"], ["g", "down", "escape"])


class HeldCard(Held[NvmlReading]):
    """A source that holds a card, and records its calls."""

    def __init__(self) -> None:
        super().__init__(NVML)
        self.asked: list[str] = []

    def release(self) -> bool:
        self.asked.append("release")
        return True

    def resume(self) -> None:
        self.asked.append("resume")


async def test_a_stopped_program_holds_no_card() -> None:
    rig, card = Rig(), HeldCard()
    app = VfiotopApp(Session(replace(rig.host, nvml=card), Config(interval=3600)))
    async with app.run_test():
        driver = TerminalDriver(app)
        asked: list[list[str]] = []
        driver.stop_here = lambda *, whole_group: asked.append([*card.asked])  # type: ignore[method-assign]
        before, app._driver = app._driver, driver
        app.action_suspend_process()
        app._driver = before
        assert asked == [["release"]]
        assert card.asked == ["release", "resume"]


async def test_ctrl_c_says_how_to_quit() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert rig.text().splitlines()[-1].strip() == "q quits."
