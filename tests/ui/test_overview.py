"""The overview: what it shows, and that a dead source blanks only its own panel."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from textual.geometry import Region

from tests.demo import HeldClock
from tests.thorough import thorough
from tests.ui.rig import (
    GUEST_AUDIO,
    GUEST_CARD,
    GUESTS,
    INVENTORY,
    NVML,
    READING,
    SIZES,
    VITALS,
    WIN11,
    Rig,
    all_read,
    at_home,
    text_of,
    until,
)
from tests.ui.screenshots import EVENING, PICTURES, prepared, reach
from tui.host import HostError
from tui.model import (
    Domain,
    Guests,
    Inventory,
    KernelLog,
    KernelMessage,
    Metrics,
    NvmlReading,
    PciFunction,
    Vitals,
)
from tui.terminal.flow import ANSWER_TIMEOUT_S, FlowControl
from widgets.card_panel import CardPanel


def on_driver(driver: str) -> Inventory:
    card, audio = replace(GUEST_CARD, driver=driver), replace(GUEST_AUDIO, driver=None)
    return replace(INVENTORY, functions=(card, audio, *INVENTORY.functions[2:]))


async def test_shows_both_cards_the_guest_and_the_groups() -> None:
    rig = Rig()
    async with rig.running():
        text = rig.text()
    for words in ("1 Guest GPU · RTX 4090 · 01:00.0", "◆ in win11", "2 Host GPU · RTX 3060 · ",
                  "37 %", "1.2 GiB", "54 °C", "14 ✓ guest GPU", "running",
                  "42 % ", "tower", "IOMMU amd, 3 groups", "libvirt 9.0.0"):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize("size", SIZES)
async def test_fits_every_size(size: tuple[int, int]) -> None:
    rig = Rig()
    async with rig.running(size):
        rows = rig.text().splitlines()
    assert len(rows) <= size[1]
    assert "1 " in rows[1]
    assert "RTX 4090" in rows[1]
    assert "◆ in win11" in rows[1]


async def test_a_new_reading_is_on_screen() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.nvml.put(NvmlReading("580", (replace(READING, metrics=Metrics(util_pct=91)),)))
        await until(pilot, lambda: "91 %" in rig.text())
        assert "37 %" not in rig.text()


async def test_an_external_bind_is_on_screen_and_an_event() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.guests.put(replace(GUESTS, domains=()))
        rig.pci.put(on_driver("nvidia"))
        await until(pilot, lambda: "vfio-pci → nvidia" in rig.text())


async def test_what_the_kernel_says_is_an_event_and_the_zoom_says_what_to_do() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.kernel.put(KernelLog((KernelMessage(1, "off-bus", "0000:0a:00"),)))
        await until(pilot, lambda: "✗ 0a:00.0 the card has" in rig.text())
        assert "→ power off; check the card's power cables" not in rig.text()
        await pilot.press("e")
        await until(pilot, lambda: "→ power off; check the card's power cables" in rig.text())


async def test_a_bind_without_an_event_is_found_by_the_vitals() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.pci.reading = on_driver("nvidia")  # no wake: the event was lost
        moved = replace(VITALS.cards[0], driver="nvidia")
        rig.vitals.put(Vitals((moved, VITALS.cards[1])))
        await until(pilot, lambda: "vfio-pci → nvidia" in rig.text())


async def test_a_dead_source_blanks_its_own_panel_only() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.guests.put(HostError("libvirtd is not running: start it"))
        await until(pilot, lambda: "libvirtd is not running: start it" in rig.text())
        assert "37 %" in rig.text()
        assert "14 ✓ guest GPU" in rig.text()
        rig.guests.put(GUESTS)
        await until(pilot, lambda: "42 % " in rig.text())


async def test_the_last_guest_stays_on_the_screen_while_libvirt_is_gone() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.guests.put(HostError("libvirtd is not running: start it"))
        await until(pilot, lambda: "libvirtd is not running: start it" in rig.text())
        rig.at += timedelta(seconds=13)
        rig.guests.put(HostError("libvirtd is not running: start it"))
        told = "libvirt has not answered for 12 s. What is shown is from then."
        await until(pilot, lambda: told in rig.text())
        assert "3 Guest · win11" in rig.text() and "42 % " in rig.text()
        assert rig.session.live.view.guests == ()
        assert rig.session.why_not("stop") is not None
        rig.guests.put(GUESTS)
        await until(pilot, lambda: "has not answered" not in rig.text())


async def test_a_guest_that_is_off_says_when_it_ran_last_if_that_was_seen() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        at_home(rig)
        rig.guests.put(rig.guests.reading)
        await until(pilot, lambda: "ran until just now" in rig.text())
        rig.at += timedelta(hours=3)
        rig.guests.put(rig.guests.reading)
        await until(pilot, lambda: "last ran 3 h ago" in rig.text())
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        await until(pilot, lambda: "○ shut off" in rig.text())
        assert " ran " not in rig.text()


async def test_a_hung_source_says_since_when_and_the_others_continue() -> None:
    rig = Rig()
    rig.session.stall_after_s = 0.0
    async with rig.running() as pilot:
        rig.guests.free.clear()
        rig.guests.put(GUESTS)
        await until(pilot, lambda: "no answer since" in rig.text())
        rig.nvml.put(NvmlReading("580", (replace(READING, metrics=Metrics(util_pct=91)),)))
        await until(pilot, lambda: "91 %" in rig.text())
        await pilot.press("g")
        assert "no answer" not in rig.text()
        await pilot.press("escape")
        rig.guests.free.set()
        await until(pilot, lambda: "42 % " in rig.text())


async def test_what_waits_for_the_terminal_is_drawn_although_it_never_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.intake.QUIET_S", 0.05)
    rig, clock = Rig(), [0.0]
    async with rig.running() as pilot:
        flow = rig.app._no_flow_control = FlowControl(lambda: clock[0])
        flow.open()
        flow.sent(1)
        flow.begin_query()
        flow.answered()  # the terminal is one that answers
        flow.sent(1)
        flow.begin_query()
        assert flow.behind
        rig.nvml.put(NvmlReading("580", (replace(READING, metrics=Metrics(util_pct=91)),)))
        await until(pilot, lambda: flow.withheld)
        assert "91 %" not in rig.text()
        clock[0] += ANSWER_TIMEOUT_S
        await until(pilot, lambda: "91 %" in rig.text())
        assert not flow.withheld


async def test_leaving_does_not_wait_for_a_hung_source() -> None:
    rig = Rig()
    rig.guests.free.clear()
    async with rig.app.run_test() as pilot:
        await until(pilot, lambda: rig.guests.readings > 0)
        await pilot.press("q")
    assert rig.app.return_code == 0
    rig.free()


async def test_a_lost_card_says_so() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.nvml.put(NvmlReading("580", (replace(READING, lost="the card is lost"),)))
        await until(pilot, lambda: "the card is lost" in rig.text())
        assert "37 %" not in rig.text()
        rig.nvml.put(NVML)
        await until(pilot, lambda: "37 %" in rig.text())


async def test_without_a_gpu_a_notice_is_shown() -> None:
    rig = Rig()
    rig.pci.put(Inventory(INVENTORY.functions[2:3], None, ()))
    async with rig.running():
        assert "No GPU found" in rig.text()


async def test_names_from_outside_are_text_not_markup() -> None:
    rig = Rig()
    name = "vm[bold red]x[/] [@click=app.quit]"
    domain = replace(WIN11, name=name)
    hostile = PciFunction("0000:03:00.0", "1234", "5678", "020000", "[red]nic[/]", driver="[b]x")
    async with rig.running() as pilot:
        rig.guests.put(Guests("qemu:///system", None, (domain, Domain("a[b]c", "2", "paused"))))
        rig.pci.put(replace(INVENTORY, functions=(*INVENTORY.functions, hostile)))
        await until(pilot, lambda: "03:00.0 appeared: [red]nic" in rig.text())
        assert f"3 {name}" in rig.text()
        assert "! a[b]c" in rig.text()
        await pilot.press("g")
        assert "[red]nic[/]" in rig.text()
        await pilot.press("e")
        assert "a[b]c" in rig.text()


async def test_an_equal_reading_redraws_nothing() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        painted: list[str] = []
        for widget in rig.app.screen.query("Canvas"):
            refresh = widget.refresh

            def spy(*regions: object, _of: object = widget, _refresh: object = refresh,
                    **how: object) -> object:  # fmt: skip
                painted.append(str(_of))
                return _refresh(*regions, **how)  # type: ignore[operator]

            widget.refresh = spy  # type: ignore[assignment,method-assign]
        before = rig.nvml.readings
        rig.nvml.put(NvmlReading("580.95.05", (replace(READING),)))
        await until(pilot, lambda: rig.nvml.readings > before)
        assert painted == []
        rig.nvml.put(NvmlReading("580", (replace(READING, metrics=Metrics(util_pct=91)),)))
        await until(pilot, lambda: "91 %" in rig.text())
        assert painted != []


async def test_a_new_value_refreshes_its_rows_only() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        refreshed: list[tuple[Region, ...]] = []
        panel = rig.app.screen.query_one("#card-1", CardPanel)
        refresh, before = panel.refresh, panel.lines

        def spy(*regions: Region, **how: bool) -> object:
            refreshed.append(regions)
            return refresh(*regions, **how)

        panel.refresh = spy  # type: ignore[assignment]
        rig.nvml.put(NvmlReading("580.95.05", (replace(READING, metrics=Metrics(util_pct=91)),)))
        await until(pilot, lambda: "91 %" in rig.text())
        assert () not in refreshed  # the whole panel
        drawn = {y for regions in refreshed for region in regions for y in region.line_range}
        pairs = zip(before, panel.lines, strict=True)
        assert drawn == {y for y, (old, new) in enumerate(pairs) if old != new} != set()


@pytest.mark.parametrize("size", [(1, 1), (35, 40), *thorough(((20, 5),), ((100, 8),))])
async def test_a_tiny_terminal_says_so_and_recovers(size: tuple[int, int]) -> None:
    rig = Rig()
    async with rig.app.run_test(size=size) as pilot:
        await until(pilot, lambda: all_read(rig.session.live.snapshot))
        if size[0] >= 20:
            assert "vfiotop needs" in rig.text()
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "◆ in win11" in rig.text())


async def test_the_linux_console_gets_glyphs_of_its_font(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "linux")
    rig = Rig()
    async with rig.running((80, 24)):
        text = rig.text()
    assert "┌" in text
    assert "█" in text
    assert not set(text) & set("╭━●⣀⣿")


@pytest.mark.parametrize("key", ["v", "w"])
async def test_no_list_has_round_corners_on_the_linux_console(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "linux")
    rig = Rig()
    async with rig.running((80, 24)) as pilot:
        before = rig.app.screen
        await pilot.press(key)
        await until(pilot, lambda: rig.app.screen is not before)
        await pilot.pause()
        text = rig.text()
    assert "┌" in text
    assert not set(text) & set("╭╮╰╯")


async def test_lists_longer_than_their_panels_say_how_much_is_missing() -> None:
    picture, clock = PICTURES["overview-80x24"], HeldClock(EVENING)
    app = prepared(picture, clock)
    async with app.run_test(size=picture.size) as pilot:
        await reach(pilot, app, picture, clock)
        text = text_of(app)
    assert " external " in text
    assert " 29 more " in text


async def test_the_panels_move_with_the_state_of_the_guest_and_nothing_else() -> None:
    rig = Rig()
    at_home(rig)

    def places() -> list[Region]:
        return [rig.app.screen.query_one(f"#{name}").region for name in ("guest", "events")]

    async with rig.running() as pilot:
        await until(pilot, lambda: "○ shut off" in rig.text())
        off = places()
        assert [region.width for region in off] == [72, 120]
        rig.guests.put(HostError("libvirtd is not running"))
        await until(pilot, lambda: "no answer" in rig.text())
        assert places() == off
        rig.guests.put(GUESTS)
        await until(pilot, lambda: "● running" in rig.text())
        assert [region.width for region in places()] == [72, 48]
