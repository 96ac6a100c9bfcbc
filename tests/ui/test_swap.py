"""The keys that move a card: the plan, the question, the request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from textual.color import Color
from textual.pilot import Pilot

from tests.ui.rig import GUESTS, NOON, SIZES, Rig, at_home, dim, hints, press, said, until
from tui.host import HostError, NothingToRead
from tui.model import Holder, Holders, Swap
from tui.model.errors import Doubtful, Refused
from tui.screens.plan import PlanScreen
from widgets.lines import width_of
from widgets.plan_panel import PlanPanel

CARD, SOUND = "0000:01:00.0", "0000:01:00.1"
STEPS = ("modprobe vfio-pci", f"echo {CARD} > /sys/bus/pci/drivers/nvidia/unbind")
SWAP = Swap("first", "bind", CARD, (CARD, SOUND), "running", STEPS, 1, NOON, NOON)
XORG = Holder(CARD, 911, "Xorg", "/dev/nvidia0", "root", "/usr/bin/Xorg :0", "gdm.service")


@asynccontextmanager
async def planned(rig: Rig, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[None]]:
    """The plan of a bind is on the screen."""
    at_home(rig)
    async with rig.running(size) as pilot:
        await pilot.press("b")
        await until(pilot, lambda: plan_is_shown(rig))
        yield pilot


def plan_is_shown(rig: Rig) -> bool:
    """Whether a plan is on the screen, with its checks."""
    screen = rig.app.screen
    return isinstance(screen, PlanScreen) and bool(screen.page().checks)


def lines(rig: Rig) -> str:
    """All lines of the plan, also those out of sight, with a blank for each line break."""
    drawn = rig.app.screen.query_one(PlanPanel).lines
    return " ".join(" ".join("".join(span.text for span in row) for row in drawn).split())


async def see_all(pilot: Pilot[None], rig: Rig) -> None:
    """Scroll through the whole plan, as far as it is longer than the screen."""
    panel = rig.app.screen.query_one(PlanPanel)
    for _ in range(panel.below):
        await pilot.press("space")
        await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_the_plan_is_shown_and_nothing_begins(size: tuple[int, int]) -> None:
    rig = Rig()
    async with planned(rig, size) as pilot:
        for words in ("Gives the card to vfio-pci", "modprobe vfio-pci", "driver_override"):
            assert words in lines(rig), words
        assert size[0] < 72 or "nothing has been touched yet" in rig.text()
        await pilot.press("escape")
        assert rig.app.screen.name == "overview"
    assert rig.mover.requests == []


async def test_one_key_carries_out_the_plan_and_the_journal_shows_progress() -> None:
    rig = Rig()
    async with planned(rig) as pilot:
        await pilot.press("y", "y")
        await until(pilot, lambda: "it is starting" in said(rig))
        (request,) = rig.mover.requests
        assert (request.action, request.address) == ("bind", CARD)
        assert request.consent.plan is not None
        rig.swap.put(SWAP)
        await until(pilot, lambda: "◐ step 2 of 2" in rig.text())
        assert "✓       modprobe vfio-pci" in rig.text()
        assert "◐       echo 0000:01:00.0" in rig.text()
        assert "continues if you leave or lose the connection" in rig.text()
        await pilot.press("y")
        await until(pilot, lambda: "a swap is under way" in said(rig))
        rig.swap.put(replace(SWAP, state="done"))
        await until(pilot, lambda: "✓ done in" in rig.text())
    assert len(rig.mover.requests) == 1


@pytest.mark.parametrize("size", [(45, 20), (40, 15), (36, 10), (80, 14)])
async def test_nobody_agrees_to_a_plan_that_was_not_all_on_the_screen(
    size: tuple[int, int],
) -> None:
    rig = Rig()
    async with planned(rig, size) as pilot:
        assert dim(rig, "y")
        assert "space" in hints(rig)
        await pilot.press("y")
        await until(pilot, lambda: "not all of it was on the screen yet" in said(rig))
        assert rig.mover.requests == []
        await see_all(pilot, rig)
        assert "space" not in hints(rig)
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)


@pytest.mark.parametrize("size", [(40, 15), (36, 10)])
async def test_nobody_takes_a_risk_that_was_not_on_the_screen(size: tuple[int, int]) -> None:
    rig = Rig()
    rig.inspector.found = Holders((), uninspected=3, unlisted_reason="no /proc at all " * 30)
    async with planned(rig, size) as pilot:
        await see_all(pilot, rig)
        await press(pilot, rig, "y")
        await until(pilot, lambda: "Risk:" in rig.text())
        await pilot.press("Y")
        await until(pilot, lambda: "not all of it was on the screen yet" in said(rig))
        assert rig.mover.requests == []
        await see_all(pilot, rig)
        await press(pilot, rig, "Y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)


async def test_a_plan_keeps_its_place_while_it_runs() -> None:
    rig = Rig()
    async with planned(rig, (80, 24)) as pilot:
        steps = tuple(step.text for step in rig.app.screen.page().steps)  # type: ignore[attr-defined]
        before = rig.text().splitlines()
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)
        rig.swap.put(replace(SWAP, steps=steps, step=3, drivers=("nvidia", "snd_hda_intel")))
        await until(pilot, lambda: "◐ step 4 of 8" in rig.text())
        for was, now in zip(before[2:-2], rig.text().splitlines()[2:-2], strict=True):
            place = slice(11, 55)
            assert now[place].rstrip(" ◐✓│") == was[place].rstrip(" │")


async def test_all_checks_are_listed_and_folded_again() -> None:
    rig = Rig()
    async with planned(rig) as pilot:
        assert "it does not drive the host's display" not in rig.text()
        await pilot.press("d")
        await until(pilot, lambda: "the card does not drive the host's display" in rig.text())
        await pilot.press("d")
        await until(pilot, lambda: "it does not drive the host's display" not in rig.text())


async def test_after_a_bind_the_guest_can_be_started_from_its_end() -> None:
    rig = Rig()
    async with planned(rig) as pilot:
        assert "s" not in hints(rig)
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)
        rig.swap.put(SWAP)
        await until(pilot, lambda: "◐ step 2 of 2" in rig.text())
        assert "s" not in hints(rig)
        rig.swap.put(replace(SWAP, state="done"))
        await until(pilot, lambda: "The card is ready: s starts win11." in rig.text())
        await pilot.press("s")
        await until(pilot, lambda: "Start win11" in rig.text())
        assert rig.app.screen.name == "guest"


async def test_users_of_the_card_are_named_with_how_to_stop_them() -> None:
    rig = Rig()
    rig.inspector.found = Holders((XORG,))
    async with planned(rig) as pilot:
        text = rig.text()
        for words in ("✗ refused", "by Xorg (911, root), which holds /dev/nvidia0", "gdm.service",
                      "/usr/bin/Xorg :0", "log out of the desktop"):  # fmt: skip
            assert words in text, words
        assert text.count("Xorg (911") == 1
        assert "y" not in hints(rig)
        await pilot.press("y")
        await until(pilot, lambda: "refused: in use by Xorg" in said(rig))
    assert rig.mover.requests == []


async def test_our_own_readers_are_named_and_do_not_block() -> None:
    rig = Rig()
    reader = Holder(CARD, 77, "python3", "/dev/nvidia0", "anna", ours=True, stop="leaves")
    rig.inspector.found = Holders((reader, replace(reader, what="/dev/nvidiactl", shared=True)))
    async with planned(rig) as pilot:
        text = rig.text()
        assert text.count("python3 (77, anna), vfiotop's NVML reader: it exits on its own") == 1
        assert "✓ ready" in text
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)


async def test_a_doubt_is_named_and_needs_a_second_consent() -> None:
    rig = Rig()
    rig.inspector.found = Holders((), uninspected=3)
    async with planned(rig) as pilot:
        assert "? cannot tell" in rig.text()
        assert "? 3 processes of other users could not be inspected" in rig.text()
        assert "y show the risk" in rig.text()
        await pilot.press("Y")
        await press(pilot, rig, "y")
        assert "Risk: 3 processes of other users could not be inspected" in rig.text()
        await pilot.press("y")
        assert rig.mover.requests == []
        await press(pilot, rig, "Y")
        await until(pilot, lambda: rig.mover.requests != [])
    (request,) = rig.mover.requests
    assert request.consent.accepted == {"holders:unknown"}


async def test_a_doubt_of_the_runner_needs_consent_too() -> None:
    rig = Rig()
    rig.mover.answer = Doubtful("libvirt does not answer", ["guest.inactive:unknown"])
    async with planned(rig) as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "Risk: libvirt does not answer" in rig.text())
        rig.mover.answer = "first"
        await press(pilot, rig, "Y")
        await until(pilot, lambda: len(rig.mover.requests) == 2)
    first, second = rig.mover.requests
    assert second.consent == first.consent.and_also(["guest.inactive:unknown"])
    assert second.identity != first.identity


@pytest.mark.parametrize("error", [Refused("Xorg came back"), HostError("no libvirt [bold]")])
async def test_a_refusal_of_the_runner_is_shown(error: Exception) -> None:
    rig = Rig()
    rig.mover.answer = error
    async with planned(rig) as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: str(error) in rig.text())


async def test_a_read_only_host_shows_the_plan() -> None:
    rig = Rig()
    rig.mover.unavailable_reason = "this host is read-only: cards cannot be moved"
    async with planned(rig) as pilot:
        assert "This is what would be done; this host is read-only" in rig.text()
        assert dim(rig, "y")
        await pilot.press("y")
    assert rig.mover.requests == []


async def test_a_key_that_cannot_work_is_dimmed_and_says_why() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        assert dim(rig, "b")
        assert dim(rig, "u")
        await pilot.press("u")
        await until(pilot, lambda: "“win11” is running with the card" in said(rig))
        assert rig.app.screen.name == "overview"
        rig.guests.put(replace(GUESTS, domains=()))
        await until(pilot, lambda: not dim(rig, "u"))
        assert dim(rig, "b")
        await pilot.press("b")
        await until(pilot, lambda: "on vfio-pci already" in said(rig))


async def test_an_external_swap_is_on_every_screen() -> None:
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        rig.swap.put(SWAP)
        await until(pilot, lambda: "moving" in rig.text())
        assert "◐ bind 2/2" in rig.text()
        assert "bind began" in rig.text()
        assert not dim(rig, "b")
        await pilot.press("b")
        await until(pilot, lambda: "◐ step 2 of 2" in rig.text())
        assert not rig.app.screen.page().checks  # type: ignore[attr-defined]
        assert rig.mover.requests == []


async def test_a_stuck_swap_says_since_when() -> None:
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        waits = "the kernel waits for steam (71, /dev/nvidia0): close steam, or run `kill 71`"
        rig.swap.put(replace(SWAP, state="stuck", message=waits))
        await until(pilot, lambda: "✗ stuck" in rig.text())
        assert "the kernel waits for steam (71" in rig.text()
        await pilot.press("b")
        text = " ".join(rig.text().replace("│", " ").split())
        assert "close steam, or run `kill 71`. Nothing more is written" in text


@pytest.mark.parametrize(
    ("key", "way", "question"),
    [("f", "finish", "y finish now"), ("u", "undo", "Restores 01:00.0 and 01:00.1")],
)
async def test_an_interrupted_swap_is_offered_on_start(key: str, way: str, question: str) -> None:
    rig = Rig()
    at_home(rig)
    rig.swap.reading = replace(SWAP, runner_alive=False)
    async with rig.running() as pilot:
        await until(pilot, lambda: rig.app.screen.name == "swap")
        assert "It was interrupted" in rig.text()
        await pilot.press("escape")
        assert rig.app.screen.name == "overview"
        await pilot.press("b")
        await pilot.press(key)
        await until(pilot, lambda: question in rig.text())
        assert rig.mover.requests == []
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.mover.requests != [])
        rig.swap.put(replace(SWAP, state="undone", message="undone by recover"))
        await until(pilot, lambda: "Undone, the card is as it was" in rig.text())
    (request,) = rig.mover.requests
    assert (request.action, request.swap) == (way, "first")


async def test_a_killed_runner_is_noticed_without_an_event() -> None:
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        rig.swap.put(SWAP)
        await until(pilot, lambda: "moving" in rig.text())
        rig.swap.put(replace(SWAP, runner_alive=False))
        await until(pilot, lambda: "and has stopped" in rig.text())


@pytest.mark.parametrize("change", [{}, {"state": "stuck", "message": "x [red]y[/]"}])
async def test_text_of_the_journal_is_not_markup(change: dict[str, Any]) -> None:
    rig = Rig()
    async with rig.running() as pilot:
        rig.swap.put(replace(SWAP, steps=("a [bold]b[/]", "c [red]d"), **change))
        await until(pilot, lambda: "[red]" in rig.text())


async def test_a_refusal_does_not_hide_a_running_swap() -> None:
    rig = Rig()
    rig.mover.answer = Refused("Xorg came back")
    async with planned(rig) as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "Xorg came back" in rig.text())
        rig.swap.put(replace(SWAP, id="somebody's"))
        await until(pilot, lambda: "◐ step 2 of 2" in rig.text())
        assert "Xorg came back" not in rig.text()
        rig.swap.put(replace(SWAP, id="somebody's", state="done"))
        await until(pilot, lambda: "✓ done in" in rig.text())
        await pilot.press("y")
        await until(pilot, lambda: "it has ended" in said(rig))
    assert len(rig.mover.requests) == 1


async def test_a_followed_swap_is_shown_to_its_end() -> None:
    rig = Rig()
    at_home(rig)
    rig.swap.reading = SWAP
    async with rig.running() as pilot:
        await pilot.press("b")
        await until(pilot, lambda: "◐ step 2 of 2" in rig.text())
        rig.swap.put(replace(SWAP, state="done"))
        await until(pilot, lambda: "✓ done in" in rig.text())


async def test_consent_to_a_risk_does_not_apply_to_another_swap() -> None:
    rig = Rig()
    rig.inspector.found = Holders((), uninspected=3)
    async with planned(rig) as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "Risk:" in rig.text())
        rig.swap.put(replace(SWAP, id="somebody's"))
        await until(pilot, lambda: "◐ step 2 of 2" in rig.text())
        await pilot.press("Y")
    assert rig.mover.requests == []


async def test_a_host_that_cannot_be_checked_is_reported() -> None:
    rig = Rig()
    rig.inspector.found = HostError("no /proc")
    async with planned(rig):
        assert "? cannot tell" in rig.text()
        assert "? no /proc" in rig.text()
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        rig.pci.reading = HostError("sysfs is gone")
        await pilot.press("b")
        await until(pilot, lambda: "sysfs is gone" in rig.text())


async def test_accepted_risks_stay_accepted_when_more_are_asked() -> None:
    rig = Rig()
    rig.inspector.found = Holders((), uninspected=3)
    rig.mover.answer = Doubtful("libvirt does not answer", ["guest.inactive:unknown"])
    async with planned(rig) as pilot:
        await pilot.press("y", "Y")
        await until(pilot, lambda: "Risk: libvirt" in rig.text())
        rig.mover.answer = "first"
        await press(pilot, rig, "Y")
        await until(pilot, lambda: len(rig.mover.requests) == 2)
    assert rig.mover.requests[1].consent.accepted == {"guest.inactive:unknown", "holders:unknown"}


async def test_a_failed_recovery_can_be_tried_again() -> None:
    rig = Rig()
    at_home(rig)
    rig.swap.reading = replace(SWAP, state="failed", message="held", runner_alive=False)
    async with rig.running() as pilot:
        await until(pilot, lambda: rig.app.screen.name == "swap")
        await pilot.press("y")
        await until(pilot, lambda: "choose first" in said(rig))
        for number in (1, 2):
            await pilot.press("u")
            await until(pilot, lambda: "Restores 01:00.0" in rig.text())
            await press(pilot, rig, "y")
            await until(pilot, lambda n=number: len(rig.mover.requests) == n)  # type: ignore[misc]
            await until(pilot, lambda: "f finishes it, u undoes it" in rig.text())


async def test_the_other_recovery_can_be_chosen_instead() -> None:
    rig = Rig()
    at_home(rig)
    rig.inspector.found = Holders((XORG,))
    rig.swap.reading = replace(SWAP, runner_alive=False)
    async with rig.running() as pilot:
        await until(pilot, lambda: rig.app.screen.name == "swap")
        await pilot.press("f")
        await until(pilot, lambda: "by Xorg (911" in rig.text())
        await pilot.press("u")
        await until(pilot, lambda: "Restores 01:00.0" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.mover.requests != [])
    assert rig.mover.requests[0].action == "undo"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ((HostError("it is a link"),), "cannot tell how it ended: it is a link"),
        ((NothingToRead("a"), NothingToRead("b")), "its journal is gone"),
    ],
)
async def test_a_swap_missing_from_the_journal_is_given_up(
    told: tuple[HostError, ...], why: str
) -> None:
    rig = Rig()
    async with planned(rig) as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)
        for each in (*told, told[-1]):
            read = rig.session.finished["swap"]
            rig.swap.put(each)
            await until(pilot, lambda read=read: rig.session.finished["swap"] > read)  # type: ignore[misc]
        await until(pilot, lambda: why in " ".join(rig.text().split()))


def marked(rig: Rig, text: str) -> list[bool]:
    """Whether each ``text`` on the screen is in the colour of warnings, row by row."""
    app = rig.app
    warning = Color.parse(app.theme_variables["text-warning"]).rgb
    found = []
    for strip in app.screen._compositor.render_strips(app.size)[: app.size.height]:
        for part, style, _ in strip:
            colour = style.color.triplet if style is not None and style.color else None
            found += [colour is not None and tuple(colour) == warning] * part.count(text)
    return found


async def test_seconds_over_the_usual_time_are_in_the_warning_s_colour() -> None:
    rig = Rig()
    async with planned(rig) as pilot:
        done = replace(SWAP, state="done", step_began_at=NOON + timedelta(seconds=2))
        rig.swap.put(SWAP)
        await until(pilot, lambda: rig.session.live.view.swap == SWAP)
        rig.swap.put(done)  # such a bind takes 2 s
        await until(pilot, lambda: rig.session.live.view.swap == done)
        again = replace(SWAP, id="second")
        rig.at = NOON + timedelta(seconds=3)
        rig.swap.put(again)
        await until(pilot, lambda: "step 2 of 2 · 3.0 s" in rig.text())
        assert marked(rig, "3.0 s") == [False, False], "of the swap, and of the step"
        rig.at = NOON + timedelta(seconds=6)
        await until(pilot, lambda: "step 2 of 2 · 6.0 s" in rig.text())
        assert marked(rig, "6.0 s") == [True, False], "the step itself may take 10 s"
        rig.at = NOON + timedelta(seconds=11)
        await until(pilot, lambda: "step 2 of 2 · 11.0 s" in rig.text())
        assert marked(rig, "11.0 s") == [True, True]
        await pilot.press("escape")
        await until(pilot, lambda: "by vfiotop, 11 s" in rig.text())
        assert marked(rig, "11 s") == [True, True], "in the card, and in its frame"


@pytest.mark.parametrize("size", SIZES)
async def test_v_shows_the_paths_in_full_and_short_again(size: tuple[int, int]) -> None:
    rig = Rig()
    full, short = f"/sys/bus/pci/devices/{CARD}/driver_override", f"devices/{CARD}/driver_override"
    async with planned(rig, size) as pilot:
        before = rig.app.screen.query_one(PlanPanel).lines
        assert "Writes" in lines(rig)
        assert f"> {short}" in lines(rig).replace("/ ", "/")
        assert full not in lines(rig).replace("/ ", "/")
        await pilot.press("v")
        assert full in lines(rig).replace("/ ", "/")
        assert "in /sys/bus/pci" not in lines(rig)
        assert all(width_of(row) <= size[0] for row in rig.app.screen.query_one(PlanPanel).lines)
        assert dim(rig, "y") == bool(rig.app.screen.query_one(PlanPanel).unseen)
        await pilot.press("v")
        assert list(rig.app.screen.query_one(PlanPanel).lines) == list(before)


async def test_the_footer_says_which_paths_v_shows() -> None:
    rig = Rig()
    async with planned(rig, (80, 24)) as pilot:
        footer = rig.text().splitlines()[-1]
        assert "v full paths" in footer
        await pilot.press("v")
        assert "v short paths" in rig.text().splitlines()[-1]
        await see_all(pilot, rig)
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)


async def test_a_refused_plan_has_no_paths_to_show() -> None:
    rig = Rig()
    rig.inspector.found = Holders((XORG,))
    async with planned(rig):
        assert "v" not in hints(rig)
