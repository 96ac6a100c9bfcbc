"""No text is hidden by a scrollbar or cut without an ellipsis, on every screen at every size."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple, get_args

import pytest
from textual.content import Content
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from tests.demo import HeldClock
from tests.thorough import every_third, thorough
from tests.ui.rig import text_of, until
from tui import state
from tui.app import VfiotopApp
from tui.config import Config
from tui.host.demo.host import demo_host
from tui.host.demo.scenarios import EVENING_S
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


def app_on(scenario: str, past_s: float = 0) -> VfiotopApp:
    clock = HeldClock()
    host = demo_host(scenario, clock=clock)
    clock.advance(past_s)
    return VfiotopApp(Session(host, Config(theme="vfiotop-dark", interval=3600)))


def wrong(app: VfiotopApp) -> Iterator[str]:
    """What cannot be read on the screen that is shown."""
    strips = app.screen._compositor.render_strips(app.size)[: app.size.height]
    if app.screen.has_class("-tiny") or app.screen.has_class("-flat"):
        if "vfiotop needs 36x10 cells or more. q quits." not in " ".join(text_of(app).split()):
            yield "what is too small"
        return
    for canvas in app.screen.query(Canvas):
        if canvas.display and canvas.region:
            yield from _wrong_on(canvas, strips)
    for widget in (app.screen, *app.screen.query(Widget)):
        if widget.show_horizontal_scrollbar and widget.scrollbar_size_horizontal:
            yield f"{widget} scrolls sideways"
        scrolls = widget.show_vertical_scrollbar and widget.scrollbar_size_vertical
        if scrolls and not isinstance(widget, ChoiceList):  # a list keeps a column for it
            yield f"the scrollbar of {widget}"
    for field in app.screen.query(Input):
        if field.display and len(field.placeholder) > field.content_size.width:
            yield f"the placeholder in {field.content_size.width} cells"
    for choices in app.screen.query(ChoiceList):
        if choices.styles.text_overflow != "ellipsis":
            yield "a choice"
    if not WAY_OUT.search(_keys(app, strips)):
        yield f"the way out: {_keys(app, strips)!r}"


WAY_OUT = re.compile(r"(?<!\S)(esc|q|\?) \w")


def _cells(strips: Sequence[Strip], region: Region) -> list[str]:
    """The text in ``region``, as the terminal shows it."""
    return [strip.crop(region.x, region.right).text for strip in strips[region.y : region.bottom]]


def _wrong_on(canvas: Canvas, strips: Sequence[Strip]) -> Iterator[str]:
    """The rows and edges that are not shown as the canvas drew them."""
    room, name = canvas.scrollable_content_region, type(canvas).__name__
    ruled = isinstance(canvas, Panel) and canvas.ruled
    for row in canvas.lines:
        if width_of(row) > room.width:
            yield f"{name}: {''.join(span.text for span in row)!r} in {room.width} cells"
    shown = _cells(strips, room)
    if len(shown) < room.height:
        yield f"{name} is below the screen"
    for y, text in enumerate(shown):
        index = 0 if ruled and y == 0 else y + canvas.scroll_offset.y
        drawn = canvas.lines[index] if index < len(canvas.lines) else ()
        wanted = "".join(span.text for span in drawn)
        if text.rstrip() != wanted.rstrip():
            yield f"{name}: {text!r} in place of {wanted!r}"
    if isinstance(canvas, Panel) and not ruled:
        rows = _cells(strips, canvas.region)
        for edge, text in ((canvas.border_title, rows[0]), (canvas.border_subtitle, rows[-1])):
            if Content.from_text(edge or "").plain.strip() not in text:
                yield f"the edge {edge!r}: {text!r}"


def _keys(app: VfiotopApp, strips: Sequence[Strip]) -> str:
    """The keys in the footer and in the lower edges of frames."""
    footer = app.screen.query_one(KeyFooter)
    frames = [panel.region for panel in app.screen.query(Panel) if panel.display]
    edges = [_cells(strips, region)[-1] for region in frames if region]
    return " ".join((*_cells(strips, footer.region), *edges))


async def settled(pilot: Pilot[None]) -> None:
    """Wait until all is drawn: a new scrollbar has its panel drawn again after a refresh."""
    for _ in range(4):
        await pilot.pause()


def all_read(app: VfiotopApp) -> bool:
    snapshot = app.session.live.snapshot
    return NOT_READ_YET not in (snapshot.pci, snapshot.nvml, snapshot.guests, snapshot.agent)


@pytest.mark.parametrize(
    ("scenario", "keys"),
    [("bad-acs", SCREENS["doctor"]), ("gaming", SCREENS["overview"]),
     *thorough(
         ("crowd", SCREENS["groups"]), ("gaming", SCREENS["help"]),
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


class Shown(NamedTuple):
    """A screen: the scenario and the seconds since its beginning, the keys that open it, and the
    layout of the overview."""

    scenario: str
    keys: str = ""
    layout: state.Layout = "full"
    plan: bool = False
    past_s: float = 0


SWEPT = {
    "overview": Shown("gaming"),
    "the guest is off": Shown("desk"),
    "many cards": Shown("crowd"),
    "gaming layout": Shown("gaming", layout="gaming"),
    "groups layout": Shown("bad-acs", layout="groups"),
    "phone layout": Shown("gaming", layout="phone"),
    "the guest GPU": Shown("gaming", "1 1"),
    "the host GPU": Shown("desk", "2 2"),
    "the guest": Shown("gaming", "3 3"),
    "a guest that is off": Shown("bad-acs", "3 3"),
    "groups": Shown("crowd", "g"),
    "filter": Shown("gaming", "slash"),
    "events": Shown("gaming", "e"),
    "a device": Shown("gaming", "g down down enter"),
    "doctor": Shown("bad-acs", "d"),
    "calls": Shown("gaming", "c"),
    "bind": Shown("desk", "b", plan=True),
    "bind refused": Shown("bad-acs", "b", plan=True),
    "start": Shown("idle", "s", plan=True),
    "stop": Shown("gaming", "x", plan=True),
    "roles": Shown("desk", "w"),
    "settings": Shown("gaming", "o"),
    "help": Shown("gaming", "question_mark"),
    "a return": Shown("evening", past_s=EVENING_S + 4),
}

WIDE = (240, 70)
CORNERS = (
    (30, 10), (36, 10), (36, 70), (240, 10), (37, 9), (45, 20), (60, 20), (71, 24), (72, 20),
    (72, 22), (80, 24), (99, 29), (100, 30), (120, 40), (159, 45), (160, 45), (200, 60),
)  # fmt: skip
"""The ends of the range, and both sides of each size at which something is drawn differently."""

SHORT_FORMS = {"Mem", "Move", "Stay"}
"""Words of narrow screens that are the beginning of a word of wide ones."""

WORD = re.compile(r"[A-Za-z][A-Za-z_-]+(?![\w…-])")


def sizes_for(name: str, count: int | None) -> Iterator[tuple[int, int]]:
    """``count`` sizes for a screen, alternately a corner and a random one; with None, all corners
    and as many random ones. They are the same in each run."""
    chosen = random.Random(name)
    corners = chosen.sample(CORNERS, len(CORNERS))
    found = (size for corner in corners
             for size in (corner, (chosen.randint(30, 240), chosen.randint(10, 70))))  # fmt: skip
    return islice(found, count)


@pytest.mark.parametrize(
    ("name", "count"),
    [*every_third((name, 3) for name in SWEPT), *thorough(*((name, None) for name in SWEPT))],
)
async def test_nothing_is_cut_off_at_any_size(name: str, count: int | None) -> None:
    shown = SWEPT[name]
    app = app_on(shown.scenario, shown.past_s)
    app.session.layouts = dict.fromkeys(get_args(state.SizeClass), shown.layout)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: all_read(app))
        await pilot.press(*shown.keys.split())
        await until(pilot, lambda: not shown.plan or "esc cancel" in text_of(app))
        await settled(pilot)
        assert list(wrong(app)) == []
        words = set(WORD.findall(text_of(app)))
        for size in sizes_for(name, count):
            await pilot.resize_terminal(*size)
            await settled(pilot)
            assert list(wrong(app)) == [], size
            assert list(cut_words(text_of(app), words)) == [], f"{size}\n{text_of(app)}"


def cut_words(text: str, known: set[str]) -> Iterator[str]:
    """The words that are the beginning of a known word, and have no ellipsis."""
    for word in set(WORD.findall(text)) - known - SHORT_FORMS:
        if any(other.startswith(word) for other in known):
            yield word


@pytest.mark.parametrize("size", [(36, 10), (40, 15), (45, 20), (60, 20), (80, 24), (120, 40)])
async def test_the_footer_never_hides_the_help_or_the_way_out(size: tuple[int, int]) -> None:
    app = app_on("gaming")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: all_read(app))
        await settled(pilot)
        lines = app.screen.query_one(KeyFooter).lines
        rows = ["".join(span.text for span in line) for line in lines]
        assert rows[-1].split()[-4:] == ["?", "help", "q", "quit"]
