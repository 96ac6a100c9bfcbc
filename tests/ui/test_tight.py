"""What reaches the terminal: the cells that changed, nothing when nothing did."""

from __future__ import annotations

from dataclasses import replace

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from tests.ui.rig import READING, Rig, until
from tui.model import Metrics, NvmlReading
from tui.screens.tight import Pen, TightUpdate


def written(spans: list[tuple[int, int, int]], update: type[ChopsUpdate]) -> str:
    left, right = Strip([Segment("0123456789")]), Strip([Segment("abcdefghij")])
    chops: list[dict[int, Strip | None]] = [{0: left, 10: right}, {0: left, 10: None}]
    return update(chops, spans, [[10, 20], [10, 20]]).render_segments(Console(color_system=None))


def test_a_span_is_written_from_its_first_to_its_last_cell() -> None:
    assert written([(0, 3, 5)], TightUpdate) == "\x1b[1;4H34"
    assert written([(0, 12, 14)], TightUpdate) == "\x1b[1;13Hcd"


def test_a_span_over_two_widgets_and_one_that_is_covered() -> None:
    assert written([(0, 8, 12)], TightUpdate) == "\x1b[1;9H89\x1b[1;11Hab"
    assert written([(1, 8, 12)], TightUpdate) == "\x1b[2;9H89"


def test_colours_are_written_when_they_change() -> None:
    red, bold = Style(color="red"), Style(color="red", bold=True)
    pen = Pen(ColorSystem.STANDARD)
    for x, (text, style) in enumerate([("a", red), ("b", red), ("c", bold), ("d", None)]):
        pen.move(x, 0)
        pen.write(text, style)
    assert pen.lift() == ("\x1b[1;1H\x1b[0;31ma\x1b[1;2Hb\x1b[1;3H\x1b[0;1;31mc\x1b[1;4H\x1b[0md")


def test_the_pen_leaves_no_colour_behind() -> None:
    pen = Pen(ColorSystem.STANDARD)
    pen.write("a", Style(bold=True))
    assert pen.lift() == "\x1b[0;1ma\x1b[0m"


def test_textual_still_writes_from_the_left_edge() -> None:
    # When this fails Textual has become tight itself: tui.screens.tight can go.
    assert "0123" in written([(0, 3, 5)], ChopsUpdate)


async def test_a_changed_figure_costs_its_cells() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        sizes: list[int] = []
        screen = rig.app.screen
        render = screen._compositor.render_partial_update

        def spy() -> ChopsUpdate | None:
            update = render()
            if update is not None:
                sizes.append(len(update.render_segments(rig.app.console)))
            return update

        screen._compositor.render_partial_update = spy  # type: ignore[method-assign]
        warmer = replace(READING, metrics=replace(READING.metrics, temp_c=55))
        rig.nvml.put(NvmlReading("580.95.05", (warmer,)))
        await until(pilot, lambda: "55 °C" in rig.text())
        assert sum(sizes) < 150, sizes
        rig.nvml.put(NvmlReading("580.95.05", (replace(warmer, metrics=Metrics()),)))
        await until(pilot, lambda: "55 °C" not in rig.text())
        assert sum(sizes) > 150
