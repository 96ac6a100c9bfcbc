"""The doctor: it makes every check on every host, and the unknown never passes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import (
    SATA,
    card,
    domain,
    function,
    guests,
    inventory,
    snapshot,
    two_cards,
)
from tui.model import (
    Check,
    CpuTopology,
    Guests,
    Holder,
    Holders,
    Hooks,
    HostDev,
    HostFacts,
    HostSetup,
    Inventory,
    KernelSettings,
    NvidiaModule,
    Pinning,
    Readiness,
    Snapshot,
    Unavailable,
)
from tui.rules import host_checks
from tui.rules.check_input import CheckInput
from tui.rules.doctor import CheckGroup, all_checks, examine, summary
from tui.rules.kernel_log import ALLOW, NO_RIGHT
from tui.rules.roles import Choice
from tui.rules.view import assess

CARD, SOUND = "0000:02:00.0", "0000:02:00.1"
MUST = {
    "host.linux", "host.two-gpus", "host.not-shared", "iommu.enabled", "iommu.viable",
    "r465.family", "r465.one-vm", "r465.sriov", "r465.guest-driver", "guest.hostdevs-complete",
    "libvirt.reachable", "privilege", "vfio.available", "holders", "nvidia.release",
    "kernel.log", "guest.pinning",
}  # fmt: skip
SETUP = HostSetup((), {"0000:02:00.0": True}, no_idle_d3=False, hooks=Hooks(known=True))
READY = Readiness(
    root=True, vfio_pci=True, nvidia=NvidiaModule("580.105.08", modeset=False),
    settings=KernelSettings(running=()), setup=SETUP,
)  # fmt: skip
WIN11 = domain("win11", "02:00.0", "02:00.1")


def examined(seen: Snapshot, **facts: Any) -> dict[str, Check]:
    given = {"guests": seen.guests, "holders": Holders(()), "readiness": READY,
             "memory": seen.memory} | facts  # fmt: skip
    wards = examine(CheckInput(assess(seen), **given))
    checks = {check.id: check for check in all_checks(wards)}
    assert set(checks) >= MUST
    assert len(checks) == len(all_checks(wards))
    return checks


def test_a_host_where_all_is_well() -> None:
    facts = HostFacts("atlas", "6.12.1", cpus=CpuTopology(tuple((cpu,) for cpu in range(10))))
    pinned = replace(WIN11, pinning=Pinning(tuple((cpu,) for cpu in range(2, 10)), (0, 1)))
    checks = examined(snapshot(two_cards(), (pinned,), facts=facts))
    left = {check.id for check in checks.values() if check.verdict != "pass"}
    # Nobody asks the guest yet, and nobody has read the BARs of these cards.
    assert left == {"r465.guest-driver", "gpu.resizable-bar", "guest.mmio-space"}


@pytest.mark.parametrize(
    ("unread", "captured", "why", "fix"),
    [
        (Unavailable(NO_RIGHT), False, NO_RIGHT, ALLOW),
        (Unavailable("no answer"), False, "no answer", None),
        (Unavailable("none", expected=True), False, "the kernel's log was not read", None),
        (
            Unavailable("none", expected=True),
            True,
            "a capture does not contain the kernel's log",
            None,
        ),
    ],
)
def test_a_kernel_log_that_cannot_be_read_is_unknown(
    unread: Unavailable, captured: bool, why: str, fix: str | None
) -> None:
    readiness = replace(READY, captured=captured)
    check = examined(snapshot(two_cards(), kernel=unread), readiness=readiness)["kernel.log"]
    assert (check.verdict, check.why, check.fix) == ("unknown", why, fix)


def test_nothing_is_known_of_a_host_that_was_not_read() -> None:
    unread = Unavailable("not read yet")
    blind = Readiness(root=False, vfio_pci=None, with_vfs=None)
    checks = examined(Snapshot(), guests=unread, holders=unread, readiness=blind)
    assert "pass" not in {check.verdict for check in checks.values()}
    assert checks["libvirt.reachable"].verdict == "fail"
    assert checks["iommu.viable"].why == "not read yet"


def test_no_card_is_no_pass() -> None:
    one = examined(snapshot(inventory(*card("01:00", 1, boot_vga=True))))
    assert (one["guest.gpu"].verdict, one["host.not-shared"].verdict) == ("fail", "fail")
    assert one["guest.gpu"].why.startswith("no card is left for a guest")
    assert one["host.not-shared"].fix is not None
    assert one["host.not-shared"].fix.startswith("the host needs a GPU of its own: add a second")
    none = examined(snapshot(inventory()))
    assert none["iommu.viable"].why == "this host has no GPU"
    assert none["guest.managed"].verdict == "unknown"


HOST_CARD = "0000:01:00.0"
BUSY = Holders((Holder(HOST_CARD, 7, "firefox", "/dev/nvidia0"),
                Holder(CARD, 8, "firefox", "/dev/nvidia1")))  # fmt: skip
NEVER_FREES = replace(READY, nvidia=NvidiaModule("535.1", modeset=True), with_vfs=(CARD,))
DISPLAY, ALONE = card("01:00", 1, boot_vga=True), card("02:00", 2, boot_vga=False)
IN_ITS_GROUP = function("03:00.0", SATA, driver="ahci", iommu_group=2)


@pytest.mark.parametrize(
    ("pci", "choice", "address"),
    [
        (inventory(*DISPLAY), Choice(), HOST_CARD),
        (inventory(*DISPLAY), Choice(HOST_CARD), HOST_CARD),
        (inventory(*DISPLAY, *card("02:00", 2, "vfio-pci")), Choice(HOST_CARD), HOST_CARD),
        (inventory(*ALONE), Choice(), CARD),
        (inventory(*ALONE, IN_ITS_GROUP), Choice(CARD), CARD),
    ],
)
def test_a_card_that_stays_with_the_host_is_not_to_be_freed(
    pci: Inventory, choice: Choice, address: str
) -> None:
    """No advice moves it or ends what uses it."""
    view = assess(snapshot(pci), choice)
    checks = all_checks(examine(CheckInput(view, guests(), BUSY, NEVER_FREES)))
    found = {check.id: check for check in checks if check.subject == address}
    assert "fail" in (found["host.not-shared"].verdict, found["host.two-gpus"].verdict)
    for check in ("iommu.viable", "r465.family", "r465.sriov"):
        assert found[check].fix is None
    for check in ("holders", "nvidia.release"):
        expected = Check(check, address, "unknown", "not checked: the host keeps the card")
        assert found[check] == expected


def test_without_a_card_for_a_guest_none_is_to_be_chosen() -> None:
    gone = assess(snapshot(inventory(*card("01:00", 1, boot_vga=True))), Choice(CARD))
    groups = examine(CheckInput(gone, guests(), BUSY, READY))
    (check,) = [check for check in all_checks(groups) if check.id == "guest.gpu"]
    assert check.verdict == "fail"
    assert "choose" not in (check.fix or "")
    assert "firefox" not in str(groups)


def test_every_card_that_could_be_the_guests_is_looked_at() -> None:
    pci = inventory(*card("01:00", 1, boot_vga=True), *card("02:00", 2), *card("03:00", 3))
    wards = examine(CheckInput(assess(snapshot(pci)), guests(), Holders(()), READY))
    told = {ward.title.split()[0]: {c.id: c.verdict for c in ward.checks} for ward in wards}
    assert set(told) == {"Host", "Guest", "0000:02:00.0", "0000:03:00.0"}
    assert set(told["0000:03:00.0"].values()) <= {"pass", "unknown"}
    assert told["0000:03:00.0"]["iommu.viable"] == "pass"


@pytest.mark.parametrize(
    ("hostdevs", "verdict", "words"),
    [
        ((CARD, SOUND), "pass", f"“win11” lists {CARD} {SOUND}"),
        ((CARD,), "warn", f"the definition of “win11” does not list {SOUND}"),
    ],
)
def test_a_guest_names_every_function(hostdevs: tuple[str, ...], verdict: str, words: str) -> None:
    guest = replace(WIN11, hostdevs=tuple(HostDev(a, managed=False) for a in hostdevs))
    check = examined(snapshot(two_cards(), (guest,)))["guest.hostdevs-complete"]
    assert (check.subject, check.verdict, check.why) == ("win11", verdict, words)


def test_without_a_known_guest_the_faults_of_all_guests_are_reported() -> None:
    disk = function("03:00.0", SATA, vendor="144d", driver="vfio-pci", iommu_group=4)
    pci = inventory(*two_cards().functions, disk)
    well, also_well = domain("backup", "03:00.0"), domain("nas", "03:00.0")
    lacking = domain("nas", "05:00.0")
    for taken, subject, verdict in (
        ((well, lacking), "nas", "fail"), ((well, also_well), "backup", "pass"),
    ):  # fmt: skip
        check = examined(snapshot(pci, taken))["guest.devices"]  # and it is there once
        assert (check.subject, check.verdict) == (subject, verdict)


def test_libvirt_that_moves_the_card_by_itself() -> None:
    guest = replace(WIN11, hostdevs=(HostDev(CARD, managed=True), HostDev(SOUND, managed=False)))
    check = examined(snapshot(two_cards(), (guest,)))["guest.managed"]
    assert (check.verdict, "managed='no'" in (check.fix or "")) == ("warn", True)
    assert CARD in check.why
    assert SOUND not in check.why


def test_the_driver_in_the_guest_matters_for_an_nvidia_card_only() -> None:
    def check(**ids: str) -> Check:
        host = two_cards()
        functions = tuple(
            replace(each, **ids) if each.address == CARD else each for each in host.functions
        )
        return examined(snapshot(replace(host, functions=functions), (WIN11,)))["r465.guest-driver"]

    assert check().verdict == check(vendor="ffff", device="ffff").verdict == "unknown"
    amd = check(vendor="1002", device="73bf")
    assert (amd.verdict, amd.why) == ("pass", "not an NVIDIA card: not restricted")


def test_two_guests_with_geforce_cards() -> None:
    running = (
        domain("win11", "02:00.0", state="running"), domain("other", "01:00.0", state="running"),
    )  # fmt: skip
    check = examined(snapshot(two_cards("vfio-pci"), running))["r465.one-vm"]
    assert check.verdict == "fail"
    assert "“other”, “win11” are running with a GeForce card" in check.why
    alone = examined(snapshot(two_cards("vfio-pci"), running[:1]))["r465.one-vm"]
    assert (alone.verdict, alone.why) == ("pass", "only “win11” is running with a GeForce card")


@pytest.mark.parametrize("uri", ["test:///default", "qemu:///session"])
def test_a_libvirt_that_does_not_know_this_machines_guests_says_nothing_of_them(uri: str) -> None:
    seen = replace(snapshot(two_cards()), guests=Guests(uri, "9.0.0", ()))
    found = examined(seen)
    assert found["r465.one-vm"].verdict == "unknown"
    reachable = found["libvirt.reachable"]
    assert reachable.verdict == "warn"
    assert reachable.why.startswith(f"{uri} ")
    assert reachable.fix is not None
    assert "qemu:///system" in reachable.fix


def test_a_session_cannot_give_a_guest_a_card() -> None:
    seen = replace(snapshot(two_cards()), guests=Guests("qemu:///session", "9.0.0", ()))
    assert "without root" in examined(seen)["libvirt.reachable"].why


def test_the_guest_that_runs_holds_its_card_rightly() -> None:
    qemu = Holders((Holder(CARD, 4, "qemu-system-x86", "/dev/vfio/2"),))
    runs = domain("win11", "02:00.0", "02:00.1", state="running")
    with_it = examined(snapshot(two_cards("vfio-pci"), (runs,)), holders=qemu)
    assert with_it["holders"].verdict == "pass"
    without = examined(snapshot(two_cards("vfio-pci"), (WIN11,)), holders=qemu)
    assert without["holders"].verdict == "fail"


def test_a_connection_that_may_only_read() -> None:
    seen = replace(guests(WIN11), readonly=True)
    assert isinstance(seen, Guests)
    check = examined(replace(snapshot(two_cards()), guests=seen))["libvirt.reachable"]
    assert (check.verdict, "read-only" in check.why) == ("warn", True)


def test_a_summary() -> None:
    def ward(*verdicts: Any) -> tuple[CheckGroup, ...]:
        return (CheckGroup("Host", tuple(Check("a", None, verdict, "") for verdict in verdicts)),)

    assert summary(ward("pass", "pass")) == "All 2 checks passed."
    told = summary(ward("fail", "warn", "unknown", "unknown"))
    assert told == "Of 4 checks, 1 failed, 1 passed with a warning, 2 could not be made."


def test_a_libvirt_that_is_more_than_this_machines_is_named_as_what_it_is() -> None:
    uri = "qemu+ext:///system?command=/srv/evil.sh"
    for seen in (Guests(uri, "9.0.0", ()), Guests("qemu+ssh://host/system", "9.0.0", ())):
        check = examined(replace(snapshot(two_cards()), guests=seen))["libvirt.reachable"]
        assert (check.verdict, check.fix) == ("warn", host_checks.ASK_HERE)
        assert "runs the program /srv/evil.sh" in check.why or "host over ssh" in check.why
