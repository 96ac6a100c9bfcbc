"""Every key of the table does what the help says."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.thorough import thorough
from tests.ui.rig import GUESTS, INVENTORY, NOON, SIZES, WIN11, Rig, until
from tui import state
from tui.commands import COMMANDS, of_screen
from tui.model import Guests, PciFunction
from tui.screens import guest
from tui.screens.base import HostScreen
from widgets.canvas import Canvas
from widgets.group_panel import GroupPanel


async def test_groups_on_the_whole_screen_and_back() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("g")
        text = rig.text()
        assert "15   02:00.0" in text
        assert "Host GPU ·" not in text
        await pilot.press("escape")
        assert "Host GPU ·" in rig.text()


async def test_filter_narrows_by_driver_and_keeps_its_group() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("slash", *"nvme")
        text = rig.text()
        assert "15   02:00.0" in text
        assert "NVMe SSD" in text
        assert "01:00.0" not in text
        await pilot.press("enter", "escape")
        assert "14 ✓ 01:00.0" in rig.text()


async def test_filter_without_a_match_says_so() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("slash", *"[red]no")
        assert "Nothing matches “[red]no” in 3 groups. esc clears it." in rig.text()


async def test_letters_in_the_filter_are_text_not_keys() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("slash", *"qget")
        assert rig.app.is_running
        assert "Nothing matches “qget” in 3 groups. esc clears it." in rig.text()


async def test_details_of_the_focused_card() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("enter")
        text = rig.text()
        for words in ("◆ in win11", "Ada GeForce", "14 ✓ viable", "10de:2684", "on vfio-pci"):
            assert words in text, words
        await pilot.press("escape", "2", "2")
        assert "2 Host GPU · GeForce RTX 3060" in rig.text()
        assert "3 Guest" not in rig.text()


async def test_details_of_the_guest_and_of_one_that_goes_away() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: "3 Guest · win11" in rig.text())
        assert "1 Guest GPU" not in rig.text()
        rig.guests.put(replace(GUESTS, domains=()))
        await until(pilot, lambda: "No domain is defined" in rig.text())


async def test_details_of_a_device_in_the_tree() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("g", "down", "down", "enter")
        assert "AD102 High Definition Audio Controller" in rig.text()
        assert "Kind" in rig.text()


async def test_the_cursor_stays_on_its_device_when_others_appear() -> None:
    rig = Rig()
    first = PciFunction("0000:00:00.0", "1022", "1480", "060000", "Root Complex", iommu_group=0)
    async with rig.running() as pilot:
        await pilot.press("g", "end")
        tree = rig.app.screen.query_one(GroupPanel)
        selected = tree.selected
        rig.pci.put(replace(INVENTORY, functions=(first, *INVENTORY.functions)))
        await until(pilot, lambda: "Root Complex" in rig.text())
        assert tree.selected == selected


async def test_events_newest_first() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.guests.put(replace(GUESTS, domains=()))
        await until(pilot, lambda: len(rig.session.live.events) > 0)
        rig.guests.put(GUESTS)
        await until(pilot, lambda: len(rig.session.live.events) > 1)
        await pilot.press("e")
        rows = [row for row in rig.text().splitlines()[1:] if "win11" in row]
        assert len(rows) >= 2
        assert rig.session.live.events[0].text in rows[0]


@pytest.mark.parametrize("size", SIZES)
async def test_help_names_every_command(size: tuple[int, int]) -> None:
    rig = Rig()
    async with rig.running(size) as pilot:
        await pilot.press("question_mark")
        page = rig.app.screen.query_one("#help", Canvas)
        text = " ".join("".join(span.text for span in line).strip() for line in page.lines)
        for command in COMMANDS:
            if size[0] < 100:  # one column: the sentence stands in one piece
                assert command.help in " ".join(text.split()), command.id
            assert all(word in text for word in command.help.split()), command.id


async def test_a_new_theme_is_saved() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("t")
        assert rig.app.theme == "vfiotop-light"
        await until(pilot, lambda: state.load().theme == "vfiotop-light")


async def test_palette_offers_the_commands_of_the_screen() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        offered = {command.title for command in rig.app.get_system_commands(rig.app.screen)}
        assert offered == {
            c.label for c in of_screen("overview") if c.id != "palette" and "{key}" not in c.action
        }
        await pilot.press("ctrl+p")
        await pilot.press(*"groups")
        await until(pilot, lambda: "full screen" in rig.text())
        await pilot.press("enter")
        await until(pilot, lambda: "15   02:00.0" in rig.text())


async def test_footer_shows_the_keys_that_work_here() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        footer = rig.text().splitlines()[-1]
        assert footer.split("  ") == [
            " b bind", "u unbind", "s start", "x stop", "1-5 panel", "0 zoom", "l layout",
            "m series", "d checks", "o settings", "? help", "q quit",
        ]  # fmt: skip
        await pilot.press("d")
        assert "bind" not in rig.text().splitlines()[-1]


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_quit(key: str) -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press(key)
    assert rig.app.return_code == 0


async def test_a_click_chooses_and_a_second_one_opens() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("g")
        await pilot.click("GroupPanel", offset=(10, 2))
        assert rig.app.screen.name == "overview"
        await pilot.click("GroupPanel", offset=(10, 2))
        await until(pilot, lambda: rig.app.screen.name == "device")


async def test_many_guests_push_nothing_off_the_screen() -> None:
    rig = Rig()
    many = tuple(
        replace(GUESTS.domains[0], name=f"vm{n}", uuid=f"{n}", hostdevs=()) for n in range(100)
    )
    async with rig.running((80, 24)) as pilot:
        rig.guests.put(Guests("qemu:///system", "9.0.0", (*many, *GUESTS.domains)))
        await until(pilot, lambda: len(rig.session.live.view.guests) == 101)
        assert "3 win11" in rig.text()


@pytest.mark.parametrize("key", ["g", "d", "x", *thorough("slash", "e", "c", "w", "question_mark")])
async def test_a_screen_is_drawn_once_when_it_opens(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest, "TICK_S", 3600)  # a countdown that has gone on is drawn again
    drawn: list[HostScreen] = []
    show = HostScreen.show

    def count(screen: HostScreen) -> None:
        drawn.append(screen)
        show(screen)

    rig = Rig()
    rig.session.host = replace(rig.session.host, reopen=None)  # no plan that would be drawn later
    rig.guests.reading = replace(GUESTS, domains=(replace(WIN11, state="running"),))
    async with rig.running() as pilot:
        rig.session.pending_stops[WIN11.uuid] = NOON
        monkeypatch.setattr(HostScreen, "show", count)
        await pilot.press(key)
        await pilot.pause()
        opened = [screen for screen in drawn if screen is rig.app.screen]
        assert len(opened) == 1
