"""Which guest a key is about, and what is offered for one whose action is half done."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.ui.rig import GUESTS, SIZES, WIN11, Rig, press, said, until
from tests.ui.test_guest import becomes, pressed
from tests.ui.test_swap import see_all
from tui import state
from tui.background import finish
from tui.config import Config
from tui.host import Unsettled
from tui.model import Domain, GuestAction

TWIN = replace(WIN11, uuid="7w17", state="shut off")
"""Another domain with the same name, which libvirt never has: only the UUID differs."""

PAUSED = "“win11” was started and is left paused: libvirt's answer was lost"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("key", "see", "action"),
    [("p", "Resumes win11", "resume"), ("x", "Forces win11 off", "force-off")],
)
async def test_a_half_done_start_offers_to_resume_or_force_off(
    size: tuple[int, int], key: str, see: str, action: GuestAction
) -> None:
    rig = Rig()
    async with pressed(rig, "s", "Starts win11.", "shut off", size) as pilot:
        rig.control.answer = Unsettled(PAUSED, "paused")
        await see_all(pilot, rig)
        await press(pilot, rig, "y")
        becomes(rig, "paused")
        await until(pilot, lambda: "p resumes it, x forces it off" in _flat(rig))
        assert PAUSED in _flat(rig)
        await until(pilot, lambda: is_paused(rig))  # until then, the key says that it is not
        rig.control.answer = None
        await pilot.press(key)
        await until(pilot, lambda: see in _flat(rig))
        await see_all(pilot, rig)
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.control.asked[1:] == [(action, WIN11.uuid)])


def is_paused(rig: Rig) -> bool:
    guest = rig.app.session.live.view.guest
    return guest is not None and guest.domain.state == "paused"


def _flat(rig: Rig) -> str:
    """The screen as one line: sentences wrap on a phone."""
    return " ".join(rig.text().replace("│", " ").split())


async def test_a_half_done_start_is_notified_when_its_screen_was_left() -> None:
    rig = Rig()
    async with pressed(rig, "s", "Starts win11.", "shut off") as pilot:
        rig.control.free.clear()
        rig.control.answer = Unsettled(PAUSED, "paused")
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.control.asked == [("start", WIN11.uuid)])
        await pilot.press("escape")
        rig.control.free.set()
        await until(pilot, lambda: f"win11: {PAUSED}. p resumes it, x forces it off." in said(rig))
        (event,) = (each for each in rig.session.live.events if each.kind == "failed")
        assert (event.subject, event.text.startswith(PAUSED)) == ("win11", True)


async def test_an_action_under_way_at_the_end_is_waited_for() -> None:
    rig = Rig()
    async with pressed(rig, "s", "Starts win11.", "shut off") as pilot:
        rig.control.free.clear()
        rig.control.answer = Unsettled(PAUSED, "paused")
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.control.asked == [("start", WIN11.uuid)])
        await pilot.press("escape", "q")
    told: list[str] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        rig.control.free.set()

    assert isinstance(finish(tell), Unsettled)
    assert told == [
        "start win11 continues; waiting for libvirt",
        f"start win11: {PAUSED}. `vfiotop --connect qemu:///system resume win11` resumes it, "
        "`vfiotop --connect qemu:///system force-off win11` ends it",
    ]  # fmt: skip
    assert finish(tell) is None


async def test_an_error_shown_on_the_screen_is_not_printed_again() -> None:
    rig = Rig()
    async with pressed(rig, "s", "Starts win11.", "shut off") as pilot:
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.control.asked == [("start", WIN11.uuid)])
        becomes(rig, "running")
        await until(pilot, lambda: "win11 is running." in rig.text())
    assert finish(pytest.fail) is None


@pytest.mark.parametrize("picked", [WIN11, TWIN])
async def test_of_two_guests_the_chosen_one_is_used(picked: Domain) -> None:
    rig = Rig()
    off = replace(WIN11, state="shut off")
    rig.guests.reading = replace(GUESTS, domains=(off, TWIN))
    rig.control.domains = rig.guests.reading
    async with rig.running() as pilot:
        assert rig.session.live.view.guest is None  # either names the card
        await pilot.press("w")
        await until(pilot, lambda: rig.app.screen.name == "roles")
        down = ["down"] if picked is TWIN else []
        await pilot.press("enter", "tab", *down, "enter")
        await until(pilot, lambda: "Press y to assign 01:00.0 to win11" in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.session.live.view.guest is not None)
        guest = rig.session.live.view.guest
        assert guest is not None
        assert guest.domain.uuid == picked.uuid
        assert [each.allowed for each in rig.session.live.view.guests] == [True, False]
        await until(pilot, lambda: state.load().guest == guest.domain.uuid)
        await pilot.press("escape", "s")
        await until(pilot, lambda: "Starts win11." in rig.text())
        await press(pilot, rig, "y")
        await until(pilot, lambda: rig.control.asked == [("start", guest.domain.uuid)])


async def test_a_choice_does_not_override_the_configuration() -> None:
    rig = Rig()
    rig.session.config = Config(guest=WIN11.uuid, interval=3600)
    off = replace(WIN11, state="shut off")
    rig.guests.reading = replace(GUESTS, domains=(off, replace(TWIN, name="zwin")))
    async with rig.running() as pilot:
        await pilot.press("w")
        await until(pilot, lambda: rig.app.screen.name == "roles")
        await pilot.press("enter", "tab", "down", "enter", "y")
        await until(pilot, lambda: "the configuration says otherwise" in said(rig))
        await pilot.press("up", "enter", "y")
        await until(pilot, lambda: "The choice is saved" in rig.text())


async def test_details_of_a_guest_named_like_a_card_are_the_guests() -> None:
    rig = Rig()
    odd = replace(WIN11, name="0000:0a:00.0")
    rig.guests.reading = replace(GUESTS, domains=(odd,))
    async with rig.running() as pilot:
        for _ in range(8):
            await pilot.press("tab")
            if rig.app.screen.focused is rig.app.screen.query_one("#guest"):
                break
        await pilot.press("enter")
        await until(pilot, lambda: "3 Guest · 0000:0a:00.0" in rig.text())
        rig.guests.put(replace(GUESTS, domains=()))
        await until(pilot, lambda: "No domain is defined" in rig.text())
