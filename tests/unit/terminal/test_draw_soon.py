"""When the screen is drawn after a change."""

from __future__ import annotations

import pytest

from tests.ui.rig import until
from tui.terminal.app import MOST_WAITS, TerminalApp


class Drawn(TerminalApp):
    """Counts its frames. ``more`` is how often there is more to come."""

    def __init__(self, more: int) -> None:
        super().__init__()
        self.more, self.asked, self.frames = more, 0, 0

    @property
    def more_to_come(self) -> bool:
        self.asked += 1
        return self.asked <= self.more

    def _draw(self) -> None:
        super()._draw()
        self.frames += 1


@pytest.mark.parametrize(("more", "asked"), [(0, 1), (2, 3), (1000, MOST_WAITS - 1)])
async def test_a_frame_waits_for_what_comes_soon_but_not_for_long(more: int, asked: int) -> None:
    app = Drawn(more)
    async with app.run_test() as pilot:
        for _ in range(3):
            app.draw_soon()
        await until(pilot, lambda: app.frames > 0)
        assert (app.frames, app.asked) == (1, asked)
