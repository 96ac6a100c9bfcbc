"""A guest in use is watched, and only what is on the screen is read."""

from __future__ import annotations

import re
from datetime import timedelta

from msgspec.structs import replace

from tests.ui.rig import (
    GUESTS,
    NOON,
    READING,
    WIN11,
    Rig,
    until,
)
from tui.host import NothingToRead
from tui.model import (
    AgentReading,
    Demand,
    GuestCard,
    GuestReport,
    Metrics,
    NvmlReading,
)
from tui.session import CARD_SOURCES, QUIET_FACTOR

PLAYS = replace(GUESTS, domains=(replace(WIN11, agent=True),))
CARD = GuestCard(
    "10de", "2684", None, "NVIDIA GeForce RTX 4090",
    Metrics(util_pct=97, mem_used_mib=9120, mem_total_mib=24564, temp_c=67),
)  # fmt: skip
SAYS = GuestReport(WIN11.uuid, "572.83", (CARD,), taken_at=NOON)
GUEST_GPU = "0000:01:00.0"


def playing(rig: Rig) -> Rig:
    rig.guests.reading = PLAYS
    rig.agent.reading = AgentReading((SAYS,))
    return rig


def paused(rig: Rig) -> list[bool]:
    return [rig.session.samplers[name].paused for name in CARD_SOURCES]


# --- the guest's readings ----------------------------------------------------------


async def test_the_guests_readings_are_in_its_cards_panel() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        await until(pilot, lambda: "97 %" in rig.text())
        text = rig.text()
        assert "◆ in win11" in text
        assert "in the guest, <10 s" in text
        assert "8.9 GiB" in text


async def test_readings_age_while_the_guest_is_silent() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        await until(pilot, lambda: "in the guest" in rig.text())
        for seconds, said in ((12, "in the guest, 10 s"), (61, "in the guest, 1 min")):
            rig.at = NOON + timedelta(seconds=seconds)
            rig.session.samplers["vitals"].poke()
            await until(pilot, lambda said=said: said in rig.text())  # type: ignore[misc]


async def test_an_agent_that_does_not_answer_is_a_line_in_the_panel() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        await until(pilot, lambda: "97 %" in rig.text())
        silent = replace(SAYS, cards=(), problem="the guest's agent does not answer")
        rig.agent.put(AgentReading((silent,)))
        await until(pilot, lambda: "The guest's agent does not answer." in rig.text())
        assert "97 %" not in rig.text()


async def test_text_of_a_guest_is_not_markup() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        rig.agent.put(AgentReading((replace(SAYS, cards=(), problem="[bold red]x[/] boom"),)))
        await until(pilot, lambda: "[bold red]x[/] boom" in rig.text())


async def test_a_too_old_driver_is_on_the_panel() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        rig.agent.put(AgentReading((replace(SAYS, driver_version="461.40"),)))
        await until(pilot, lambda: "r465.guest-driver" in rig.text())
        assert any("violates r465.guest-driver" in event.text for event in rig.session.live.events)


# --- what is asked ---------------------------------------------------------------------


async def test_a_running_guest_is_asked() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        wanted = Demand(reserved=(GUEST_GPU,), guests=(WIN11.uuid,), threads_of=WIN11.uuid)
        await until(pilot, lambda: rig.demands[-1:] == [wanted])


async def test_cards_are_not_read_while_their_readings_are_off_screen() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        await until(pilot, lambda: "97 %" in rig.text())
        for key in ("question_mark", "e", "g"):
            await pilot.press(key)
            await until(pilot, lambda: rig.demands[-1].shown is False)
            assert paused(rig) == [True] * 3
            assert rig.demands[-1].guests == ()
            before = rig.nvml.readings
            rig.session.samplers["nvml"].poke()
            rig.session.samplers["vitals"].poke()
            await until(pilot, lambda: rig.vitals.readings > 1)
            assert rig.nvml.readings == before
            await pilot.press("escape")
            await until(pilot, lambda: rig.demands[-1].shown is True)
            assert paused(rig) == [False] * 3
            await until(pilot, lambda before=before: rig.nvml.readings > before)  # type: ignore[misc]


async def test_details_of_a_card_need_its_readings_and_those_of_a_guest_do_not() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        await until(pilot, lambda: "97 %" in rig.text())
        await pilot.press("enter")
        await pilot.pause()
        assert paused(rig) == [False] * 3
        await pilot.press("escape", "tab", "tab", "enter")
        await until(pilot, lambda: paused(rig) == [True] * 3)


async def test_quiet_mode_is_slower_and_leaves_the_guest_alone() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        await until(pilot, lambda: "97 %" in rig.text())
        rig.session.poke("vitals")  # its tick records the guest's reading as the last one
        await until(pilot, lambda: len(rig.session.live.last_readings) == 2)
        usual = {name: sampler.interval_s for name, sampler in rig.session.samplers.items()}
        await pilot.press("z")
        assert rig.demands[-1].quiet is True
        for name, sampler in rig.session.samplers.items():
            every = usual[name]
            assert sampler.interval_s == (None if every is None else QUIET_FACTOR * every)
        rig.agent.put(NothingToRead("quiet: the guest is not asked"))
        await until(pilot, lambda: "quiet, read 0 s ago" in rig.text())
        assert "97 %" in rig.text(), "the last values stay"
        assert "quiet" in rig.text().splitlines()[0]
        await pilot.press("z")
        assert rig.demands[-1].quiet is False
        assert {name: s.interval_s for name, s in rig.session.samplers.items()} == usual


async def test_the_debug_view_counts_calls_and_times_sources() -> None:
    rig = playing(Rig())
    async with rig.running() as pilot:
        rig.host.calls.count("nvml", 34)
        rig.host.calls.count("agent", 2)
        await pilot.press("c")
        await until(pilot, lambda: "Calls in the last minute" in rig.text())
        for row in (
            r"NVML +34 ", "libvirt +0 ", "Guest agent +2 ", "PCI +on change +[0-9.]+ ms +0 s",
            "NVML +3600 s +[0-9.]+ ms +0 s",
        ):  # fmt: skip
            assert re.search(row, rig.text()), row
        await pilot.press("escape")
        await until(pilot, lambda: "Guest GPU" in rig.text())


# --- old readings -----------------------------------------------------------------------


async def test_a_reading_older_than_two_intervals_says_so() -> None:
    rig = Rig()
    rig.session.config = replace(rig.session.config, interval=1)
    async with rig.running() as pilot:
        await until(pilot, lambda: "37 %" in rig.text())
        assert "ago" not in rig.text()
        rig.at = NOON + timedelta(seconds=3)
        rig.session.samplers["vitals"].poke()
        await until(pilot, lambda: "read 2 s ago" in rig.text())
        # A reading equal to the last one is still a new one.
        rig.nvml.put(NvmlReading("580.95.05", (READING,)))
        await until(pilot, lambda: "ago" not in rig.text())


async def test_a_hung_source_does_not_count_as_just_read() -> None:
    rig = Rig()
    rig.session.stall_after_s = 0.0
    async with rig.running() as pilot:
        read_at = rig.session.live.snapshot.read_at["guests"]
        rig.at += timedelta(seconds=90)
        rig.guests.free.clear()
        rig.guests.put(GUESTS)
        await pilot.press("c")
        await until(pilot, lambda: "reading for 1 s" in rig.text())
        await until(pilot, lambda: "no answer since" in rig.text())
        assert rig.session.live.snapshot.read_at["guests"] == read_at
        rig.guests.free.set()
        await until(pilot, lambda: "reading for" not in rig.text())
