"""The IOMMU groups: those that matter in aligned columns, blockers with reasons, and all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Size

from tests.unit.widgets.drawn import PANEL_SIZES, check, lower, text, texts, upper
from tests.unit.widgets.hosts import BLOCKED, BLOCKED_GROUPS, GAMING, INTERESTING
from tests.values import replace
from tui.model import HostView, Notable, Owner, Swap, Viability
from widgets.glyphs import PLAIN, RICH, Glyphs
from widgets.group_lines import group_rows
from widgets.group_panel import GroupPanel, empty_lines, group_edges, groups_word
from widgets.group_table import table_rows


def rows(
    width: int, height: int, view: HostView = GAMING, notable: tuple[Notable, ...] = INTERESTING
) -> list[str]:
    return texts(row.line for row in group_rows(view, notable, Size(width, height)).rows)


def test_the_panel_of_120x40() -> None:
    assert rows(44, 9) == [
        "14 ✓ guest GPU          01:00.0 +1  vfio-pci",
        "26 ✓ host GPU           0a:00.0 +1    nvidia",
        "15   NVMe PM9A1            02:00.0      nvme",
        "23   NVMe SN850            05:00.0      nvme",
        "25   Ethernet I225-V       07:00.0       igc",
        "24   Wi-Fi 6 AX200         06:00.0   iwlwifi",
        "21   USB 3.0 + bridge   0b:00.1 +3  xhci_hcd",
        "22   SATA AHCI + bridge 0c:00.0 +1      ahci",
        "24 more: bridges and chipset functions",
    ]
    edges = group_edges(GAMING, 44)
    assert upper(edges, 44) == "4 IOMMU groups · 32 ─── ✓ guest GPU viable"
    assert lower(edges, 44) == "g all  / filter"


def test_the_panel_of_80x24() -> None:
    assert rows(36, 3) == [
        "14 ✓ guest GPU   01:00.0 +1 vfio-pci",
        "26 ✓ host GPU    0a:00.0 +1   nvidia",
        "15   NVMe PM9A1     02:00.0     nvme",
    ]
    shown = group_rows(GAMING, INTERESTING, Size(36, 3))
    assert (shown.hidden, shown.told) == (29, False)
    edges = group_edges(GAMING, 36, hidden=29)
    assert upper(edges, 36) == "4 Groups · 32 ─────────── ✓ viable"
    assert lower(edges, 36) == "g all  / filter ────────── 29 more"


def test_the_panel_of_200x60_has_names_in_full() -> None:
    assert rows(76, 14)[:3] == [
        "14 ✓ guest GPU  GeForce RTX 4090            01:00.0  01:00.1 audio  vfio-pci",
        "26 ✓ host GPU   GeForce RTX 3060 Lite Hash… 0a:00.0  0a:00.1 audio    nvidia",
        "15   NVMe SSD Controller PM9A1/PM9A3/980PRO 02:00.0                     nvme",
    ]
    assert "0b:00.1  +3 bridge " in rows(76, 14)[6]


def test_a_group_that_blocks_names_its_blockers() -> None:
    assert rows(56, 6, BLOCKED, BLOCKED_GROUPS) == [
        " 1 ✗ guest GPU                        04:00.0 +1  nvidia",
        "   ✗   03:00.0 RTX 3060              another GPU, nvidia",
        "   ✗   03:00.1 audio of 03:00.0            snd_hda_intel",
        "   ✗   05:00.0 NVMe SM981           in use by host, nvme",
        "   ✗   06:00.0 Ethernet X550       in use by host, ixgbe",
        "5 more: USB, bridges and chipset functions",
    ]
    assert rows(36, 3, BLOCKED, BLOCKED_GROUPS)[1:] == [
        "   ✗   03:00.0 RTX 3060       nvidia",
        "   ✗   03:00.1 audio of 03:00.0",
    ]
    assert upper(group_edges(BLOCKED, 56), 56) == (
        "4 IOMMU groups · 6 ────────── ✗ guest GPU blocked by 4"
    )
    assert text(group_edges(BLOCKED, 36).state) == "✗ blocked by 4"


def test_columns_are_those_of_the_rows_that_are_shown() -> None:
    long = replace(INTERESTING[-1].function, driver="sof-audio-pci-intel-tgl")
    more = (*INTERESTING[:-1], replace(INTERESTING[-1], function=long))
    assert rows(44, 3, GAMING, more) == rows(44, 3)


def test_what_is_hidden_is_counted_by_its_kinds() -> None:
    assert rows(44, 6)[-1] == "27 more: Wi-Fi, USB, SATA, bridges, chipset"
    assert rows(36, 6)[-1] == "27 more"
    assert rows(44, 20)[-1] == "24 more: bridges and chipset functions"


def test_the_row_counts_while_the_card_moves() -> None:
    gpu, host_gpu = GAMING.gpus
    half = replace(gpu.companions[0], driver="snd_hda_intel")
    at = datetime(2026, 1, 2, tzinfo=UTC)
    swap = Swap("1", "unbind", gpu.address, gpu.viability.moves, "running", ("a", "b"), 1, at, at)
    moving = replace(gpu, owner=Owner("moving"), companions=(half,))
    view = replace(GAMING, gpus=(moving, host_gpu), swap=swap)
    assert rows(44, 9, view)[0] == "14 ◐ guest GPU          01:00.0 +1    1 of 2"
    assert text(group_edges(view, 36).state) == "◐ moving"
    by_another_program = replace(view, swap=replace(swap, state="done"))
    assert rows(44, 9, by_another_program)[0].endswith("01:00.0 +1  vfio-pci")


def test_the_owner_that_changes_flashes_in_its_row() -> None:
    shown = group_rows(GAMING, INTERESTING, Size(44, 9), flash=True).rows
    flashing = [[s.text for s in row.line if s.tone == "flash"] for row in shown]
    assert [bool(spans) for spans in flashing] == [True, *[False] * 8]


def test_viability_that_is_not_known_and_hosts_without_groups() -> None:
    gpu, host_gpu = GAMING.gpus
    blind = replace(gpu, viability=Viability(None, (), reason="unreadable"))
    unknown = replace(GAMING, gpus=(blind, host_gpu))
    assert rows(44, 9, unknown)[0].startswith("14 ? guest GPU")
    assert text(group_edges(unknown, 60).state) == "? guest GPU viability unknown"
    assert text(groups_word(unknown)) == "4 groups ?"
    assert text(groups_word(GAMING)) == "4 groups ✓"
    off = replace(
        GAMING, iommu_enabled=False, groups=tuple(replace(g, id=None) for g in GAMING.groups)
    )
    edges = group_edges(off, 60)
    assert (text(edges.title), text(edges.state)) == ("4 PCI devices", "✗ IOMMU off")
    assert groups_word(replace(GAMING, gpus=())) == ()


# --- the whole screen ---


def test_all_functions_one_line_each() -> None:
    found = texts(row.line for row in table_rows(BLOCKED, 80))
    assert found[:7] == [
        " 1 ✗ 03:00.0  GA106 [GeForce RTX 3060]                another GPU, nvidia",
        "   ✗ 03:00.1  GA106 High Definition Audio a part of the other GPU, snd_hda_intel",
        "   ✗ 05:00.0  NVMe SSD Controller SM981/PM981/PM983   in use by host, nvme",
        "   ✗ 06:00.0  Ethernet Controller X550                in use by host, ixgbe",
        "   ✗ 04:00.0  AD102 [GeForce RTX 4090]                guest GPU    nvidia",
        "     04:00.1  AD102 High Definition Audio Controller  moves along  snd_hda_intel",
        " 2   00:14.0  Cannon Lake PCH USB 3.1 xHCI Host Cont…              xhci_hcd",
    ]
    assert texts(row.line for row in table_rows(BLOCKED, 43))[1] == (
        "   ✗ 03:00.1  GA106 High Def… snd_hda_intel"
    )


@pytest.mark.parametrize("wanted", ["usb", "xhci_hcd", "00:14.0", "GROUP 2"])
def test_a_filter_matches_what_the_line_says(wanted: str) -> None:
    found = [row.address for row in table_rows(BLOCKED, 80, wanted)]
    assert "0000:00:14.0" in found
    assert len(found) <= 2


def test_nothing_matches() -> None:
    assert texts(empty_lines(GAMING, 60, "foo")) == [
        "Nothing matches “foo” in 32 groups. esc clears it."
    ]
    assert upper(group_edges(GAMING, 60, found=2), 60).startswith("4 IOMMU groups · 2 of 32 ─")
    assert upper(group_edges(GAMING, 60, found=0), 60).startswith("4 IOMMU groups · 32 ─")
    assert texts(empty_lines(HostView(problems=(("pci", "sysfs is gone"),)), 60)) == [
        "sysfs is gone"
    ]


@pytest.mark.parametrize("glyphs", [RICH, PLAIN])
@pytest.mark.parametrize(("view", "notable"), [(GAMING, INTERESTING), (BLOCKED, BLOCKED_GROUPS)])
def test_every_size(view: HostView, notable: tuple[Notable, ...], glyphs: Glyphs) -> None:
    plain = glyphs is PLAIN
    for space in PANEL_SIZES:
        shown = group_rows(view, notable, space, glyphs)
        check([row.line for row in shown.rows], space, plain=plain)
        table = [row.line for row in table_rows(view, space.width, "", glyphs)]
        check(table, Size(space.width, len(table)), plain=plain)


# --- the widget ---


class _App(App[None]):
    CSS = "GroupPanel { width: 58; height: 11; }"

    def __init__(self) -> None:
        super().__init__()
        self.chosen: list[str] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        from tui.theme import DEFAULTS

        return dict(DEFAULTS)

    def compose(self) -> ComposeResult:
        yield GroupPanel()

    def on_group_panel_chosen(self, message: GroupPanel.Chosen) -> None:
        self.chosen.append(message.address)


async def test_the_cursor_moves_over_functions_and_a_second_click_chooses() -> None:
    app = _App()
    async with app.run_test(size=(60, 12)) as pilot:
        panel = app.query_one(GroupPanel)
        panel.show(GAMING, INTERESTING)
        panel.focus()
        await pilot.press("down", "down")
        assert panel.selected == "0000:0a:00.0"
        await pilot.press("end")
        assert panel.selected == "0000:0c:00.0"
        await pilot.click(GroupPanel, offset=(10, 3))
        assert (panel.selected, app.chosen) == ("0000:02:00.0", [])
        await pilot.click(GroupPanel, offset=(10, 3))
        assert app.chosen == ["0000:02:00.0"]


async def test_the_cursor_stays_on_its_function_and_equal_views_draw_nothing() -> None:
    app = _App()
    async with app.run_test(size=(60, 12)) as pilot:
        panel = app.query_one(GroupPanel)
        panel.show(GAMING, INTERESTING, zoomed=True)
        panel.focus()
        await pilot.press("down", "end")
        selected = panel.selected
        panel.show(replace(GAMING, groups=(GAMING.groups[-1], *GAMING.groups)), zoomed=True)
        assert panel.selected == selected
        drawn = panel.lines
        panel.show(replace(GAMING, groups=(GAMING.groups[-1], *GAMING.groups)), zoomed=True)
        assert panel.lines is drawn
        assert panel.scroll_offset.y > 0
