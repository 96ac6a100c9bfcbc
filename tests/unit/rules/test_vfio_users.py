"""Who has a card on a VFIO driver, and the rules for a user that libvirt does not know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from tests.unit.made import card, domain, guests, inventory, snapshot
from tui.host import Host, HostError, NoInspector
from tui.host.demo.host import demo_host
from tui.model import (
    NOT_READ_YET,
    CardVitals,
    Check,
    Domain,
    Guests,
    Holder,
    Holders,
    HostDev,
    HostView,
    Inventory,
    Readiness,
    Unavailable,
    Vitals,
)
from tui.once import examine_once
from tui.rules import r465, vfio_users
from tui.rules.check_input import CheckInput, local_guests
from tui.rules.events import changes
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap import preflight

FIRST, SECOND = "0000:02:00.0", "0000:03:00.0"
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
PRO = {"device": "2230", "name": "GA102GL [RTX A6000]"}
NO_NAME = {"device": "2ffe", "name": "10de:2ffe"}

QEMU = Holder(SECOND, 4711, "qemu-system-x86", "/dev/vfio/3", guest="plain")
NAMELESS = replace(QEMU, guest=None, name="cloud-hyperviso")


def cards(driver: str = "vfio-pci", **second: str) -> Inventory:
    """The host's card, and two GeForce cards, the second with its driver and facts."""
    return inventory(
        *card("01:00", 1, boot_vga=True), *card("02:00", 2, "vfio-pci", boot_vga=False),
        *card("03:00", 3, driver, boot_vga=False, **second),
    )  # fmt: skip


def vitals(enabled: Mapping[str, int | None] | None = None, users: Holders | None = None) -> Vitals:
    counts: Mapping[str, int | None] = {FIRST: 0, SECOND: 1} | dict(enabled or {})
    return Vitals(tuple(
        CardVitals(
            address, driver="vfio-pci", enabled=count,
            users=replace(users, holders=users.of([address])) if users else None,
        )
        for address, count in counts.items()
    ))  # fmt: skip


def view(*domains: Domain, pci: Inventory | None = None, at: Vitals | None = None) -> HostView:
    made = snapshot(pci or cards(), domains, vitals=vitals() if at is None else at)
    return assess(made, Choice(FIRST))


def rule(
    *domains: Domain, coming: bool = False, pci: Inventory | None = None, at: Vitals | None = None
) -> Check:
    """r465.one-vm for the host, or for a guest that will get the first card."""
    seen = view(*domains, pci=pci, at=at)
    if not coming:
        return r465.one_vm(seen.gpus, guests(*domains))
    first = seen.gpu(FIRST)
    assert first is not None
    return r465.one_vm_for(first, seen.gpus, guests(*domains), coming="uuid-win11")


WIN11 = domain("win11", "02:00.0", state="running")
SEEN = Holders((QEMU,))


def test_a_card_that_a_process_has_open_is_its_guests() -> None:
    seen = view(at=vitals(users=SEEN)).gpu(SECOND)
    assert seen is not None
    assert (str(seen.owner), seen.guest_uuid, seen.taken_by) == ("guest:plain", None, QEMU)
    assert seen.no_reading == (
        "in use by “plain” (qemu-system-x86, pid 4711), and libvirt does not know of it"
    )


@pytest.mark.parametrize("silent", [NOT_READ_YET, Unavailable("libvirtd is not running")])
def test_libvirt_may_know_it_as_long_as_it_has_not_answered(silent: Unavailable) -> None:
    made = snapshot(cards(), (), vitals=vitals(users=SEEN), guests=silent)
    seen = assess(made, Choice(FIRST)).gpu(SECOND)
    assert seen is not None
    assert (seen.no_reading or "").endswith("pid 4711), and libvirt has not answered")


def test_one_without_a_name_is_called_like_its_process() -> None:
    seen = view(at=vitals(users=Holders((NAMELESS,)))).gpu(SECOND)
    assert seen is not None
    assert str(seen.owner) == "guest:cloud-hyperviso"


def test_what_a_process_maps_of_another_node_is_no_card_of_its_guest() -> None:
    other = replace(QEMU, what="/dev/dri/card1")
    seen = view(at=vitals(users=Holders((other,)))).gpu(SECOND)
    assert seen is not None
    assert (str(seen.owner), seen.taken_by) == ("vfio", None)


def test_a_second_guest_is_refused_and_the_process_named() -> None:
    found = rule(coming=True, at=vitals(users=SEEN))
    assert found.verdict == "fail"
    assert "“plain” (qemu-system-x86, pid 4711) is running with a GeForce card" in found.why
    assert found.fix == "close qemu-system-x86, or run `kill 4711` first"
    both = rule(WIN11, at=vitals(users=SEEN))
    assert both.verdict == "fail"
    assert "“win11”, “plain”" in both.why
    alone = rule(at=vitals(users=SEEN))
    assert (alone.verdict, alone.why.startswith("only “plain”")) == ("pass", True)


def test_it_is_refused_without_libvirt_too() -> None:
    gpus = view(at=vitals(users=SEEN)).gpus
    (first,) = [gpu for gpu in gpus if gpu.address == FIRST]
    assert r465.one_vm_for(first, gpus, Unavailable("no libvirt")).verdict == "fail"
    nobody = view(at=vitals({SECOND: 0})).gpus
    assert r465.one_vm_for(first, nobody, Unavailable("no")).verdict == "unknown"


def test_professional_cards_are_exempt() -> None:
    assert rule(coming=True, pci=cards(**PRO), at=vitals(users=SEEN)).verdict == "pass"
    assert rule(WIN11, pci=cards(**PRO), at=vitals({SECOND: 1})).verdict == "pass"


def test_a_card_that_may_be_a_geforce_counts_where_nobody_is_known_to_have_it() -> None:
    found = rule(WIN11, pci=cards(**NO_NAME), at=vitals({SECOND: 1}))
    assert (found.verdict, f"cannot tell whether a guest has {SECOND}" in found.why) == (
        "unknown", True,
    )  # fmt: skip
    assert rule(WIN11, pci=cards(**NO_NAME), at=vitals({SECOND: 0})).verdict == "pass"


def test_where_no_guest_runs_the_one_that_is_to_start_is_not_counted() -> None:
    nobody = vitals({SECOND: 0})
    assert rule(at=nobody).why == "no guest is running with a GeForce card"
    mine = rule(WIN11, coming=True, at=nobody)
    assert (mine.verdict, mine.why) == ("pass", "no other guest is running with a GeForce card")


def test_a_process_with_two_cards_is_one_guest() -> None:
    both = Holders((QEMU, replace(QEMU, address=FIRST, what="/dev/vfio/2")))
    assert rule(at=vitals(users=both)).verdict == "pass"


def test_a_process_that_has_a_domains_card_is_that_domain() -> None:
    """The card was plugged in behind libvirt's back."""
    both = Holders((QEMU, replace(QEMU, address=FIRST, what="/dev/vfio/2")))
    seen = view(WIN11, at=vitals(users=both)).gpu(SECOND)
    assert seen is not None
    assert (str(seen.owner), seen.guest_uuid, seen.taken_by) == ("guest:win11", "uuid-win11", None)
    assert rule(WIN11, at=vitals(users=both)).verdict == "pass"


@pytest.mark.parametrize(
    ("enabled", "users", "verdict"),
    [
        (0, None, "pass"),  # nobody has it open
        (1, None, "unknown"),
        (None, None, "unknown"),
        (1, Holders(()), "pass"),  # all processes were seen
        (1, Holders((), uninspected=3, fix="run this as root"), "unknown"),
        (None, Holders((), unlisted_reason="hidepid"), "unknown"),
        (0, Holders((), uninspected=3), "pass"),
    ],
)
def test_a_card_that_nobody_is_known_to_have(
    enabled: int | None, users: Holders | None, verdict: str
) -> None:
    at = vitals({SECOND: enabled}, users)
    assert rule(coming=True, at=at).verdict == verdict
    assert rule(WIN11, at=at).verdict == verdict
    assert rule(at=at).verdict == "pass"  # at most one guest


def test_what_is_not_seen_is_reported_with_a_way_to_see_it() -> None:
    found = rule(WIN11, at=vitals(users=Holders((), uninspected=3, fix="run this as root")))
    assert "“win11” is running with a GeForce card" in found.why
    assert f"cannot tell whether a guest has {SECOND}" in found.why
    assert found.fix == "run this as root"


def test_cards_of_the_same_guest_are_not_anothers() -> None:
    """It gets both cards, or does not start."""
    mine = domain("win11", "02:00.0", "03:00.0")
    assert rule(mine, coming=True).verdict == "pass"
    assert rule(domain("other", "03:00.0"), coming=True).verdict == "unknown"


def test_a_card_with_the_host_is_nobodys() -> None:
    assert rule(WIN11, pci=cards("nvidia"), at=vitals({SECOND: None})).verdict == "pass"


# --- preflight --------------------------------------------------------------------------


@pytest.mark.parametrize("libvirt", [guests(), Unavailable("no libvirt")])
def test_a_card_that_a_process_has_is_not_moved(libvirt: Guests | Unavailable) -> None:
    seen = view(at=vitals(users=SEEN))
    gpu = seen.gpu(SECOND)
    assert gpu is not None
    readings = CheckInput(seen, libvirt, SEEN, Readiness(root=True, vfio_pci=True))
    found = {check.id: check for check in preflight.make_plan(gpu, "unbind", readings).checks}
    assert found["guest.inactive"].verdict == "fail"
    assert "“plain” (qemu-system-x86, pid 4711)" in found["guest.inactive"].why
    # As in the doctor: its guest may have it, and so it may not move.
    assert (found["holders"].verdict, found["holders"].why) == ("pass", "in use by its guest plain")


def test_an_mdev_of_the_card_keeps_it_with_the_host() -> None:
    """A share does not change the card's role and owner, but counts for the rules."""
    share = replace(
        domain("vgpu", state="running"), hostdevs=(HostDev(SECOND, managed=False, by="mdev"),)
    )
    seen = view(share, pci=cards("nvidia"))
    gpu = seen.gpu(SECOND)
    assert gpu is not None
    assert (str(gpu.owner), gpu.guest_uuid) == ("host", None)
    assert preflight.no_guest(gpu, seen, guests(share)).verdict == "fail"
    assert r465.one_vm(seen.gpus, guests(share, WIN11)).verdict == "fail"


def shared_card() -> Inventory:
    """The host's cards; the second, on nvidia, has a mediated device."""
    pci = cards("nvidia")
    mdevs = ("c2177883-f1bb-47f0-914d-32a22e3a8804",)
    return replace(pci, functions=tuple(
        replace(f, mdevs=mdevs) if f.address == SECOND else f for f in pci.functions
    ))  # fmt: skip


def test_a_share_that_a_process_has_counts_too() -> None:
    """As on Proxmox with an unlocked vGPU; the card itself is the host's."""
    shared = shared_card()
    on_nvidia = (CardVitals(FIRST, driver="vfio-pci", enabled=0), CardVitals(SECOND))
    unseen = Vitals(on_nvidia)
    seen = Vitals((on_nvidia[0], replace(on_nvidia[1], users=SEEN)))
    gpu = view(pci=shared, at=seen).gpu(SECOND)
    assert gpu is not None
    assert (str(gpu.owner), gpu.taken_by) == ("host", QEMU)
    assert rule(coming=True, pci=shared, at=seen).verdict == "fail"
    assert rule(coming=True, pci=shared, at=unseen).verdict == "unknown"
    assert vfio_users.cards_to_inspect(snapshot(shared, vitals=unseen)) == (FIRST, SECOND)
    mine = replace(
        domain("win11", state="running"), hostdevs=(HostDev(SECOND, managed=False, by="mdev"),)
    )
    assert rule(mine, pci=shared, at=seen).verdict == "pass"  # its own process is not another's


# --- events and readings -------------------------------------------------------------------------


def test_that_a_process_takes_a_card_and_leaves_it_is_an_event() -> None:
    free, used = view(at=vitals({SECOND: 0})), view(at=vitals(users=SEEN))
    assert "in use by plain" in [event.text for event in changes(free, used, NOON)]
    assert "released by plain" in [event.text for event in changes(used, free, NOON)]


@pytest.mark.parametrize(("process", "name"), [(QEMU, "plain"), (NAMELESS, "cloud-hyperviso")])
def test_an_event_names_the_process_that_has_a_share(process: Holder, name: str) -> None:
    """The card stays with the host, which is not the user of its mediated device."""
    on_nvidia = (CardVitals(FIRST, driver="vfio-pci", enabled=0), CardVitals(SECOND))
    by_process = replace(on_nvidia[1], users=Holders((process,)))
    free = view(pci=shared_card(), at=Vitals(on_nvidia))
    used = view(pci=shared_card(), at=Vitals((on_nvidia[0], by_process)))
    assert [event.text for event in changes(free, used, NOON)] == [f"in use by {name}"]
    assert [event.text for event in changes(used, free, NOON)] == [f"released by {name}"]


def test_a_captured_hosts_domains_are_those_of_its_devices() -> None:
    captured = Guests("/srv/tower/domains", None, (WIN11,), readonly=True, captured=True)
    assert local_guests(captured) is captured
    assert isinstance(local_guests(replace(captured, captured=False)), Unavailable)


# --- once ---------------------------------------------------------------------------------


class Fixed:
    """A source with a constant reading."""

    def __init__(self, reading: object) -> None:
        self._reading = reading

    def read(self) -> object:
        return self._reading

    def watch(self, wake: object) -> None:
        """Nothing to watch: it does not change."""

    def close(self) -> None:
        """Nothing to release."""


class Looks(NoInspector):
    """Finds one process, and records what it was asked for."""

    def __init__(self, found: Holders) -> None:
        self.found = found
        self.asked: list[tuple[str, ...]] = []

    def holders(self, addresses: object) -> Holders:
        assert isinstance(addresses, list)
        self.asked.append(tuple(addresses))
        return self.found


def host(at: Vitals, looks: Looks | NoInspector, *domains: Domain) -> Host:
    fixed = {"pci": cards(), "vitals": at, "guests": guests(*domains)}
    sources = {name: Fixed(reading) for name, reading in fixed.items()}
    return replace(demo_host(), inspector=looks, **sources)


def test_a_reading_for_a_command_looks_who_has_an_open_card() -> None:
    looks = Looks(SEEN)
    readings = examine_once(host(vitals(), looks), Choice(FIRST))
    assert looks.asked[0] == (FIRST, SECOND)
    second = readings.view.gpu(SECOND)
    assert second is not None
    assert str(second.owner) == "guest:plain"


def test_it_does_not_where_all_is_known() -> None:
    looks = Looks(SEEN)
    examine_once(host(vitals({SECOND: 0}), looks), Choice(FIRST))
    examine_once(host(vitals(), looks, domain("b", "03:00.0", state="running")), Choice(FIRST))
    assert (FIRST, SECOND) not in looks.asked


def test_where_nobody_can_look_it_is_not_known() -> None:
    with pytest.raises(HostError):
        NoInspector().holders([])
    second = examine_once(host(vitals(), NoInspector()), Choice(FIRST)).view.gpu(SECOND)
    assert second is not None
    assert (str(second.owner), second.may_be_taken) == ("vfio", True)


def test_a_snapshot_without_devices_has_nobody_to_look_at() -> None:
    assert vfio_users.cards_to_inspect(replace(snapshot(cards()), pci=Unavailable("gone"))) == ()
