"""Plans of actions on a guest, and every check that refuses one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import MEMORY, card, domain, guests, inventory, snapshot, two_cards
from tui.guest.execute import start_rule
from tui.guest.plan import doubts_to_confirm, make_plan
from tui.host import Unsettled
from tui.model import (
    Domain,
    DomainState,
    GuestAction,
    GuestPlan,
    Guests,
    Holder,
    Holders,
    Inventory,
    NvidiaModule,
    Readiness,
    Unavailable,
)
from tui.model.errors import Doubtful, Refused
from tui.model.requests import Consent
from tui.rules.check_input import CheckInput
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.screens.guest_words import hint
from tui.swap.consent import consent_to, require_consent

CARD, SOUND, OTHER_CARD = "0000:02:00.0", "0000:02:00.1", "0000:03:00.0"
WIN11 = domain("win11", "02:00.0", "02:00.1")
READY = Readiness(root=True, vfio_pci=True, nvidia=NvidiaModule("580.105.08", modeset=True))
PRO = {"device": "2230", "name": "GA102GL [RTX A6000]"}


def three_cards(**third: Any) -> Inventory:
    """Return the host GPU, the guest GPU, and one more card on vfio-pci."""
    return inventory(
        *card("01:00", 1, boot_vga=True), *card("02:00", 2, "vfio-pci", boot_vga=False),
        *card("03:00", 3, "vfio-pci", boot_vga=False, **third),
    )  # fmt: skip


def plan(
    action: GuestAction = "start",
    guest: Domain = WIN11,
    others: tuple[Domain, ...] = (),
    pci: Inventory | None = None,
    choice: Choice | None = None,
    **facts: Any,
) -> GuestPlan:
    """Return the plan for ``guest``; only ``facts`` differ from a healthy host."""
    view = assess(
        snapshot(pci or two_cards("vfio-pci"), (guest, *others)),
        choice or Choice(CARD, "win11"),
    )
    reading: Guests | Unavailable = facts.pop("guests", guests(guest, *others))
    holders, memory = facts.pop("holders", Holders(())), facts.pop("memory", MEMORY)
    ready = replace(READY, **facts)
    return make_plan(action, guest, CheckInput(view, reading, holders, ready, memory=memory))


def verdicts(made: GuestPlan) -> Mapping[str, str]:
    order = ("pass", "warn", "unknown", "fail")
    found: dict[str, str] = {}
    for check in made.checks:
        worst = max(check.verdict, found.get(check.id, "pass"), key=order.index)
        found[check.id] = worst
    return found


def test_a_start_where_all_is_well() -> None:
    made = plan()
    assert set(verdicts(made).values()) == {"pass"}
    assert made.swap is None
    assert made.texts == (
        "virsh -c qemu:///system start --paused win11",
        "check all guests again before the guest runs its first instruction",
        "virsh -c qemu:///system resume win11",
    )  # fmt: skip


def test_a_card_that_is_with_the_host_is_bound_first_in_one_plan() -> None:
    made = plan(pci=two_cards("nvidia"))
    assert made.swap is not None
    assert (made.swap.direction, made.swap.address) == ("bind", CARD)
    assert made.texts[0] == "modprobe vfio-pci"
    assert made.texts[-3:] == plan().texts
    assert not made.refusals
    assert len(made.checks) == len({(check.id, check.subject) for check in made.checks})


@pytest.mark.parametrize("managed", [True, False])
def test_whoever_would_move_the_card_the_same_preflight_is_made(managed: bool) -> None:
    guest = domain("win11", "02:00.0", "02:00.1", managed=managed)
    xorg = Holder(CARD, 911, "Xorg", "/dev/nvidia0")
    made = plan(guest=guest, pci=two_cards("nvidia"), holders=Holders((xorg,)))
    assert verdicts(made)["holders"] == "fail"
    assert made.holders[0].name == "Xorg"
    assert verdicts(made)["guest.managed"] == ("warn" if managed else "pass")


OTHER = domain("other", "03:00.0", state="running")

REFUSED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("guest.state", "fail", {"guest": replace(WIN11, state="running")}),
    ("guest.state", "unknown", {"guest": replace(WIN11, state="unknown")}),
    ("libvirt.reachable", "fail", {"guests": Unavailable("libvirtd is not running")}),
    ("libvirt.reachable", "fail", {"guests": replace(guests(WIN11), readonly=True)}),
    ("r465.one-vm", "fail", {"others": (OTHER,), "pci": three_cards()}),
    ("r465.one-vm", "fail",
     {"others": (replace(OTHER, persistent=False, name="x; rm"),), "pci": three_cards()}),
    ("r465.one-vm", "fail", {"others": (replace(OTHER, state="paused"),), "pci": three_cards()}),
    ("r465.one-vm", "pass", {"others": (replace(OTHER, state="shut off"),),
                             "pci": three_cards()}),
    ("r465.one-vm", "pass", {"others": (OTHER,), "pci": three_cards(**PRO)}),
    ("r465.one-vm", "unknown",
     {"others": (OTHER,), "pci": three_cards(device="3333", name="10de:3333")}),
    ("r465.one-vm", "unknown", {"others": (domain("odd", problem="no XML"),)}),
    ("r465.one-vm", "unknown", {"guests": replace(guests(WIN11), uri="qemu:///session")}),
    ("guest.inactive", "fail", {"others": (domain("x", "02:00.1", state="running"),)}),
    ("guest.allowed", "fail", {"choice": Choice(CARD, "other"), "others": (OTHER,)}),
    ("guest.allowed", "unknown", {"choice": Choice(CARD), "others": (domain("b", "02:00.0"),)}),
    ("guest.memory", "fail", {"memory": replace(MEMORY, available_mib=8192)}),
    ("guest.memory", "unknown", {"memory": Unavailable("no answer within 5 s")}),
    ("guest.hostdevs-complete", "warn", {"guest": domain("win11", "02:00.0")}),
    ("guest.hostdevs-complete", "fail", {"guest": domain("win11", "02:00.1")}),
    ("r465.family", "fail",
     {"pci": inventory(*card("01:00", 1, boot_vga=True),
                       *card("02:00", 2, "vfio-pci", boot_vga=False, device="1080",
                             name="GF110 [GeForce GTX 580]"))}),
    ("r465.sriov", "fail", {"with_vfs": (CARD,)}),
    ("host.not-shared", "fail",
     {"pci": inventory(*card("01:00", 1, boot_vga=False),
                       *card("02:00", 2, "vfio-pci", boot_vga=True))}),
    ("host.two-gpus", "fail",
     {"pci": inventory(*card("01:00", 1, "vfio-pci", boot_vga=False),
                       *card("02:00", 2, "vfio-pci", boot_vga=False))}),
)  # fmt: skip


def test_the_memory_of_another_machine_is_no_doubt() -> None:
    there = replace(guests(WIN11), uri="qemu+ssh://nas/system")
    assert "guest.memory" not in verdicts(plan(guests=there, memory=Unavailable("on nas")))


@pytest.mark.parametrize(("check", "verdict", "facts"), REFUSED)
def test_every_rule(check: str, verdict: str, facts: dict[str, Any]) -> None:
    made = plan(**facts)
    assert verdicts(made)[check] == verdict
    if verdict == "fail":
        with pytest.raises(Refused):
            require_consent(made, consent_to(made))
    if verdict == "unknown" and not made.refusals:
        with pytest.raises(Doubtful):
            require_consent(made, consent_to(made))
        require_consent(made, consent_to(made, doubts=True))


def test_the_one_in_the_way_is_named() -> None:
    made = plan(others=(OTHER,), pci=three_cards())
    (why,) = {check.why for check in made.refusals}
    assert why == "“other” is running with a GeForce card: NVIDIA allows one such guest per host"


def test_professional_cards_are_exempt() -> None:
    pair = inventory(
        *card("01:00", 1, boot_vga=True), *card("02:00", 2, "vfio-pci", boot_vga=False, **PRO),
        *card("03:00", 3, "vfio-pci", boot_vga=False, **PRO),
    )  # fmt: skip
    made = plan(pci=pair, others=(OTHER,))
    assert not made.refusals


def test_a_guest_without_a_card_needs_nothing_of_it() -> None:
    made = plan(guest=domain("debian"), others=(WIN11,))
    assert set(verdicts(made)) == {
        "guest.state", "libvirt.reachable", "guest.memory", "guest.locked-memory",
    }  # fmt: skip
    assert made.cards == ()


@pytest.mark.parametrize(
    ("action", "state", "verdict"),
    [
        ("stop", "running", "pass"), ("stop", "in shutdown", "pass"), ("stop", "paused", "fail"),
        ("stop", "shut off", "fail"), ("reboot", "running", "pass"), ("reboot", "paused", "fail"),
        ("pause", "running", "pass"), ("pause", "paused", "fail"), ("resume", "paused", "pass"),
        ("resume", "running", "fail"), ("force-off", "running", "pass"),
        ("force-off", "paused", "pass"), ("force-off", "crashed", "pass"),
        ("force-off", "shut off", "fail"),
    ],
)  # fmt: skip
def test_from_each_state(action: GuestAction, state: DomainState, verdict: str) -> None:
    made = plan(action, replace(WIN11, state=state))
    assert verdicts(made)["guest.state"] == verdict
    assert made.swap is None


def test_a_crashed_guest_that_is_kept_is_forced_off_before_it_starts_again() -> None:
    kept = replace(WIN11, state="crashed", preserved=True)
    (state,) = (check for check in plan("start", kept).checks if check.id == "guest.state")
    assert (state.verdict, state.why) == ("fail", "“win11” has crashed, and libvirt keeps it as is")
    assert state.fix == "force it off first"
    (state,) = (check for check in plan("stop", kept).checks if check.id == "guest.state")
    assert (state.verdict, state.fix) == ("fail", "force it off")
    assert verdicts(plan("force-off", kept))["guest.state"] == "pass"
    assert verdicts(plan("start", replace(kept, preserved=False)))["guest.state"] == "pass"
    found = verdicts(plan("start", others=(replace(OTHER, state="crashed", preserved=True),)))
    assert found["guest.state"] == "pass"


def test_a_guest_that_was_left_paused_does_not_evade_the_rule() -> None:
    paused = replace(WIN11, state="paused")
    assert verdicts(plan("resume", paused, others=(OTHER,), pci=three_cards()))["r465.one-vm"] == (
        "fail"
    )
    assert not plan("resume", paused, pci=three_cards()).refusals


def test_what_the_runner_sees_as_root_is_not_asked_of_the_user() -> None:
    made = plan(pci=two_cards("nvidia"), holders=Holders((), uninspected=3))
    assert [doubt.id for doubt in doubts_to_confirm(made, elevated=False)] == ["holders"]
    assert doubts_to_confirm(made, elevated=True) == ()
    odd = plan(pci=two_cards("nvidia"), others=(domain("odd", problem="no XML"),))
    assert {doubt.id for doubt in doubts_to_confirm(odd, elevated=True)} >= {"r465.one-vm"}


def test_what_is_lost_is_said() -> None:
    assert verdicts(plan("force-off", replace(WIN11, state="running")))["guest.unsaved"] == "warn"


def test_consent_to_one_plan_is_none_to_another() -> None:
    consent = consent_to(plan())
    require_consent(plan(), consent)
    with pytest.raises(Refused, match="so has the plan"):
        require_consent(plan("force-off", replace(WIN11, state="running")), consent)
    require_consent(plan(), Consent())


# --- right before and right after the start -----------------------------------------


def rule(*domains: Domain, pci: Inventory | None = None) -> str | None:
    """Return why win11 may not start when these domains exist."""
    pci = pci or three_cards()
    view = assess(snapshot(pci, (WIN11,)), Choice(CARD, "win11"))
    return start_rule(plan(pci=pci), view.gpus, ())(guests(*domains))


def test_who_was_started_meanwhile_is_seen() -> None:
    paused = replace(WIN11, state="paused")
    assert rule(WIN11) is None
    assert rule(paused) is None
    assert "“other” is running with a GeForce card" in (rule(paused, OTHER) or "")
    thief = domain("thief", "02:00.1", state="running", persistent=False)
    assert "“thief” has the card of “win11”" in (rule(paused, thief) or "")
    assert "cannot be read" in (rule(paused, domain("odd", problem="no XML")) or "")
    assert rule(paused, OTHER, pci=three_cards(**PRO)) is None


def test_what_the_screen_leaves_to_be_done_names_its_libvirt() -> None:
    told = hint(Unsettled("left paused", "paused"), plan(), "qemu:///session")
    assert told.split("`")[1::2] == [
        f"vfiotop --connect qemu:///session {action} win11" for action in ("resume", "force-off")
    ]
