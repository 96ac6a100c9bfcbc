"""``python -m tests.bench.still ROUNDS``: a screen on which nothing changes, then one thing does.

In each round all sources are read again, with a clock that stands still, and give equal readings;
in the last round one of them differs. The terminal's bell rings before the first round and after
each. It takes the same path as all output, so a round's output lies between two bells.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from msgspec.structs import replace

from tests.ui.rig import READING, Rig, all_read
from tui import app
from tui.app import VfiotopApp
from tui.config import Config
from tui.model import Metrics, NvmlReading, SourceName
from tui.session import Session
from tui.terminal.frames import FramedScreen

OTHER = NvmlReading("580.95.05", (replace(READING, metrics=Metrics(util_pct=38)),))


class Rounds(VfiotopApp):
    """Begins a round when all samples of the previous one are drawn."""

    CSS_PATH = str(Path(app.__file__).with_name("app.tcss"))

    def __init__(self, rig: Rig, rounds: int) -> None:
        super().__init__(Session(rig.host, Config(theme="vfiotop-dark", interval=3600)))
        self._rig, self._left = rig, rounds
        self._read = Counter[SourceName]()
        self._begun = False

    def _draw(self) -> None:
        """Runs some time after samples came, and again when the terminal has caught up."""
        was_behind = self.flow.behind
        super()._draw()
        read = self.session.finished
        if all(read[name] > self._read[name] for name in self.session.samplers) and not was_behind:
            self._read = read.copy()
            self.call_after_refresh(self.call_after_refresh, self._drawn)

    def _drawn(self) -> None:
        assert isinstance(self.screen, FramedScreen)
        if self.screen.frame_waits:
            self.call_after_refresh(self._drawn)
            return
        # The first readings wake further ones, until nothing changes any more.
        if not self._begun and not all_read(self.session.live.snapshot):
            return
        self._begun = True
        self.bell()
        if self._left < 0:
            self.exit()
            return
        if self._left == 0:
            self._rig.nvml.reading = OTHER
        self._left -= 1
        self.session.poke()


def main(rounds: int) -> int:
    """Draw the rounds and exit."""
    rig = Rig()
    screen = Rounds(rig, rounds)
    screen.run()
    rig.host.close()
    return screen.return_code or 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
