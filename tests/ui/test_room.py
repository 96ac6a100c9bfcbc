"""No text under a scrollbar or cut without a sign of it, on every screen at every size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input

from tests.demo import HeldClock
from tests.thorough import thorough
from tests.ui.rig import text_of, until
from tui.app import VfiotopApp
from tui.config import Config
from tui.host.demo.host import demo_host
from tui.model import NOT_READ_YET
from tui.session import Session
from widgets.canvas import Canvas
from widgets.choice_list import ChoiceList
from widgets.footer import KeyFooter
from widgets.lines import width_of
from widgets.panel import Panel

SIZES = ((80, 24), (200, 60), (45, 20), (120, 40), (60, 20), (37, 12))

SCREENS = {
    "overview": "", "help": "question_mark", "groups": "g", "filter": "slash",
    "a GPU": "enter", "the guest": "tab tab enter", "a device": "g down down enter",
    "doctor": "d", "events": "e", "calls": "c", "bind": "b", "start": "s", "stop": "x",
    "roles": "w",
}  # fmt: skip


def app_on(scenario: str) -> VfiotopApp:
    host = demo_host(scenario, clock=HeldClock())
    return VfiotopApp(Session(host, Config(theme="vfiotop-dark", interval=3600)))


def wrong(app: VfiotopApp) -> Iterator[str]:
    """What cannot be read on the screen that is shown."""
    drawn = text_of(app)
    for canvas in app.screen.query(Canvas):
        if not canvas.display or not canvas.region:
            continue
        for row in canvas.lines:
            if width_of(row) > canvas.room.width:
                yield f"{type(canvas).__name__}: {''.join(span.text for span in row)!r}"
        if canvas.show_horizontal_scrollbar:
            yield f"{type(canvas).__name__} scrolls sideways"
        title = Content.from_markup(str(canvas.border_title or "")).plain
        shown = app.screen.region.contains_region(canvas.region)
        framed = isinstance(canvas, Panel) and not canvas.ruled
        if framed and shown and title not in drawn and "…" not in drawn:
            yield f"the title {title!r}"
    footer = app.screen.query_one(KeyFooter)
    if not app.screen.region.contains_region(footer.region):
        yield "the footer"
    for field in app.screen.query(Input):
        if field.display and len(field.placeholder) > field.content_size.width:
            yield f"the placeholder in {field.content_size.width} cells"
    for choices in app.screen.query(ChoiceList):
        if choices.styles.text_overflow != "ellipsis":
            yield "a choice"


async def settled(pilot: Pilot[None]) -> None:
    """A new scrollbar has its panel drawn again after a refresh."""
    for _ in range(4):
        await pilot.pause()


def all_read(app: VfiotopApp) -> bool:
    snapshot = app.session.live.snapshot
    return NOT_READ_YET not in (snapshot.pci, snapshot.nvml, snapshot.guests, snapshot.agent)


@pytest.mark.parametrize(
    ("scenario", "keys"),
    [("crowd", SCREENS["groups"]), ("bad-acs", SCREENS["doctor"]), ("gaming", SCREENS["help"]),
     ("gaming", SCREENS["overview"]),
     *thorough(
         ("crowd", SCREENS["overview"]),
         *(("gaming", keys) for name, keys in SCREENS.items()
           if name not in ("help", "overview")))],
)  # fmt: skip
async def test_all_text_can_be_read(scenario: str, keys: str) -> None:
    app = app_on(scenario)
    async with app.run_test(size=SIZES[-1]) as pilot:
        await until(pilot, lambda: all_read(app))
        for size, other in pairwise((*SIZES, SIZES[0])):
            await pilot.resize_terminal(*size)
            await pilot.press(*keys.split())
            await settled(pilot)
            assert list(wrong(app)) == [], f"opened at {size}"
            await pilot.resize_terminal(*other)
            await settled(pilot)
            assert list(wrong(app)) == [], f"resized from {size} to {other}"
            while len(app.screen_stack) > 1:
                await pilot.press("escape")


@pytest.mark.parametrize("size", [(36, 10), (40, 15), (45, 20), (60, 20), (80, 24), (120, 40)])
async def test_the_footer_never_hides_the_help_or_the_way_out(size: tuple[int, int]) -> None:
    app = app_on("gaming")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: all_read(app))
        await settled(pilot)
        lines = app.screen.query_one(KeyFooter).lines
        rows = ["".join(span.text for span in line) for line in lines]
        assert rows[-1].split()[-4:] == ["?", "help", "q", "quit"]
