"""Focus, zoom, layouts, series and the time cursor, by key and by mouse."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from textual.events import MouseEvent, MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from tests.demo import HeldClock
from tests.ui.rig import GUEST_AUDIO, INVENTORY, Rig, text_of, until
from tests.ui.screenshots import EVENING, Picture, prepared, reach
from tui import state
from tui.app import VfiotopApp
from tui.model import Event, HostView
from tui.screens.overview import OverviewScreen
from widgets.card_panel import CardPanel
from widgets.group_lines import Row
from widgets.group_panel import GroupPanel
from widgets.group_table import table_rows


def overview(app: VfiotopApp) -> OverviewScreen:
    assert isinstance(app.screen, OverviewScreen)
    return app.screen


def focused(app: VfiotopApp) -> str | None:
    return app.focused.id if app.focused is not None else None


@pytest.mark.parametrize(
    ("number", "panel"),
    [("2", "card-1"), ("3", "guest"), ("4", "groups"), ("5", "events")],
)
async def test_a_number_focuses_a_panel_and_the_same_one_zooms_it(number: str, panel: str) -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press(number)
        assert (focused(rig.app), overview(rig.app).zoomed) == (panel, None)
        await pilot.press(number)
        assert overview(rig.app).zoomed == panel
        assert "1 Guest GPU" not in rig.text()
        await pilot.press(number)
        assert overview(rig.app).zoomed is None
        assert "1 Guest GPU" in rig.text()


@pytest.mark.parametrize("back", ["0", "escape"])
async def test_zero_and_enter_zoom_and_zero_and_esc_go_back(back: str) -> None:
    rig = Rig()
    async with rig.running() as pilot:
        for key in ("0", "enter"):
            await pilot.press(key)
            assert overview(rig.app).zoomed == "card-0"
            await pilot.press(back)
            assert overview(rig.app).zoomed is None


async def test_a_panel_that_is_not_on_the_screen_is_zoomed_at_once() -> None:
    rig = Rig()
    async with rig.running((45, 20)) as pilot:
        assert "IOMMU" not in rig.text()
        await pilot.press("4")
        assert overview(rig.app).zoomed == "groups"
        await pilot.press("3")
        assert overview(rig.app).zoomed == "guest", "a number leads from one to the other"


async def test_without_a_second_card_its_number_says_so() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.pci.put(replace(INVENTORY, functions=INVENTORY.functions[:2]))
        await until(pilot, lambda: len(rig.session.live.view.gpus) == 1)
        await pilot.press("2")
        assert "There is no second GPU." in rig.text()
        await pilot.press("tab")
        assert "There is no second GPU." not in rig.text(), "the next key clears it"


async def test_two_clicks_zoom_and_two_more_go_back() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        for zoomed in ("guest", None):
            await pilot.click("#guest", times=2)
            assert overview(rig.app).zoomed == zoomed


async def test_a_click_on_a_key_presses_it() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        footer = rig.text().splitlines()[-1]
        await pilot.click("KeyFooter", offset=(footer.index("settings"), 0))
        await until(pilot, lambda: rig.app.screen.name == "settings")


async def test_a_layout_is_kept_for_terminals_of_its_size() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("l")
        assert "Layout: gaming" in rig.text()
        assert "IOMMU groups" not in rig.text()
        await until(pilot, lambda: state.load().layouts == {"desk": "gaming"})
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "4 Groups" in rig.text())  # another size has its own layout
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "IOMMU groups" not in rig.text())
    other = Rig()
    async with other.running():
        assert "IOMMU groups" not in other.text()


async def test_every_layout_and_the_first_again() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        seen = []
        for _ in range(4):
            await pilot.press("l")
            seen.append(overview(rig.app).layout_name)
        assert seen == ["gaming", "groups", "phone", "full"]


async def test_m_draws_another_series() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("2")
        panel = rig.app.screen.query_one("#card-1", CardPanel)
        before = list(panel.lines)
        await pilot.press("m")
        assert list(panel.lines) != before


async def at_the_end_of_an_evening(pilot: Pilot[None], app: VfiotopApp, clock: HeldClock) -> None:
    await reach(pilot, app, Picture(), clock)


async def test_the_time_cursor_goes_through_all_graphs_at_once() -> None:
    clock = HeldClock(EVENING)
    app = prepared(Picture(), clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await at_the_end_of_an_evening(pilot, app, clock)
        await pilot.press("1")
        assert "┊" not in text_of(app)
        await pilot.press(*["left"] * 12)
        text = text_of(app)
        assert "figures in ( ) are those at the cursor" in text
        assert text.count("┊") > 1
        ago = next(row for row in text.splitlines() if "ago" in row)
        await pilot.press("right")
        assert next(row for row in text_of(app).splitlines() if "ago" in row) != ago
        await pilot.press(*["right"] * 12)
        assert "┊" not in text_of(app)


async def test_plus_and_minus_change_the_span() -> None:
    clock = HeldClock(EVENING)
    app = prepared(Picture(), clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await at_the_end_of_an_evening(pilot, app, clock)
        await pilot.press("1")
        assert "┬1 min" in text_of(app)
        await pilot.press("plus")
        assert "┬1 min" not in text_of(app)
        assert "10 min" in text_of(app)
        await pilot.press("minus")
        assert "┬1 min" in text_of(app)


# --- the mouse on graphs, and events at the cursor ---


async def turn(
    pilot: Pilot[None], app: VfiotopApp, kind: type[MouseEvent], at: tuple[int, int]
) -> None:
    """Turn the wheel by one notch."""
    x, y = at
    app.screen._forward_event(kind(None, x, y, 0, 0, 0, False, False, False, x, y))
    await pilot.pause()


def cell_of(app: VfiotopApp, text: str, row: int = 0) -> tuple[int, int]:
    """Where on the screen a text stands, ``row`` rows below its line."""
    rows = text_of(app).splitlines()
    y = next(number for number, line in enumerate(rows) if text in line)
    return rows[y].index(text), y + row


def cursors(app: VfiotopApp) -> set[int]:
    """The columns of the screen with the time cursor."""
    return {x for row in text_of(app).splitlines() for x, sign in enumerate(row) if sign == "┊"}


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (45, 20)])
async def test_a_click_on_a_graph_sets_the_time_cursor_there(size: tuple[int, int]) -> None:
    clock = HeldClock(EVENING)
    app = prepared(Picture("desk"), clock)
    async with app.run_test(size=size) as pilot:
        await at_the_end_of_an_evening(pilot, app, clock)
        app.session.live.events = ()
        await pilot.press("1" if size[0] > 45 else "0")
        assert overview(app).zoomed == "card-0"
        assert not cursors(app)
        x, y = cell_of(app, "VRAM ", 1)
        await pilot.click(offset=(x + 9, y))
        assert x + 9 in cursors(app)
        assert len(cursors(app)) == (2 if size[0] >= 80 else 1), "in each column"
        assert overview(app).zoomed == "card-0"
        again = cell_of(app, "VRAM ", 1)  # the cursor has a line above the graphs
        await pilot.click(offset=(again[0] + 12, again[1]))
        assert x + 12 in cursors(app)
        assert x + 9 not in cursors(app)


async def test_a_click_beside_the_graphs_sets_no_cursor() -> None:
    clock = HeldClock(EVENING)
    app = prepared(Picture("desk"), clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await at_the_end_of_an_evening(pilot, app, clock)
        await pilot.click(offset=(30, 10))
        assert (focused(app), overview(app).zoomed, cursors(app)) == ("card-0", None, set())
        await pilot.press("1")
        for offset in (cell_of(app, "100 %"), cell_of(app, "Moves "), (60, 1)):
            await pilot.click(offset=offset)
            assert not cursors(app)


async def test_a_click_on_the_guest_s_graph_sets_the_cursor() -> None:
    clock = HeldClock(EVENING)
    app = prepared(Picture(), clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await at_the_end_of_an_evening(pilot, app, clock)
        app.session.live.events = ()
        await pilot.press("3", "3")
        x, y = cell_of(app, "100 % ")
        await pilot.click(offset=(x + 50, y + 1))
        ago = next(row for row in text_of(app).splitlines() if " ago" in row)
        cells = 117 - (x + 50)
        assert f"  {cells * 4 // 60} min {cells * 4 % 60} s ago" in ago


async def test_the_wheel_over_a_graph_changes_the_span() -> None:
    clock = HeldClock(EVENING)
    app = prepared(Picture(), clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await at_the_end_of_an_evening(pilot, app, clock)
        await pilot.press("1")
        graph = cell_of(app, "VRAM ", 2)
        assert "┬1 min" in text_of(app)
        await turn(pilot, app, MouseScrollDown, graph)
        assert "10 min" in text_of(app)
        await turn(pilot, app, MouseScrollDown, cell_of(app, "Moves "))
        assert "10 min" in text_of(app), "not over the details"
        await turn(pilot, app, MouseScrollUp, graph)
        assert "┬1 min" in text_of(app)


async def test_the_wheel_scrolls_what_is_no_graph() -> None:
    clock = HeldClock(EVENING)
    app = prepared(Picture(), clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_the_end_of_an_evening(pilot, app, clock)
        await pilot.press("1")
        panel = app.screen.query_one("#card-0", CardPanel)
        await turn(pilot, app, MouseScrollDown, cell_of(app, "VRAM ", 1))
        assert panel.scroll_offset.y == 0
        await pilot.press(*["j"] * 8)
        scrolled = panel.scroll_offset.y
        assert scrolled
        for kind, further in ((MouseScrollDown, True), (MouseScrollUp, False)):
            await turn(pilot, app, kind, cell_of(app, "Moves "))
            assert (panel.scroll_offset.y > scrolled) == further
        await pilot.press("escape", "g")
        await turn(pilot, app, MouseScrollDown, (20, 10))
        assert app.screen.query_one("#groups").scroll_offset.y > 0


async def test_the_cursor_s_line_tells_the_event_at_its_time() -> None:
    clock = HeldClock(EVENING)
    app = prepared(Picture(), clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await at_the_end_of_an_evening(pilot, app, clock)
        live, now = app.session.live, app.session.host.now()
        waited = Event(now - timedelta(seconds=32), "vCPU 5", "waited 31 ms/s for core 26", "warn")
        live.events = (waited,)
        await pilot.press("1")
        await pilot.press(*["left"] * 6)
        assert "waited" not in text_of(app)
        await pilot.press("left")
        told = "  32 s ago  ! vCPU 5 waited 31 ms/s for core 26  "
        assert told in text_of(app), "it goes to the event"
        where = cursors(app)
        clock.advance(40)
        overview(app).show()
        await pilot.pause()
        assert "  1 min 12 s ago  ! vCPU 5 waited 31" in text_of(app), "and stays there"
        assert {x - 10 for x in where} == cursors(app)
        await pilot.press("left")
        assert "waited" not in text_of(app)
        await pilot.press("right")
        assert "! vCPU 5 waited 31" in text_of(app)


async def test_the_rows_of_all_groups_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the size of the whole screen, and not again for the focus and the cursor."""
    widths = []

    def counted(view: HostView, width: int, *others: Any) -> list[Row]:
        widths.append(width)
        return table_rows(view, width, *others)

    monkeypatch.setattr("widgets.group_table.table_rows", counted)
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("g", "down", "down")
        assert rig.app.screen.query_one(GroupPanel).selected == GUEST_AUDIO.address
        assert widths == [116]
