"""A card's panel, row by row as drawn in the mock-ups, and at every size."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.thorough import thorough
from tests.unit.widgets.cards import (
    GUEST,
    HOST,
    IRIS,
    SWAP,
    box,
    moving,
    on_host,
    rule,
    text,
    unread,
)
from tests.values import replace
from tui.model import Blocker, Check, GpuProcess, Metrics, Owner, Viability
from widgets.card import Card
from widgets.card_edges import card_edges
from widgets.card_lines import card_lines, plan
from widgets.glyphs import PLAIN, RICH
from widgets.lines import width_of
from widgets.panel import FRAME_CELLS


def test_gaming_at_120x40() -> None:
    guest = box(GUEST, 60, 17)
    assert guest[:6] == [
        "╭─ 1 Guest GPU · RTX 4090 · 01:00.0 ────────── ◆ in win11 ─╮",
        "│ Load      84 % ■■■■■■■■■■■■■■■■■■■■■■■■■■■····· 2655 MHz │",
        "│ VRAM   6.8 GiB ■■■■■■■■■······················· 24.0 GiB │",
        "│ Power    381 W ■■■■■■■■■■■■■■■■■■■■■■■■■■■····· 450 W    │",
        "│ Temp     64 °C ■■■■■■■■■■■■■■■■■■■■■■■■■······· 83 °C    │",
        "│ Fan 60 %   Memory 10501 MHz   Enc 0 %   PCIe 4.0 x16     │",
    ]
    assert [row[2:7] for row in guest[6:14]] == [
        "100 %", "     ", "     ", "     ", "     ", " load", "83 °C", " temp"
    ]  # fmt: skip
    assert guest[14:] == [
        "│       ─────┬3 min─────────┬2 min─────────┬1 min──────now │",
        "│ Group 14 ✓  moves with 01:00.1 audio   ReBAR 32 GiB      │",
        "╰─ b bind  u unbind  m series ── read in the guest, <10 s ─╯",
    ]
    host = box(HOST, 60, 17)
    assert host[:6] == [
        "╭─ 2 Host GPU · RTX 3060 · 0a:00.0 ──────────── ● on host ─╮",
        "│ Load      22 % ■■■■■■■························· 1905 MHz │",
        "│ VRAM   1.8 GiB ■■■■■··························· 12.0 GiB │",
        "│ Power     56 W ■■■■■■■■■■■····················· 170 W    │",
        "│ Temp     53 °C ■■■■■■■■■■■■■■■■■■·············· 93 °C    │",
        "│ Fan 36 %  Memory 7501 MHz  Enc 22 %  PCIe 4.0 x4 of x16  │",
    ]
    assert host[15:] == [
        "│ Used  firefox 484 M  obs 404 M  Xorg 273 M  gnome-shell… │",
        "╰─ m series ──────────────────────────── nvidia 580.95.05 ─╯",
    ]


def test_gaming_at_80x24() -> None:
    assert box(GUEST, 40, 9)[:6] == [
        "╭─ 1 RTX 4090 01:00.0 ──── ◆ in win11 ─╮",
        "│ Load     84 % ■■■■■■■■■■■·· 2655 MHz │",
        "│ VRAM  6.8 GiB ■■■■········· 24.0 GiB │",
        "│ Power   381 W ■■■■■■■■■■■·· 450 W    │",
        "│ Temp    64 °C ■■■■■■■■■■··· 83 °C    │",
        "│ Fan 60 %  Enc 0 %  PCIe 4.0 x16      │",
    ]
    assert [row[2:9] for row in box(GUEST, 40, 9)[6:8]] == ["load % ", " 1 min "]
    assert box(GUEST, 40, 9)[8] == "╰─ b bind  u unbind ──── guest, <10 s ─╯"
    assert box(HOST, 40, 9)[:6] == [
        "╭─ 2 RTX 3060 0a:00.0 ───── ● on host ─╮",
        "│ Load     22 % ■■■·········· 1905 MHz │",
        "│ VRAM  1.8 GiB ■■··········· 12.0 GiB │",
        "│ Power    56 W ■■■■········· 170 W    │",
        "│ Temp    53 °C ■■■■■■■······ 93 °C    │",
        "│ Fan 36 %  Enc 22 %  PCIe 4.0 x4/16   │",
    ]
    assert box(HOST, 40, 9)[8] == "╰─ firefox obs Xorg gnome-shell ───────╯"


def test_gaming_on_a_phone() -> None:
    assert rule(GUEST, 45, 6) == [
        "─ 1 RTX 4090 ─────────────────── ◆ in win11 ─",
        " Load      84 % ■■■■■■■■■■■■■■■■··· 2655 MHz",
        " VRAM   6.8 GiB ■■■■■·············· 24.0 GiB",
        " Power    381 W ■■■■■■■■■■■■■■■■··· 450 W   ",
        " Temp     64 °C ■■■■■■■■■■■■■■■···· 83 °C   ",
        " load 1 min     ⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶ max 84 %",
    ]
    assert rule(HOST, 45, 5) == [
        "─ 2 RTX 3060 ──────────────────── ● on host ─",
        " Load      22 % ■■■■··············· 1905 MHz",
        " VRAM   1.8 GiB ■■■················ 12.0 GiB",
        " Power     56 W ■■■■■■············· 170 W   ",
        " Temp     53 °C ■■■■■■■■■■■········ 93 °C   ",
    ]


def test_pairs_where_the_keyboard_is_open() -> None:
    assert rule(GUEST, 40, 3) == [
        "─ 1 RTX 4090 ────────────── ◆ in win11 ─",
        " Load   84 % ■■■■■■· VRAM  6.8 G ■■····",
        " Power 381 W ■■■■■■· Temp  64 °C ■■■■■·",
    ]
    assert rule(HOST, 36, 3) == [
        "─ 2 RTX 3060 ─────────── ● on host ─",
        " Load   22 % ■···· VRAM  1.8 G ■···",
        " Power  56 W ■■··· Temp  53 °C ■■··",
    ]


def test_gaming_at_200x60() -> None:
    guest = box(GUEST, 100, 26)
    assert guest[:5] == [
        "╭─ 1 Guest GPU · GeForce RTX 4090 · 01:00.0 ─────────────────────────────────────────"
        "─ ◆ in win11 ─╮",
        "│ Load      84 % ■■■■■■■■■■■■■■■■■■■···· 2655 MHz  Power    381 W ■■■■■■■■■■■■■■■■■■■"
        "···· 450 W    │",
        "│ VRAM   6.8 GiB ■■■■■■■················ 24.0 GiB  Temp     64 °C ■■■■■■■■■■■■■■■■■■·"
        "···· 83 °C    │",
        "│ Fan 60 %   Memory 10501 MHz   Enc 0 %   Dec 0 %   PCIe 4.0 x16   Held back by nothing"
        "            │",
        "│ Group 14 ✓  moves with 01:00.1 AD102 audio   ReBAR 32 GiB   Reset flr, bus         "
        "              │",
    ]
    names = [row[2:7].strip() for row in guest[5:25]]
    assert [name for name in names if name] == ["100 %", "load", "24 G", "vram", "2.7 G", "clock"]
    assert (names.index("load"), names.index("vram"), names.index("clock")) == (6, 12, 18)
    assert [guest[n][51:56] for n in (5, 11, 12, 17)] == ["450 W", "power", "83 °C", " temp"]
    assert guest[18] == guest[18][:49] + "  " + guest[18][2:49] + " │"
    assert guest[25].endswith(" read in the guest, <10 s · driver 581.57 ─╯")


def test_the_processes_of_the_host_in_a_wide_panel() -> None:
    host = box(HOST, 100, 26)
    assert host[4][2:-1].rstrip() == (
        "Group 26 ✓  drives the host's display   ReBAR off   Reset bus"
    )
    assert [row[2:-1].rstrip() for row in host[19:25]] == [
        "Used by                     PID    VRAM   load  what",
        "firefox                    3120   484 M    6 %  graphics",
        "obs                        5532   404 M    9 %  graphics, encoder",
        "Xorg                       1804   273 M    3 %  display",
        "gnome-shell                2011   221 M    2 %  graphics",
        "looking-glass-client       5610   154 M    4 %  graphics",
    ]


def test_a_card_that_tells_little_has_no_rows_for_the_rest() -> None:
    assert box(IRIS, 60, 8) == [
        "╭─ 2 Host GPU · Iris Xe · 00:02.0 ───────────── ● on host ─╮",
        "│ Load       6 % ■■······························ 1020 MHz │",
        "│ Power      4 W                                           │",
        "│ 100 %                                                    │",
        "│  load ⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀ │",
        "│       ─────┬3 min─────────┬2 min─────────┬1 min──────now │",
        "│ Group 0 ✓  shares the host's memory                      │",
        "╰─ m series ──────────────────────────────────────── i915 ─╯",
    ]


def test_a_swap_borrows_the_four_rows() -> None:
    drawn = box(moving(), 60, 17)
    assert drawn[:5] == [
        "╭─ 1 Guest GPU · RTX 4090 · 01:00.0 ────────── ◐ bind 6/8 ─╮",
        "│ Swap    6 of 8 ■■■■■■■■■■■■■■■■■■■■■■·········· 2.1 s    │",
        "│ Now   nvidia releases 01:00.0              may take 10 s │",
        "│ 01:00.0  nvidia         → vfio-pci   ◐                   │",
        "│ 01:00.1  snd_hda_intel  → vfio-pci   ✓                   │",
    ]
    assert drawn[15:] == [
        "│ Group 14 ◐ 1 of 2 on vfio-pci   ReBAR 32 GiB             │",
        "╰─ b bind ───────────────────────────── by vfiotop, 2.1 s ─╯",
    ]


def test_a_value_that_fails_now_is_a_dash_in_its_row() -> None:
    assert GUEST.gpu.reading is not None
    metrics = replace(GUEST.gpu.reading.metrics, power_w=None)
    reading = replace(GUEST.gpu.reading, metrics=metrics)
    drawn = box(replace(GUEST, gpu=replace(GUEST.gpu, reading=reading)), 60, 17)
    assert drawn[3] == "│ Power        – ································ 450 W    │"
    assert drawn[4].startswith("│ Temp     64 °C ")


def test_a_card_on_vfio_says_how_to_see_its_readings() -> None:
    drawn = box(unread(GUEST), 60, 17)
    assert [row[2:16] for row in drawn[1:5]] == [
        "Load         –", "VRAM         –", "Power        –", "Temp         –"
    ]  # fmt: skip
    assert [row[2:-2].rstrip() for row in drawn[5:7]] == [
        "On vfio-pci: the host cannot read it.",
        "s starts win11 and shows its readings.",
    ]


def test_a_lost_card_says_so_in_its_title_and_below_its_rows() -> None:
    assert HOST.gpu.reading is not None
    lost = replace(HOST.gpu.reading, metrics=Metrics(), lost="the card is lost; reboot")
    drawn = replace(HOST, gpu=replace(HOST.gpu, reading=lost))
    assert box(drawn, 60, 17)[0].endswith("✗ lost ─╮")
    assert text(card_lines(drawn, 56, 15)[4]) == "The card is lost; reboot."
    assert card_lines(drawn, 56, 15)[4][0].tone == "bad"


def test_in_quiet_mode_the_last_values_stay_without_emphasis() -> None:
    reading = GUEST.gpu.reading
    quiet = replace(unread(GUEST, owner=Owner("guest", "win11")), quiet=True, last=reading)
    before, now = card_lines(GUEST, 56, 15), card_lines(quiet, 56, 15)
    assert [text(row) for row in now] == [text(row) for row in before]
    assert {span.tone for row in now[:5] for span in row} == {"label", "dim", "track"}
    edges = card_edges(replace(quiet, last_age_s=250.0), 56)
    assert text(edges.note) == "quiet, read 4 min ago"


def test_what_needs_attention_is_below_the_graphs() -> None:
    broken = Check("r465.one-vm", None, "fail", "“arch” is running with a GeForce card")
    drawn = replace(GUEST, checks=(broken,))
    assert text(card_lines(drawn, 56, 15)[-1]) == (
        "✗ r465.one-vm: “arch” is running with a GeForce card"
    )
    assert card_lines(drawn, 56, 15)[-1][0].tone == "bad"
    assert text(card_lines(drawn, 36, 7)[-1]) == "✗ r465.one-vm: d shows why"
    assert text(card_lines(drawn, 43, 5)[-1]) == "✗ r465.one-vm: d shows why"
    assert rule(drawn, 40, 3)[0] == "─ 1 RTX 4090 ──────────── ◆ in win11 ! ─"


def test_a_blocked_group_is_named_at_every_size_with_a_row_for_it() -> None:
    blockers = (Blocker("0000:02:00.0", "used by the host (nvme)"),)
    blocked = Viability(False, GUEST.gpu.viability.moves, blockers)
    card = replace(GUEST, gpu=replace(GUEST.gpu, viability=blocked))
    for width, height in ((43, 5), (36, 7), (46, 10), (56, 15), (96, 24)):
        shown = "\n".join(text(row) for row in card_lines(card, width, height))
        assert "Group 14 ✗ blocked by 1 device" in shown


def test_with_more_rows_there_are_more_graphs() -> None:
    def graphs(height: int) -> list[str]:
        labels = (text(row)[:6].strip() for row in card_lines(GUEST, 56, height))
        return [label for label in labels if label in GUEST.series]

    assert graphs(8) == ["load"]
    assert graphs(10) == ["load", "temp"]
    assert graphs(15) == ["load", "temp"]
    assert graphs(24) == ["load", "temp", "power"]
    assert graphs(34) == ["load", "temp", "power", "vram", "clock"]


# --- at every size ----------------------------------------------------------------

MANY = replace(
    SWAP, moves=("0000:01:00.0", "0000:01:00.1", "0000:01:00.2", "0000:01:00.3"), drivers=()
)
STUCK = replace(SWAP, state="stuck", message="nvidia does not return from its remove callback")
CASES: dict[str, Card] = {
    "guest": GUEST,
    "host": HOST,
    "little": IRIS,
    "vfio": unread(GUEST),
    "nobody": unread(GUEST, "no driver: nothing can read it", owner=Owner("none")),
    "unknown": unread(HOST, "its driver cannot be read", owner=Owner("unknown")),
    "idle": on_host(GUEST),
    "swap": moving(),
    "many": moving(MANY),
    "stuck": moving(STUCK),
    "undo": moving(replace(SWAP, state="undoing", message="vfio-pci did not take it")),
    "late": replace(moving(), at=SWAP.began_at + timedelta(minutes=3)),
    "stopped": replace(on_host(GUEST), swap=replace(SWAP, runner_alive=False)),
    "long": unread(
        replace(GUEST, twin=True), "in use by QEMU", owner=Owner("guest", "a-guest-with-" * 6)
    ),
    "wide": replace(
        HOST,
        gpu=replace(
            HOST.gpu,
            reading=replace(
                HOST.gpu.reading,
                processes=tuple(GpuProcess(n, "火狐浏览器" * 3, "graphics") for n in range(30)),
            ),
        ),
    ),
}


@pytest.mark.parametrize("glyphs", [RICH, *thorough(PLAIN)], ids=["rich", "plain"])
@pytest.mark.parametrize("name", CASES)
@given(width=st.integers(26, 130), height=st.integers(1, 60))
def test_nothing_is_wider_or_higher_than_its_space(
    name: str, glyphs: object, width: int, height: int
) -> None:
    card, signs = CASES[name], RICH if glyphs is RICH else PLAIN
    drawn = card_lines(card, width, height, signs)
    assert len(drawn) <= height
    assert max(map(width_of, drawn), default=0) <= width
    shown = "\n".join(text(row) for row in drawn)
    assert "None" not in shown
    assert plan(card, width, height).graph >= 0
    if signs is PLAIN:
        allowed = "█░▄─┬–°…火狐浏览器"
        assert {c for c in shown if ord(c) > 126} <= set(allowed)


@pytest.mark.parametrize("name", CASES)
@given(width=st.integers(26, 130))
def test_the_edges_fit(name: str, width: int) -> None:
    for ruled, room in ((True, width - 2), (False, width + 4 - FRAME_CELLS)):
        edges = card_edges(CASES[name], width, ruled=ruled, names=True)
        assert width_of(edges.title) + width_of(edges.state) + 3 <= room
        assert width_of(edges.keys) + width_of(edges.note) <= room


@pytest.mark.parametrize("width", [28, 34, 38, 43, 46, 56, 96])
@pytest.mark.parametrize("name", ["guest", "host", "vfio", "idle"])
def test_the_columns_of_the_bars_stay(name: str, width: int) -> None:
    rows = [text(row) for row in card_lines(CASES[name], width, 20)[: 2 if width >= 76 else 4]]
    assert len({len(row) for row in rows}) == 1
    starts = {next(i for i, c in enumerate(row) if c in "■·") for row in rows}
    assert len(starts) == 1
