"""The watch as its unit: a guest ends in every possible way, and the card comes back once."""

from __future__ import annotations

import fcntl
import json
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import units
from tests.lab.host import driver, until, virsh
from tests.lab.sector import SectorGuest, sector_guest
from tests.lab.swaps import CARD, JOURNAL, SOUND, VFIO, drivers, journal, vfiotop
from tests.lab.units import (
    inhibitors,
    kill_libvirtd,
    kill_qemu,
    restart_libvirtd,
    systemctl,
    without_libvirtd,
)
from tests.lab.vm import RESULTS
from tests.lab.watches import (
    AFTER_STOP,
    AT_BOOT,
    CONFIG,
    UNIT,
    Moves,
    await_pending,
    await_return,
    await_told,
    await_user,
    booting,
    configure,
    followed_moves,
    installed_watch,
    lend,
    memory,
    pending,
    told,
    watching,
)
from tests.thorough import thorough

pytestmark = pytest.mark.only("systemd")

RETURN = ["nvidia"]
"""What the kernel binds the card to when it returns once."""


# First: the module's own watch is installed for the tests after it.
@pytest.mark.thorough
@pytest.mark.usefixtures("whole")
def test_the_bind_at_boot_runs_in_the_units_sandbox(tmp_path: Path) -> None:
    with watching(AT_BOOT, drop_ins=[booting(tmp_path)]):
        assert drivers() == VFIO  # before it is ready, so that the boot waits for it
        assert (journal()["by"], journal()["state"]) == ("watch", "done")
        assert memory()["booted"]


# --- the module's watch ----------------------------------------------------------------

TELLER = Path("/usr/local/bin/lab-teller")
HEARD = Path("/var/lib/lab-told")
"""What it writes to; a drop-in of the unit allows that."""


@pytest.fixture(scope="module")
def teller() -> Iterator[None]:
    """A program for ``on_event``."""
    HEARD.mkdir(mode=0o777)
    HEARD.chmod(0o777)
    told = '"$(id -un) $(cat /proc/self/cgroup) $line"'
    TELLER.write_text(f"#!/bin/sh\nread -r line\necho {told} >>{HEARD}/events\n")
    TELLER.chmod(0o755)
    yield
    TELLER.unlink()


def heard() -> list[tuple[str, dict[str, Any]]]:
    """Who got which events, oldest first; each in a scope of that user's slice."""
    found = []
    for line in (HEARD / "events").read_text().splitlines():
        user, group, text = line.split(" ", 2)
        slice = f"0::/user.slice/user-{pwd.getpwnam(user).pw_uid}.slice/"
        assert group.startswith(slice) and group.endswith(".scope"), group
        found.append((user, json.loads(text)))
    return found


@pytest.fixture(scope="module")
def unit(teller: None) -> Iterator[None]:
    with installed_watch(drop_ins=[f"[Service]\nReadWritePaths={HEARD}\n"]):
        yield
        Path(RESULTS, "watch.log").write_text("\n".join(units.journal(UNIT)))


def restarted(pause_s: float) -> None:
    """Start a new watch that waits this long before a return. Tests that shared one would start a
    guest soon after each return, and it would count those starts."""
    configure(AFTER_STOP, f"pause = {pause_s}", f'on_event = ["{TELLER}"]')
    systemctl("restart", UNIT)


@pytest.fixture
def soon(unit: None) -> None:
    """The card returns at once."""
    restarted(1)


@pytest.fixture
def later(unit: None) -> None:
    """The pause lasts until something has happened in it."""
    restarted(20)


@pytest.fixture
def moves(whole: None) -> Iterator[Moves]:
    """The card is on vfio-pci, and its moves from there are followed."""
    lend()
    with followed_moves() as seen:
        yield seen


@pytest.fixture
def guest(tmp_path: Path, moves: Moves) -> Iterator[SectorGuest]:
    """A running guest with the card, which the watch has seen."""
    with sector_guest(tmp_path, CARD, SOUND) as guest:
        guest.start()
        await_user(guest.name)
        assert pending() is None
        yield guest


def returned_once(moves: Moves) -> None:
    """Wait for the card's return by the watch, and check that there was one."""
    entry = await_return()
    assert (entry["by"], entry["direction"], entry["state"]) == ("watch", "unbind", "done")
    until(lambda: inhibitors() == [])
    assert moves.seen() == RETURN
    assert (pending(), memory().get("user")) == (None, None)


# --- a guest ends ----------------------------------------------------------------------


ENDS: dict[str, Callable[[SectorGuest], object]] = {
    "killed": lambda guest: kill_qemu(guest.name),
    "destroyed": lambda guest: virsh("destroy", guest.name),
    "panics": SectorGuest.panic,
}


@pytest.mark.parametrize("end", ["killed", *thorough("panics", "destroyed")])
@pytest.mark.usefixtures("soon")
def test_a_guest_ends_and_its_card_returns(end: str, guest: SectorGuest, moves: Moves) -> None:
    ENDS[end](guest)
    returned_once(moves)


@pytest.mark.usefixtures("soon")
def test_a_guest_that_reboots_keeps_its_card(guest: SectorGuest, moves: Moves) -> None:
    until(lambda: len(inhibitors()) == 1)
    (lock,) = inhibitors()
    assert (lock.who, lock.mode, lock.uid) == ("vfiotop", "block", 0)
    before = told()
    guest.reboot()
    guest.await_answer()
    assert (drivers(), pending()) == (VFIO, None)
    guest.shut_down()
    returned_once(moves)
    # Its reboots did not count as ends.
    new = told()[: len(told()) - len(before)]
    assert new == [f"“{guest.name}” has ended: the card returns to the host in 1 s"]
    status = json.loads(vfiotop("status", "--json"))
    owners = {gpu["address"]: gpu["owner"] for gpu in status["gpus"]}
    assert (owners[CARD], status["swap"]["state"]) == ("host", "done")
    watch = status["watch"]
    assert (watch["running"], watch["file"]) == (True, str(CONFIG))
    assert (watch["pending"], watch["stays_awake"]) == (None, False)


# --- libvirtd restarts -----------------------------------------------------------------


@pytest.mark.usefixtures("soon")
def test_libvirtd_restarts_while_the_guest_runs(guest: SectorGuest, moves: Moves) -> None:
    restart_libvirtd()
    kill_libvirtd()
    assert (guest.state(), moves.seen(), pending()) == ("running (booted)", [], None)
    assert len(inhibitors()) == 1
    guest.shut_down()
    returned_once(moves)


@pytest.mark.thorough
@pytest.mark.usefixtures("soon")
def test_a_guest_ends_while_libvirtd_is_down(guest: SectorGuest, moves: Moves) -> None:
    with without_libvirtd():
        kill_qemu(guest.name)
        assert (moves.seen(), pending()) == ([], None)
    returned_once(moves)


@pytest.mark.thorough
@pytest.mark.usefixtures("later")
def test_libvirtd_restarts_during_the_pause(guest: SectorGuest, moves: Moves) -> None:
    guest.shut_down()
    announced = await_pending()
    restart_libvirtd()
    assert moves.seen() == []
    assert pending() == announced
    returned_once(moves)


@pytest.mark.thorough
@pytest.mark.usefixtures("soon")
def test_libvirtd_restarts_during_the_return(guest: SectorGuest, moves: Moves) -> None:
    guest.shut_down()
    until(lambda: JOURNAL.exists() and driver(CARD) is None)
    restart_libvirtd()
    returned_once(moves)


# --- during the pause ------------------------------------------------------------------


@pytest.mark.usefixtures("later")
def test_two_guests_in_turn(guest: SectorGuest, moves: Moves, tmp_path: Path) -> None:
    guest.shut_down()
    await_pending()
    with sector_guest(tmp_path, CARD, SOUND, name="next") as after:
        after.start()
        await_told("stays on vfio-pci: “next” was started")
        await_user("next")
        after.shut_down()
        returned_once(moves)


@pytest.mark.usefixtures("later")
def test_a_user_keeps_the_card(guest: SectorGuest, moves: Moves) -> None:
    guest.shut_down()
    await_pending()
    assert vfiotop("watch", "--keep") == f"{CARD} stays on vfio-pci\n"
    assert told()[0] == "stays on vfio-pci: a user keeps it there"
    assert (pending(), drivers(), moves.seen()) == (None, VFIO, [])
    assert vfiotop("watch", "--keep", code=1) == "vfiotop: no watch is about to return a card\n"
    until(lambda: told()[0] in [event["text"] for _, event in heard()])
    assert {user for user, _ in heard()} == {"nobody"}
    (ended, kept) = [event for _, event in heard() if event["by"] == "watch"][-2:]
    assert "has ended" in ended["text"]
    assert (kept["subject"], kept["text"]) == (CARD, told()[0])


@pytest.mark.usefixtures("soon")
def test_a_refused_return_is_tried_again(guest: SectorGuest, moves: Moves) -> None:
    with Path("/run/vfiotop/lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        guest.shut_down()
        await_told("not returned yet: another swap is under way on this host")
        assert moves.seen() == []
    returned_once(moves)
