"""The doctor's checks of the host itself."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.unit.host.libvirt.test_errors import Error
from tests.unit.made import card, domain, function, inventory, snapshot, two_cards
from tui.host.libvirt.errors import why_not_open
from tui.host.tree import PlainTree
from tui.model import Boot, Code, Guests, Holders, Readiness, Unavailable
from tui.rules import host_checks
from tui.rules.check_input import CheckInput
from tui.rules.libvirt_uri import INSTALL, START_LIBVIRTD, START_VIRTQEMUD
from tui.rules.view import assess

READY = Readiness(root=True, vfio_pci=True)
ADA = Readiness(root=False, vfio_pci=True, code=Code("root", user="ada"))

RUN_IT = "start it with `systemctl start libvirtd` (or virtqemud)"
JOIN_IT = "join its group with `usermod -aG libvirt ada` and log in again"


@pytest.mark.parametrize(
    ("error", "why", "fix"),
    [
        (Error(38, errno.ENOENT), "libvirtd is not running, or does not serve qemu:///system",
         RUN_IT),
        (Error(38, errno.EACCES), "access to qemu:///system is denied (it said)", JOIN_IT),
        (Error(68), "libvirt could not be reached at qemu:///system: it said",
         f"{RUN_IT}, or {JOIN_IT}"),
    ],
)  # fmt: skip
def test_why_libvirt_does_not_answer_and_what_to_do_are_distinguished(
    tmp_path: Path, error: Error, why: str, fix: str
) -> None:
    lost = Unavailable(why_not_open(error, "qemu:///system", PlainTree(tmp_path)))
    view = assess(snapshot(two_cards(), guests=lost))
    check = host_checks.libvirt(CheckInput(view, lost, Holders(()), ADA))
    assert (check.verdict, check.why, check.fix) == ("fail", why, fix)


@pytest.mark.parametrize(
    ("start", "fix"),
    [
        (START_LIBVIRTD, START_LIBVIRTD), (START_VIRTQEMUD, START_VIRTQEMUD),
        (INSTALL, "install it: `apt install libvirt-daemon-system qemu-system-x86`"),
    ],
)  # fmt: skip
def test_the_daemon_that_is_there_is_started_and_a_missing_one_is_installed(
    start: str, fix: str
) -> None:
    lost = Unavailable(f"why it is so: {start}")
    view = assess(snapshot(two_cards(), guests=lost))
    readiness = Readiness(root=True, vfio_pci=True, boot=Boot("grub", "debian"))
    check = host_checks.libvirt(CheckInput(view, lost, Holders(()), readiness))
    assert (check.verdict, check.why, check.fix) == ("fail", "why it is so", fix)


@pytest.mark.parametrize(
    ("user", "named"),
    [("ada", "ada"), ("root", "USER"), ("user 1000", "USER"), ("a`b", "USER"), (None, "USER")],
)
def test_the_fix_names_the_user_and_never_the_one_of_roots_shell(
    user: str | None, named: str
) -> None:
    code = Code("root", user=user) if user is not None else None
    readiness = Readiness(root=False, vfio_pci=True, code=code)
    guests = Guests("qemu:///system", "11.3.0", (), readonly=True)
    view = assess(snapshot(two_cards(), guests=guests))
    check = host_checks.libvirt(CheckInput(view, guests, Holders(()), readiness))
    assert check.verdict == "warn"
    assert check.fix == (
        f"`usermod -aG libvirt {named}` and log in again, or a polkit rule for "
        "org.libvirt.unix.manage"
    )


def test_root_has_a_read_only_connection_only_by_choice() -> None:
    guests = Guests("qemu:///system", "11.3.0", (), readonly=True)
    view = assess(snapshot(two_cards(), guests=guests))
    check = host_checks.libvirt(CheckInput(view, guests, Holders(()), READY))
    assert (check.verdict, check.fix) == ("warn", "run it without --readonly")


@pytest.mark.parametrize(("count", "words"), [(0, "no domains"), (1, "1 domain"), (2, "2 domains")])
def test_the_domains_of_a_capture_are_counted(count: int, words: str) -> None:
    found = tuple(domain(f"guest-{n}") for n in range(count))
    captured = Guests("/srv/tower/domains", None, found, readonly=True, captured=True)
    view = assess(snapshot(two_cards(), guests=captured))
    check = host_checks.libvirt(CheckInput(view, captured, Holders(()), READY))
    assert (check.verdict, check.why) == ("pass", f"{words} in the capture")


@pytest.mark.parametrize(("kind", "why"), [("amd", "on (amd), 3 groups"), (None, "on, 3 groups")])
def test_the_kind_of_iommu_is_named_if_it_is_known(kind: str | None, why: str) -> None:
    host = inventory(*two_cards().functions, iommu_kind=kind)
    check = host_checks.iommu(assess(snapshot(host)), READY)
    assert (check.verdict, check.why) == ("pass", why)


def test_how_many_functions_move() -> None:
    alone = assess(snapshot(inventory(function("02:00.0", iommu_group=2)))).gpus[0]
    assert host_checks.viable(alone).why == "nothing else in the group; 1 function moves"
    both = assess(snapshot(inventory(*card("02:00", 2)))).gpus[0]
    assert host_checks.viable(both).why == "nothing else in the group; 2 functions move together"
