"""The keys that start and stop the guest: the plan, the question, the outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.thorough import thorough
from tests.ui.rig import GUESTS, NOON, SIZES, WIN11, Rig, at_home, dim, hints, press, said, until
from tests.ui.test_swap import CARD, SOUND, STEPS, see_all
from tui.host import HostError, NothingToRead
from tui.model import (
    Domain,
    DomainState,
    Holder,
    Holders,
    HostDev,
    Sample,
    Swap,
    SwapState,
    Unavailable,
)
from tui.model.errors import Refused
from tui.rules.roles import Choice

OTHER = Domain("other", "0e7e", "shut off")
SWAP = Swap("first", "bind", CARD, (CARD, SOUND), "running", STEPS, 1, NOON, NOON)


def becomes(rig: Rig, state: DomainState) -> None:
    """libvirt reports another state of win11."""
    domains = replace(GUESTS, domains=(replace(WIN11, state=state),))
    rig.control.domains = domains
    rig.guests.put(domains)


@asynccontextmanager
async def pressed(
    rig: Rig, key: str, see: str, state: DomainState = "running", size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Pilot[None]]:
    """Press a key while win11 is in ``state``, and wait for words on the screen."""
    rig.guests.reading = replace(GUESTS, domains=(replace(WIN11, state=state),))
    rig.control.domains = rig.guests.reading
    async with rig.running(size) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: see in rig.text())
        yield pilot


# --- start ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_start_shows_its_plan_and_asks(size: tuple[int, int]) -> None:
    rig = Rig()
    async with pressed(rig, "s", "Starts win11.", "shut off", size) as pilot:
        assert rig.control.asked == []
        await see_all(pilot, rig)
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.control.asked == [("start", WIN11.uuid)])
        becomes(rig, "running")
        await until(pilot, lambda: "win11 is running." in rig.text())
    assert rig.mover.requests == []


async def test_a_card_that_is_with_the_host_is_bound_first() -> None:
    rig = Rig()
    at_home(rig)
    rig.control.domains = replace(GUESTS, domains=(replace(WIN11, state="shut off"),))
    async with rig.running() as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "is bound first" in rig.text())
        assert "modprobe vfio-pci" in rig.text()
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)
        assert (rig.mover.requests[0].action, rig.mover.requests[0].address) == ("bind", CARD)
        rig.swap.put(SWAP)
        await until(pilot, lambda: "then win11 is started" in rig.text())
        assert "◐       echo 0000:01:00.0" in rig.text()
        assert "·       virsh -c qemu:///system start --paused win11" in rig.text()
        assert "✓ 20 passed" in rig.text()
        assert rig.control.asked == []
        fresh = Rig()
        rig.pci.put(fresh.pci.reading)
        rig.vitals.put(fresh.vitals.reading)
        rig.swap.put(replace(SWAP, state="done"))
        await until(pilot, lambda: rig.control.asked == [("start", WIN11.uuid)])
    assert [request.action for request in rig.mover.requests] == ["bind"]


ENDS: tuple[tuple[SwapState, str], ...] = (("undone", "undone"), ("failed", "finish"))


@pytest.mark.parametrize(("state", "word"), ENDS)
async def test_a_bind_that_failed_starts_nothing(state: SwapState, word: str) -> None:
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "is bound first" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)
        ended = replace(SWAP, state=state, runner_alive=False, message="Xorg has it")
        rig.swap.put(ended)
        words = f"{word}: Xorg has it; win11 was not started"
        # What was interrupted is offered to be recovered, on a screen of its own.
        await until(pilot, lambda: words in rig.text() or words in said(rig))
    assert rig.control.asked == []


FOREIGN = replace(SWAP, id="another", direction="unbind")

LOST: tuple[tuple[str, tuple[Swap | HostError, ...], str], ...] = (
    ("another's entry comes in its place", (FOREIGN,), "another swap has begun"),
    ("another's has ended already", (replace(FOREIGN, state="done"),), "another swap has begun"),
    ("ours was seen, then another's", (SWAP, FOREIGN), "another swap has begun"),
    ("ours was seen, then the journal is gone", (SWAP, NothingToRead("none")), "is gone"),
    ("the journal is gone before ours was seen", (NothingToRead("a"), NothingToRead("b")), "gone"),
    ("the journal is not vfiotop's", (SWAP, HostError("it is a link")), "it is a link"),
    ("its runner died", (replace(SWAP, runner_alive=False),), "did not finish"),
)


@pytest.mark.parametrize("case", [0, 3, 6, *thorough(1, 2, 4, 5)], ids=lambda case: LOST[case][0])
async def test_a_start_gives_up_when_the_journal_loses_its_bind(case: int) -> None:
    _, told, why = LOST[case]
    rig = Rig()
    at_home(rig)
    async with rig.running() as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "is bound first" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)
        for each in told:
            read = rig.session.finished["swap"]
            rig.swap.put(each)
            await until(pilot, lambda read=read: rig.session.finished["swap"] > read)  # type: ignore[misc]
        # A runner that died is offered to be recovered, on a screen of its own.
        await until(pilot, lambda: why in rig.text() + said(rig))
        await until(pilot, lambda: "win11 was not started" in rig.text() + said(rig))
    assert rig.control.asked == []


async def test_a_start_ignores_journal_entries_from_before_it() -> None:
    """It also outlasts a journal that does not answer for a while."""
    rig = Rig()
    at_home(rig)
    earlier = replace(SWAP, id="earlier", state="done")
    rig.swap.reading = earlier
    async with rig.running() as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "is bound first" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)
        read = rig.session.finished["swap"]
        rig.swap.put(replace(earlier, message="the same once more"))
        await until(pilot, lambda: rig.session.finished["swap"] > read)
        rig.swap.put(SWAP)
        await until(pilot, lambda: "then win11 is started" in rig.text())
        silent = Unavailable("no answer since 12:00:00")
        rig.session.take(Sample("swap", silent, NOON), finished=False)
        await until(pilot, lambda: "no answer since" in str(rig.session.live.view.problem("swap")))
        rig.swap.put(replace(SWAP, step=0))
        await until(pilot, lambda: "then win11 is started" in rig.text())
        assert "was not started" not in rig.text() + said(rig)


async def test_a_start_continues_when_its_screen_is_left() -> None:
    rig = Rig()
    at_home(rig)
    rig.control.domains = replace(GUESTS, domains=(replace(WIN11, state="shut off"),))
    async with rig.running() as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "is bound first" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)
        rig.swap.put(SWAP)
        await until(pilot, lambda: "then win11 is started" in rig.text())
        await pilot.press("escape")
        assert rig.app.screen.name == "overview"
        rig.control.answer = HostError("QEMU does not start")
        fresh = Rig()
        rig.pci.put(fresh.pci.reading)
        rig.vitals.put(fresh.vitals.reading)
        rig.swap.put(replace(SWAP, state="done"))
        await until(pilot, lambda: "win11: QEMU does not start" in said(rig))


async def test_a_card_in_use_is_refused_and_the_key_says_why() -> None:
    rig = Rig()
    at_home(rig)
    rig.inspector.found = Holders((Holder(CARD, 911, "Xorg", "/dev/nvidia0"),))
    async with rig.running() as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "by Xorg (911), which holds /dev/nvidia0" in rig.text())
        assert "y" not in hints(rig)
        await pilot.press("y")
        await until(pilot, lambda: "refused: in use by Xorg" in said(rig))
    assert rig.mover.requests == []


async def test_a_rival_guest_started_meanwhile_is_refused() -> None:
    rig = Rig()
    async with pressed(rig, "s", "Starts win11.", "shut off") as pilot:
        other = replace(WIN11, name="other", uuid="0e7e", state="running")
        rig.control.domains = replace(GUESTS, domains=(other,))
        await press(pilot, rig, "y")
        await until(pilot, lambda: "“other” is running with a GeForce card" in rig.text())
    assert rig.control.asked == []


# --- stop -----------------------------------------------------------------------------


async def test_a_stop_counts_down_and_then_offers_to_force_it_off() -> None:
    rig = Rig()
    async with pressed(rig, "x", "Asks win11 to shut down") as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "60 s until it can be forced off" in rig.text())
        await until(pilot, lambda: rig.control.asked == [("stop", WIN11.uuid)])
        await pilot.press("x")
        await until(pilot, lambda: "it still has 60 s to shut down" in said(rig))
        rig.at = NOON + timedelta(seconds=61)
        await until(pilot, lambda: "has not shut down after 61 s" in rig.text())
        await pilot.press("x")
        await until(pilot, lambda: "Forces win11 off" in rig.text())
        assert rig.control.asked == [("stop", WIN11.uuid)]
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.control.asked[1:] == [("force-off", WIN11.uuid)])
        becomes(rig, "shut off")
        await until(pilot, lambda: "win11 is shut off." in rig.text())
        assert rig.session.pending_stops == {}
        assert [event.by for event in rig.session.live.events if event.subject == "win11"] == [
            "vfiotop"
        ]


async def test_the_countdown_continues_when_the_screen_is_left() -> None:
    rig = Rig()
    async with pressed(rig, "x", "Asks win11 to shut down") as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "60 s until it can be forced off" in rig.text())
        await pilot.press("escape")
        rig.at = NOON + timedelta(seconds=20)
        becomes(rig, "in shutdown")
        await pilot.press("x")
        await until(pilot, lambda: "asked to shut down 20 s ago; 40 s until" in rig.text())
        assert rig.control.asked == [("stop", WIN11.uuid)]


async def test_a_guest_that_is_off_offers_to_unbind_its_card() -> None:
    rig = Rig()
    async with pressed(rig, "x", "Asks win11 to shut down") as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "60 s until it can be forced off" in rig.text())
        becomes(rig, "shut off")
        await until(pilot, lambda: "u gives it back to the host" in rig.text())
        await pilot.press("u")
        await until(pilot, lambda: "Gives the card back to the host." in rig.text())
        assert rig.app.screen.name == "swap"


async def test_a_guest_may_be_undefined_while_it_stops() -> None:
    rig = Rig()
    async with pressed(rig, "x", "Asks win11 to shut down") as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "60 s until it can be forced off" in rig.text())
        rig.guests.put(replace(GUESTS, domains=()))
        await until(pilot, lambda: "win11 is no longer defined." in rig.text())


async def test_libvirt_may_restart_while_a_guest_stops() -> None:
    rig = Rig()
    async with pressed(rig, "x", "Asks win11 to shut down") as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: "60 s until it can be forced off" in rig.text())
        rig.guests.put(HostError("libvirtd is not running"))
        await until(pilot, lambda: "cannot tell whether it has: libvirtd is not" in rig.text())
        becomes(rig, "running")
        await until(pilot, lambda: "60 s until it can be forced off" in rig.text())
        becomes(rig, "shut off")
        await until(pilot, lambda: "win11 is shut off." in rig.text())


async def test_a_hung_agent_does_not_hang_the_screen() -> None:
    rig = Rig()
    async with pressed(rig, "x", "Asks win11 to shut down") as pilot:
        rig.control.free.clear()
        await press(pilot, rig, "y")
        await until(pilot, lambda: "60 s until it can be forced off" in rig.text())
        rig.at = NOON + timedelta(seconds=70)
        await until(pilot, lambda: "press x to force it off" in rig.text())
        await pilot.press("x")
        await until(pilot, lambda: "Forces win11 off" in rig.text())
        rig.control.free.set()


async def test_a_stop_that_libvirt_refuses_says_so_and_counts_nothing() -> None:
    rig = Rig()
    async with pressed(rig, "x", "Asks win11 to shut down") as pilot:
        rig.control.answer = HostError("libvirt does not let you shut down “win11”")
        await press(pilot, rig, "y")
        await until(pilot, lambda: "does not let you shut down" in rig.text())
        assert rig.session.pending_stops == {}


async def test_a_paused_guest_is_offered_to_be_forced_off() -> None:
    rig = Rig()
    async with pressed(rig, "x", "Forces win11 off", "paused") as pilot:
        assert "Unsaved work in it is lost" in rig.text()
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.control.asked == [("force-off", WIN11.uuid)])


async def test_a_doubt_after_the_bind_does_not_bind_again() -> None:
    """A domain that cannot be read is defined while the card moves."""
    rig = Rig()
    at_home(rig)
    rig.control.domains = replace(GUESTS, domains=(replace(WIN11, state="shut off"),))
    async with rig.running() as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "is bound first" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: len(rig.mover.requests) == 1)
        rig.swap.put(SWAP)
        await until(pilot, lambda: "then win11 is started" in rig.text())
        fresh = Rig()
        rig.pci.put(fresh.pci.reading)
        rig.vitals.put(fresh.vitals.reading)
        odd = Domain("odd", "0dd", "shut off", problem="its definition has a DTD")
        off = replace(WIN11, state="shut off")
        rig.guests.put(replace(GUESTS, domains=(odd, off)))
        rig.swap.put(replace(SWAP, state="done"))
        await until(pilot, lambda: "Risk: cannot tell" in rig.text())
        await press(pilot, rig, "Y")
        await until(pilot, lambda: rig.control.asked == [("start", WIN11.uuid)])
    assert len(rig.mover.requests) == 1


# --- the other keys -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "state", "action", "end"),
    [("p", "running", "pause", "paused"), ("p", "paused", "resume", "running"),
     ("r", "running", "reboot", "running")],
)  # fmt: skip
async def test_pause_resume_and_reboot_have_one_key_each(
    key: str, state: DomainState, action: str, end: DomainState
) -> None:
    rig = Rig()
    async with pressed(rig, key, "win11", state) as pilot:
        await until(pilot, lambda: f"y {action} now" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.control.asked == [(action, WIN11.uuid)])
        becomes(rig, end)
        await until(pilot, lambda: f"{action.capitalize()} win11" in rig.text())


async def test_dimmed_keys_say_why() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        assert dim(rig, "s")
        await pilot.press("s")
        await until(pilot, lambda: "“win11” is already running" in said(rig))
        rig.guests.put(HostError("libvirtd is not running"))
        await until(pilot, lambda: dim(rig, "x"))
        await pilot.press("x")
        await until(pilot, lambda: "libvirtd is not running" in said(rig))
        assert rig.app.screen.name == "overview"


async def test_a_read_only_host_shows_the_plan() -> None:
    rig = Rig()
    rig.control.unavailable_reason = "this host is only looked at"
    async with pressed(rig, "x", "This is what would be done;") as pilot:
        await pilot.press("y")
        await until(pilot, lambda: "only looked at" in said(rig))
    assert rig.control.asked == []


async def test_a_runner_that_does_not_begin_says_why() -> None:
    rig = Rig()
    at_home(rig)
    rig.mover.answer = Refused("sudo did not start the runner")
    async with rig.running() as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "is bound first" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: "sudo did not start the runner" in rig.text())
    assert rig.control.asked == []


# --- who has what ---------------------------------------------------------------------

XML = """<domain type='kvm'>
  <name>win11</name>
  <uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
  <devices>
    <hostdev mode='subsystem' type='pci' managed='no'>
      <source><address domain='0x0000' bus='0x0a' slot='0x00' function='0x0'/></source>
    </hostdev>
  </devices>
</domain>"""


def two_that_could_have_it(rig: Rig) -> None:
    """No card is named by a guest, on vfio-pci, or known to be the host's."""
    functions = tuple(
        replace(f, boot_vga=False if f.boot_vga is not None else None,
                driver=None if f.driver == "vfio-pci" else f.driver)
        for f in Rig().pci.reading.functions  # type: ignore[union-attr]
    )  # fmt: skip
    rig.pci.reading = replace(Rig().pci.reading, functions=functions)  # type: ignore[type-var]
    off = replace(WIN11, state="shut off", hostdevs=())
    rig.guests.reading = replace(GUESTS, domains=(OTHER, off))


async def test_card_and_guest_are_asked_for_when_first_needed() -> None:
    rig = Rig()
    two_that_could_have_it(rig)
    async with rig.running() as pilot:
        await pilot.press("b")
        await until(pilot, lambda: rig.app.screen.name == "roles")
        assert dim(rig, "y")
        await pilot.press("enter", "tab", "down", "enter")
        await until(pilot, lambda: "Press y to assign 01:00.0 to win11" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.session.live.view.guest_gpu is not None)
        view = rig.session.live.view
        assert view.guest_gpu is not None
        assert (view.guest_gpu.address, view.guest and view.guest.domain.name) == (CARD, "win11")
    again = Rig()
    two_that_could_have_it(again)
    async with again.running() as pilot:
        await until(pilot, lambda: again.session.live.view.guest_gpu is not None)
        view = again.session.live.view
        assert view.guest_gpu is not None
        assert (view.guest_gpu.address, view.guest and view.guest.domain.name) == (CARD, "win11")


async def test_the_card_is_added_to_the_definition_and_removed_again() -> None:
    rig = Rig()
    rig.control.xml = XML
    named = (HostDev("0000:0a:00.0", managed=False),)
    rig.guests.reading = replace(
        GUESTS, domains=(replace(WIN11, state="shut off", hostdevs=named),)
    )
    async with rig.running() as pilot:
        await pilot.press("w")
        await until(pilot, lambda: rig.app.screen.name == "roles")
        await pilot.press("y")
        await until(pilot, lambda: "cannot be the guest's" in said(rig))
        await pilot.press("up", "enter", "tab", "enter", "y")
        await until(pilot, lambda: "does not list the card yet" in rig.text())
        assert rig.control.asked == []
        await press(pilot, rig, "y")
        await until(pilot, lambda: "u restores its old definition" in rig.text())
        assert rig.control.xml.count("bus='0x01'") == 2
        assert "0x0a" not in rig.control.xml
        await pilot.press("u")
        await until(pilot, lambda: "old definition is restored" in rig.text())
        assert rig.control.xml == XML


async def test_the_card_of_the_hosts_display_cannot_be_chosen() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        await pilot.press("w")
        await until(pilot, lambda: "drives the host's display" in rig.text())


async def test_a_broken_rule_is_on_the_screen() -> None:
    rig = Rig()
    async with rig.running() as pilot:
        assert "d ✓ 5 live checks" in rig.text()
        rig.session.live.choose(Choice(CARD, "win11"))
        rival = replace(OTHER, state="running", hostdevs=(HostDev("0000:0a:00.0", managed=False),))
        rig.guests.put(replace(GUESTS, domains=(rival, WIN11)))
        await until(pilot, lambda: "d ✗ r465.one-vm" in rig.text())
        (event,) = (e for e in rig.session.live.events if "r465.one-vm" in e.text)
        assert "“other”, “win11” are running with a GeForce card" in event.text
        assert event.kind == "failed"
