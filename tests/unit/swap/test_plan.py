"""Plans of swaps, and every check that refuses one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import (
    NOON,
    SATA,
    USB,
    card,
    domain,
    function,
    guests,
    inventory,
    snapshot,
    two_cards,
)
from tui.model import (
    CardReading,
    CardVitals,
    Check,
    Direction,
    Domain,
    Gpu,
    GpuProcess,
    Guests,
    Holder,
    Holders,
    Inventory,
    NvidiaModule,
    Plan,
    Readiness,
    Removal,
    Unavailable,
    Vitals,
)
from tui.rules import holder_checks, r465
from tui.rules.availability import why_not
from tui.rules.check_input import CheckInput
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap.plan import steps
from tui.swap.preflight import NEEDED, for_recovery, make_plan

CARD, SOUND = "0000:02:00.0", "0000:02:00.1"
DRIVER = NvidiaModule("580.105.08", modeset=True)
READY = Readiness(root=True, vfio_pci=True, nvidia=DRIVER)
NOBODY = Holders(())


def plan(
    direction: Direction = "bind",
    pci: Inventory | None = None,
    domains: tuple[Domain, ...] = (),
    **facts: Any,
) -> Plan:
    """Return a plan for the card at 02:00; only ``facts`` differ from a healthy host."""
    pci = pci or two_cards("nvidia" if direction == "bind" else "vfio-pci")
    vitals = facts.pop("vitals", Vitals(()))
    view = assess(snapshot(pci, domains, vitals=vitals), Choice(CARD))
    reading: Guests | Unavailable = facts.pop("guests", guests(*domains))
    readings = CheckInput(view, reading, facts.pop("holders", NOBODY), replace(READY, **facts))
    gpu = view.gpu(CARD)
    assert gpu is not None
    return make_plan(gpu, direction, readings)


def the_card(pci: Inventory) -> Gpu:
    gpu = assess(snapshot(pci), Choice(CARD)).gpu(CARD)
    assert gpu is not None
    return gpu


def verdicts(made: Plan) -> Mapping[str, str]:
    return {check.id: check.verdict for check in made.checks}


def the(made: Plan, check: str) -> Check:
    (found,) = [each for each in made.checks if each.id == check]
    return found


# --- steps ----------------------------------------------------------------------


def written(gpu: Gpu, direction: Direction) -> list[tuple[str, str, str]]:
    return [(s.kind, s.value, s.path or "") for s in steps(gpu, direction)]


def test_the_writes_of_a_bind() -> None:
    folder = "/sys/bus/pci/devices"
    probe = "/sys/bus/pci/drivers_probe"
    assert written(the_card(two_cards()), "bind") == [
        ("load", "vfio-pci", ""),
        ("override", "vfio-pci", f"{folder}/{SOUND}/driver_override"),
        ("unbind", SOUND, "/sys/bus/pci/drivers/snd_hda_intel/unbind"),
        ("probe", SOUND, probe),
        ("override", "vfio-pci", f"{folder}/{CARD}/driver_override"),
        ("unbind", CARD, "/sys/bus/pci/drivers/nvidia/unbind"),
        ("probe", CARD, probe),
        ("node", "there", "/dev/vfio/2"),
    ]


def test_the_writes_of_an_unbind() -> None:
    made = steps(the_card(two_cards("vfio-pci")), "unbind")
    assert [(s.kind, s.address) for s in made] == [
        ("drivers", None),
        ("override", CARD), ("unbind", CARD), ("probe", CARD),
        ("override", SOUND), ("unbind", SOUND), ("probe", SOUND),
        ("nvml", CARD),
    ]  # fmt: skip
    assert made[0].value.split() == [f.modalias for f in the_card(two_cards("vfio-pci")).functions]
    assert {s.value for s in made if s.kind == "override"} == {"\n"}
    assert {s.driver for s in made} == {None}


def test_only_nvidias_cards_are_asked_of_nvml() -> None:
    other = [replace(f, vendor="1002") for f in card("02:00", 2, "vfio-pci", boot_vga=False)]
    gpu = the_card(inventory(*card("01:00", 1, boot_vga=True), *other))
    assert "nvml" not in {s.kind for s in steps(gpu, "unbind")}


def test_a_modalias_is_the_kernels() -> None:
    """From the ``modalias`` file of an ASUS RTX 4090."""
    gpu = function("01:00.0", subsystem="1043:889b")
    assert gpu.modalias == "pci:v000010DEd00002684sv00001043sd0000889Bbc03sc00i00"
    assert function("01:00.0").modalias.endswith("sv00000000sd00000000bc03sc00i00")


def test_what_is_there_already_is_left_alone() -> None:
    gpu, sound = card("02:00", 2, boot_vga=False)
    half = inventory(*card("01:00", 1, boot_vga=True), gpu, replace(sound, driver="vfio-pci"))
    assert {s.address for s in steps(the_card(half), "bind")} == {None, CARD}
    home = steps(the_card(half), "unbind")
    assert [s.kind for s in home if s.address == CARD] == ["override"]  # what may be left behind
    assert [s.kind for s in home if s.address == SOUND] == ["override", "unbind", "probe"]
    alone = inventory(*card("01:00", 1), *card("02:00", 2, driver=None))
    assert "unbind" not in {s.kind for s in steps(the_card(alone), "bind")}


def test_every_function_has_the_time_that_it_needs() -> None:
    extra = (
        function("02:00.2", USB, driver="xhci_hcd", iommu_group=2),
        function("02:00.3", "0c8000", driver="nvidia-gpu", iommu_group=2),
    )
    four = inventory(*card("01:00", 1, boot_vga=True), *card("02:00", 2), *extra)
    made = steps(the_card(four), "bind")
    limits = {s.address: s.limit_s for s in made if s.kind == "unbind"}
    assert limits == {SOUND: 10, "0000:02:00.2": 300, "0000:02:00.3": 300, CARD: 60}
    assert [s.address for s in made if s.kind == "unbind"][-1] == CARD
    assert {s.driver for s in made if s.kind == "probe"} == {"vfio-pci"}
    assert [f.address for f in the_card(four).functions] == sorted(map(str, limits))


def test_an_unbind_restores_what_the_bind_recorded() -> None:
    made = plan("unbind", home_power={CARD: "auto", SOUND: "on", "0000:09:00.0": "auto"})
    assert [step.text for step in made.steps if step.kind == "power"] == [
        f"echo auto > /sys/bus/pci/devices/{CARD}/power/control",
        f"echo on > /sys/bus/pci/devices/{SOUND}/power/control",
    ]
    assert made.steps[-1].kind == "nvml"
    assert "power" not in {s.kind for s in plan("bind", home_power={CARD: "auto"}).steps}


@pytest.mark.parametrize(
    ("direction", "left"), [("bind", "on vfio-pci"), ("unbind", "back with the host")]
)
def test_what_is_left_to_do(direction: Direction, left: str) -> None:
    assert the(plan(direction), NEEDED).why == f"the card is not {left} yet"


@pytest.mark.parametrize(
    ("taken", "words"),
    [
        (("02:00.0", "00:1f.2"), "the card"),
        (("00:1f.2", "02:00.0"), "the card"),
        (("00:1f.2",), "a device in the card's IOMMU group"),
    ],
)
def test_a_guest_that_has_the_card_is_not_said_to_have_a_neighbour(
    taken: tuple[str, ...], words: str
) -> None:
    whole = two_cards("vfio-pci")
    beside = (replace(f, iommu_group=2) if f.class_code == SATA else f for f in whole.functions)
    user = domain("nas", *taken, state="running")
    made = plan("unbind", replace(whole, functions=tuple(beside)), (user,))
    assert the(made, "guest.inactive").why == f"“nas” is running with {words}"


@pytest.mark.parametrize("driver", ["nvgrace-gpu-vfio-pci", "mlx5_vfio_pci", "vfio-pci"])
def test_one_definition_of_a_driver_of_vfio(driver: str) -> None:
    """The plan moves what the checks say is left to move."""
    gpu, sound = card("02:00", 2, driver, boot_vga=False)
    pci = inventory(*card("01:00", 1, boot_vga=True), gpu, replace(sound, driver="vfio-pci"))
    home = plan("unbind", pci)
    assert verdicts(home)["swap.needed"] == "pass"
    assert home.unbinds == (CARD, SOUND)
    bind = plan("bind", pci)
    assert (bind.unbinds, bind.moves) == ((), (CARD, SOUND))
    assert the(bind, "swap.needed").why == f"the card is on {driver} already"


def test_a_card_on_a_stub_is_with_nobody() -> None:
    gpu, sound = card("02:00", 2, "pci-stub", boot_vga=False)
    pci = inventory(*card("01:00", 1, boot_vga=True), gpu, replace(sound, driver="pci-stub"))
    for direction in ("bind", "unbind"):
        made = plan("bind" if direction == "bind" else "unbind", pci)
        assert verdicts(made)["swap.needed"] == "pass"
        assert set(made.unbinds) == {CARD, SOUND}


# --- checks ---------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["bind", "unbind"])
def test_a_host_where_all_is_well(direction: Direction) -> None:
    made = plan(direction)
    assert (made.refusals, made.doubts) == ((), ())
    assert made.moves == (CARD, SOUND)
    assert set(verdicts(made).values()) == {"pass"}


def test_the_ids_of_the_contract() -> None:
    assert {
        "host.not-shared", "host.two-gpus", "iommu.enabled", "iommu.viable", "r465.family",
        "r465.one-vm", "r465.sriov", "vfio.available", "privilege", "holders", "nvidia.release",
    } <= set(verdicts(plan()))  # fmt: skip


WINDOWS = domain("win11", "02:00.0", "02:00.1", state="running")
OTHER = domain("other", "01:00.0", state="paused", persistent=False)
NO_GROUP = inventory(*card("01:00", None, boot_vga=True), *card("02:00", None), groups=())
SHARED_GROUP = inventory(
    *card("01:00", 1, boot_vga=True), *card("02:00", 2),
    function("00:1f.2", SATA, driver="ahci", iommu_group=2),
)  # fmt: skip
DISPLAY = inventory(*card("01:00", 1, boot_vga=False), *card("02:00", 2, boot_vga=True))
ALONE = inventory(*card("01:00", 1, "vfio-pci"), *card("02:00", 2))
FERMI = inventory(
    *card("01:00", 1, boot_vga=True),
    *card("02:00", 2, device="06c0", name="GF100 [GeForce GTX 480]"),
)
MINING = inventory(
    *card("01:00", 1, boot_vga=True),
    *card("02:00", 2, device="1f0b", name="TU106 [CMP 40HX]"),
)


@pytest.mark.parametrize(
    ("check", "verdict", "facts"),
    [
        ("host.not-shared", "fail", {"pci": DISPLAY}),
        ("host.two-gpus", "fail", {"pci": ALONE}),
        ("iommu.enabled", "fail", {"pci": NO_GROUP}),
        ("iommu.viable", "fail", {"pci": NO_GROUP}),
        ("iommu.viable", "fail", {"pci": SHARED_GROUP}),
        ("r465.family", "fail", {"pci": FERMI}),
        ("r465.family", "unknown", {"pci": MINING}),
        ("r465.one-vm", "fail", {"domains": (OTHER,)}),
        ("r465.one-vm", "unknown", {"guests": Unavailable("libvirtd is not running")}),
        ("r465.one-vm", "unknown", {"domains": (domain("odd", problem="no XML"),)}),
        ("r465.sriov", "fail", {"with_vfs": (CARD,)}),
        ("r465.sriov", "unknown", {"with_vfs": None}),
        ("guest.inactive", "fail", {"domains": (WINDOWS,)}),
        ("guest.inactive", "unknown", {"guests": Unavailable("libvirtd is not running")}),
        ("guest.inactive", "unknown", {"domains": (domain("odd", state="unknown"),)}),
        ("vfio.available", "fail", {"vfio_pci": False}),
        ("vfio.available", "unknown", {"vfio_pci": None}),
        ("privilege", "warn", {"root": False}),
        ("nvidia.release", "fail", {"nvidia": NvidiaModule("580.95.05", modeset=True)}),
        ("nvidia.release", "unknown", {"nvidia": NvidiaModule("580.95.05", modeset=None)}),
        ("nvidia.release", "pass", {"nvidia": NvidiaModule("580.95.05", modeset=False)}),
        ("nvidia.release", "pass", {"nvidia": NvidiaModule("590.48.01", modeset=True)}),
        ("nvidia.release", "warn", {"nvidia": NvidiaModule("595.45", modeset=None)}),
        ("nvidia.release", "unknown", {"nvidia": NvidiaModule(None, modeset=False)}),
        ("nvidia.release", "unknown", {"nvidia": None}),
        ("holders", "unknown", {"holders": Unavailable("no process can be seen")}),
        ("holders", "unknown", {"holders": Holders((), uninspected=3)}),
        ("holders", "unknown", {"holders": Holders((), unlisted_reason="processes are hidden")}),
        ("swap.needed", "fail", {"pci": two_cards("vfio-pci")}),
        ("guest.inactive", "unknown", {"guests": replace(guests(), uri="qemu:///session")}),
        ("r465.one-vm", "unknown", {"guests": replace(guests(), uri="test:///default")}),
    ],
)  # fmt: skip
def test_every_reason_not_to_bind(check: str, verdict: str, facts: dict[str, Any]) -> None:
    made = plan("bind", **facts)
    assert verdicts(made)[check] == verdict
    seen = the(made, check)
    assert seen.why
    assert bool(made.refusals) == ("fail" in verdicts(made).values())
    assert bool(made.doubts) == ("unknown" in verdicts(made).values())


def unread(attribute: str, address: str = CARD, driver: str | None = "nvidia") -> Inventory:
    """Return a host with an unreadable attribute of a function, and its value."""
    kept: dict[str, dict[str, Any]] = {"vendor": {"vendor": "ffff"}, "driver": {"driver": None}}
    left = kept.get(attribute, {})
    whole = two_cards(driver)
    dark = (
        replace(f, unreadable=(attribute,), **left) if f.address == address else f
        for f in whole.functions
    )
    return replace(whole, functions=tuple(dark))


@pytest.mark.parametrize(
    ("check", "direction", "pci"),
    [
        ("r465.family", "bind", unread("vendor")),
        ("r465.one-vm", "bind", unread("vendor")),
        ("nvidia.release", "bind", unread("driver")),
        ("swap.movable", "bind", unread("driver")),
        ("swap.movable", "bind", unread("driver", SOUND)),
        ("swap.movable", "unbind", unread("driver", SOUND, "vfio-pci")),
        ("guest.inactive", "unbind", unread("iommu_group", driver="vfio-pci")),
    ],
)
def test_what_cannot_be_read_does_not_pass(
    check: str, direction: Direction, pci: Inventory
) -> None:
    made = plan(direction, pci)
    assert verdicts(made)[check] == "unknown"
    assert "cannot be read" in the(made, check).why


@pytest.mark.parametrize(
    ("check", "verdict", "facts"),
    [
        ("swap.needed", "fail", {"pci": two_cards("nvidia")}),
        ("guest.inactive", "fail", {"domains": (WINDOWS,)}),
        ("holders", "unknown", {"holders": Holders((), uninspected=1)}),
        ("privilege", "warn", {"root": False}),
    ],
)
def test_every_reason_not_to_unbind(check: str, verdict: str, facts: dict[str, Any]) -> None:
    assert verdicts(plan("unbind", **facts))[check] == verdict


def two_displays(*, boot_vga: bool | None) -> Inventory:
    """Return one card with two display functions, like old Radeons and Intel graphics."""
    facts: dict[str, Any] = {"vendor": "1002", "driver": "radeon", "iommu_group": 2}
    return inventory(
        function("02:00.0", boot_vga=boot_vga, **facts),
        function("02:00.1", "038000", boot_vga=None, **facts),
    )


@pytest.mark.parametrize("address", ["0000:02:00.0", "0000:02:00.1"])
@pytest.mark.parametrize(("boot_vga", "verdict"), [(True, "fail"), (None, "unknown")])
def test_the_hosts_display_is_not_taken_along(
    address: str, boot_vga: bool | None, verdict: str
) -> None:
    host = snapshot(two_displays(boot_vga=boot_vga))
    view = assess(host, Choice(address))
    gpu = view.gpu(address)
    assert gpu is not None
    assert set(gpu.viability.moves) == {"0000:02:00.0", "0000:02:00.1"}
    shared = r465.not_shared(gpu, view)
    assert shared.verdict == verdict
    assert ("0000:02:00.0" in shared.why) == (address != "0000:02:00.0")
    assert r465.two_gpus(gpu, view).verdict == "fail"


@pytest.mark.parametrize(
    ("driver", "verdict"),
    [("nouveau", "pass"), ("amdgpu", "pass"), ("ast", "pass"), ("vfio-pci", "fail"),
     ("nvgrace-gpu-vfio-pci", "fail"), ("pci-stub", "fail"), ("uio_pci_generic", "fail"),
     ("igb_uio", "fail"), ("pciback", "fail"), ("pci-pf-stub", "fail"), (None, "fail")],
)  # fmt: skip
@pytest.mark.parametrize("boot_vga", [True, False])
def test_only_a_card_that_the_host_can_use_stays_with_it(
    driver: str | None, verdict: str, boot_vga: bool
) -> None:
    other = function("01:00.0", driver=driver, iommu_group=1, boot_vga=boot_vga)
    view = assess(snapshot(inventory(other, *card("02:00", 2, boot_vga=False))), Choice(CARD))
    gpu = view.gpu(CARD)
    assert gpu is not None
    check = r465.two_gpus(gpu, view)
    assert check.verdict == verdict
    named = f"0000:01:00.0 is on {driver}" in check.why
    assert named is (verdict == "fail" and driver is not None)
    assert ("`vfiotop unbind 0000:01:00.0`" in (check.fix or "")) is named


@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_card_that_another_guest_has_is_not_advised_for_the_host(state: Any) -> None:
    pair = inventory(*card("01:00", 1, "vfio-pci"), *card("02:00", 2, boot_vga=False))
    view = assess(snapshot(pair, (domain("nas", "01:00.0", state=state),)), Choice(CARD))
    gpu = view.gpu(CARD)
    assert gpu is not None
    check = r465.two_gpus(gpu, view)
    assert (check.verdict, "vfiotop unbind" in (check.fix or "")) == ("fail", False)


@pytest.mark.parametrize("direction", ["bind", "unbind"])
def test_a_guest_that_has_a_neighbour_of_the_card_is_in_the_way(direction: Direction) -> None:
    """A group belongs to one guest; a function without a group is nobody's neighbour."""
    driver = "nvidia" if direction == "bind" else "vfio-pci"
    cards = two_cards(driver).functions
    usb = function("03:00.0", USB, driver="vfio-pci", iommu_group=cards[-1].iommu_group)
    has_it = domain("neighbour", "03:00.0", state="running")
    shared = plan(direction, inventory(*cards, usb), (has_it,))
    assert the(shared, "guest.inactive").verdict == "fail"
    assert "neighbour" in the(shared, "guest.inactive").why
    apart = replace(usb, iommu_group=9)
    assert (
        verdicts(plan(direction, inventory(*cards, apart), (has_it,)))["guest.inactive"] == "pass"
    )
    none = [replace(f, iommu_group=None) for f in (*cards, usb)]
    assert verdicts(plan(direction, inventory(*none), (has_it,)))["guest.inactive"] == "pass"


@pytest.mark.parametrize("direction", ["bind", "unbind"])
def test_a_refusal_of_a_card_in_a_running_guest_agrees_with_the_key(direction: Direction) -> None:
    """Even a card that is where it is to go."""
    runs = domain("win11", "02:00.0", "02:00.1", state="running")
    made = plan(direction, two_cards("vfio-pci"), (runs,))
    first = made.refusals[0]
    view = assess(snapshot(two_cards("vfio-pci"), (runs,)), Choice(CARD))
    assert first.why == "“win11” is running with the card"
    assert (why_not(direction, view) or "").startswith(first.why)


def test_a_plan_says_where_the_card_is_already() -> None:
    assert the(plan("bind", two_cards("vfio-pci")), "swap.needed").why.endswith("already")
    assert "host" in the(plan("unbind", two_cards("nvidia")), "swap.needed").why
    assert verdicts(plan("unbind", two_cards("vfio-pci")))["swap.needed"] == "pass"
    assert verdicts(plan("bind", two_cards("nvidia")))["swap.needed"] == "pass"


@pytest.mark.parametrize("stuck", [True, False])
def test_a_card_that_the_kernel_is_busy_with(stuck: bool) -> None:
    vitals = Vitals((CardVitals(CARD, driver=None, removal=Removal("nvidia", NOON, stuck)),))
    made = plan("bind", two_cards(None), vitals=vitals)
    assert verdicts(made)["swap.movable"] == "fail"


def test_a_professional_card_is_exempt() -> None:
    a4000 = card("02:00", 2, device="24b0", name="GA104GL [RTX A4000]")
    pro = inventory(*card("01:00", 1, boot_vga=True), *a4000)
    assert verdicts(plan("bind", pro, (OTHER,)))["r465.one-vm"] == "pass"


# --- holders --------------------------------------------------------------------


def held(what: str = "/dev/nvidia1", **facts: Any) -> Holders:
    return Holders((Holder(facts.pop("address", CARD), 812, facts.pop("name", "game"), what,
                           **facts),))  # fmt: skip


def test_a_holder_is_named_with_how_to_stop_it() -> None:
    made = plan(holders=held(unit="nvidia-persistenced.service", name="nvidia-persiste"))
    seen = the(made, "holders")
    assert seen.verdict == "fail"
    assert "nvidia-persiste (812, /dev/nvidia1)" in seen.why
    assert seen.fix == "`systemctl stop nvidia-persistenced.service`"
    assert [(h.pid, h.what, h.stop) for h in made.holders] == [(812, "/dev/nvidia1", seen.fix)]


@pytest.mark.parametrize(
    ("facts", "fix"),
    [
        ({"name": "Xorg", "unit": "session-2.scope"}, "log out of the desktop"),
        ({"name": "pipewire", "unit": "pipewire.service", "of_user": True},
         "`systemctl --user stop pipewire.socket pipewire.service`"),
        ({"name": "x", "unit": "ollama.service"}, "`systemctl stop ollama.service`"),
        ({"name": "x", "unit": "x.service", "of_user": True}, "`systemctl --user stop x.service`"),
        ({"name": "game", "unit": "session-2.scope"}, "close game, or run `kill 812`"),
        ({"name": "game"}, "close game, or run `kill 812`"),
    ],
)  # fmt: skip
def test_how_a_holder_is_stopped(facts: dict[str, Any], fix: str) -> None:
    assert (the(plan(holders=held(**facts)), "holders").fix or "").startswith(fix)


def test_a_holder_of_the_sound_counts_and_one_of_another_card_does_not() -> None:
    sound = held("/dev/snd/controlC1", address=SOUND)
    assert verdicts(plan(holders=sound))["holders"] == "fail"
    elsewhere = held(address="0000:01:00.0")
    assert verdicts(plan(holders=elsewhere))["holders"] == "pass"
    assert plan(holders=elsewhere).holders == ()


@pytest.mark.parametrize(
    ("version", "verdict"), [("580.105.08", "warn"), ("595.45", "fail"), (None, "unknown")]
)
def test_nodes_of_all_cards(version: str | None, verdict: str) -> None:
    shared = held("/dev/nvidia-uvm", shared=True)
    nvidia = NvidiaModule(version, modeset=False)
    assert verdicts(plan(holders=shared, nvidia=nvidia))["holders"] == verdict


def test_many_holders_are_counted() -> None:
    many = Holders(tuple(Holder(CARD, pid, f"p{pid}", "/dev/nvidia1") for pid in range(1, 9)))
    assert the(plan(holders=many), "holders").why.endswith("and 4 more")


def test_who_the_driver_lists_is_a_holder_for_those_who_see_no_other() -> None:
    reading = CardReading(
        CARD, "nvml", processes=(GpuProcess(812, "game", "graphics"), GpuProcess(None, "?", "x"),
                                 GpuProcess(7, "seen", "compute")),
    )  # fmt: skip
    gpu = replace(the_card(two_cards()), reading=reading)
    seen = Holders((Holder(CARD, 7, "seen", "/dev/nvidia1"),), uninspected=3)
    found = holder_checks.with_processes(seen, gpu)
    assert [(h.pid, h.what) for h in found.holders] == [
        (7, "/dev/nvidia1"), (812, "graphics, listed by the driver"),
    ]  # fmt: skip
    assert found.uninspected == 3
    assert the(plan(holders=found), "holders").verdict == "fail"
    assert holder_checks.with_processes(seen, the_card(two_cards())) == seen


def test_what_is_at_home_already_may_be_in_use() -> None:
    gpu, sound = card("02:00", 2, boot_vga=False)
    half = inventory(*card("01:00", 1, boot_vga=True), gpu, replace(sound, driver="vfio-pci"))
    busy = Holders((Holder(CARD, 9, "Xorg", "/dev/dri/card1"),))
    assert the(plan("unbind", pci=half, holders=busy), "holders").verdict == "pass"
    assert the(plan("bind", pci=half, holders=busy), "holders").verdict == "fail"


def test_a_card_without_a_driver_may_go_home() -> None:
    gpu, sound = card("02:00", 2, boot_vga=False)
    half = inventory(*card("01:00", 1, boot_vga=True), replace(gpu, driver=None), sound)
    assert the(plan("unbind", pci=half), "swap.needed").verdict == "pass"


def test_an_undo_is_asked_for_what_cannot_be_seen_only() -> None:
    seen = for_recovery(plan(holders=Holders((), uninspected=2)), finish=False)
    assert the(seen, "holders").verdict == "unknown"
    busy = Holders((Holder(CARD, 9, "Xorg", "/dev/dri/card1"),))
    assert "holders" not in {c.id for c in for_recovery(plan(holders=busy), finish=False).checks}
    assert NEEDED not in {c.id for c in for_recovery(plan(), finish=True).checks}
