"""The widgets of the cards: what looks alike paints nothing; keys in the frame can be clicked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from textual.geometry import Region
from textual.pilot import Pilot

from tests.unit.widgets.cards import GUEST, HOST, text
from tests.values import replace
from widgets.card import Card
from widgets.card_list import CardList
from widgets.card_panel import CardPanel
from widgets.graph_grid import Times
from widgets.lines import Line
from widgets.panel import Panel
from widgets.preview import Preview


class Painted:
    """Counts the rows that panels paint."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = 0
        paint = Panel.refresh

        def refresh(panel: Panel, *regions: Region, **how: bool) -> Panel:
            self.rows += sum(region.height for region in regions or [panel.size.region])
            return paint(panel, *regions, **how)

        monkeypatch.setattr(Panel, "refresh", refresh)


def app_of(panel: Panel, *cards: Card) -> Preview:
    def show() -> None:
        if isinstance(panel, CardPanel):
            panel.show(cards[0])
        elif isinstance(panel, CardList):
            panel.show(cards)

    return Preview(panel, show)


def texts(lines: Sequence[Line]) -> list[str]:
    return [text(line).rstrip() for line in lines]


async def settle(pilot: Pilot[None]) -> None:
    await pilot.pause()


async def test_a_value_that_looks_alike_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = CardPanel()
    painted = Painted(monkeypatch)
    async with app_of(panel, GUEST).run_test(size=(60, 17)) as pilot:
        await settle(pilot)
        assert texts(panel.lines)[0].startswith("Load      84 % ■")
        painted.rows = 0
        panel.show(replace(GUEST, at=GUEST.at + timedelta(seconds=1), age_s=3.9))
        assert painted.rows == 0
        assert GUEST.gpu.reading is not None
        metrics = replace(GUEST.gpu.reading.metrics, temp_c=65)
        reading = replace(GUEST.gpu.reading, metrics=metrics)
        panel.show(replace(GUEST, gpu=replace(GUEST.gpu, reading=reading)))
        assert painted.rows == 1


async def test_the_frame_has_the_hue_of_whose_the_card_is() -> None:
    panel = CardPanel()
    async with app_of(panel, GUEST).run_test(size=(60, 17)) as pilot:
        await settle(pilot)
        assert panel.has_class("-guest-gpu")
        panel.show(HOST)
        await settle(pilot)
        assert panel.has_class("-host-gpu")
        assert not panel.has_class("-guest-gpu")
        assert panel.gpu == HOST.gpu


async def test_a_rule_stands_for_the_frame() -> None:
    panel = CardPanel()
    panel.set_ruled(True)
    async with app_of(panel, GUEST).run_test(size=(45, 6)) as pilot:
        await settle(pilot)
        assert texts(panel.lines)[:2] == [
            "─ 1 RTX 4090 ─────────────────── ◆ in win11 ─",
            " Load      84 % ■■■■■■■■■■■■■■■■··· 2655 MHz",
        ]


async def test_the_series_after_the_one_that_is_drawn() -> None:
    panel = CardPanel()
    assert panel.next_series() == "load"
    async with app_of(panel, GUEST).run_test(size=(60, 17)) as pilot:
        await settle(pilot)
        assert panel.next_series() == "power"
        panel.show(replace(GUEST, lower="power"))
        assert panel.next_series() == "vram"
        await pilot.resize_terminal(60, 9)
        await settle(pilot)
        panel.show(GUEST)
        assert panel.next_series() == "temp"


async def test_a_list_shows_its_cards() -> None:
    cards = CardList()
    async with app_of(cards, GUEST, HOST).run_test(size=(80, 4)) as pilot:
        await settle(pilot)
        assert [row[:10] for row in texts(cards.lines)] == ["1 RTX 4090", "2 RTX 3060"]


async def test_a_key_in_the_frame_can_be_clicked() -> None:
    panel = CardPanel()
    pressed: list[str] = []

    class App(Preview):
        def action_bind(self) -> None:
            pressed.append("bind")

    app = App(panel, lambda: panel.show(GUEST))
    async with app.run_test(size=(60, 17)) as pilot:
        await settle(pilot)
        await pilot.click(offset=(3, 16))
        await settle(pilot)
    assert pressed == ["bind"]


async def test_on_the_whole_screen_there_are_graphs_and_details() -> None:
    panel = CardPanel()
    async with app_of(panel, GUEST).run_test(size=(120, 37)) as pilot:
        await settle(pilot)
        panel.show(GUEST, Times())
        shown = texts(panel.lines)
        assert shown[0].split()[:3] == ["Load", "84", "%"]
        assert "Card      AD102 10de:2684" in "\n".join(shown)
        panel.show(GUEST, None)
        assert texts(panel.lines)[0].startswith("Load      84 % ■")
