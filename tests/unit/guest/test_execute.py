"""What is checked again after the user confirms, and which guest may not start even then."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from msgspec.structs import replace

from tests.ui.rig import GUESTS, WIN11, FakeControl, Rig, at_home
from tui.guest.execute import execute, start_rule
from tui.guest.planning import guest_plan_once
from tui.host import HostError, Unsettled
from tui.model import Domain, GuestAction, GuestPlan, Guests
from tui.model.errors import Refused
from tui.model.requests import Consent
from tui.rules.roles import Choice
from tui.swap.consent import consent_to

OFF = replace(WIN11, state="shut off")
SECOND = replace(WIN11, name="second", uuid="77aa", state="shut off")
YES = Consent(everything=True)


class Bench:
    """A host with the card on vfio-pci, and the requests to its libvirt."""

    def __init__(self, *domains: Domain) -> None:
        self.rig, self.control = Rig(), FakeControl()
        self.rig.control = self.control
        self.put(*domains)

    def put(self, *domains: Domain) -> None:
        guests = replace(GUESTS, domains=domains)
        self.rig.guests.reading = self.control.domains = guests

    def planned(self, action: GuestAction, uuid: str = WIN11.uuid) -> GuestPlan:
        return guest_plan_once(self.rig.reopen(), Choice(), action, uuid=uuid)[0]

    def carry_out(self, plan: GuestPlan, consent: Consent = YES) -> None:
        execute(self.rig.reopen(), Choice(), plan, consent)


def test_a_start_is_a_start_and_the_rest_is_what_it_is_called() -> None:
    bench = Bench(OFF)
    bench.carry_out(bench.planned("start"))
    bench.put(WIN11)
    actions: tuple[GuestAction, ...] = ("stop", "reboot", "pause", "force-off")
    for action in actions:
        bench.carry_out(bench.planned(action))
    assert bench.control.asked == [(action, WIN11.uuid) for action in ("start", *actions)]


def test_where_guests_may_not_be_run_none_is() -> None:
    bench = Bench(OFF)
    plan = bench.planned("start")
    bench.control.unavailable_reason = "a captured host cannot be changed"
    with pytest.raises(Refused, match="captured host"):
        bench.carry_out(plan)
    assert bench.control.asked == []


def test_a_card_that_went_home_meanwhile_is_not_moved_unasked() -> None:
    bench = Bench(OFF)
    plan = bench.planned("start")
    assert plan.swap is None
    at_home(bench.rig)
    with pytest.raises(Refused, match="not on vfio-pci"):
        bench.carry_out(plan)
    assert bench.control.asked == []


def test_a_guest_that_runs_meanwhile_is_not_started_again() -> None:
    bench = Bench(OFF)
    plan = bench.planned("start")
    bench.put(WIN11)
    with pytest.raises(Refused, match="already running"):
        bench.carry_out(plan, consent_to(plan, doubts=True))
    assert bench.control.asked == []


def test_what_the_user_was_not_shown_is_not_done() -> None:
    bench = Bench(WIN11)
    plan = bench.planned("force-off")
    with pytest.raises(Refused, match="review it again"):
        bench.carry_out(plan, Consent(plan="0" * 16))
    with pytest.raises(Refused, match="unsaved data"):
        bench.carry_out(plan, replace(consent_to(plan), accepted=frozenset()))
    assert bench.control.asked == []
    bench.carry_out(plan, consent_to(plan))
    assert bench.control.asked == [("force-off", WIN11.uuid)]


@pytest.mark.parametrize(
    ("raised", "kind"), [(HostError("libvirt: no"), Refused), (Unsettled("left"), Unsettled)]
)
def test_what_libvirt_refuses_is_refused_and_what_it_leaves_is_not(
    raised: Exception, kind: type[Exception]
) -> None:
    bench = Bench(WIN11)
    plan = bench.planned("pause")
    bench.control.answer = raised
    with pytest.raises(kind, match=str(raised)):
        bench.carry_out(plan)


# --- between the look and the start -----------------------------------------------


def forbidden(*now: Domain, accepted: Collection[str] = (), first: Domain = OFF) -> str | None:
    bench = Bench(first)
    plan, view = guest_plan_once(bench.rig.reopen(), Choice(), "start", uuid=first.uuid)
    return start_rule(plan, view.gpus, accepted)(replace(GUESTS, domains=now))


def test_nobody_else_has_a_card() -> None:
    assert forbidden(OFF, SECOND) is None
    # A start in progress does not count against itself.
    assert forbidden(replace(OFF, state="paused"), SECOND) is None


def test_another_guest_has_taken_the_card_meanwhile() -> None:
    reason = forbidden(OFF, replace(SECOND, state="running")) or ""
    assert reason.endswith(": shut down second first (r465.one-vm)")
    sound = replace(SECOND, state="running", hostdevs=WIN11.hostdevs[1:])
    assert forbidden(OFF, sound) == "“second” has the card of “win11” (guest.inactive)"


def test_a_guest_that_has_other_things_is_in_nobodys_way() -> None:
    assert forbidden(OFF, replace(SECOND, state="running", hostdevs=())) is None


def test_a_guest_that_cannot_be_read_needs_the_users_word() -> None:
    dark = replace(SECOND, state="running", hostdevs=(), problem="its definition has no name")
    assert "r465.one-vm" in (forbidden(OFF, dark) or "")
    assert forbidden(OFF, dark, accepted={"r465.one-vm:unknown"}) is None


def test_a_guest_without_a_card_has_no_rule() -> None:
    bare = replace(OFF, hostdevs=())
    dark = replace(SECOND, state="running", problem="its definition has no name")
    assert forbidden(bare, dark, first=bare) is None


def test_guests_of_another_libvirt_say_nothing() -> None:
    bench = Bench(OFF)
    plan, view = guest_plan_once(bench.rig.reopen(), Choice(), "start", uuid=OFF.uuid)
    strange = Guests("qemu:///session", None, (OFF,))
    assert "r465.one-vm" in (start_rule(plan, view.gpus, ())(strange) or "")
