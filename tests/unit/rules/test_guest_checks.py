"""What a domain must have, and the driver in its guest."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.made import NOON, domain, snapshot, two_cards
from tui.rules import guest_checks
from tui.rules.events import changes
from tui.rules.roles import Choice
from tui.rules.view import assess

WIN11 = domain("win11", "02:00.0", "02:00.1", state="running")


@pytest.mark.parametrize(
    ("version", "hidden", "verdict", "fix"),
    [
        (None, False, "unknown", "check in the guest"),
        ("", False, "unknown", "check in the guest"),
        ("580.88", False, "pass", None),
        ("465.89", False, "pass", None),
        ("465.89", True, "pass", None),
        ("461.92", False, "fail", "<kvm><hidden state='on'/></kvm>"),
        ("461.92", True, "fail", "update the driver in the guest"),
        ("461.92; rm", False, "unknown", "check in the guest"),
    ],
)
def test_to_hide_kvm_is_advice_for_old_drivers_only(
    version: str | None, hidden: bool, verdict: str, fix: str | None
) -> None:
    check = guest_checks.driver(replace(WIN11, kvm_hidden=hidden), version)
    assert (check.id, check.subject, check.verdict) == ("r465.guest-driver", "win11", verdict)
    assert (fix in (check.fix or "")) if fix else check.fix is None
    assert ("code 43" in check.why) == (verdict == "fail" and not hidden)
    assert ("hidden" in (check.fix or "")) == (verdict == "fail" and not hidden)


def test_the_driver_of_a_guest_that_is_off_is_unknown_and_asks_for_nothing() -> None:
    off = replace(WIN11, state="shut off")
    check = guest_checks.driver(off, None, "no guest is there to be asked")
    assert (check.verdict, check.fix) == ("unknown", None)
    assert check.why == "known once the guest runs: its agent reports the driver"


def test_an_address_as_libvirt_writes_it() -> None:
    assert guest_checks.address_xml("0001:0a:1f.7") == (
        "<address domain='0x0001' bus='0x0a' slot='0x1f' function='0x7'/>"
    )


@pytest.mark.parametrize(
    ("named", "missing", "verdict", "more"),
    [(("02:00.0",), "0000:02:00.1", "warn", False), (("02:00.1",), "0000:02:00.0", "fail", False),
     ((), "0000:02:00.0 0000:02:00.1", "fail", True)],
)  # fmt: skip
def test_a_hostdev_is_written_out_for_the_first_function_that_is_missing(
    named: tuple[str, ...], missing: str, verdict: str, *, more: bool
) -> None:
    card = assess(snapshot(two_cards())).gpu("0000:02:00.0")
    assert card is not None
    check = guest_checks.hostdevs_complete(domain("win11", *named), card)
    assert (check.verdict, check.why) == (
        verdict,
        f"the definition of “win11” does not list {missing}",
    )
    assert guest_checks.address_xml(missing.partition(" ")[0]) in (check.fix or "")
    assert (check.fix or "").count("<hostdev ") == 1
    assert (check.fix or "").endswith("</hostdev> and the others" if more else "</hostdev>")


def test_a_transient_domain_that_takes_the_card_behind_our_back() -> None:
    thief = domain("thief", "02:00.0", state="running", persistent=False)
    off = replace(WIN11, state="shut off")
    before = assess(snapshot(two_cards("vfio-pci"), (off,)), Choice(None, "win11"))
    after = assess(snapshot(two_cards("vfio-pci"), (off, thief)), Choice(None, "win11"))
    card = after.guest_gpu
    assert card is not None
    assert str(card.owner) == "guest:thief"
    told = {(e.subject, e.text, e.by) for e in changes(before, after, NOON)}
    assert (card.address, "in use by thief", "external") in told
    assert ("thief", "started", "external") in told


def test_what_was_asked_of_a_guest_is_our_doing_and_its_cards_too() -> None:
    off = assess(snapshot(two_cards("vfio-pci"), (replace(WIN11, state="shut off"),)))
    on = assess(snapshot(two_cards("vfio-pci"), (WIN11,)))
    assert {event.by for event in changes(off, on, NOON, {WIN11.uuid})} == {"vfiotop"}
    assert {event.by for event in changes(on, off, NOON, {"win11", "other"})} == {"external"}
