"""``make screenshots``: an SVG of every screen and scenario, from the simulated host.

The clock stands still, so the same code draws the same picture.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from msgspec import Struct
from textual.pilot import Pilot

from tests.demo import HeldClock
from tests.svg import moving, with_own_fonts
from tests.ui.rig import NORMAL, PHONE, WIDE, all_read, text_of, until
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import HostError, NothingToRead, Source
from tui.host.demo.host import SCENARIOS, demo_host
from tui.live import Live
from tui.model import Reading, Sample, Unavailable
from tui.recall import READING
from tui.rules.guest_readings import demand
from tui.rules.roles import Choice
from tui.screens.base import HostScreen
from tui.session import Session
from tui.theme import ANSI_DARK, ANSI_LIGHT, CONTRAST, DARK, LIGHT

EVENING = datetime(2026, 1, 2, 20, 15, tzinfo=UTC)
PAST_S, STEP_S = 360, 2
"""Simulated seconds before the picture, for the graphs and events, and between readings."""


class Picture(Struct, frozen=True):
    """A scenario on a terminal of some size after some keys; and, once ``see`` is on the
    screen, after further ones, until ``then_see`` is there, and some simulated seconds."""

    scenario: str = "gaming"
    size: tuple[int, int] = WIDE
    keys: tuple[str, ...] = ()
    theme: str = DARK
    past_s: int = PAST_S
    see: str = ""
    then: tuple[str, ...] = ()
    then_see: str = "Bind"
    later_s: float = 0


PICTURES = {
    "overview-120x40": Picture(),
    "overview-200x60": Picture(size=(200, 60)),
    "overview-100x30": Picture(size=(100, 30)),
    "overview-80x24": Picture(size=NORMAL),
    "overview-45x20": Picture(size=PHONE),
    "overview-40x15": Picture(size=(40, 15)),
    "overview-36x10": Picture(size=(36, 10)),
    "overview-90x18": Picture(size=(90, 18)),
    "overview-light": Picture("desk", theme=LIGHT),
    "overview-contrast": Picture(size=NORMAL, theme=CONTRAST),
    "overview-ansi": Picture(size=NORMAL, theme=ANSI_DARK),
    "overview-ansi-light": Picture(size=NORMAL, theme=ANSI_LIGHT),
    "layout-gaming": Picture(keys=("l",)),
    "layout-groups": Picture(keys=("l", "l")),
    "layout-phone": Picture(size=NORMAL, keys=("l", "l", "l")),
    "zoom-card": Picture(keys=("1", *["left"] * 10)),
    "zoom-host-card": Picture("desk", keys=("2", "2"), see="pipewire"),
    "zoom-guest": Picture(keys=("3", "3")),
    "zoom-day": Picture("evening", keys=("1", *["plus"] * 4, *["left"] * 3), past_s=20),
    "groups": Picture("bad-acs", keys=("g",)),
    "filter": Picture(size=NORMAL, keys=("slash", *"usb")),
    "device": Picture(size=NORMAL, keys=("4", "down", "down", "down", "enter"), see="Kind"),
    "settings": Picture(size=NORMAL, keys=("o",)),
    "events": Picture("lost", size=NORMAL, keys=("e",)),
    "help": Picture(size=NORMAL, keys=("question_mark",)),
    "swap-plan": Picture("desk", size=NORMAL, keys=("b",), see="✓ ready"),
    "doctor": Picture("bad-acs", keys=("d",), see="✗ 2 fail"),
    "swap-refused": Picture("bad-acs", keys=("b",), see="✗ refused"),
    "swap-running": Picture(
        "desk", size=NORMAL, keys=("b",), see="✓ ready", then=("space", "y"), later_s=2.6
    ),
    "swap-overview": Picture(
        "desk", keys=("b",), see="✓ ready", then=("y", "escape"), then_see="Events", later_s=2.6
    ),
    "start-plan": Picture("desk", size=NORMAL, keys=("s",), see="✓ ready"),
    "start-running": Picture(
        "desk", size=NORMAL, keys=("s",), see="✓ ready", then=("y",),
        then_see="bound first; then", later_s=2.6,
    ),
    "stop-countdown": Picture(
        size=NORMAL, keys=("x",), see="✓ ready", then=("y",), then_see="was asked", later_s=1,
    ),
    "stop-off": Picture(
        size=NORMAL, keys=("x",), see="✓ ready", then=("y",), then_see="was asked", later_s=4,
    ),
    "roles": Picture("desk", size=NORMAL, keys=("w",)),
    "scenario-lost": Picture("lost", past_s=26),
    "scenario-stutter": Picture("stutter", past_s=368),
    "scenario-evening": Picture("evening", past_s=34),
    **{
        f"scenario-{name}": Picture(name)
        for name in SCENARIOS
        if name not in ("gaming", "lost", "stutter", "evening")
    },
}  # fmt: skip


class Shot(Struct, frozen=True):
    """A picture of the film: after these keys, once ``see`` is on the screen, and some simulated
    seconds; it is shown for ``seconds``."""

    seconds: float
    keys: tuple[str, ...] = ()
    see: str = "Events"
    later_s: float = 0


FILM = (
    Shot(2.5), Shot(3, ("b",), see="✓ ready"), Shot(0.7, ("y",), see="step 1 of 8", later_s=0.2),
    *(Shot(0.7, see="step", later_s=0.6) for _ in range(5)), Shot(2.5, see="done", later_s=2),
    Shot(3, ("escape",)),
)  # fmt: skip
"""A bind on the simulated host, which the README shows."""


def prepared(picture: Picture, clock: HeldClock) -> VfiotopApp:
    """The application at the end of the picture's simulated past."""
    past = _past(picture.scenario, picture.past_s, clock.now())
    host = demo_host(picture.scenario, clock=clock)
    app = VfiotopApp(Session(host, Config(theme=picture.theme, interval=3600)))
    vars(app.session.live).update(deepcopy(vars(past)))
    host.set_demand(demand(past.view))
    clock.advance(picture.past_s)
    return app


@cache
def _past(scenario: str, past_s: int, began: datetime) -> Live:
    """What is known after reading the simulated host for some seconds: the same for pictures that
    differ in size, theme or keys only."""
    clock = HeldClock(began)
    host = demo_host(scenario, clock=clock)
    live = Live(Choice())
    for _ in range(past_s // STEP_S):
        for name, source in host.sources():
            live.take(Sample(name, _read(source), host.now()))
        host.set_demand(demand(live.view))
        clock.advance(STEP_S)
    return live


def _read(source: Source[Reading]) -> Reading:
    try:
        return source.read()
    except HostError as error:
        return Unavailable(str(error), isinstance(error, NothingToRead))


async def reach(pilot: Pilot[None], app: VfiotopApp, picture: Picture, clock: HeldClock) -> None:
    """Bring the application to where the picture is taken."""
    await until(pilot, lambda: all_read(app.session.live.snapshot) and _recalled(app))
    if app.session.host.history is not None and isinstance(app.screen, HostScreen):
        app.screen.show()
    await pilot.press(*picture.keys)
    await until(pilot, lambda: READING not in text_of(app))
    if picture.see:
        await until(pilot, lambda: picture.see in text_of(app))
    if picture.then:
        await pilot.press(*picture.then)
        await until(pilot, lambda: picture.then_see in text_of(app))
    if picture.later_s:
        await _later(pilot, app, clock, picture.later_s)
    await pilot.pause()


def _recalled(app: VfiotopApp) -> bool:
    """Whether the history of the watch has been merged."""
    history = app.session.host.history
    past = history.newest() if history is not None else None
    return past is None or {*past.events} <= {*app.session.live.events}


async def _later(pilot: Pilot[None], app: VfiotopApp, clock: HeldClock, seconds: float) -> None:
    clock.advance(seconds)
    for sampler in app.session.samplers.values():
        sampler.poke()
    await until(pilot, lambda: _caught_up(app))


def _caught_up(app: VfiotopApp) -> bool:
    """Whether the last readings are current."""
    return all(
        _read(source) == getattr(app.session.live.snapshot, name)
        for name, source in app.session.host.sources()
        if name in ("pci", "vitals", "guests", "swap")
    )


async def draw(picture: Picture) -> str:
    """The picture as SVG."""
    clock = HeldClock(EVENING)
    app = prepared(picture, clock)
    async with app.run_test(size=picture.size) as pilot:
        await reach(pilot, app, picture, clock)
        svg = app.export_screenshot(title=f"vfiotop --demo {picture.scenario}")
    return with_own_fonts(svg)


def _shows(app: VfiotopApp, text: str) -> bool:
    return text in text_of(app)


async def film() -> str:
    """The shots as one SVG that moves."""
    clock = HeldClock(EVENING)
    picture = Picture("desk", size=(100, 30))
    app = prepared(picture, clock)
    frames = []
    async with app.run_test(size=picture.size) as pilot:
        await until(pilot, lambda: all_read(app.session.live.snapshot))
        for shot in FILM:
            await pilot.press(*shot.keys)
            if shot.later_s:
                await _later(pilot, app, clock, shot.later_s)
            await until(pilot, partial(_shows, app, shot.see))
            await pilot.pause()
            svg = app.export_screenshot(title="vfiotop --demo desk")
            frames.append((with_own_fonts(svg), shot.seconds))
    return moving(frames)


def main(target: Path, names: list[str]) -> None:
    """Write the pictures that are named, or all, to ``target``."""
    os.environ.update(TZ="UTC", TERM="xterm-256color")
    time.tzset()
    for name in names or PICTURES:
        with tempfile.TemporaryDirectory() as home:  # no picture inherits a layout
            os.environ.update(XDG_STATE_HOME=home)
            svg = asyncio.run(draw(PICTURES[name]))
        (target / f"{name}.svg").write_text(svg, encoding="utf-8")
    if not names:
        with tempfile.TemporaryDirectory() as home:
            os.environ.update(XDG_STATE_HOME=home)
            (target / "swap.svg").write_text(asyncio.run(film()), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
