"""The steps to a guest with a card, in the order in which somebody who knows VFIO takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.demo import HeldClock
from tests.hosts_layout import hosts, lay_out
from tests.thorough import thorough
from tests.unit.captured import tower
from tests.unit.made import card, domain, inventory, snapshot, two_cards
from tests.unit.rules.test_doctor import READY, WIN11
from tests.unit.rules.test_known_fixes import AMD, ARM, CMDLINE, DEFAULT, GRUB, INTEL
from tests.values import replace
from tui.host import Host
from tui.host.captured import captured_host
from tui.host.demo.host import SCENARIOS, demo_host
from tui.model import NOT_READ_YET, Holders, Inventory, Readiness, Snapshot, Unavailable
from tui.once import examine_once
from tui.rules.check_input import CheckInput
from tui.rules.doctor import all_checks, examine
from tui.rules.first_steps import Step, first_steps, later, live_steps, next_step
from tui.rules.libvirt_uri import START, SYSTEM
from tui.rules.roles import Choice
from tui.rules.view import assess

NO_LIBVIRT = Unavailable(f"libvirtd is not running, or does not serve {SYSTEM}: {START}")
NO_GROUPS = Inventory(tuple(replace(f, iommu_group=None) for f in two_cards().functions), None, ())
TWO_SPARES = inventory(
    *card("01:00", 1, boot_vga=True), *card("02:00", 2, boot_vga=False),
    *card("03:00", 3, boot_vga=False),
)  # fmt: skip


def steps_of(seen: Snapshot, readiness: Readiness = READY, **chosen: Any) -> tuple[Step, ...]:
    """The steps on the doctor's checks."""
    view = assess(seen, Choice(**chosen))
    found = examine(CheckInput(view, seen.guests, Holders(()), readiness))
    return first_steps(view, all_checks(found), readiness)


def steps_on(host: Host) -> tuple[Step, ...]:
    seen = examine_once(host, Choice())
    return first_steps(seen.view, all_checks(examine(seen)), seen.readiness)


def states(steps: tuple[Step, ...]) -> str:
    """``cards next, firmware, kernel``: the steps that are not done. The last one never is if
    another is left."""
    left = [step for step in steps if step.state != "done"]
    if len(left) > 1 and left[-1].id == "ready":
        assert left.pop().state == "later"
    return ", ".join(f"{s.id}{' next' if s.state == 'next' else ''}" for s in left)


@pytest.mark.parametrize(
    ("seen", "left", "lack"),
    [
        (snapshot(inventory()), "cards next, firmware, kernel, reboot, guest, roles", None),
        (snapshot(inventory(*card("01:00", 1, boot_vga=True)), [WIN11]), "cards next, guest, roles",
         "one-gpu"),
        (snapshot(NO_GROUPS, guests=NO_LIBVIRT),
         "firmware next, kernel, reboot, libvirt, guest, roles", "iommu-off"),
        (snapshot(two_cards(), guests=NO_LIBVIRT), "libvirt next, guest, roles", "libvirt"),
        (snapshot(two_cards()), "guest next, roles", "no-guest"),
        (snapshot(two_cards(), [domain("debian")]), "guest next, roles", "card-unnamed"),
        (snapshot(TWO_SPARES, [domain("debian")]), "guest next, roles", "card-unknown"),
        (snapshot(two_cards(), [WIN11, domain("games", "02:00.0", "02:00.1")]), "roles next",
         "guest-unknown"),
        (snapshot(TWO_SPARES, [WIN11, domain("games", "03:00.0", "03:00.1")]), "roles next",
         "card-unknown"),
        (snapshot(two_cards(), [WIN11]), "", None),
    ],
)  # fmt: skip
def test_the_order(seen: Snapshot, left: str, lack: str | None) -> None:
    found = steps_of(seen)
    assert states(found) == left
    step = next_step(found)
    assert (step.lack if step else None) == lack
    assert step is None or step.fix is not None or "two GPUs" in step.why


def test_a_guest_that_was_chosen_needs_the_card_in_its_definition() -> None:
    seen = snapshot(two_cards(), [domain("debian"), WIN11])
    step = next_step(steps_of(seen, guest="debian"))
    assert step is not None and (step.id, step.lack) == ("guest", "card-not-listed")
    assert "virsh -c qemu:///system edit debian" in (step.fix or "")


def test_a_card_that_is_gone_is_chosen_anew() -> None:
    step = next_step(steps_of(snapshot(two_cards(), [WIN11]), guest_gpu="0000:09:00.0"))
    assert step is not None and (step.id, step.lack) == ("roles", "card-gone")


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (AMD | {CMDLINE: "quiet\n"}, "firmware next, reboot"),
        (AMD | {CMDLINE: "amd_iommu=off\n"}, "firmware, kernel next, reboot"),
        (AMD | {CMDLINE: "quiet\n", GRUB: DEFAULT.format("amd_iommu=off")},
         "firmware next, kernel, reboot"),
        (ARM | {CMDLINE: "quiet iommu=off\n"}, "firmware next, reboot"),
        (INTEL | {CMDLINE: "quiet\n"}, "firmware next, kernel, reboot"),
        (INTEL | {CMDLINE: "intel_iommu=on\n"}, "firmware next, reboot"),
        (INTEL | {CMDLINE: "quiet\n", GRUB: DEFAULT.format("intel_iommu=on")},
         "firmware, reboot next"),
        (INTEL | {CMDLINE: "intel_iommu=off\n"}, "firmware, kernel next, reboot"),
        (INTEL | {GRUB: DEFAULT.format("iommu=off")}, "firmware, kernel next, reboot"),
    ],
)  # fmt: skip
def test_where_the_iommu_is_turned_on(tmp_path: Path, files: dict[str, str], left: str) -> None:
    found = steps_on(captured_host(str(tower(tmp_path, files, groups=False))))
    assert states(found[:4]) == left


def test_interrupt_remapping_is_turned_on_before_libvirt_is_started(tmp_path: Path) -> None:
    found = steps_on(captured_host(str(tower(tmp_path, INTEL | {CMDLINE: "intremap=off\n"}))))
    assert states(found[:4]) == "kernel next, reboot"


def test_the_module_comes_before_libvirt() -> None:
    seen = snapshot(two_cards(), guests=NO_LIBVIRT)
    for available, lack in ((False, "vfio"), (None, None)):
        found = steps_of(seen, Readiness(root=True, vfio_pci=available))
        assert states(found) == "vfio next, libvirt, guest, roles"
        assert [step.lack for step in found if step.state == "next"] == [lack]


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("43-thinkpad-p52-nogroups", "firmware next, kernel, reboot"),
        *thorough(
            ("45-4x-gtx1080-vfio-nogroups", "firmware next, kernel, reboot"),
            ("39-x58-gtx1060", "cards next"),
            ("35-m75s-renoir-apu", "cards next"),
            ("09-asrock-z170-gtx960", ""),
            ("23-epyc-6x-v100", ""),
        ),
    ],
)
def test_real_hosts(tmp_path: Path, name: str, left: str) -> None:
    found = steps_on(captured_host(str(lay_out(hosts()[name], tmp_path))))
    assert states(found[:4]) == left
    assert found[-1].state == "later"  # a capture without domains is not ready


@pytest.mark.parametrize(
    ("scenario", "left"),
    [
        ("desk", ""),
        ("fresh", "firmware next, reboot, libvirt, guest, roles"),
        ("bad-acs", "ready next"),
        *thorough(*((name, "") for name in sorted({*SCENARIOS} - {"desk", "fresh", "bad-acs"}))),
    ],
)
def test_simulated_hosts(scenario: str, left: str) -> None:
    assert states(steps_on(demo_host(scenario, clock=HeldClock()))) == left


def test_a_program_on_the_card_is_no_step() -> None:
    found = steps_on(demo_host("laptop", clock=HeldClock()))
    assert next_step(found) is None


def test_nothing_that_was_not_read_is_done() -> None:
    blind = Readiness(root=None, vfio_pci=None, with_vfs=None)
    found = steps_of(Snapshot(), blind)
    assert [step for step in found if step.state == "done"] == []
    step = next_step(found)
    assert step is not None and (step.id, step.lack) == ("cards", None)


def test_the_last_readings_alone_tell_what_is_missing() -> None:
    def lack(seen: Snapshot) -> str | None:
        step = next_step(live_steps(assess(seen), seen.guests))
        return step.lack if step is not None else None

    assert lack(snapshot(NO_GROUPS, guests=NO_LIBVIRT)) == "iommu-off"
    assert lack(snapshot(two_cards(), guests=NO_LIBVIRT)) == "libvirt"
    assert lack(snapshot(two_cards(), guests=NOT_READ_YET)) == "libvirt"
    assert lack(snapshot(two_cards())) == "no-guest"
    assert lack(snapshot(two_cards(), [WIN11])) is None


def test_what_comes_later_is_named_without_the_checks() -> None:
    found = steps_of(snapshot(two_cards(), guests=NO_LIBVIRT))
    assert later(found) == ("a guest with the card", "roles")
