"""A panel's frame and the rule that stands for it on small terminals."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.geometry import Region, Size

from tests.unit.widgets.drawn import text, texts
from widgets import canvas
from widgets.lines import Line, Span, line, merge_spans
from widgets.panel import Edges, Panel, edge


class _App(App[None]):
    CSS = "Panel { width: 40; height: 6; }"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        from tui.theme import DEFAULTS

        return dict(DEFAULTS)

    def compose(self) -> ComposeResult:
        yield Panel("guest")


def screen(app: App[None]) -> list[str]:
    rows = app.screen._compositor.render_strips(app.size)
    return ["".join(segment.text for segment in row).rstrip() for row in rows]


EDGES = Edges(line(Span("3", "guest"), " win11"), line("● running"), line("s start"))


async def test_a_frame_goes_on_after_keys_without_a_note() -> None:
    app = _App()
    async with app.run_test(size=(44, 6)) as pilot:
        panel = app.query_one(Panel)
        panel.set_edges(EDGES)
        panel.paint_panel([line("CPU")])
        await pilot.pause()
        assert panel.space == Size(36, 4)
        shown = screen(app)
        assert shown[0] == "╭─ 3 win11 ──────────────── ● running ─╮"
        assert shown[1] == "│ CPU                                  │"
        assert shown[-1] == "╰─ s start ────────────────────────────╯"


async def test_lines_that_come_again_are_not_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[Line] = []

    def spy(spans: Line) -> Line:
        fitted.append(spans)
        return merge_spans(spans)

    monkeypatch.setattr(canvas, "merge_spans", spy)
    app = _App()
    async with app.run_test(size=(44, 6)) as pilot:
        panel = app.query_one(Panel)
        panel.paint_panel([line("CPU"), line("Memory")])
        fitted.clear()
        panel.paint_panel([line("CPU 1 %"), line("Memory")])
        assert fitted == [line("CPU 1 %")]
        await pilot.resize_terminal(30, 6)
        panel.styles.width = 28
        await pilot.pause()
        fitted.clear()
        panel.paint_panel([line("CPU 1 %"), line("Memory")])
        assert fitted == [line("CPU 1 %"), line("Memory")]


async def test_rows_that_change_are_painted_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows next to each other are painted as one, and lines out of sight not at all."""
    app = _App()
    async with app.run_test(size=(44, 6)) as pilot:
        panel = app.query_one(Panel)
        rows = [f"row {number}" for number in range(9)]
        panel.paint_panel([line(row) for row in rows])
        await pilot.pause()

        def change(*numbers: int) -> list[Region]:
            painted: list[Region] = []
            for number in numbers:
                rows[number] += "*"
            with monkeypatch.context() as patched:
                patched.setattr(panel, "refresh", lambda *regions: painted.extend(regions))
                panel.paint_panel([line(row) for row in rows])
            return painted

        assert change(0, 1, 3, 6) == [Region(0, 0, 36, 2), Region(0, 3, 36, 1)]
        assert change(5, 8) == []
        panel.scroll_to(y=5, animate=False)
        await pilot.pause()
        assert change(0, 4, 5, 7, 8) == [Region(0, 0, 36, 1), Region(0, 2, 36, 2)]


async def test_a_sign_that_widens_the_one_before_it_moves_nothing() -> None:
    """The variation selector makes a sign two cells wide, once they are in one span."""
    app = _App()
    async with app.run_test(size=(44, 6)) as pilot:
        panel = app.query_one(Panel)
        panel.paint_panel([line("☺", "\ufe0f", " x")])
        await pilot.pause()
        strip = panel.render_line(0)
        assert cell_len(strip.text) == strip.cell_length == 36


async def test_a_rule_stays_above_the_lines_that_scroll(monkeypatch: pytest.MonkeyPatch) -> None:
    app = _App()
    async with app.run_test(size=(44, 6)) as pilot:
        panel = app.query_one(Panel)
        panel.set_ruled(True)
        await pilot.pause()
        panel.set_edges(EDGES)
        for sign in ("", "*"):
            panel.paint_panel([line(f"row {number}{sign}") for number in range(9)])
            panel.scroll_to(y=4, animate=False)
            await pilot.pause()
            shown = screen(app)
            assert shown[0].startswith("─ 3 win11 ─")
            assert shown[1:] == [f" row {number}{sign}" for number in range(4, 9)]
        painted: list[Region] = []
        with monkeypatch.context() as patched:
            patched.setattr(panel, "refresh", lambda *regions: painted.extend(regions))
            panel.set_edges(Edges(line("3 win11"), line("○ off")))
        assert painted == [Region(0, 0, 40, 1)]


async def test_a_rule_without_a_title_has_no_gap() -> None:
    app = _App()
    async with app.run_test(size=(44, 6)) as pilot:
        panel = app.query_one(Panel)
        panel.set_ruled(True)
        await pilot.pause()
        assert texts([panel.rule(40)]) == ["─" * 40]


async def test_lines_below_a_rule_keep_a_blank_at_each_side() -> None:
    app = _App()
    async with app.run_test(size=(44, 6)) as pilot:
        panel = app.query_one(Panel)
        panel.set_ruled(True)
        await pilot.pause()
        assert panel.space == Size(38, 5)
        panel.set_edges(EDGES)
        panel.paint_panel([line("CPU"), line("Mem")], cursor=1)
        await pilot.pause()
        assert texts(panel.lines) == ["─ 3 win11 ────────────────── ● running ─", " CPU", " Mem"]


def test_an_edge_without_a_right_part_ends_with_its_left_one() -> None:
    assert text(edge(line("e all"), (), 20, "─")) == "e all"
    assert text(edge(line("e all"), line("3 more"), 20, "─")) == "e all ─────── 3 more"


class _Drawn(Panel):
    """Records for which space it is drawn, and draws the number of the value."""

    def __init__(self) -> None:
        super().__init__("guest")
        self.spaces: list[Size] = []
        self.value = 0

    def show(self, value: int) -> None:
        self.value = value
        self._draw()

    def _draw(self) -> None:
        if self.space.width > 0:
            self.spaces.append(self.space)
            self.paint_panel([line(f"{self.value} in {self.space.width}")])


class _Board(_App):
    CSS = "_Drawn { position: absolute; }"

    def compose(self) -> ComposeResult:
        yield _Drawn()


async def test_a_panel_that_is_placed_is_drawn_once_for_its_size() -> None:
    app = _Board()
    async with app.run_test(size=(44, 12)) as pilot:
        panel = app.query_one(_Drawn)
        for region, framed, space in (
            (Region(0, 0, 30, 6), True, Size(26, 4)),
            (Region(2, 1, 20, 5), True, Size(16, 3)),
            (Region(0, 0, 30, 6), False, Size(28, 5)),
        ):
            panel.spaces.clear()
            panel.place(region, framed=framed)
            panel.show(1)
            assert panel.spaces == [space]
            await pilot.pause()
            assert panel.outer_size == region.size
            assert panel.space == space
            assert panel.spaces == [space]
            assert f"1 in {space.width}" in "".join(screen(app))


async def test_a_hidden_panel_is_drawn_when_it_is_shown() -> None:
    app = _Board()
    async with app.run_test(size=(44, 12)) as pilot:
        panel = app.query_one(_Drawn)
        panel.place(Region(0, 0, 30, 6), framed=True)
        panel.show(1)
        await pilot.pause()
        panel.place(None, framed=True)
        panel.spaces.clear()
        panel.show(2)
        await pilot.pause()
        assert panel.spaces == []
        panel.place(Region(0, 0, 30, 6), framed=True)
        await pilot.pause()
        assert panel.spaces == [Size(26, 4)]
        assert "2 in 26" in screen(app)[1]
