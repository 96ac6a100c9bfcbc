"""The guest's panel: rows that keep their place, at every size, and nothing that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Size

from tests.unit.widgets.drawn import PANEL_SIZES, check, lower, text, texts, upper
from tests.unit.widgets.guests import AT, OFF, ON_NVME, OTHERS, WIN11, state, with_disk
from tests.values import replace
from tui.model import Domain, DomainState, Event, Guest
from widgets import guest_lines as guest_lines_module
from widgets.footer import Hint
from widgets.glyphs import PLAIN, RICH
from widgets.graph import Mark
from widgets.graph_grid import Times
from widgets.guest import GuestState, guest_keys
from widgets.guest_lines import others_line
from widgets.guest_panel import GuestPanel, guest_edges, guest_lines, guest_page
from widgets.guest_zoom import zoomed_lines
from widgets.lines import Line, join, width_of


def rows(shown: GuestState, width: int, height: int) -> list[str]:
    return texts(guest_lines(shown, Size(width, height)))


def test_the_panel_of_120x40() -> None:
    found = rows(state(), 68, 19)
    assert found[:4] == [
        "CPU        46 % ■■■■■■■■■■■■■■■■■■■······················· 8 vCPU",
        "Memory  7.1 GiB ■■■■■■■■■■■■■■■■■■■······················· 16.0 GiB",
        "Disk   read 12 MB/s  write 1.8 MB/s    Net in 40 kB/s  out 27 kB/s",
        "PCI    01:00.0 RTX 4090  01:00.1 audio",
    ]
    assert found[4] == " 100 %"
    assert found[-3].startswith("   cpu ⣿")
    assert found[-2] == "       ─┬4 min─────────┬3 min─────────┬2 min─────────┬1 min──────now"
    assert found[-1] == "○ debian-build   ○ fedora-ci"
    assert len(found) == 19
    edges = guest_edges(state(), 68)
    assert upper(edges, 68) == (
        "3 Guest · win11 ─────────────────── ● running 2 h 00 min · agent ✓"
    )
    assert lower(edges, 68) == "s start  x stop  p pause  r reboot"


def test_the_panel_of_80x24() -> None:
    found = rows(state(), 36, 11)
    assert found[:4] == [
        "CPU      46 % ■■■■■■······· 8 vCPU",
        "Mem   7.1 GiB ■■■■■■······· 16.0 GiB",
        "Disk r12 w1.8 MB/s  Net ↓40 ↑27 kB/s",
        "PCI  01:00.0 RTX 4090  01:00.1 audio",
    ]
    assert len(found) == 11
    edges = guest_edges(state(), 36)
    assert upper(edges, 36) == "3 win11 ────── ● running · agent ✓"
    assert lower(edges, 36) == "x stop  p pause  r reboot"


def test_the_panels_of_a_phone() -> None:
    assert rows(state(), 43, 2) == [
        "CPU       46 % ■■■■■■■■■·········· 8 vCPU",
        "Mem    7.1 GiB ■■■■■■■■··········· 16.0 GiB",
    ]
    assert rows(state(), 38, 1) == ["CPU    46 % ■■■···· Mem   7.1 G ■■■···"]
    assert text(guest_edges(state(), 43, ruled=True).state) == "● running 2 h 00"
    assert text(guest_edges(state(), 38, ruled=True).state) == "● running"
    assert rows(state(), 20, 1) == ["CPU    46 % ■■■■····"]


def test_a_panel_without_lines_says_the_most_important_in_its_rule() -> None:
    def shown(state: GuestState, width: int = 34) -> str:
        return text(guest_edges(state, width, ruled=True, alone=True).state)

    assert shown(state()) == "CPU 46 %  ● running"
    assert shown(state(), 24) == "● running"
    off = with_disk(replace(WIN11, state="shut off"))
    assert shown(state(off, devices=(ON_NVME,))) == "✗ not ready"
    assert shown(state(off)) == "○ shut off"


def test_a_short_graph_says_what_it_shows() -> None:
    assert [row[:8] for row in rows(state(), 56, 5)[3:]] == [" cpu %", " 3 min ⣿"]


def test_the_panel_of_200x60_has_its_bars_side_by_side() -> None:
    first = rows(state(), 116, 30)[0]
    assert first.startswith("CPU        46 % ■")
    assert first.index("Memory") == 59
    assert first.endswith("16.0 GiB")


@pytest.mark.parametrize("width", [36, 43, 56, 68])
def test_no_value_moves_another_one(width: int) -> None:
    """Limits and rates stay in their columns, whatever the values."""
    values = (None, 0.0, 8.4e2, 9.96e3, 4.04e5, 9.99e8, 2.3e10)
    found = set()
    for value in values:
        busy = replace(
            WIN11, disk_read_bps=value, disk_write_bps=value, net_rx_bps=value, net_tx_bps=value
        )
        found.add(rows(state(busy), width, 9)[2].index("Net"))
    assert len(found) == 1


def test_what_is_not_known_is_a_dash() -> None:
    unknown = replace(
        WIN11, cpu_pct=None, memory_used_mib=None, memory_mib=None, vcpus=None,
        disk_read_bps=None, disk_write_bps=None, net_rx_bps=None, net_tx_bps=None,
    )  # fmt: skip
    assert rows(state(unknown, series=()), 36, 4) == [
        "CPU         – ············· –",
        "Mem         – ············· –",
        "Disk r– w–          Net ↓– ↑–",
        "○ debian-build   ○ fedora-ci",
    ]


def test_a_device_that_forbids_the_start_has_its_row_in_a_small_panel() -> None:
    shown = state(with_disk(WIN11), devices=(ON_NVME,))
    assert rows(shown, 68, 3)[2] == "PCI    02:00.0 on nvme  01:00.0 RTX 4090  01:00.1 audio"
    assert rows(state(), 68, 3)[2].startswith("Disk")


def test_devices_that_do_not_fit_are_counted() -> None:
    shown = state(with_disk(WIN11), devices=(ON_NVME,))
    assert rows(shown, 36, 5)[3] == "PCI  02:00.0 on nvme  01:00.0  +1"
    assert rows(state(replace(WIN11, hostdevs=())), 36, 11)[3] == "PCI  none"


def test_other_domains_that_do_not_fit_are_counted() -> None:
    many = (*OTHERS, Domain("nas", "uuid-nas", "running", cpu_pct=12.4))
    guests = (Guest(WIN11, allowed=True), *(Guest(other, allowed=False) for other in many))
    assert rows(state(guests=guests), 68, 9)[-1] == "○ debian-build   ○ fedora-ci   ● nas 12 %"
    assert rows(state(guests=guests), 36, 9)[-1] == "○ debian-build   2 more"


def test_many_other_domains_are_not_joined_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[int] = []

    def spy(parts: Iterable[Line], gap: str) -> Line:
        parts = list(parts)
        joined.append(len(parts))
        return join(parts, gap)

    monkeypatch.setattr(guest_lines_module, "join", spy)
    many = tuple(Domain(f"guest-{number:02}", f"{number}", "shut off") for number in range(99))
    assert text(others_line(many, 68, RICH)).endswith("○ guest-03   95 more")
    assert joined == [6, 5]


@pytest.mark.parametrize(
    ("found", "word"),
    [("paused", "! paused 2 h 00 min · agent ✓"), ("crashed", "✗ crashed"),
     ("pmsuspended", "○ suspended 2 h 00 min · agent ✓"), ("shut off", "○ shut off"),
     ("in shutdown", "◐ shutting down 2 h 00 min · agent ✓"), ("unknown", "? state unknown"),
     ("blocked", "● running 2 h 00 min · agent ✓")],
)  # fmt: skip
def test_states(found: DomainState, word: str) -> None:
    assert text(guest_edges(state(replace(WIN11, state=found)), 68).state) == word


def test_the_agent() -> None:
    silent = replace(WIN11, agent=False)
    assert text(guest_edges(state(silent), 36).state) == "● running · agent !"
    assert text(guest_edges(state(replace(WIN11, agent=None)), 36).state) == "● running · no agent"
    note = "The agent does not answer: load and memory are the host's view."
    assert note in rows(state(silent), 68, 19)
    assert note not in rows(state(silent), 68, 5)


def test_keys_say_what_they_do_now() -> None:
    def words(found: DomainState, **facts: Any) -> list[str]:
        keys = guest_keys(replace(WIN11, state=found), **facts)
        return [f"{hint.key} {hint.word}{'' if hint.enabled else ' -'}" for hint in keys]

    assert words("running") == ["s start -", "x stop", "p pause", "r reboot"]
    assert words("paused") == ["s start -", "x force off", "p resume", "r reboot"]
    assert words("shut off") == ["s start", "x stop -", "p pause -", "r reboot -"]
    assert words("running", cannot=("stop", "start"))[:2] == ["s start -", "x stop -"]
    assert [hint.action for hint in guest_keys(None)] == [
        "app.start", "app.stop", "app.pause", "app.reboot",
    ]  # fmt: skip


def test_keys_that_cannot_work_are_the_first_to_be_dropped() -> None:
    edges = guest_edges(state(), 36)
    assert lower(edges, 36) == "x stop  p pause  r reboot"
    keys = (Hint("f5", "start", "app.start"), Hint("f6", "stop", "app.stop", enabled=False))
    assert lower(guest_edges(state(keys=keys), 36), 36) == "f5 start  f6 stop"


def test_when_it_ran_last_is_shown_if_that_was_seen() -> None:
    off = replace(WIN11, state="shut off")
    ran = state(off, ended_at=AT - timedelta(hours=3, minutes=2))
    assert lower(guest_edges(ran, 56), 56).endswith("── last ran 3 h ago")
    assert "last ran" not in lower(guest_edges(state(off), 56), 56)


def silent(domain: Domain = WIN11, **facts: Any) -> GuestState:
    """A guest as it was when libvirt answered last."""
    usual: dict[str, Any] = {"problem": "no answer since 20:00:00", "silent_s": 13.4, "hung": True}
    return state(domain, **(usual | {"devices": ()} | facts))


def test_libvirt_that_does_not_answer() -> None:
    shown = silent()
    told = "libvirt has not answered for 12 s. What is shown is from then."
    assert rows(shown, 68, 9)[:2] == [told, rows(state(), 68, 9)[0]]
    assert text(guest_edges(shown, 68).state) == "? no answer"
    later = silent(silent_s=15.9)
    assert later == shown
    alone = silent(guests=(), silent_s=75)
    assert rows(alone, 68, 9) == ["libvirt has not answered for 1 min."]
    refused = state(guests=(), problem="permission denied")
    assert rows(refused, 68, 9) == ["libvirt: permission denied"]


def test_a_libvirt_that_is_gone_says_why() -> None:
    shown = silent(problem="libvirtd is not running: start it", hung=False)
    assert rows(shown, 68, 12)[:4] == [
        "libvirt has not answered for 12 s. What is shown is from then.",
        "libvirt: libvirtd is not running: start it",
        *rows(state(), 68, 9)[:2],
    ]


@pytest.mark.parametrize("found", ["running", "shut off"])
@pytest.mark.parametrize("times", [None, Times()])
def test_what_is_not_of_now_is_muted(found: DomainState, times: Times | None) -> None:
    domain, space = replace(WIN11, state=found), Size(68, 19)
    shown = silent(domain)
    if times is None:
        told, *lines = guest_lines(shown, space)
    else:
        told, *lines = zoomed_lines(shown, domain, space, times).lines
    assert [span.tone for span in told] == ["warn"]
    tones = {span.tone for each in lines for span in each if span.text.strip()}
    of_the_graph = {tone for tone in tones if tone.startswith("load-")}
    assert tones - of_the_graph <= {"label", "dim", "track", "text"}
    assert not {tone for tone in tones if tone.startswith("heat-")}
    bar, *_ = lines
    assert {span.tone for span in bar} <= {"label", "dim", "track"}


def test_a_guest_that_was_off_is_not_called_ready() -> None:
    found = rows(silent(replace(WIN11, state="shut off")), 68, 19)
    assert not [row for row in found if row.startswith("Ready")]
    assert [row for row in found if row.startswith("Starts with  8 vCPU")]
    unknown = rows(silent(replace(WIN11, state="shut off"), gpu=None), 68, 19)
    assert not [row for row in unknown if "not chosen" in row]
    assert [row for row in unknown if "01:00.0" in row]


def test_on_a_phone_the_last_values_stay() -> None:
    assert rows(silent(), 43, 2) == [
        "No answer for 12 s; shown as of then.",
        "CPU    46 % ■■■■····· Mem   7.1 G ■■■■·····",
    ]
    assert rows(silent(), 38, 1) == ["CPU    46 % ■■■···· Mem   7.1 G ■■■···"]
    assert text(guest_edges(silent(), 38, ruled=True).state) == "? no answer 12 s"


def test_nothing_is_chosen_or_defined_or_read() -> None:
    unchosen = tuple(Guest(domain, allowed=False) for domain in (WIN11, *OTHERS))
    assert rows(state(guests=unchosen), 56, 9) == [
        "No guest names this card. w chooses one.",
        "",
        "● win11         running      8 vCPU   16.0 GiB",
        "○ debian-build  shut off     12 vCPU  8.0 GiB",
        "○ fedora-ci     shut off     4 vCPU   4.0 GiB",
    ]
    assert rows(state(guests=unchosen), 56, 2)[1] == "3 more"
    assert rows(state(guests=unchosen, gpu=None, roles_key="f2"), 56, 2)[0] == (
        "No card and no guest are chosen. f2 chooses them."
    )
    assert rows(state(guests=()), 56, 9) == ["No domain is defined in libvirt."]
    assert rows(state(guests=(), problem="not read yet"), 56, 9) == ["Waiting for libvirt."]


def test_a_definition_that_cannot_be_read_is_told() -> None:
    assert rows(state(replace(WIN11, problem="no XML")), 56, 9)[0] == "no XML"


def test_names_from_outside_stay_text() -> None:
    odd = replace(WIN11, name="vm[bold red]x")
    assert "vm[bold red]x" in text(guest_edges(state(odd), 68).title)


def test_on_the_whole_screen_all_is_told() -> None:
    shown = state(with_disk(WIN11), devices=(ON_NVME,))
    found = texts(guest_page(shown, Size(116, 35), RICH, Times(cursor=3)).lines)
    assert found[2].startswith("      CPU 46 % (46 %)")
    assert found[-11:-6] == [
        "",
        "Domain    persistent · 8 vCPU · 16.0 GiB                   Agent     connected",
        "UUID      uuid-win11                                       Driver    –",
        "Devices     01:00.0  RTX 4090          managed='no': libvirt does not move it",
        "            01:00.1  Audio AD102       managed='no': libvirt does not move it",
    ]
    assert found[-6].endswith("✗ 02:00.0  NVMe PM9A1")
    assert found[-4].endswith("→ `virsh -c qemu:///system edit win11`: remove it")
    assert found[-3:] == [
        "",
        "○ debian-build  shut off     12 vCPU  8.0 GiB",
        "○ fedora-ci     shut off     4 vCPU   4.0 GiB",
    ]
    assert len(found) == 35


def test_the_cursor_has_its_line_on_the_whole_screen() -> None:
    at = AT - timedelta(seconds=12)
    times = Times(cursor=3, at=at, event=Event(at, "win11", "paused", "warn"))
    first, *rest = texts(guest_page(state(), Size(116, 35), RICH, times).lines)
    assert first.startswith("21:03:48  12 s ago  ! win11 paused ")
    assert any("┊" in row for row in rest)


def test_a_small_whole_screen_scrolls() -> None:
    found = texts(guest_page(state(), Size(43, 12), RICH, Times()).lines)
    assert len(found) > 12
    assert found[8].endswith("now")
    off_state = state(replace(WIN11, state="shut off"))
    off = texts(guest_page(off_state, Size(43, 5), RICH, Times()).lines)
    assert off[:2] == ["Starts 8 vCPU   16.0 GiB", "Card   01:00.0 RTX 4090   on host"]
    assert off[-1] == "○ fedora-ci     shut off"


def test_a_guest_that_is_off_shows_what_was_measured_on_the_whole_screen() -> None:
    """As a card does. The reasons not to start it come first."""
    past = (*[46.0] * 150, *[None] * 50)
    ran = state(OFF, series=past, ended_at=AT - timedelta(minutes=2))
    found = texts(guest_page(ran, Size(100, 40), RICH, Times(cursor=40)).lines)
    assert found[0].startswith("Starts with  8 vCPU")
    heading = next(at for at, row in enumerate(found) if row.startswith("      CPU – (46 %)"))
    graph = found[heading + 1 : next(at for at, row in enumerate(found) if row.endswith("now"))]
    assert 0 < graph[-1].count("⣿") < 75, "and then it was off"
    assert not any("Longest wait" in row for row in found)
    waited = state(OFF, series=past, wait=past)
    assert any("Longest wait" in row for row in zoomed(waited))


def test_a_guest_that_is_off_and_was_not_seen_running_has_no_graphs() -> None:
    assert not any(row.endswith("now") for row in zoomed(state(OFF, series=())))
    long_ago = state(OFF, series=(), ended_at=AT - timedelta(hours=2))
    assert any(row.endswith("now") for row in zoomed(long_ago)), "a longer span has more"


def zoomed(shown: GuestState) -> list[str]:
    return texts(guest_page(shown, Size(100, 40), RICH, Times()).lines)


class _App(App[None]):
    CSS = "GuestPanel { width: 60; height: 12; }"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        from tui.theme import DEFAULTS

        return dict(DEFAULTS)

    def compose(self) -> ComposeResult:
        yield GuestPanel()


async def test_values_that_look_alike_draw_nothing() -> None:
    app = _App()
    async with app.run_test(size=(62, 12)) as pilot:
        panel = app.query_one(GuestPanel)
        panel.show(state())
        await pilot.pause()
        drawn = panel.lines
        assert drawn
        panel.show(state(at=AT + timedelta(seconds=59)))
        assert panel.lines is drawn
        panel.show(state(at=AT + timedelta(seconds=60)))
        assert panel.lines is not drawn


STATES = st.sampled_from(
    ["running", "paused", "in shutdown", "shut off", "crashed", "pmsuspended", "unknown"]
)
RATES = st.none() | st.floats(0, 1e11)


@given(
    STATES, st.sampled_from(PANEL_SIZES), RATES, st.none() | st.floats(0, 1000),
    st.none() | st.floats(0, 4e6), st.sampled_from([None, True, False]), st.booleans(),
)  # fmt: skip
def test_every_size_is_filled_and_not_more(
    found: DomainState, space: Size, rate: float | None, cpu: float | None, memory: float | None,
    agent: bool | None, plain: bool,
) -> None:  # fmt: skip
    domain = replace(
        with_disk(WIN11), state=found, cpu_pct=cpu, memory_used_mib=memory, memory_mib=memory,
        disk_read_bps=rate, net_tx_bps=rate, agent=agent,
    )  # fmt: skip
    marks = (Mark(60, "!", "warn"),)
    for shown in (
        state(domain, marks=marks), state(domain, devices=(ON_NVME,)),
        state(domain, problem="no answer", silent_s=12.0), state(domain, gpu=None, checks=()),
    ):  # fmt: skip
        lines = guest_lines(shown, space, PLAIN if plain else RICH)
        assert lines
        check(lines, space, plain=plain)
        whole = guest_page(shown, space, PLAIN if plain else RICH, Times()).lines
        check(whole, Size(space.width, len(whole)), plain=plain)
        for ruled in (False, True):
            edges = guest_edges(shown, space.width, PLAIN if plain else RICH, ruled=ruled)
            assert width_of(edges.keys) <= max(space.width - 2, 0)
