"""``make screenshots``: an SVG of every screen and scenario, from the simulated host.

The clock stands still, so the same code draws the same picture.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.svg import with_own_fonts
from tests.ui.rig import SIZES, all_read, until
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import HostError
from tui.host.demo import SCENARIOS, HeldClock, demo_host
from tui.model import Reading, Sample, Unavailable
from tui.theme import DARK, LIGHT

EVENING = datetime(2026, 1, 2, 20, 15, tzinfo=UTC)
PAST_S, STEP_S = 360, 2
"""Simulated seconds before the picture, for the graphs and events, and between readings."""

WIDE, NORMAL, PHONE = SIZES


@dataclass(frozen=True)
class Picture:
    """A scenario on a terminal of some size after some keys."""

    scenario: str = "gaming"
    size: tuple[int, int] = WIDE
    keys: tuple[str, ...] = ()
    theme: str = DARK.name
    past_s: int = PAST_S


PICTURES = {
    "overview-120x40": Picture(),
    "overview-80x24": Picture(size=NORMAL),
    "overview-45x20": Picture(size=PHONE),
    "overview-light": Picture("desk", theme=LIGHT.name),
    "overview-ansi": Picture(size=NORMAL, theme="ansi-dark"),
    "groups": Picture("bad-acs", keys=("g",)),
    "filter": Picture(size=NORMAL, keys=("slash", *"usb")),
    "details-gpu": Picture("desk", keys=("enter",)),
    "details-guest": Picture(size=NORMAL, keys=("tab", "tab", "enter")),
    "events": Picture("lost", size=NORMAL, keys=("e",)),
    "help": Picture(size=NORMAL, keys=("question_mark",)),
    "scenario-lost": Picture("lost", past_s=26),
    **{
        f"scenario-{name}": Picture(name)
        for name in SCENARIOS
        if name not in ("gaming", "lost")
    },
}  # fmt: skip


def prepared(picture: Picture) -> VfiotopApp:
    """The application at the end of the picture's simulated past."""
    clock = HeldClock(EVENING)
    host = demo_host(picture.scenario, clock=clock)
    app = VfiotopApp(host, Config(theme=picture.theme, interval=3600))
    for _ in range(picture.past_s // STEP_S):
        for name, source in host.sources():
            try:
                reading: Reading = source.read()
            except HostError as error:
                reading = Unavailable(str(error))
            app.live.take(Sample(name, reading, host.now()))
        clock.advance(STEP_S)
    return app


async def draw(picture: Picture) -> str:
    """The picture as SVG."""
    app = prepared(picture)
    async with app.run_test(size=picture.size) as pilot:
        await until(pilot, lambda: all_read(app.live.snapshot))
        if picture.keys:
            await pilot.press(*picture.keys)
        await pilot.pause()
        svg = app.export_screenshot(title=f"vfiotop --demo {picture.scenario}")
    return with_own_fonts(svg)


def main(target: Path, names: list[str]) -> None:
    """Write the pictures that are named, or all, to ``target``."""
    os.environ.update(TZ="UTC", XDG_STATE_HOME=os.devnull, TERM="xterm-256color")
    time.tzset()
    for name in names or PICTURES:
        svg = asyncio.run(draw(PICTURES[name]))
        (target / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
