"""The readings of a card in a guest: matched by ids, or a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import NOON, card, domain, function, inventory, snapshot, two_cards
from tui.model import (
    NOT_READ_YET,
    AgentReading,
    Demand,
    DomainState,
    Gpu,
    GuestCard,
    GuestReport,
    HostView,
    Metrics,
    Snapshot,
    Unavailable,
)
from tui.rules.guest_readings import demand
from tui.rules.roles import Choice
from tui.rules.view import assess

GUEST, HOST = "0000:02:00.0", "0000:01:00.0"
UUID = "uuid-win11"
CARD = GuestCard("10de", "2684", None, "NVIDIA GeForce RTX 4090", Metrics(util_pct=97))


def says(*cards: GuestCard, **facts: Any) -> AgentReading:
    made = GuestReport(UUID, "572.83", cards, taken_at=NOON - timedelta(seconds=3))
    return AgentReading((replace(made, **facts),))


def gaming(said: AgentReading | Unavailable, **facts: Any) -> Snapshot:
    facts = dict[str, Any](state="running", agent=True) | facts
    return snapshot(
        two_cards("vfio-pci"), [domain("win11", "02:00.0", "02:00.1", **facts)], agent=said
    )


def guest_gpu(taken: Snapshot) -> Gpu:
    found = assess(taken).guest_gpu
    assert found is not None
    return found


def test_the_guest_tells_of_its_card() -> None:
    view = assess(gaming(says(CARD)))
    gpu = view.guest_gpu
    assert gpu is not None and gpu.reading is not None
    assert (str(gpu.owner), gpu.no_reading) == ("guest:win11", None)
    reading = gpu.reading
    assert (reading.address, reading.source, reading.metrics.util_pct) == (GUEST, "guest-agent", 97)
    assert reading.reported_at == NOON - timedelta(seconds=3)
    assert view.guest is not None and view.guest.driver_version == "572.83"


def test_the_host_card_is_not_read_through_the_guest() -> None:
    gpu = assess(gaming(says(CARD))).gpu(HOST)
    assert gpu is not None and gpu.reading is None


@pytest.mark.parametrize(
    ("agent", "facts", "why"),
    [
        (says(problem="the guest's agent does not answer"), {}, "does not answer"),
        (Unavailable("quiet: the guest is not asked"), {}, "quiet"),
        (AgentReading(()), {}, "not been queried yet"),
        (says(), {}, "does not list this card"),
        (says(replace(CARD, device="2204")), {}, "does not list this card"),
        (says(replace(CARD, subsystem="1043:88ac")), {}, None),
        (says(CARD, CARD), {}, "two identical cards"),
        (says(CARD), {"agent": None}, "org.qemu.guest_agent.0"),
        (says(CARD), {"agent": False}, "install and start qemu-guest-agent"),
        (says(CARD), {"state": "paused"}, "the guest is paused"),
    ],
)
def test_why_it_does_not(
    agent: AgentReading | Unavailable, facts: dict[str, Any], why: str | None
) -> None:
    gpu = guest_gpu(gaming(agent, **facts))
    assert (gpu.reading is None) == (why is not None)
    assert (why or "") in (gpu.no_reading or "")


def test_a_subsystem_that_differs_is_another_card() -> None:
    pci = inventory(
        *card("01:00", 1, boot_vga=True), *card("02:00", 2, "vfio-pci", subsystem="10de:16f3")
    )
    win11 = domain("win11", "02:00.0", "02:00.1", state="running", agent=True)
    for subsystem, found in (("10de:16f3", True), ("1043:88ac", False), (None, True)):
        agent = says(replace(CARD, subsystem=subsystem))
        assert (guest_gpu(snapshot(pci, [win11], agent=agent)).reading is not None) == found


def test_two_alike_cards_in_one_guest_are_not_distinguished() -> None:
    pci = inventory(
        *card("01:00", 1, boot_vga=True),
        *card("02:00", 2, "vfio-pci"),
        *card("03:00", 3, "vfio-pci"),
    )
    both = domain("win11", "02:00.0", "03:00.0", state="running", agent=True)
    view = assess(snapshot(pci, [both], agent=says(CARD)))
    assert {gpu.no_reading for gpu in view.gpus if gpu.owner.kind == "guest"} == {
        "the guest has two identical cards, which cannot be told apart"
    }


@pytest.mark.parametrize(("vendor", "maker"), [("1002", "an AMD"), ("8086", "an Intel")])
def test_for_other_makers_it_is_said_plainly_that_nothing_tells(vendor: str, maker: str) -> None:
    pci = inventory(
        *card("01:00", 1, boot_vga=True),
        function("02:00.0", vendor=vendor, driver="vfio-pci", iommu_group=2),
    )
    taken = snapshot(pci, [domain("win11", "02:00.0", state="running", agent=True)])
    assert guest_gpu(taken).no_reading == f"a guest agent cannot report on {maker} card"
    assert demand(assess(taken)).guests == ()


# --- what the sources should read ---------------------------------------------------


def view(**facts: Any) -> HostView:
    return assess(gaming(Unavailable("-", expected=True), **facts))


def test_a_guest_that_has_its_card_is_asked() -> None:
    assert demand(view()) == Demand(reserved=(GUEST,), guests=(UUID,), threads_of=UUID)


@pytest.mark.parametrize(
    "facts", [{"agent": None}, {"agent": False}, {"state": "paused"}, {"state": "shut off"}]
)
def test_no_other_is(facts: dict[str, Any]) -> None:
    assert demand(view(**facts)).guests == ()


@pytest.mark.parametrize(
    ("state", "read"), [("running", UUID), ("paused", UUID), ("shut off", None), ("crashed", None)]
)
def test_the_threads_of_the_guest_are_read_while_it_runs(
    state: DomainState, read: str | None
) -> None:
    card = domain("win11", "02:00.0", state=state, agent=None)
    other = domain("nas", state="running")
    assert demand(assess(snapshot(two_cards("vfio-pci"), [card, other]))).threads_of == read


def test_nor_is_one_whose_card_nobody_looks_at() -> None:
    assert demand(view(), shown=False) == Demand(reserved=(GUEST,), threads_of=UUID, shown=False)


# --- which cards are reserved for a guest: since driver 595 these are not held ---------------


CHOSEN = Choice(guest_gpu=GUEST)
DOWN = Unavailable("libvirtd is not running")


def reserved(taken: Snapshot, choice: Choice | None = None, before: Demand | None = None) -> object:
    return demand(assess(taken, choice), before=before).reserved


def desk(*names: str, **readings: Any) -> Snapshot:
    """Two cards on host drivers, and a domain for each of these slots."""
    domains = [domain(f"of-{name}", f"{name}.0") for name in names]
    return snapshot(two_cards(), domains, **readings)


@pytest.mark.parametrize("choice", [None, CHOSEN])
def test_as_long_as_the_devices_or_the_guests_were_not_read_it_may_be_any(
    choice: Choice | None,
) -> None:
    for unread in (Snapshot(), replace(desk(), pci=DOWN), replace(desk(), guests=NOT_READ_YET)):
        assert reserved(unread, choice) is None


def test_every_card_that_a_domain_names_is_for_a_guest() -> None:
    assert reserved(desk("02:00")) == (GUEST,)
    assert reserved(desk("01:00", "02:00")) == (HOST, GUEST)
    assert reserved(desk("01:00"), CHOSEN) == (HOST, GUEST)


def test_while_libvirt_is_away_its_last_answer_holds() -> None:
    before = Demand(reserved=(HOST,))
    assert reserved(desk(guests=DOWN), CHOSEN, before) == (HOST, GUEST)
    assert reserved(desk(guests=NOT_READ_YET), CHOSEN, before) == (HOST,)
    assert reserved(desk(guests=DOWN), CHOSEN) == (GUEST,)


def test_without_libvirt_and_a_choice_it_may_be_any() -> None:
    pci = inventory(*card("01:00", 1, boot_vga=False), *card("02:00", 2, boot_vga=False))
    assert reserved(snapshot(pci, guests=DOWN)) is None
    assert reserved(snapshot(pci)) == ()


# --- the driver in it -----------------------------------------------------------------


def test_a_driver_that_is_too_old_breaks_a_rule_on_every_view() -> None:
    old = assess(gaming(says(CARD, driver_version="461.40"))).checks
    check = next(check for check in old if check.id == "r465.guest-driver")
    assert check.verdict == "fail"
    new = assess(gaming(says(CARD))).checks
    assert next(c for c in new if c.id == "r465.guest-driver").verdict == "pass"
    unknown = assess(gaming(Unavailable("quiet", expected=True))).checks
    assert not any(check.id == "r465.guest-driver" for check in unknown)


# --- what cannot be read ------------------------------------------------------------


def test_a_remark_on_a_card_is_shown_with_it_before_the_ones_on_all_cards() -> None:
    told = says(replace(CARD, remarks=("[GPU is lost]",)), remarks=("WARNING",))
    reading = guest_gpu(gaming(told)).reading
    assert reading is not None
    assert reading.remarks == ("[GPU is lost]", "WARNING")


def test_a_remark_on_another_card_is_not_shown_with_this_one() -> None:
    other = replace(CARD, device="2206", remarks=("[GPU is lost]",))
    reading = guest_gpu(gaming(says(CARD, other))).reading
    assert reading is not None
    assert reading.remarks == ()


def test_a_card_that_is_missing_comes_with_what_the_guest_says_of_that() -> None:
    gpu = guest_gpu(gaming(says(replace(CARD, device="2206"), remarks=("it is gone",))))
    assert gpu.reading is None
    assert gpu.no_reading == "the guest does not list this card: it is gone"
