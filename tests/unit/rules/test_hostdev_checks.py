"""guest.devices, row by row of its table: the verdict on each device of a guest, and why."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import (
    BRIDGE,
    NOON,
    SATA,
    USB,
    card,
    domain,
    function,
    guests,
    inventory,
    snapshot,
)
from tui.guest.plan import make_plan
from tui.model import (
    Attachment,
    Check,
    DeviceUse,
    DeviceUses,
    Domain,
    Holder,
    Holders,
    HostDev,
    HostView,
    PciFunction,
    Readiness,
    Unavailable,
)
from tui.report.status_json import as_json
from tui.report.status_text import as_text
from tui.rules import hostdev_checks
from tui.rules.check_input import CheckInput
from tui.rules.doctor import all_checks, examine
from tui.rules.roles import Choice
from tui.rules.view import assess
from tui.swap import preflight
from widgets.card import Card
from widgets.card_lines import card_lines
from widgets.device_panel import device_lines
from widgets.glyphs import RICH
from widgets.group_panel import viability_line
from widgets.group_table import table_rows

NVME, NIC, SOUND = "010802", "020000", "040300"
AT = "0000:03:00.0"
READY = Readiness(root=True, vfio_pci=True)
IDLE, NOBODY = DeviceUse(AT), Holders(())
KEYBOARD = Attachment("keyboard", "1-3", "is a keyboard")


def at(
    place: str, code: str, driver: str | None, group: int | None = 3, **facts: Any
) -> PciFunction:
    given = {"vendor": "144d", "device": "a808", "name": "Thing"} | facts
    return function(place, code, driver=driver, iommu_group=group, **given)


def takes(*slots: str, managed: bool = True, by: Any = "hostdev", **facts: Any) -> Domain:
    """A domain with its card and more devices."""
    made = domain("win11", "02:00.0", "02:00.1", **facts)
    more = tuple(HostDev(f"0000:{slot}", managed=managed, by=by) for slot in slots)
    return replace(made, hostdevs=(*made.hostdevs, *more))


def seen(
    functions: tuple[PciFunction, ...],
    guest: Domain,
    *others: Domain,
    uses: tuple[DeviceUse, ...] = (IDLE,),
    keyboard: bool = False,
    holders: Holders | Unavailable = NOBODY,
    choice: Choice | None = None,
    **pci: Any,
) -> CheckInput:
    cards = (*card("01:00", 1, boot_vga=True), *card("02:00", 2, "vfio-pci", boot_vga=False))
    found = snapshot(inventory(*cards, *functions, **pci), (guest, *others))
    view = assess(found, choice or Choice("0000:02:00.0", "win11"))
    return CheckInput(view, found.guests, holders, READY, DeviceUses(uses, keyboard))


def check(
    functions: tuple[PciFunction, ...], guest: Domain, *others: Domain, **facts: Any
) -> Check:
    return hostdev_checks.check(guest, seen(functions, guest, *others, **facts))


# --- there or not, taken or not ---------------------------------------------------------


def test_a_guest_with_nothing_but_its_card() -> None:
    found = check((), takes())
    assert (found.verdict, found.why) == ("pass", "2 devices, all present and available")


def test_one_that_is_not_there() -> None:
    found = check((), takes("03:00.0"))
    assert (found.verdict, found.why) == ("fail", "0000:03:00.0 does not exist")
    assert found.fix == (
        "press w, or `virsh -c qemu:///system edit win11`: remove the <hostdev> with "
        "<address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/>"
    )


@pytest.mark.parametrize("managed", [True, False])
def test_a_share_of_a_card_leaves_it_where_it_is(managed: bool) -> None:
    graphics = at("03:00.0", "038000", "i915")
    shares = takes("03:00.0", managed=managed, by="mdev")
    assert check((graphics,), shares).verdict == "pass"
    assert check((), shares).verdict == "fail"


def test_a_bridge() -> None:
    found = check((at("03:00.0", BRIDGE, "pcieport"),), takes("03:00.0"))
    assert (found.verdict, "is a bridge" in found.why) == ("fail", True)


def test_a_driver_that_cannot_be_read() -> None:
    dark = at("03:00.0", NVME, None, unreadable=("driver",))
    found = check((dark,), takes("03:00.0"))
    assert (found.verdict, "driver that cannot be read" in found.why) == ("unknown", True)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [("03:00.0", "is running with it"), ("03:00.1", "0000:03:00.1 of its IOMMU")],
)
@pytest.mark.parametrize("state", ["running", "paused"])
def test_one_that_another_guest_has(theirs: str, words: str, state: Any) -> None:
    both = (at("03:00.0", USB, "vfio-pci"), at("03:00.1", USB, "vfio-pci"))
    other = domain("nas", theirs, state=state)
    found = check(both, takes("03:00.0"), other)
    assert (found.verdict, words in found.why) == ("fail", True)
    assert found.fix == "shut down nas first"
    assert check(both, takes("03:00.0"), replace(other, state="shut off")).verdict == "pass"
    mine = takes("03:00.0", state=state)
    assert check(both, mine).verdict == "pass"


@pytest.mark.parametrize(
    ("state", "verdict"),
    [("running", "unknown"), ("paused", "unknown"), ("unknown", "unknown"), ("shut off", "pass")],
)
def test_another_guest_that_cannot_be_read_may_have_it(state: Any, verdict: str) -> None:
    other = replace(domain("nas", state=state), problem="not well-formed")
    found = check((), takes(), other)
    assert found.verdict == verdict
    assert ("the devices of “nas” cannot be read" in found.why) == (verdict == "unknown")
    gone = check((), takes("03:00.0"), other)
    assert (gone.verdict, gone.why) == ("fail", "0000:03:00.0 does not exist")
    none = domain("debian")
    assert check((), none, other).why == "“debian” uses no host devices"


def test_where_the_other_guests_cannot_be_read_nothing_is_free() -> None:
    guest = takes()
    lost = replace(seen((), guest), guests=Unavailable("libvirtd does not answer"))
    found = hostdev_checks.check(guest, lost)
    assert (found.verdict, found.why) == ("unknown", "libvirt: libvirtd does not answer")


# --- by its driver ------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["vfio-pci", "mlx5_vfio_pci", "nvgrace-gpu-vfio-pci"])
@pytest.mark.parametrize("managed", [True, False])
def test_one_that_is_ready(driver: str, managed: bool) -> None:
    found = check((at("03:00.0", NIC, driver),), takes("03:00.0", managed=managed))
    assert found.verdict == "pass"


@pytest.mark.parametrize("driver", [None, "pci-stub"])
def test_one_without_a_driver_of_the_host(driver: str | None) -> None:
    there = (at("03:00.0", NIC, driver),)
    assert check(there, takes("03:00.0")).verdict == "pass"
    found = check(there, takes("03:00.0", managed=False))
    assert (found.verdict, "managed='no'" in found.why) == ("fail", True)
    assert "`virsh -c qemu:///system nodedev-detach pci_0000_03_00_0`" in (found.fix or "")


@pytest.mark.parametrize(
    ("code", "driver"), [(NVME, "nvme"), (SATA, "ahci"), (NIC, "igc"), (SOUND, "snd_hda_intel")]
)
def test_one_that_libvirt_does_not_move(code: str, driver: str) -> None:
    found = check((at("03:00.0", code, driver),), takes("03:00.0", managed=False))
    assert found.verdict == "fail"
    assert found.why.startswith(f"0000:03:00.0 is on {driver}, and libvirt does not move it")
    assert "managed='yes'" in (found.fix or "")


def test_what_qemu_gets_by_its_command_line_moves_nobody() -> None:
    guest = takes("03:00.0", managed=False, by="command line")
    found = check((at("03:00.0", NVME, "nvme"),), guest)
    assert (found.verdict, "QEMU cannot take it" in found.why) == ("fail", True)
    assert (
        found.fix == "`virsh -c qemu:///system nodedev-detach pci_0000_03_00_0` before each start"
    )


USED = (
    (NVME, "nvme", Attachment("disk", "nvme0n1p2", "is mounted at /", in_use=True)),
    (NVME, "nvme", Attachment("disk", "nvme0n1p3", "is swap", in_use=True)),
    (SATA, "ahci", Attachment("disk", "sda1", "is part of md0, mounted at /srv", in_use=True)),
    (NIC, "igc", Attachment("network", "enp3s0", "has 192.0.2.5", in_use=True)),
    (USB, "xhci_hcd", Attachment("disk", "sdb1", "is mounted at /media/x", in_use=True)),
)


@pytest.mark.parametrize(("code", "driver", "use"), USED)
@pytest.mark.parametrize("managed", [True, False])
def test_one_that_the_host_uses(code: str, driver: str, use: Attachment, managed: bool) -> None:
    rest = at("04:00.0", USB, "xhci_hcd", 4)
    guest = takes("03:00.0", managed=managed)
    found = check((at("03:00.0", code, driver), rest), guest, uses=(DeviceUse(AT, (use,)),))
    assert found.verdict == "fail"
    for words in ("0000:03:00.0", f"is on {driver}", use.text):
        assert words in found.why
    assert "remove the <hostdev> with <address domain='0x0000' bus='0x03'" in (found.fix or "")


@pytest.mark.parametrize(
    ("code", "driver", "idle"),
    [
        (NVME, "nvme", (Attachment("disk", "nvme1n1", "is not in use"),)),
        (NIC, "igc", (Attachment("network", "enp3s0", "is up, without an address"),)),
        ("0c0500", "i801_smbus", ()),
    ],
)
def test_one_that_the_host_has_and_does_not_use(
    code: str, driver: str, idle: tuple[Attachment, ...]
) -> None:
    there = (at("03:00.0", code, driver),)
    found = check(there, takes("03:00.0"), uses=(DeviceUse(AT, idle),))
    assert found.verdict == "warn"
    assert all(each.text in found.why for each in idle)
    dark = check(there, takes("03:00.0"), uses=(DeviceUse(AT, idle, ("what is mounted",)),))
    assert (dark.verdict, "cannot tell what is mounted" in dark.why) == ("unknown", True)
    assert check(there, takes("03:00.0"), uses=()).verdict == "unknown"


def test_a_sound_card_that_a_program_plays_through() -> None:
    there = (at("03:00.0", SOUND, "snd_hda_intel"),)
    player = Holder(AT, 1234, "pipewire", "/dev/snd/pcmC1D0p")
    found = check(there, takes("03:00.0"), holders=Holders((player,)))
    assert found.verdict == "fail"
    assert "pipewire (1234) has /dev/snd/pcmC1D0p open" in found.why
    assert check(there, takes("03:00.0"), holders=Holders((), uninspected=2)).verdict == "unknown"
    assert check(there, takes("03:00.0"), holders=Unavailable("no /proc")).verdict == "unknown"
    assert check(there, takes("03:00.0")).verdict == "warn"
    elsewhere = replace(player, what="/dev/input/event4")
    assert check(there, takes("03:00.0"), holders=Holders((elsewhere,))).verdict == "warn"


# --- USB ----------------------------------------------------------------------------------


def test_the_only_usb_controller() -> None:
    there = at("03:00.0", USB, "xhci_hcd")
    found = check((there,), takes("03:00.0"))
    assert (found.verdict, "no other USB controller" in found.why) == ("fail", True)
    second = at("04:00.0", USB, "xhci_hcd", 4)
    assert check((there, second), takes("03:00.0")).verdict == "warn"
    assert check((there, second), takes("03:00.0", "04:00.0")).verdict == "fail"
    for gone in (replace(second, driver="vfio-pci"), replace(second, driver=None)):
        assert check((there, gone), takes("03:00.0")).verdict == "fail"


def test_the_port_of_a_graphics_card_is_no_usb_controller_of_the_host() -> None:
    port = at("01:00.2", USB, "xhci_hcd", 1, vendor="10de")
    found = check((at("03:00.0", USB, "xhci_hcd"), port), takes("03:00.0"))
    assert "no other USB controller" in found.why


def test_the_last_keyboard() -> None:
    both = (at("03:00.0", USB, "xhci_hcd"), at("04:00.0", USB, "xhci_hcd", 4))
    here, other = DeviceUse(AT, (KEYBOARD,)), DeviceUse("0000:04:00.0")
    guest = takes("03:00.0")
    found = check(both, guest, uses=(here, other))
    assert (found.verdict, "last keyboard" in found.why) == ("fail", True)
    assert check(both, guest, uses=(here, other), keyboard=True).verdict == "warn"
    typed = (here, replace(other, attached=(KEYBOARD,)))
    assert check(both, guest, uses=typed).verdict == "warn"
    dark = (here, replace(other, unreadable=("everything attached to it",)))
    assert check(both, guest, uses=dark).verdict == "unknown"


def test_for_a_usb_controller_the_others_are_looked_at_too() -> None:
    functions = (
        at("03:00.0", USB, "xhci_hcd"),
        at("04:00.0", USB, "xhci_hcd", 4),
        at("05:00.0", NVME, "nvme", 5),
        at("06:00.0", SOUND, "snd_hda_intel", 6),
    )
    guest = takes("03:00.0")
    assert hostdev_checks.functions_to_inspect(guest, seen(functions, guest).view) == (
        AT,
        "0000:04:00.0",
    )
    guest = takes("05:00.0", "06:00.0", "07:00.0")
    view = seen(functions, guest).view
    assert hostdev_checks.functions_to_inspect(guest, view) == ("0000:05:00.0", "0000:06:00.0")
    assert hostdev_checks.functions_with_open_files(guest, view) == ("0000:05:00.0", "0000:06:00.0")


# --- its group ------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["vfio-pci", None, "xhci_hcd"])
def test_a_group_that_the_host_keeps_a_part_of(driver: str | None) -> None:
    rest = (at("03:00.1", NIC, "igc"), at("04:00.0", USB, "xhci_hcd", 4))
    found = check((at("03:00.0", USB, driver), *rest), takes("03:00.0"))
    assert found.verdict == "fail"
    assert "shares IOMMU group 3 with a device on a host driver: 0000:03:00.1 (igc)" in found.why


@pytest.mark.parametrize("rest", ["pcieport", "vfio-pci", "pci-stub", None])
def test_a_group_that_can_be_used(rest: str | None) -> None:
    code = BRIDGE if rest == "pcieport" else NIC
    beside = at("03:00.1", code, rest)
    assert check((at("03:00.0", NIC, "vfio-pci"), beside), takes("03:00.0")).verdict == "pass"


def test_a_group_that_libvirt_moves_as_a_whole() -> None:
    both = (at("03:00.0", NIC, "igc"), at("03:00.1", NIC, "igc"))
    uses = (IDLE, DeviceUse("0000:03:00.1"))
    assert check(both, takes("03:00.0", "03:00.1"), uses=uses).verdict == "warn"
    assert check(both, takes("03:00.0", "03:00.1", managed=False), uses=uses).verdict == "fail"


def test_a_group_of_which_something_cannot_be_read() -> None:
    dark = at("03:00.1", NIC, None, unreadable=("driver",))
    assert check((at("03:00.0", NIC, "vfio-pci"), dark), takes("03:00.0")).verdict == "unknown"
    lost = at("03:00.0", NIC, "vfio-pci", None, unreadable=("iommu_group",))
    assert check((lost,), takes("03:00.0")).verdict == "unknown"


def test_no_group_and_one_that_isolates_nothing() -> None:
    for facts in ({"group": None}, {"group": 3}):
        there = (at("03:00.0", NIC, "vfio-pci", **facts),)
        noiommu = {"noiommu_groups": (3,)} if facts["group"] else {}
        assert check(there, takes("03:00.0"), **noiommu).verdict == "fail"


def test_a_capture_without_groups() -> None:
    guest, there = takes("03:00.0"), at("03:00.0", NIC, "vfio-pci", None)
    cards = (*card("01:00", None, boot_vga=True), *card("02:00", None, "vfio-pci"))
    lost = snapshot(inventory(*cards, there, groups=(), groups_known=False), (guest,))
    readings = seen((there,), guest)
    view = assess(lost, Choice("0000:02:00.0", "win11"))
    found = hostdev_checks.check(guest, replace(readings, view=view))
    assert found.verdict == "unknown"
    assert "0000:03:00.0 has no IOMMU group in the capture" in found.why
    assert found.fix == "capture /sys/kernel/iommu_groups as well"


def test_one_device_without_a_group_does_not_mean_that_the_iommu_is_off() -> None:
    found = check((at("03:00.0", NIC, "vfio-pci", None),), takes("03:00.0"))
    assert found.verdict == "fail"
    assert "turn the IOMMU on" not in (found.fix or "")
    assert "another slot" in (found.fix or "")


# --- functions of cards ---------------------------------------------------------------------


def test_what_our_start_binds_is_no_fault_wherever_it_is() -> None:
    third = card("03:00", 3, "nvidia", boot_vga=False)
    for managed in (True, False):
        found = check(third, takes("03:00.0", "03:00.1", managed=managed))
        assert found.verdict == "pass", found


def test_the_hosts_display() -> None:
    found = check((), takes("01:00.0", "01:00.1"))
    assert found.verdict == "fail"
    assert "0000:01:00.0 is on nvidia: the card drives the host's display" in found.why
    alone = replace(takes(), hostdevs=(HostDev("0000:01:00.1", managed=True),))
    assert "0000:01:00.1 is on snd_hda_intel: the card drives" in check((), alone).why


# --- reasons and fixes ----------------------------------------------------------------------------


def test_the_worst_comes_first_and_the_rest_is_counted() -> None:
    there = (at("03:00.0", NVME, "nvme"),)
    guest = takes("03:00.0", *(f"0{bus}:00.0" for bus in range(4, 9)))
    found = check(there, guest)
    assert found.why == (
        "0000:04:00.0 does not exist; 0000:05:00.0 does not exist; 0000:06:00.0 does not exist "
        "and 3 more"
    )
    assert (found.fix or "").count("virsh -c qemu:///system edit") == 1
    assert (found.fix or "").count("<address") == 3


def test_devices_are_judged_in_their_order_each_once() -> None:
    guest = takes("04:00.0", "03:00.0", "04:00.0")
    found = hostdev_checks.verdicts(guest, seen((at("03:00.0", NIC, "vfio-pci"),), guest))
    assert [(dev.address[5:], dev.verdict, dev.short) for dev in found] == [
        ("02:00.0", "pass", ""), ("02:00.1", "pass", ""), ("04:00.0", "fail", "gone"),
        ("03:00.0", "pass", ""),
    ]  # fmt: skip


def test_each_fix_names_its_own_device() -> None:
    disk = Attachment("disk", "nvme0n1p2", "is mounted at /", in_use=True)
    functions = (
        at("03:00.0", NVME, "nvme"), at("04:00.0", NIC, "iwlwifi", 4), at("05:00.0", NIC, None, 5),
    )  # fmt: skip
    guest = takes("03:00.0", "04:00.0", "05:00.0", managed=False)
    found = check(functions, guest, uses=(DeviceUse(AT, (disk,)),))
    address = "<address domain='0x0000' bus='0x0{}' slot='0x00' function='0x0'/>".format
    assert found.fix == (
        f"`virsh -c qemu:///system edit win11`: remove the <hostdev> with {address(3)} and set "
        f"managed='yes' in the <hostdev> with {address(4)} and set managed='yes' in the <hostdev> "
        f"with {address(5)}; instead of managed='yes', `virsh -c qemu:///system nodedev-detach "
        "pci_0000_04_00_0` before each start, `virsh -c qemu:///system nodedev-detach "
        "pci_0000_05_00_0` before each start"
    )
    turned = takes("05:00.0", "04:00.0", "03:00.0", managed=False)
    first, _, rest = (check(functions, turned, uses=(DeviceUse(AT, (disk,)),)).fix or "").partition(
        " and "
    )
    assert first == f"`virsh -c qemu:///system edit win11`: remove the <hostdev> with {address(3)}"
    assert rest.startswith(f"set managed='yes' in the <hostdev> with {address(5)} and set")
    alone = check(functions[1:2], takes("04:00.0", managed=False))
    assert alone.fix == (
        f"`virsh -c qemu:///system edit win11`: set managed='yes' in the <hostdev> with "
        f"{address(4)}; instead of managed='yes', `virsh -c qemu:///system nodedev-detach "
        "pci_0000_04_00_0` before each start"
    )


@pytest.mark.parametrize(
    ("by", "element"),
    [("disk", "<disk type='nvme'>"), ("interface", "<interface type='hostdev'>")],
)
def test_what_is_no_hostdev_is_called_by_its_name_and_not_left_to_w(by: str, element: str) -> None:
    found = check((), takes("03:00.0", by=by))
    assert f"remove the {element} with" in (found.fix or "")
    assert "press w" not in (found.fix or "")


def test_nothing_is_known() -> None:
    guest = takes("03:00.0")
    unread = replace(seen((), guest), view=assess(snapshot(inventory(), (guest,))))
    found = hostdev_checks.check(guest, unread)
    assert found.verdict == "unknown"
    assert "0000:03:00.0 cannot be checked: the PCI devices were not read" in found.why
    assert hostdev_checks.check(replace(guest, problem="no XML"), unread).verdict == "unknown"
    assert (
        hostdev_checks.check(domain("debian"), seen((), guest)).why
        == "“debian” uses no host devices"
    )


# --- where the verdicts count ------------------------------------------------------------------


def test_a_start_is_refused_for_another_device_than_the_card() -> None:
    disk = Attachment("disk", "nvme0n1p2", "is mounted at /", in_use=True)
    there, guest = (at("03:00.0", NVME, "nvme"),), takes("03:00.0")
    plan = make_plan("start", guest, seen(there, guest, uses=(DeviceUse(AT, (disk,)),)))
    (refusal,) = plan.refusals
    assert (refusal.id, refusal.subject) == ("guest.devices", "win11")
    assert not make_plan("start", guest, seen(there, guest)).refusals
    stop = make_plan("stop", replace(guest, state="running"), seen(there, guest))
    assert "guest.devices" not in {check.id for check in stop.checks}


@pytest.mark.parametrize("managed", [True, False])
def test_a_start_waits_for_no_neighbour_that_libvirt_moves(managed: bool) -> None:
    """libvirt detaches every managed device before QEMU opens the group
    (src/hypervisor/virhostdev.c: virHostdevPreparePCIDevices)."""
    serial = at("03:00.0", "070002", "serial", 2)
    guest = takes("03:00.0", managed=managed)
    plan = make_plan("start", guest, seen((serial,), guest))
    (found,) = [check for check in plan.checks if check.id == "iommu.viable"]
    assert found.verdict == ("pass" if managed else "fail")
    assert ("0000:03:00.0" in found.why, found.fix is None) == (True, managed)
    disk = at("04:00.0", NVME, "nvme", 2)
    both = make_plan("start", guest, seen((serial, disk), guest))
    (found,) = [check for check in both.checks if check.id == "iommu.viable"]
    assert (found.verdict, "0000:04:00.0" in found.why) == ("fail", True)
    assert ("0000:03:00.0" in found.why) is not managed


# --- neighbours in the group of a card that is still with the host --------------------


NEIGHBOUR = at("03:00.0", NVME, "nvme", 2)
HOMED = (*card("01:00", 1, boot_vga=True), *card("02:00", 2, boot_vga=False))


def with_host(
    guest: Domain, *others: Domain, functions: tuple[PciFunction, ...] = (NEIGHBOUR,), **facts: Any
) -> CheckInput:
    found = snapshot(inventory(*HOMED, *functions), (guest, *others))
    view = assess(found, facts.get("choice", Choice("0000:02:00.0")))
    return CheckInput(view, found.guests, NOBODY, READY, DeviceUses(facts.get("uses", (IDLE,))))


def everywhere(guest: Domain, readings: CheckInput) -> list[Check]:
    """iommu.viable from the start, from its bind as the runner plans it, and from the doctor."""
    (gpu,) = (each for each in readings.view.gpus if each.address == "0000:02:00.0")
    start, bind = make_plan("start", guest, readings), preflight.make_plan(gpu, "bind", readings)
    assert start.swap is not None
    told = (start.checks, bind.checks, all_checks(examine(readings)))
    return [c for checks in told for c in checks if (c.id, c.subject) == ("iommu.viable", CARD)]


CARD = "0000:02:00.0"
USED_BY_HOST = (DeviceUse(AT, (Attachment("disk", "nvme0n1p2", "is mounted at /", in_use=True),)),)


def shown(view: HostView, width: int = 100) -> list[str]:
    """What the card's panel, the groups' frame, the row of the neighbour, the details and status
    say of the card's group."""
    (gpu,) = (each for each in view.gpus if each.address == CARD)
    lines = [
        card_lines(Card(gpu, NOON), width, 20), [viability_line(view, RICH)],
        [row.line for row in table_rows(view, width) if row.address == AT],
        device_lines(CARD, view, width),
    ]  # fmt: skip
    text = ["\n".join("".join(span.text for span in line) for line in each) for each in lines]
    return [*text, as_text(view)]


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("driver", ["nvme", "uio_pci_generic"])
def test_the_screen_agrees_with_the_start_on_a_neighbour(managed: bool, driver: str) -> None:
    view = with_host(
        takes("03:00.0", managed=managed), functions=(replace(NEIGHBOUR, driver=driver),)
    ).view
    panel, group, row, details, status = shown(view)
    if managed:
        assert "blocked" not in panel
        assert group == "✓ guest GPU viable"
        assert "moves along" in row
        assert "viable" in details
        assert "blocked" not in details
        assert "viable: moves as 0000:02:00.0 .1; starting the guest moves 0000:03:00.0" in status
    else:
        assert "blocked by 1 device" in panel
        assert group == "✗ guest GPU blocked by 1"
        assert "used by the host" in row
        assert "blocked" in details
        assert "not viable: a device in the group stays with the host" in status
    document = as_json(view, NOON)["viability"][CARD]
    assert (document["viable"], document["moved_at_start"]) == (managed, [AT] if managed else [])
    assert bool(document["blockers"]) is not managed


def test_only_what_the_start_leaves_blocks_a_group_on_the_screen() -> None:
    disk = at("04:00.0", NVME, "nvme", 2)
    view = with_host(takes("03:00.0"), functions=(NEIGHBOUR, disk)).view
    panel, group, row, _, status = shown(view)
    assert "04:00.0" in panel
    assert "03:00.0" not in panel
    assert group == "✗ guest GPU blocked by 1"
    assert "moves along" in row
    assert "not viable: a device in the group stays with the host" in status


def test_the_last_usb_controller_blocks_the_group_on_the_screen_too() -> None:
    """No start takes it (hostdev_verdicts)."""
    last = replace(NEIGHBOUR, class_code=USB, driver="xhci_hcd")
    view = with_host(takes("03:00.0"), functions=(last,)).view
    assert "03:00.0" in shown(view)[0]
    assert shown(view)[1] == "✗ guest GPU blocked by 1"


@pytest.mark.parametrize("by", ["hostdev", "disk", "interface", "command line"])
@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("driver", ["nvme", "pci-stub", "vfio-pci", "uio_pci_generic", None])
def test_a_neighbour_that_the_guest_takes_too(by: Any, managed: bool, driver: str | None) -> None:
    """libvirt moves what is managed before QEMU opens the group (virhostdev.c); VFIO refuses a
    group with an endpoint on a driver that does DMA of its own, and pci-stub does none."""
    guest = takes("03:00.0", managed=managed and by != "command line", by=by)
    readings = with_host(guest, functions=(replace(NEIGHBOUR, driver=driver),))
    moved = managed and by != "command line"
    blocked = driver in ("nvme", "uio_pci_generic") and not moved
    found = everywhere(guest, readings)
    assert [each.verdict for each in found] == ["fail" if blocked else "pass"] * 3
    start = make_plan("start", guest, readings)
    # libvirt and QEMU refuse a device that is not on a VFIO driver and is not moved.
    assert bool(start.refusals) is (driver != "vfio-pci" and not moved)
    if blocked:
        for each in found:
            assert f"0000:03:00.0 is used by the host ({driver})" in each.why
            fix = each.fix or ""
            assert "`virsh -c qemu:///system nodedev-detach pci_0000_03_00_0` first" in fix
            assert ("set managed='yes' for it" in fix) is (by != "command line")
            assert "give 0000:03:00.0" not in fix
    elif driver in ("nvme", "uio_pci_generic"):
        assert "starting “win11” moves 0000:03:00.0" in found[0].why
        # It is not taken without a warning.
        (told,) = (check for check in start.checks if check.id == "guest.devices")
        assert (told.verdict, "libvirt takes it from the host" in told.why) == ("warn", True)


def test_a_neighbour_is_not_taken_from_under_the_host() -> None:
    guest = takes("03:00.0")
    for found in everywhere(guest, with_host(guest, uses=USED_BY_HOST)):
        assert (found.verdict, "0000:03:00.0" in found.why) == ("fail", True)
        assert "nodedev-detach" not in (found.fix or "")
    refusals = make_plan("start", guest, with_host(guest, uses=USED_BY_HOST)).refusals
    assert {check.id for check in refusals} == {"guest.devices", "iommu.viable"}


def test_a_neighbour_of_which_nothing_is_known_is_left_to_the_start_to_ask_for() -> None:
    guest = takes("03:00.0")
    readings = with_host(guest, uses=())
    assert [each.verdict for each in everywhere(guest, readings)] == ["pass"] * 3
    doubts = make_plan("start", guest, readings).doubts
    assert "guest.devices" in {check.id for check in doubts}


def test_one_neighbour_that_is_moved_and_one_that_is_not() -> None:
    usb = at("04:00.0", USB, "xhci_hcd", 2)
    spare = at("05:00.0", USB, "xhci_hcd", 5)
    guest = takes("03:00.0")
    for found in everywhere(guest, with_host(guest, functions=(NEIGHBOUR, usb, spare))):
        assert (found.verdict, found.why) == ("fail", "0000:04:00.0 is used by the host (xhci_hcd)")
        assert "give the guest the rest, if the host can spare it" in (found.fix or "")
        assert "03:00.0" not in (found.fix or "").replace("03_00_0", "03:00.0")


def test_what_another_guest_takes_does_not_leave_for_this_one() -> None:
    guest, nas = takes(), domain("nas", "03:00.0", managed=True)
    for found in everywhere(guest, with_host(guest, nas, choice=Choice(CARD, "win11"))):
        assert (found.verdict, "0000:03:00.0" in found.why) == ("fail", True)


def test_which_guest_counts() -> None:
    """The allowed guest; if that one is not known, any guest that could start."""
    able, not_able = takes("03:00.0"), replace(takes(), name="linux", uuid="uuid-linux")
    (gpu,) = (
        each for each in with_host(able, not_able).view.gpus if each.address == CARD
    )  # fmt: skip
    for allowed, verdict in (("win11", "pass"), ("linux", "fail"), (None, "pass")):
        readings = with_host(able, not_able, choice=Choice(CARD, allowed))
        bind = preflight.make_plan(gpu, "bind", readings)
        made = next(check for check in bind.checks if check.id == "iommu.viable")
        assert made.verdict == (verdict if allowed else "pass")
    # A start is checked for the guest that starts.
    readings = with_host(able, not_able)
    for domain_, verdict in ((able, "pass"), (not_able, "fail")):
        start = make_plan("start", domain_, readings)
        made = next(check for check in start.checks if check.id == "iommu.viable")
        assert made.verdict == verdict


def test_two_cards_of_one_group_for_one_guest_are_bound_one_after_the_other() -> None:
    second = card("03:00", 2, "nouveau", boot_vga=False)
    both = takes("03:00.0", "03:00.1", managed=False)
    assert [each.verdict for each in everywhere(both, with_host(both, functions=second))] == (
        ["pass"] * 3
    )
    # But the host's display does not move.
    display = tuple(replace(f, boot_vga=True) if f.is_gpu else f for f in second)
    for found in everywhere(both, with_host(both, functions=display)):
        assert (found.verdict, "0000:03:00.0 is another GPU" in found.why) == ("fail", True)


def test_a_guest_with_a_whole_group_is_not_advised_to_take_it() -> None:
    guest = takes("03:00.0", managed=False)
    found = hostdev_checks.check(guest, with_host(guest))
    assert "shares IOMMU group 2 with a device on a host driver: 0000:03:00.0" in found.why
    assert "give it to the guest" not in (found.fix or "")
    assert "set managed='yes' in the <hostdev> with <address" in (found.fix or "")
    alone = takes()
    found = hostdev_checks.check(alone, with_host(alone))
    assert "give it to the guest" in (found.fix or "")


def test_a_guest_without_a_card_of_ours_is_judged_as_well() -> None:
    nas = domain("nas", "03:00.0")
    plan = make_plan("start", nas, seen((at("03:00.0", SATA, "ahci"),), nas, choice=Choice()))
    assert [check.id for check in plan.refusals] == ["guest.devices"]
    assert guests(nas).domains == (nas,)


def test_the_last_readings_tell_which_guest_has_a_device() -> None:
    """As in the panel of a guest, without a check of the processes."""
    guest, other = takes("03:00.0"), domain("nas", "03:00.0", state="running")
    known = seen((at("03:00.0", USB, "vfio-pci"),), guest, other)
    *_, found = hostdev_checks.live_verdicts(guest, known.view, known.guests, DeviceUses())
    assert (found.verdict, found.short) == ("fail", "in nas")
    *_, found = hostdev_checks.live_verdicts(
        guest, known.view, Unavailable("libvirtd is away"), DeviceUses()
    )
    assert found.why == "0000:03:00.0 is on vfio-pci"


# --- whose devices are checked ------------------------------------------------------------------


def test_where_the_guest_is_not_known_each_that_may_be_it_is_judged() -> None:
    unread = replace(domain("odd"), problem="no XML")
    bare, nas, game = domain("bare"), domain("nas", "03:00.0"), domain("game", "03:00.0")
    view = seen((), bare, nas, game, unread, choice=Choice()).view
    assert view.guest is None
    assert [each.name for each in hostdev_checks.domains_to_check(view)] == ["game", "nas"]
    known = seen((), takes(), nas).view
    assert [each.name for each in hostdev_checks.domains_to_check(known)] == ["win11"]


def test_a_share_of_a_card_is_not_looked_at() -> None:
    functions = (at("03:00.0", "038000", "i915"), at("04:00.0", NVME, "nvme", 4))
    guest = takes("03:00.0", by="mdev")
    assert hostdev_checks.functions_to_inspect(guest, seen(functions, guest).view) == ()
    # Nor does its card leave the host for that.
    beside = at("05:00.0", NIC, "vfio-pci", 3)
    both = replace(guest, hostdevs=(*guest.hostdevs, HostDev("0000:05:00.0", managed=True)))
    assert check((functions[0], beside), both).verdict == "fail"


def test_words_for_one_device_alone() -> None:
    one = domain("nas", "03:00.0")
    there = (at("03:00.0", NIC, "vfio-pci"),)
    assert check(there, one).why == "0000:03:00.0 is present and available"
    pending = check((at("03:00.0", NIC, "pci-stub"),), takes("03:00.0", managed=False))
    assert pending.why.startswith("0000:03:00.0 is on pci-stub, and libvirt does not move it")
    free = check((at("03:00.0", NIC, None),), takes("03:00.0", managed=False))
    assert free.why.startswith("0000:03:00.0 is on no driver, and libvirt does not move it")


def test_many_uses_are_counted() -> None:
    disks = tuple(Attachment("disk", f"sd{n}", "is swap", in_use=True) for n in "abcde")
    found = check((at("03:00.0", SATA, "ahci"),), takes("03:00.0"), uses=(DeviceUse(AT, disks),))
    assert found.why.endswith("sda is swap, sdb is swap, sdc is swap and 2 more")
    few = check((at("03:00.0", SATA, "ahci"),), takes("03:00.0"), uses=(DeviceUse(AT, disks[:3]),))
    assert few.why.endswith("sdc is swap")


def test_of_what_is_known_in_part_the_worst_counts() -> None:
    part = replace(takes(), problem="its command line cannot be read")
    assert check((), part).verdict == "unknown"
    absent = replace(takes("03:00.0"), problem=part.problem)
    assert check((), absent).why == "0000:03:00.0 does not exist"


def test_a_card_that_a_process_has_of_which_libvirt_does_not_know() -> None:
    guest = takes()
    qemu = Holder("0000:02:00.0", 77, "qemu-system-x86", "/dev/vfio/2", guest="nas")
    known = seen((), guest)
    gpus = tuple(
        replace(gpu, taken_by=qemu) if gpu.role == "guest" else gpu for gpu in known.view.gpus
    )
    found = hostdev_checks.check(guest, replace(known, view=replace(known.view, gpus=gpus)))
    assert (found.verdict, "“nas”" in found.why) == ("fail", True)
