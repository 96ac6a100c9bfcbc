"""Who is meant: a domain is its UUID, or the raw name that somebody typed; never what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.ui.rig import FakeControl, FakeInspector, Held
from tests.unit.made import NOON, card, domain, guests, inventory, snapshot, two_cards
from tui import state
from tui.config import Config
from tui.guest.execute import execute
from tui.guest.hostdevs import assign
from tui.guest.planning import NoSuchGuest, guest_plan_once
from tui.host import Host, HostError, Unsettled
from tui.host.untrusted import shown_name, visible
from tui.model import (
    Domain,
    DomainState,
    Event,
    GuestAction,
    Guests,
    HostFacts,
    HostView,
    Inventory,
    NvmlReading,
    Vitals,
)
from tui.model.errors import Refused
from tui.model.requests import Consent
from tui.report.status_json import as_json
from tui.rules import guest_readings, r465
from tui.rules.check_input import local_guests
from tui.rules.events import changes
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap.consent import consent_to

ONE = "11111111-1111-1111-1111-111111111111"
TWO = "22222222-2222-2222-2222-222222222222"
LOOK_ALIKES = ("gaming\u200b", "gaming ", "gaming\u00a0", "\u202agaming", "gam\u00ading", "gаming",
               "GAMING", "ｇaming", "gaming\u3164")  # fmt: skip


def called(raw: str, uuid: str, *slots: str, state: DomainState = "running") -> Domain:
    """A domain as libvirt would report it."""
    name, unshown = shown_name(raw, uuid)
    return domain(name, *slots, state=state, uuid=uuid, unshown_name=unshown)


def host(
    *domains: Domain, control: FakeControl | None = None, pci: Inventory | None = None
) -> Host:
    return Host(
        Held(HostFacts("atlas", "6.12")), Held(pci or two_cards("vfio-pci")), Held(Vitals(())),
        Held(NvmlReading("580.95", ())), Held(guests(*domains)), inspector=FakeInspector(),
        control=control or FakeControl(),
    )  # fmt: skip


def view_of(*domains: Domain, choice: Choice | None = None) -> HostView:
    return assess(snapshot(two_cards("vfio-pci"), domains, vitals=Vitals(())), choice)


@pytest.mark.parametrize("raw", LOOK_ALIKES)
@pytest.mark.parametrize("swapped", [False, True])
def test_of_two_that_look_alike_the_one_that_is_named_is_meant(raw: str, swapped: bool) -> None:
    pair = (called("gaming", TWO if swapped else ONE), called(raw, ONE if swapped else TWO))
    assert len({each.name for each in pair}) == 2
    for each in pair:
        for typed in (each.raw_name, each.uuid, each.uuid.upper(), f"{{{each.uuid}}}"):
            plan, _ = guest_plan_once(host(*pair), Choice(), "force-off", typed)
            assert plan.uuid == each.uuid
            assert plan.raw_name == each.raw_name


@pytest.mark.parametrize("raw", LOOK_ALIKES[:6])
def test_a_name_that_only_looks_right_is_refused_with_the_uuids(raw: str) -> None:
    with pytest.raises(NoSuchGuest) as raised:
        guest_plan_once(host(called(raw, TWO), called("nas", ONE)), Choice(), "force-off", "gaming")
    told = str(raised.value)
    assert told.startswith("libvirt has no domain “gaming”; it has ")
    # Letters of another alphabet are shown as such, and nothing is guessed from them.
    assert (TWO in told) == (raw != "gаming")
    assert told.isprintable()


def test_what_is_shown_does_not_name_it() -> None:
    """The escape that is shown, typed as it stands."""
    with pytest.raises(NoSuchGuest, match=TWO):
        guest_plan_once(host(called("gaming\u200b", TWO)), Choice(), "stop", r"gaming\u200b")


def test_a_name_that_is_the_uuid_of_another_is_refused() -> None:
    pair = (called("victim", ONE), called(ONE, TWO))
    with pytest.raises(NoSuchGuest) as raised:
        guest_plan_once(host(*pair), Choice(), "force-off", ONE)
    assert ONE in str(raised.value)
    assert TWO in str(raised.value)
    assert f"'{{{ONE}}}' for “victim”" in str(raised.value)
    for typed, uuid in ((f"{{{ONE}}}", ONE), ("victim", ONE), (TWO, TWO)):
        assert guest_plan_once(host(*pair), Choice(), "stop", typed)[0].uuid == uuid
    assert guest_plan_once(host(*pair), Choice(), "stop", uuid=ONE)[0].uuid == ONE


def test_the_configurations_guest_is_its_raw_name_or_uuid() -> None:
    pair = (called("gaming\u200b", ONE, "02:00.0"), called("gaming", TWO, "02:00.0"))
    for fixed, uuid in (("gaming", TWO), ("gaming\u200b", ONE), (ONE, ONE), (TWO.upper(), TWO)):
        told = as_json(view_of(*pair, choice=Choice(guest=fixed)), NOON)
        assert {guest["uuid"]: guest["allowed"] for guest in told["guests"]} == {
            ONE: uuid == ONE, TWO: uuid == TWO
        }  # fmt: skip
        plan, _ = guest_plan_once(host(*pair), Choice(guest=fixed), "stop")
        assert plan.uuid == uuid
    crossed = (called("victim", ONE), called(ONE, TWO))
    with pytest.raises(NoSuchGuest, match="is the UUID of one domain and the name of another"):
        guest_plan_once(host(*crossed), Choice(guest=ONE), "stop")


def test_one_guest_may_have_the_card_and_not_the_other_that_looks_like_it() -> None:
    pair = (called("gaming", ONE, "02:00.0", state="shut off"),
            called("gaming\u200b", TWO, "02:00.0", state="shut off"))  # fmt: skip
    plan, view = guest_plan_once(host(*pair), Choice(guest="gaming"), "start", "gaming\u200b")
    (check,) = (check for check in plan.checks if check.id == "guest.allowed")
    assert check.verdict == "fail"
    assert [guest.domain.uuid for guest in view.guests if guest.allowed] == [ONE]


def test_a_card_is_reported_with_the_uuid_of_its_guest() -> None:
    pair = (called("gaming", ONE), called("gaming\u200b", TWO, "02:00.0"))
    view = view_of(*pair)
    (gpu,) = (each for each in as_json(view, NOON)["gpus"] if each["role"] == "guest")
    assert (gpu["owner"], gpu["guest_uuid"]) == (r"guest:gaming\u200b", TWO)
    assert guest_readings.demand(view).guests == ()  # it has no agent, and no other is asked


def test_what_is_asked_of_a_guest_is_its_doing_and_of_none_that_looks_like_it() -> None:
    def events_of(*domains: Domain) -> list[Event]:
        off = view_of(*(replace(each, state="shut off") for each in domains))
        return list(changes(off, view_of(*domains), NOON, {ONE}))

    ours = events_of(called("gaming", ONE, "02:00.0"))
    assert {event.by for event in ours} == {"vfiotop"}
    assert len(ours) == 2
    theirs = events_of(called("gaming", TWO, "02:00.0"))
    assert {event.by for event in theirs} == {"external"}
    address = events_of(called("0000:02:00.0", TWO))
    assert {event.by for event in address} == {"external"}


def test_a_card_that_goes_to_a_guest_of_the_same_name_is_an_event() -> None:
    before = view_of(called("vm", ONE, "02:00.0"), called("vm", TWO))
    after = view_of(called("vm", ONE), called("vm", TWO, "02:00.0"))
    assert {event.text for event in changes(before, after, NOON)} >= {
        "released by vm", "in use by vm"
    }  # fmt: skip


def test_a_new_name_is_reported() -> None:
    before, after = view_of(called("vm", ONE)), view_of(called("gaming", ONE))
    assert [(e.subject, e.text) for e in changes(before, after, NOON)] == [
        ("gaming", "renamed from “vm”")
    ]  # fmt: skip


def test_two_of_one_name_are_two_for_the_rule() -> None:
    """One runs with a GeForce, the other with a card of which that is not known."""
    odd = inventory(
        *card("02:00", 2, "vfio-pci", boot_vga=False),
        *card("03:00", 3, "vfio-pci", boot_vga=False, device="3333", name="10de:3333"),
    )
    pair = (domain("vm", "02:00.0", state="running", uuid=ONE),
            domain("vm", "03:00.0", state="running", uuid=TWO))  # fmt: skip
    view = assess(snapshot(odd, pair, vitals=Vitals(())))
    assert r465.one_vm(view.gpus, guests(*pair)).verdict == "unknown"


@pytest.mark.parametrize("uri", ["qemu:///system\u200b", "qemu:///system ", "qemu:///syst\u0435m"])
def test_a_libvirt_that_looks_like_the_systems_is_not(uri: str) -> None:
    assert isinstance(local_guests(Guests("qemu:///system", None, ())), Guests)
    assert not isinstance(local_guests(Guests(visible(uri), None, ())), Guests)


# --- between the plan and the action ----------------------------------------------------


def test_what_is_done_is_done_by_uuid_to_the_domain_of_that_name() -> None:
    class Recorded(FakeControl):
        named: str | None = None

        def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
            super().act(action, uuid)
            self.named = name

    control = Recorded()
    vm = called("gaming\u200b", ONE)
    plan, _ = guest_plan_once(host(vm), Choice(), "force-off", ONE)
    execute(host(vm, control=control), Choice(), plan, Consent(everything=True))
    assert (control.asked, control.named) == ([("force-off", ONE)], "gaming\u200b")


@pytest.mark.parametrize("raw", ["other", "gaming\u200b", "Gaming"])
@pytest.mark.parametrize("script", [True, False])
def test_a_uuid_that_belongs_to_another_now_is_left_alone(raw: str, script: bool) -> None:
    control = FakeControl()
    plan, _ = guest_plan_once(host(called("gaming", ONE)), Choice(), "force-off", "gaming")
    consent = Consent(everything=True) if script else consent_to(plan)
    now = host(called(raw, ONE), called("gaming", TWO), control=control)
    with pytest.raises(Refused, match="review the plan again"):
        execute(now, Choice(), plan, consent)
    assert control.asked == []


def test_a_uuid_that_is_gone() -> None:
    plan, _ = guest_plan_once(host(called("gaming", ONE)), Choice(), "pause", "gaming")
    with pytest.raises(HostError, match="no longer defined"):
        execute(host(called("gaming", TWO)), Choice(), plan, Consent(everything=True))


def test_an_action_that_is_half_done_is_not_called_refused() -> None:
    control = FakeControl()
    control.answer = Unsettled("it is left paused", "paused")
    vm = called("gaming", ONE)
    plan, _ = guest_plan_once(host(vm), Choice(), "pause", "gaming")
    with pytest.raises(Unsettled) as raised:
        execute(host(vm, control=control), Choice(), plan, Consent(everything=True))
    assert raised.value.state == "paused"


# --- what is kept ---------------------------------------------------------------------


def test_the_guest_that_was_picked_is_kept_by_its_uuid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    real = host(called("gaming", ONE))
    assert state.choice(Config(), real) == Choice()
    state.save(guest=ONE)
    assert state.choice(Config(), real) == Choice(guest_uuid=ONE)
    assert state.choice(Config(guest="gaming"), real) == Choice(guest="gaming")
    state.save(guest="gaming")  # as version 0.1 stored it
    assert state.choice(Config(), real) == Choice(guest="gaming")
    # One that was named like the UUID since does not take its place.
    crossed = (called("vm", ONE, "02:00.0"), called(ONE, TWO, "02:00.0"))
    view = view_of(*crossed, choice=Choice(guest_uuid=ONE))
    assert [guest.domain.uuid for guest in view.guests if guest.allowed] == [ONE]


XML = "<domain><name>a</name><uuid>{}</uuid><devices></devices></domain>"


def test_the_definitions_of_two_domains_are_kept_apart(tmp_path: Path) -> None:
    """Their names give the same file name, and both are changed in the same second."""
    view = view_of()
    (gpu,) = (gpu for gpu in view.gpus if gpu.role == "guest")
    control, kept = FakeControl(), []
    for raw, uuid in (("a b", ONE), ("a_b", TWO)):
        control.xml = XML.format(uuid)
        made = assign(control, called(raw, uuid), gpu, view.gpus, folder=tmp_path, at=NOON)
        kept.append(made.backup)
    assert [uuid for path, uuid in zip(kept, (ONE, TWO), strict=True)
            if uuid in path.read_text()] == [ONE, TWO]  # fmt: skip
