"""What the doctor says of the host itself."""

from __future__ import annotations

import errno

import pytest

from tests.unit.made import card, function, inventory, snapshot, two_cards
from tests.unit.test_libvirt_words import Error
from tui.host.libvirt_words import why_not_open
from tui.model import Holders, Readiness, Unavailable
from tui.rules import ground
from tui.rules.fresh import Fresh
from tui.rules.view import assess

READY = Readiness(root=True, vfio_pci=True)

RUN_IT = "start it with `systemctl start libvirtd` (or virtqemud)"
JOIN_IT = "join its users with `usermod -aG libvirt $USER` and log in again"


@pytest.mark.parametrize(
    ("error", "why", "mend"),
    [
        (Error(38, errno.ENOENT), "libvirtd is not running, or not for qemu:///system", RUN_IT),
        (Error(38, errno.EACCES), "you may not use qemu:///system (it said)", JOIN_IT),
        (Error(68), "libvirt could not be reached at qemu:///system: it said",
         f"{RUN_IT}, or {JOIN_IT}"),
    ],
)  # fmt: skip
def test_why_libvirt_does_not_answer_and_what_to_do_are_told_apart(
    error: Error, why: str, mend: str
) -> None:
    lost = Unavailable(why_not_open(error, "qemu:///system"))
    view = assess(snapshot(two_cards(), guests=lost))
    check = ground.libvirt(Fresh(view, lost, Holders(()), READY))
    assert (check.verdict, check.why, check.mend) == ("fail", why, mend)


@pytest.mark.parametrize(("kind", "why"), [("amd", "on (amd), 3 groups"), (None, "on, 3 groups")])
def test_whose_iommu_is_on_is_told_where_it_is_known(kind: str | None, why: str) -> None:
    host = inventory(*two_cards().functions, iommu_kind=kind)
    check = ground.iommu(assess(snapshot(host)), READY)
    assert (check.verdict, check.why) == ("pass", why)


def test_how_many_functions_move() -> None:
    alone = assess(snapshot(inventory(function("02:00.0", iommu_group=2)))).gpus[0]
    assert ground.viable(alone).why == "the group is free but for 1 function that moves"
    both = assess(snapshot(inventory(*card("02:00", 2)))).gpus[0]
    assert ground.viable(both).why == "the group is free but for 2 functions that move"
