"""Focus, zoom, layouts, series and the time cursor, by key and by mouse."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.demo import HeldClock
from tests.ui.rig import INVENTORY, Rig, text_of, until
from tests.ui.screenshots import EVENING, Picture, prepared, reach
from tui import state
from tui.app import VfiotopApp
from tui.screens.overview import OverviewScreen
from widgets.card_panel import CardPanel


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
        assert "4 Groups" in rig.text(), "another size has its own layout"
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
