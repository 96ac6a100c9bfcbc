"""The doctor's checks of a card's state, which status shows too."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import AUDIO, NOON, USB, card, domain, function, inventory, snapshot
from tui.model import (
    CardReading,
    CardVitals,
    Check,
    Direction,
    Holders,
    HostView,
    NvmlReading,
    PciFunction,
    Readiness,
    Removal,
    Snapshot,
    Swap,
    Vitals,
)
from tui.report.status_json import as_json
from tui.report.status_text import as_text
from tui.rules import r465
from tui.rules.check_input import CheckInput
from tui.rules.doctor import all_checks, examine
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap.plan import steps
from tui.swap.preflight import NEEDED, make_plan

CARD, HOST_CARD = "0000:02:00.0", "0000:01:00.0"
READY = Readiness(root=True, vfio_pci=True)


def checks(seen: Snapshot, choice: Choice | None = None) -> dict[tuple[str, str | None], Check]:
    view = assess(seen, choice)
    wards = examine(CheckInput(view, seen.guests, Holders(()), READY))
    return {(check.id, check.subject): check for check in all_checks(wards)}


def four(gpu: str | None, rest: str | None) -> tuple[PciFunction, ...]:
    """The functions of a Turing card: GPU, audio, USB and UCSI."""
    sound, usb, ucsi = (rest, rest, rest) if rest else (None, None, None)
    if rest == "host":
        sound, usb, ucsi = "snd_hda_intel", "xhci_hcd", "nvidia-gpu"
    return (
        function("02:00.0", driver=gpu, iommu_group=2, boot_vga=False),
        function("02:00.1", "040300", driver=sound, iommu_group=2),
        function("02:00.2", USB, driver=usb, iommu_group=2),
        function("02:00.3", "0c8000", driver=ucsi, iommu_group=2),
    )


def seen(*functions: PciFunction, **facts: Any) -> Snapshot:
    return snapshot(inventory(*card("01:00", 1, boot_vga=True), *functions), **facts)


@pytest.mark.parametrize(
    ("gpu", "rest", "verdict"),
    [
        ("vfio-pci", "host", "warn"), ("nvidia", "vfio-pci", "warn"), (None, "vfio-pci", "warn"),
        ("vfio-pci", "vfio-pci", "pass"), ("nvidia", "host", "pass"), ("vfio-pci", None, "pass"),
        (None, "host", "pass"), (None, None, "pass"),
    ],
)  # fmt: skip
def test_half_bound(gpu: str | None, rest: str | None, verdict: str) -> None:
    found = seen(*four(gpu, rest))
    check = checks(found)["swap.half-bound", CARD]
    assert check.verdict == verdict
    text = as_text(assess(found))
    assert ("half bound" in text) is (verdict == "warn")
    if verdict == "warn":
        assert "0000:02:00.3" in check.why
        assert check.fix == (
            f"`vfiotop bind {CARD}` completes the bind, "
            f"`vfiotop unbind {CARD}` returns it to the host"
        )


def test_one_function_of_four() -> None:
    functions = list(four("vfio-pci", "vfio-pci"))
    functions[2] = replace(functions[2], driver="xhci_hcd")
    assert checks(seen(*functions))["swap.half-bound", CARD].verdict == "warn"
    functions[2] = replace(functions[2], driver=None, unreadable=("driver",))
    assert checks(seen(*functions))["swap.half-bound", CARD].verdict == "unknown"


VFIO, VARIANT, STUB, UIO = "vfio-pci", "nvgrace-gpu-vfio-pci", "pci-stub", "uio_pci_generic"
DRIVERS = ("host", VFIO, VARIANT, STUB, UIO, None)

OF_A_PAIR = {
    # The host plays sound through its card. It cannot use functions on VFIO, a stub or uio. A
    # function without a driver is probed as soon as its driver is loaded.
    "host": ("pass", "warn", "warn", "warn", "warn", "pass"),
    # A companion on a host driver or on uio keeps VFIO from the group (driver_managed_dma is not
    # set), and libvirt refuses one on a stub with managed='no'. One without a driver may have none
    # on the host either, as UCSI functions do, and is no loss.
    VFIO: ("warn", "pass", "pass", "warn", "warn", "pass"),
    # VFIO's drivers share a group.
    VARIANT: ("warn", "pass", "pass", "warn", "warn", "pass"),
    # Nobody has the GPU: the side that has its audio has half a card. If a stub or uio has both,
    # or the audio has no driver, neither side has any of it.
    STUB: ("warn", "warn", "warn", "pass", "pass", "pass"),
    UIO: ("warn", "warn", "warn", "pass", "pass", "pass"),
    # No driver is loaded for the GPU: nothing was taken from the host, unless VFIO has the rest.
    None: ("pass", "warn", "warn", "pass", "pass", "pass"),
}
"""The GPU's driver, and the verdict for each of ``DRIVERS`` that its audio may be on."""

CELLS = [
    (gpu, sound, verdict)
    for gpu, row in OF_A_PAIR.items()
    for sound, verdict in zip(DRIVERS, row, strict=True)
]


def pair(gpu: str | None, sound: str | None, sound_group: int = 2) -> tuple[PciFunction, ...]:
    return (
        function("02:00.0", driver="nvidia" if gpu == "host" else gpu, iommu_group=2,
                 boot_vga=False),
        function("02:00.1", AUDIO, driver="snd_hda_intel" if sound == "host" else sound,
                 iommu_group=sound_group),
    )  # fmt: skip


@pytest.mark.parametrize(("gpu", "sound", "verdict"), CELLS)
def test_each_mix_of_two_functions(gpu: str | None, sound: str | None, verdict: str) -> None:
    found = seen(*pair(gpu, sound))
    check = checks(found)["swap.half-bound", CARD]
    assert check.verdict == verdict, check
    assert ("half bound" in as_text(assess(found))) is (verdict == "warn")


@pytest.mark.parametrize(
    ("gpu", "sound", "where"),
    [
        ("host", "host", "host drivers"), ("host", None, "host drivers or on none"),
        (VFIO, VFIO, "vfio-pci"), (VFIO, None, "vfio-pci or on none"),
        (VFIO, VARIANT, "VFIO drivers"), (STUB, STUB, "drivers of neither side"),
        (UIO, None, "drivers of neither side or on none"),
    ],
)  # fmt: skip
def test_the_side_of_a_whole_card_is_named(gpu: str | None, sound: str | None, where: str) -> None:
    check = checks(seen(*pair(gpu, sound)))["swap.half-bound", CARD]
    assert (check.verdict, check.why) == ("pass", f"all functions of the card are on {where}")


@pytest.mark.parametrize("direction", ["bind", "unbind"])
@pytest.mark.parametrize(("gpu", "sound", "verdict"), CELLS)
def test_what_is_advised_for_a_mix_can_be_done_and_ends_it(
    gpu: str | None, sound: str | None, verdict: str, direction: Direction
) -> None:
    found = seen(*pair(gpu, sound))
    readings = CheckInput(assess(found), found.guests, Holders(()), READY)
    (mixed,) = (each for each in readings.view.gpus if each.address == CARD)
    plan = make_plan(mixed, direction, readings)
    (needed,) = (check for check in plan.checks if check.id == NEEDED)
    if verdict == "warn":
        assert f"`vfiotop {direction} {CARD}`" in (checks(found)["swap.half-bound", CARD].fix or "")
        assert needed.verdict == "pass"
        assert not plan.refusals
    homes = {CARD: "nvidia", "0000:02:00.1": "snd_hda_intel"}
    drivers = {f.address: f.driver for f in (mixed.function, *mixed.companions)}
    for step in steps(mixed, direction):
        if step.kind == "unbind" and step.address:
            assert drivers[step.address] in (step.path or "").split("/")
            drivers[step.address] = None
        if step.kind == "probe" and step.address:
            drivers[step.address] = step.driver or homes[step.address]
    moved = [replace(f, driver=drivers[f.address]) for f in (mixed.function, *mixed.companions)]
    if direction == "bind":
        assert {f.driver for f in moved} <= {VFIO, VARIANT}
    else:
        assert {f.driver for f in moved} <= {"nvidia", "snd_hda_intel"}
    assert checks(seen(*moved))["swap.half-bound", CARD].verdict == "pass"


@pytest.mark.parametrize("odd", [1, 2, 3])
def test_one_of_three_companions_is_enough(odd: int) -> None:
    """The other two have no driver, which counts for neither side."""
    for gpu, other, verdict in CELLS:
        functions = [replace(f, driver=None) for f in four(None, None)]
        functions[0] = replace(functions[0], driver="nvidia" if gpu == "host" else gpu)
        functions[odd] = replace(functions[odd], driver="xhci_hcd" if other == "host" else other)
        found = checks(seen(*functions))["swap.half-bound", CARD].verdict
        assert found == verdict, (gpu, other)


@pytest.mark.parametrize("driver", ["igb_uio", "pciback", "xen-pciback", "pci-pf-stub"])
def test_other_drivers_with_which_nobody_here_has_a_function(driver: str) -> None:
    for gpu, sound in (("host", driver), (driver, "host"), (VFIO, driver), (driver, VFIO)):
        assert checks(seen(*pair(gpu, sound)))["swap.half-bound", CARD].verdict == "warn"


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_what_cannot_be_read_hides_no_mix_and_makes_none(lost: int) -> None:
    mixed = list(four(VFIO, "host"))
    mixed[3] = replace(mixed[3], driver=VFIO)
    mixed[lost] = replace(mixed[lost], driver=None, unreadable=("driver",))
    check = checks(seen(*mixed))["swap.half-bound", CARD]
    assert check.verdict == "warn"
    assert f"0000:02:00.{lost} on a driver that cannot be read" in check.why
    whole = list(four(VFIO, VFIO))
    whole[lost] = replace(whole[lost], driver=None, unreadable=("driver",))
    found = seen(*whole)
    assert checks(found)["swap.half-bound", CARD].verdict == "unknown"
    assert "half bound" not in as_text(assess(found))


@pytest.mark.parametrize("never", ["no other card", "another card on uio"])
def test_a_card_that_no_guest_may_have_goes_home_only(never: str) -> None:
    others = card("01:00", 1, UIO, boot_vga=False) if "uio" in never else ()
    found = snapshot(inventory(*others, *pair(STUB, "host")))
    assert checks(found, Choice(CARD))["swap.half-bound", CARD].fix == (
        f"`vfiotop unbind {CARD}` returns it to the host"
    )


@pytest.mark.parametrize("stuck", [True, False])
def test_while_a_driver_does_not_release_a_card_no_move_is_advised(stuck: bool) -> None:
    found = seen(
        *pair(None, VFIO),
        vitals=Vitals((CardVitals(CARD, removal=Removal("nvidia", NOON, stuck=stuck)),)),
    )
    check = checks(found)["swap.half-bound", CARD]
    assert check.verdict == ("warn" if stuck else "pass")
    assert "vfiotop bind" not in (check.fix or "")


# --- audio in a group of its own --------------------------------------------------------


@pytest.mark.parametrize(("gpu", "sound", "verdict"), CELLS)
def test_sound_in_another_group(gpu: str | None, sound: str | None, verdict: str) -> None:
    """It does not move with the card, and a guest starts without it, but misses it."""
    found = seen(*pair(gpu, sound, 9))
    check = checks(found)["swap.half-bound", CARD]
    assert check.verdict == verdict, check
    assert "half bound" not in as_text(assess(found))
    if verdict == "warn":
        assert "0000:02:00.1" in check.why
        assert check.fix


NODE = "pci_0000_02_00_1"
BROUGHT = [
    (
        VFIO,
        "host",
        f"`virsh -c qemu:///system nodedev-detach {NODE}` once nothing plays through it; "
        "a <hostdev>",
    ),
    (VARIANT, STUB, f"`virsh -c qemu:///system nodedev-detach {NODE}`"),
    ("host", VFIO, f"`virsh -c qemu:///system nodedev-reattach {NODE}` returns it to the host"),
    ("host", UIO, "`echo 0000:02:00.1 > /sys/bus/pci/drivers/uio_pci_generic/unbind`, then"),
    (STUB, "host", f"`vfiotop unbind {CARD}` returns the card"),
    (UIO, VFIO, f"`vfiotop bind {CARD}` moves the card"),
    (None, VFIO, f"`vfiotop bind {CARD}` moves the card"),
]


@pytest.mark.parametrize(("gpu", "sound", "words"), BROUGHT)
def test_what_brings_the_sound_and_the_card_together(
    gpu: str | None, sound: str | None, words: str
) -> None:
    fix = checks(seen(*pair(gpu, sound, 9)))["swap.half-bound", CARD].fix or ""
    assert fix.startswith(words)


@pytest.mark.parametrize(
    ("gpu", "sound", "managed", "state", "verdict"),
    [
        # libvirt takes the audio at the start, and returns it at the end.
        (VFIO, "host", True, "shut off", "pass"), (VFIO, "host", False, "shut off", "warn"),
        # A function of a running guest is where it should be.
        ("host", VFIO, False, "running", "pass"), (VFIO, "host", True, "running", "pass"),
        # libvirt leaves on VFIO what was there before the start.
        ("host", VFIO, True, "shut off", "warn"),
    ],
)  # fmt: skip
def test_a_guest_that_names_the_sound(
    gpu: str, sound: str, managed: bool, state: Any, verdict: str
) -> None:
    guest = domain("win11", "02:00.0", "02:00.1", managed=managed, state=state)
    pci = inventory(*card("01:00", 1, boot_vga=True), *pair(gpu, sound, 9))
    check = checks(snapshot(pci, (guest,)))["swap.half-bound", CARD]
    assert check.verdict == verdict, check
    assert "<hostdev>" not in (check.fix or "")


@pytest.mark.parametrize("moved", [CARD, "0000:02:00.1"])
def test_a_guest_of_which_libvirt_moves_one_function(moved: str) -> None:
    """The other function stays where it is."""
    guest = domain("win11", "02:00.0", "02:00.1")
    hostdevs = tuple(replace(dev, managed=dev.address == moved) for dev in guest.hostdevs)
    pci = inventory(*card("01:00", 1, boot_vga=True), *pair(VFIO, "host", 9))
    found = checks(snapshot(pci, (replace(guest, hostdevs=hostdevs),)))["swap.half-bound", CARD]
    assert found.verdict == ("warn" if moved == CARD else "pass")
    assert ("starting “win11” moves the card's audio function 0000:02:00.1" in found.why) is (
        moved != CARD
    )


def test_a_function_in_another_group_that_is_no_sound_of_a_card_is_left_alone() -> None:
    gpu, sound = pair(VFIO, "host", 9)
    port = replace(sound, class_code=USB)
    processor = function("02:00.2", "108000", vendor="1022", driver="ccp", iommu_group=10)
    own = function("02:00.6", AUDIO, vendor="1022", driver="snd_hda_intel", iommu_group=11)
    for functions in ((gpu, port), (gpu, sound, processor), (gpu, own)):
        assert checks(seen(*functions))["swap.half-bound", CARD].verdict == "pass"
    dark = replace(sound, driver=None, unreadable=("driver",))
    assert checks(seen(gpu, dark))["swap.half-bound", CARD].verdict == "unknown"
    lost = replace(sound, iommu_group=None, unreadable=("iommu_group",))
    assert checks(seen(gpu, lost))["swap.half-bound", CARD].verdict == "pass"


def test_every_card_and_not_the_guests_alone() -> None:
    gpu, sound = card("01:00", 1, boot_vga=True)
    other, port = card("03:00", 3, "vfio-pci", boot_vga=False)
    found = snapshot(inventory(
        gpu, replace(sound, driver="vfio-pci"), *card("02:00", 2, "vfio-pci", boot_vga=False),
        other, replace(port, driver="snd_hda_intel"),
    ))  # fmt: skip
    made = checks(found, Choice(CARD))
    assert made["swap.half-bound", CARD].verdict == "pass"
    assert made["swap.half-bound", "0000:03:00.0"].verdict == "warn"
    # The card that drives the display can only return to the host.
    assert made["swap.half-bound", HOST_CARD].fix == (
        f"`vfiotop unbind {HOST_CARD}` returns it to the host"
    )
    assert "`vfiotop bind 0000:03:00.0` completes the bind" in as_text(assess(found, Choice(CARD)))


def test_one_that_a_guest_runs_with() -> None:
    gpu, sound = card("02:00", 2, "vfio-pci", boot_vga=False)
    functions = (gpu, replace(sound, driver="snd_hda_intel"))
    running = snapshot(
        inventory(*card("01:00", 1, boot_vga=True), *functions),
        (domain("win11", "02:00.0", state="running"),),
    )
    fix = checks(running)["swap.half-bound", CARD].fix
    assert (fix or "").startswith(f"shut down win11 first; then `vfiotop bind {CARD}`")


SWAP = Swap(
    "a", "bind", CARD, (CARD, "0000:02:00.1"), "running", ("modprobe vfio-pci",), 0, NOON, NOON
)


def test_a_swap_that_was_interrupted() -> None:
    left = replace(SWAP, runner_alive=False)
    for functions in (card("02:00", 2, boot_vga=False), four("vfio-pci", "host")):
        check = checks(seen(*functions, swap=left))["swap.half-bound", CARD]
        assert (check.verdict, "the bind of the card was interrupted" in check.why) == (
            "fail",
            True,
        )
        assert check.fix == "`vfiotop recover --finish` or `vfiotop recover --undo`"
    for ended in (SWAP, replace(left, state="done"), replace(left, state="undone")):
        found = checks(seen(*card("02:00", 2, boot_vga=False), swap=ended))
        assert found["swap.half-bound", CARD].verdict == "pass"


def test_an_interrupted_swap_tells_which_function_is_where() -> None:
    left = replace(SWAP, runner_alive=False)
    gpu, sound = card("02:00", 2, boot_vga=False)
    whole = checks(seen(gpu, sound, swap=left))["swap.half-bound", CARD]
    assert whole.why == "the bind of the card was interrupted"
    half = checks(seen(gpu, replace(sound, driver="vfio-pci"), swap=left))["swap.half-bound", CARD]
    assert (
        half.why
        == f"the bind of the card was interrupted: {CARD} on nvidia, 0000:02:00.1 on vfio-pci"
    )


def test_a_card_is_on_no_side_while_it_is_moved() -> None:
    gpu, sound = card("02:00", 2, boot_vga=False)
    moving = checks(seen(gpu, replace(sound, driver="vfio-pci"), swap=SWAP))
    assert moving["swap.half-bound", CARD].why == "the card is being moved"
    still = checks(seen(gpu, sound))["swap.half-bound", CARD]
    assert still.why == "all functions of the card are on host drivers"


@pytest.mark.parametrize("stuck", [True, False])
def test_a_card_that_its_driver_does_not_release(stuck: bool) -> None:
    removal = Removal("nvidia", NOON, stuck=stuck)
    found = seen(
        *card("02:00", 2, None, boot_vga=False), vitals=Vitals((CardVitals(CARD, removal=removal),))
    )
    check = checks(found)["swap.movable", CARD]
    assert check.verdict == "fail"
    assert check.fix is not None
    assert ("reboot" in check.fix) is stuck
    view: HostView = assess(found)
    assert [str(gpu.owner) for gpu in view.gpus if gpu.address == CARD] == [
        "stuck" if stuck else "moving"
    ]


def test_a_swap_whose_write_does_not_return() -> None:
    swap = replace(SWAP, state="stuck", message="the kernel does not return")
    check = checks(seen(*card("02:00", 2, boot_vga=False), swap=swap))["swap.movable", CARD]
    assert (check.verdict, "the kernel does not return" in check.why) == ("fail", True)


def test_a_card_that_has_left_the_bus() -> None:
    lost = NvmlReading(
        "580.95", (CardReading(HOST_CARD, "nvml", lost="it has fallen off the bus"),)
    )
    found = checks(seen(*card("02:00", 2, "vfio-pci", boot_vga=False), nvml=lost), Choice(CARD))
    check = found["gpu.answers", HOST_CARD]
    assert (check.verdict, check.why) == ("fail", "it has fallen off the bus")
    assert check.fix
    assert found["gpu.answers", CARD].verdict == "pass"


def test_a_card_that_nvml_cannot_read_may_still_answer() -> None:
    failed = CardReading(HOST_CARD, "nvml", failed="no permission to open this card")
    seen_by_nvml = seen(*card("02:00", 2, "vfio-pci"), nvml=NvmlReading("580.95", (failed,)))
    check = checks(seen_by_nvml, Choice(CARD))["gpu.answers", HOST_CARD]
    assert (check.verdict, check.why) == ("unknown", "no permission to open this card")
    view = assess(seen_by_nvml)
    assert "readings –   no permission to open this card" in as_text(view)
    document = next(gpu for gpu in as_json(view, NOON)["gpus"] if gpu["address"] == HOST_CARD)
    assert (document["lost"], document["no_reading"]) == (None, "no permission to open this card")


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"vendor": "ffff", "device": "ffff"}, "fail"),
        ({"vendor": "ffff", "unreadable": ("vendor",)}, "unknown"),
        ({}, "pass"),
    ],
)
def test_a_place_where_nothing_answers(facts: dict[str, Any], verdict: str) -> None:
    gpu = function("02:00.0", driver="vfio-pci", iommu_group=2, boot_vga=False, **facts)
    assert checks(seen(gpu), Choice(CARD))["gpu.answers", CARD].verdict == verdict


@pytest.mark.parametrize("ids", [{"vendor": "ffff", "device": "ffff"}, {"device": "ffff"}])
def test_a_card_that_does_not_respond_is_of_no_known_brand(ids: dict[str, str]) -> None:
    gpu = function("02:00.0", driver="nvidia", iommu_group=2, boot_vga=False, **ids)
    found = checks(seen(gpu), Choice(CARD))
    silent = "the device does not respond: its ids read ffff"
    check = found["r465.family", CARD]
    assert (check.verdict, check.why, check.fix) == ("unknown", silent, "see gpu.answers")
    assert found["gpu.answers", CARD].verdict == "fail"
    view = assess(seen(gpu), Choice(CARD))
    card_now = view.gpu(CARD)
    assert card_now is not None
    rule = r465.one_vm_for(card_now, view.gpus, seen(gpu).guests)
    assert (rule.verdict, rule.why) == ("unknown", silent)


@pytest.mark.parametrize(
    ("state", "verdict"), [("error", "warn"), ("D3cold", "pass"), (None, "pass")]
)
def test_its_power_state(state: str | None, verdict: str) -> None:
    vitals = Vitals((CardVitals(CARD, "active", state, driver="vfio-pci"),))
    found = seen(*card("02:00", 2, "vfio-pci", boot_vga=False), vitals=vitals)
    assert checks(found)["gpu.answers", CARD].verdict == verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("error", "warn"), ("suspended", "pass"), ("unsupported", "pass"), (None, "pass")],
)
@pytest.mark.parametrize("driver", ["vfio-pci", "nvidia"])
def test_its_runtime_status(status: str | None, verdict: str, driver: str) -> None:
    vitals = Vitals((CardVitals(CARD, status, driver=driver),))
    found = seen(*card("02:00", 2, driver, boot_vga=False), vitals=vitals)
    check = checks(found)["gpu.answers", CARD]
    assert check.verdict == verdict
    assert ("kernel log" in (check.fix or "")) == (verdict == "warn")


def test_a_chosen_card_that_is_somewhere_else_now() -> None:
    found = seen(*card("02:00", 2, boot_vga=False))
    check = checks(found, Choice("0000:0b:00.0"))["guest.gpu", "0000:0b:00.0"]
    assert check.verdict == "fail"
    assert "0000:0b:00.0, where no GPU is now; the GPUs now are 0000:02:00.0" in check.why
    assert ("guest.gpu", None) not in checks(found)
    assert ("guest.gpu", CARD) not in checks(found, Choice(CARD))
