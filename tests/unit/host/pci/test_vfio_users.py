"""When processes are scanned for who has a card, while a screen stays open."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

from tui.host import HostError, Wake
from tui.host.pci.vfio_users import VfioUsers
from tui.host.tree import PlainTree
from tui.model import CardVitals, Holder, Holders

CARD = "0000:02:00.0"
QEMU = Holder(CARD, 4711, "qemu", "/dev/vfio/2", guest="plain")


def card(enabled: int | None, driver: str = "vfio-pci") -> CardVitals:
    return CardVitals(CARD, "active", driver=driver, enabled=enabled)


class Rig:
    """Ticks, and scans that end when the test says so."""

    def __init__(self, root: Path, found: Holders | HostError = Holders((QEMU,))) -> None:  # noqa: B008
        self.found, self.asked = found, 0
        self.may_end, self.ended = threading.Event(), threading.Event()
        self.may_end.set()
        (root / "proc/4711").mkdir(parents=True)
        self._users = VfioUsers(self._look, PlainTree(root))

    def _look(self, addresses: Collection[str]) -> Holders:
        self.asked += 1
        assert list(addresses) == [CARD]
        self.may_end.wait(60)
        if isinstance(self.found, HostError):
            raise self.found
        return self.found

    def tick(
        self, enabled: int | None, driver: str = "vfio-pci", wake: Wake | None = None
    ) -> Holders | None:
        (seen,) = self._users.with_users([card(enabled, driver)], wake or self.ended.set)
        return seen.users

    def awaited(self) -> None:
        assert self.ended.wait(60)
        self.ended.clear()


def test_a_card_that_is_opened_is_looked_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert [rig.tick(0), rig.tick(0), rig.asked] == [None, None, 0]
    assert [rig.tick(1), rig.asked] == [
        None,
        0,
    ]  # starting a guest opens and closes it several times
    rig.tick(1)
    rig.awaited()
    assert rig.tick(1) == Holders((QEMU,))
    assert rig.tick(1) == Holders((QEMU,))
    assert rig.asked == 1
    assert rig.tick(0) is None


def test_cards_of_the_host_are_left_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert [rig.tick(1, "nvidia"), rig.tick(1, "nvidia"), rig.asked] == [None, None, 0]


def test_a_slow_look_keeps_no_tick(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.may_end.clear()
    assert [rig.tick(1) for _ in range(5)] == [None] * 5
    rig.may_end.set()
    rig.awaited()
    assert rig.asked == 1
    assert rig.tick(1) == Holders((QEMU,))


def test_what_a_look_found_that_began_before_a_change_is_not_believed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.may_end.clear()
    rig.tick(1)
    rig.tick(1)
    rig.tick(2)
    rig.may_end.set()
    rig.awaited()
    assert rig.tick(2) is None
    rig.awaited()
    assert rig.tick(2) == Holders((QEMU,))
    assert rig.asked == 2


def test_the_next_look_begins_while_the_thread_of_one_ends(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.may_end.clear()

    def wake() -> None:  # called in that thread
        rig.tick(2)

    rig.tick(1)
    rig.tick(1, wake=wake)
    rig.tick(2)
    rig.may_end.set()
    rig.awaited()
    assert rig.tick(2) == Holders((QEMU,))
    assert rig.asked == 2


def test_where_the_process_has_ended_it_is_looked_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.tick(1)
    rig.tick(1)
    rig.awaited()
    rig.tick(1)
    (tmp_path / "proc/4711").rmdir()
    rig.found = Holders(())
    rig.tick(1)
    rig.awaited()
    assert rig.tick(1) == Holders(())
    assert rig.asked == 2


def test_a_look_that_fails_is_a_doubt(tmp_path: Path) -> None:
    rig = Rig(tmp_path, HostError("no process can be seen"))
    rig.tick(None)
    rig.tick(None)
    rig.awaited()
    found = rig.tick(None)
    assert found is not None
    assert (found.complete, found.unlisted_reason) == (False, "no process can be seen")
