"""Events: time, sign, text and cause in columns; repeated ones folded; nothing far from its
text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Size

from tests.unit.widgets.drawn import PANEL_SIZES, check, lower, text, texts, upper
from tui.model import Event, EventCause, EventKind
from widgets.event_list import (
    TEXT,
    ZOOMED_KEYS,
    EventList,
    Look,
    event_edges,
    event_lines,
    folded,
    recent_line,
)
from widgets.glyphs import PLAIN, RICH, Glyphs
from widgets.lines import line

AT = datetime(2026, 1, 2, 21, 2, 30, tzinfo=UTC)
SINCE = datetime(2026, 1, 2, 19, 3, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def event(
    minutes: int, subject: str, words: str, kind: EventKind, by: EventCause = "vfiotop"
) -> Event:
    return Event(AT - timedelta(minutes=minutes), subject, words, kind, by)


EVENTS = (
    event(0, "vCPU 5", "waited 31 ms/s for core 26", "warn", "host"),
    event(1, "0000:01:00.0", "held back by its power limit", "warn", "card"),
    event(21, "fedora-ci", "shut off", "note", "external"),
    event(118, "win11", "running", "done"),
    event(118, "0000:01:00.0", "bind done in 3.8 s", "done"),
    event(118, "0000:01:00.0", "nvidia → vfio-pci", "change"),
    event(118, "0000:01:00.1", "snd_hda_intel → vfio-pci", "change"),
    event(119, "bind", "asked for", "note"),
)


def rows(width: int, height: int, events: tuple[Event, ...] = EVENTS) -> list[str]:
    return texts(event_lines(events, SINCE, Size(width, height)))


def test_the_panel_of_120x40() -> None:
    assert rows(44, 8) == [
        "21:02 ! vCPU 5 waited 31 ms/s for core… host",
        "21:01 ! 01:00.0 held back by its power… card",
        "20:41 · fedora-ci shut off          external",
        "19:04 ✓ win11 running                vfiotop",
        "19:04 ✓ 01:00.0 bind done in 3.8 s   vfiotop",
        "19:04 → 01:00.0 nvidia → vfio-pci    vfiotop",
        "19:04 → 01:00.1 snd_hda_intel → vfi… vfiotop",
        "19:03 · bind asked for               vfiotop",
    ]
    edges = event_edges(recent_line(EVENTS, AT), 44)
    assert upper(edges, 44) == "5 Events ──────────── ! 2 in the last hour"
    assert lower(edges, 44) == "e all"


def test_the_panel_of_80x24_drops_addresses_that_do_not_fit() -> None:
    assert rows(36, 6)[3:] == [
        "19:04 ✓ win11 running        vfiotop",
        "19:04 ✓ bind done in 3.8 s   vfiotop",
        "19:04 → nvidia → vfio-pci    vfiotop",
    ]
    assert upper(event_edges(recent_line(EVENTS, AT), 36), 36) == (
        "5 Events ───────────────────── ! 2"
    )


def test_a_phone_has_the_last_two() -> None:
    assert [row[:8] for row in rows(43, 2)] == ["21:02 ! ", "21:01 ! "]


def test_a_cause_is_never_far_from_its_text() -> None:
    assert len(rows(196, 8)[0]) == len("21:02 ! ") + TEXT + len(" external")
    assert rows(76, 8)[0].endswith(" host")
    assert len(rows(76, 8)[0]) == 76


def test_a_long_text_has_the_width_that_is_there() -> None:
    words = "the kernel reports something about this card that takes more than seventy-two cells"
    long = Event(AT, "0000:01:00.0", words, "failed", "kernel", "what to do " * 12)
    events = (long, *EVENTS[2:3])
    first, *fix, last = texts(event_lines(events, SINCE, Size(160, 9), look=Look(zoomed=True)))
    assert first.endswith(f"{words}   kernel")
    assert len(last) == len("21:02:30 ! ") + TEXT + len(" external") < len(first) <= 160
    assert 100 < max(map(len, fix)) <= 160
    assert texts(event_lines(events, SINCE, Size(160, 2)))[0].endswith(" kernel")
    assert "…" not in "".join(rows(160, 2, events))


def test_alike_ones_in_a_row_are_folded() -> None:
    many = (*EVENTS[1:2] * 3, *EVENTS[2:], EVENTS[1])
    assert [count for _, count in folded(many)] == [3, *[1] * 7]
    assert rows(44, 1, many) == ["21:01 ! 01:00.0 held back by its po… ×3 card"]
    (plain,) = texts(event_lines(many, SINCE, Size(60, 1), PLAIN))
    assert " limit x3 " in plain


def test_the_whole_screen_says_what_to_do() -> None:
    died = Event(AT, "0000:01:00.0", "does not wake", "failed", "kernel", "power off → and on")
    events = (died, *EVENTS[2:3])
    assert texts(event_lines(events, SINCE, Size(60, 9), look=Look(zoomed=True))) == [
        "21:02:30 ✗ 01:00.0 does not wake                      kernel",
        "           → power off → and on",
        "20:41:30 · fedora-ci shut off                       external",
    ]
    assert [row[:8] for row in rows(60, 9, events)] == ["21:02 ✗ ", "20:41 · "]


def test_nothing_has_happened() -> None:
    assert rows(76, 8, ()) == [
        "Nothing since 19:03. Swaps, guests, drivers and limits appear here."
    ]
    assert event_edges(recent_line((), AT), 76).state == ()


def test_what_is_old_does_not_count() -> None:
    assert text(recent_line(EVENTS, AT + timedelta(minutes=59, seconds=30))) == (
        "! 1 in the last hour"
    )
    assert recent_line(EVENTS, AT + timedelta(hours=2)) == ()
    failed = event(5, "0000:01:00.0", "fell off the bus", "failed", "card")
    assert text(recent_line((failed, *EVENTS), AT)) == "✗ 3 in the last hour"


def test_on_the_whole_screen_texts_wrap_and_times_have_seconds() -> None:
    long = event(3, "host", "breaks r465.one-vm: " + "two guests run " * 6, "failed", "external")
    lines = texts(event_lines((long,), SINCE, Size(116, 30), RICH, Look(zoomed=True)))
    assert lines[0].startswith("20:59:30 ✗ host breaks r465.one-vm: two guests")
    assert lines[0].endswith(" external")
    assert all(row.startswith(" " * 11) for row in lines[1:])
    assert " ".join(" ".join(lines).replace("external", "").split()).count("two guests run") == 6
    many = EVENTS * 10
    assert len(event_lines(many, SINCE, Size(60, 5), RICH, Look(zoomed=True))) == 80
    assert lower(event_edges((), 60, ZOOMED_KEYS), 60) == "0 back"


def test_the_whole_screen_has_the_days_of_older_events() -> None:
    """The history has events of the last 24 hours. Nothing else moves."""
    hours = (1, 20, 22, 30, 60)
    events = tuple(event(60 * each, "win11", f"event {each}", "note") for each in hours)
    today = event_lines(events, SINCE, Size(60, 9), RICH, Look(zoomed=True))
    lines = event_lines(events, SINCE, Size(60, 9), RICH, Look(zoomed=True, today=AT.date()))
    added = [text for text in texts(lines) if text not in texts(today)]
    assert added == ["Thu 1 Jan", "Wed 31 Dec"]
    assert [text[:8] for text in texts(lines)] == [
        "20:02:30", "01:02:30", "Thu 1 Ja", "23:02:30", "15:02:30", "Wed 31 D", "09:02:30",
    ]  # fmt: skip
    assert texts(event_lines(events, SINCE, Size(60, 9), look=Look(today=AT.date()))) == (
        rows(60, 9, events)
    )


def test_new_events_are_in_reverse() -> None:
    lines = event_lines(EVENTS, SINCE, Size(44, 8), RICH, Look(fresh=2))
    assert [{span.tone for span in row} == {"flash"} for row in lines] == [True] * 2 + [False] * 6
    assert texts(lines) == rows(44, 8)


def test_names_from_outside_stay_text() -> None:
    odd = event(1, "vm[bold red]x", "running", "done")
    assert "vm[bold red]x running" in rows(60, 1, (odd,))[0]


@pytest.mark.parametrize("glyphs", [RICH, PLAIN])
def test_every_size(glyphs: Glyphs) -> None:
    for space in PANEL_SIZES:
        check(event_lines(EVENTS * 3, SINCE, space, glyphs), space, plain=glyphs is PLAIN)
        check(event_lines((), SINCE, space, glyphs), space, plain=glyphs is PLAIN)
        whole = event_lines(EVENTS, SINCE, space, glyphs, Look(zoomed=True))
        check(whole, Size(space.width, len(whole)), plain=glyphs is PLAIN)


class _App(App[None]):
    CSS = "EventList { width: 60; height: 8; }"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        from tui.theme import DEFAULTS

        return dict(DEFAULTS)

    def compose(self) -> ComposeResult:
        yield EventList()


async def test_what_looks_alike_is_not_drawn_again() -> None:
    app = _App()
    async with app.run_test(size=(62, 8)) as pilot:
        panel = app.query_one(EventList)
        panel.show(EVENTS, AT, SINCE)
        await pilot.pause()
        drawn = panel.lines
        assert drawn
        panel.show(EVENTS, AT + timedelta(minutes=10), SINCE)
        assert panel.lines is drawn
        panel.show(EVENTS, AT, SINCE, aside=line("4 groups"))
        assert panel.lines is not drawn


async def test_the_day_of_an_event_is_drawn_when_the_day_ends() -> None:
    app = _App()
    async with app.run_test(size=(62, 8)) as pilot:
        panel = app.query_one(EventList)
        panel.show(EVENTS, AT, SINCE, zoomed=True)
        await pilot.pause()
        assert "Fri 2 Jan" not in texts(panel.lines)
        panel.show(EVENTS, AT + timedelta(hours=3), SINCE, zoomed=True)
        assert texts(panel.lines)[0] == "Fri 2 Jan"
