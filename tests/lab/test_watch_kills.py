"""SIGKILL to the watch at every step of a return, and a stop in the middle of one: the swap
completes, systemd starts the watch again, and the card comes home exactly once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.lab.host import until
from tests.lab.returns import ONE_RETURN, assert_home_once, borrow, ended, runners, swap
from tests.lab.sector import SectorGuest
from tests.lab.units import await_new_process, kill, main_pid, show, state, systemctl
from tests.lab.watches import (
    AFTER_STOP,
    UNIT,
    Moves,
    await_pending,
    await_return,
    followed_moves,
    memory,
    record,
    start,
    stop,
    watching,
)
from tests.thorough import thorough

pytestmark = [pytest.mark.only("systemd"), pytest.mark.usefixtures("whole")]

PAUSE_S = 4

# --- SIGKILL --------------------------------------------------------------------------

STEPS = 8
"""Steps of a return."""


def while_the_guest_runs(guest: SectorGuest) -> None:
    """The watch has seen the guest."""


def when_its_end_is_unseen(guest: SectorGuest) -> None:
    os.kill(main_pid(UNIT), signal.SIGSTOP)
    ended(guest)


def in_the_pause(guest: SectorGuest) -> None:
    ended(guest)
    await_pending()


def when_it_is_due(guest: SectorGuest) -> None:
    ended(guest)
    until(lambda: bool(memory().get("acting")))


def when_the_runner_reads(guest: SectorGuest) -> None:
    ended(guest)
    until(lambda: runners() != [])


def in_step(number: int) -> Callable[[SectorGuest], None]:
    """In a step of the swap, counted from 1, or soon after it."""

    def reach(guest: SectorGuest) -> None:
        ended(guest)
        until(lambda: swap().get("state") == "running" and swap()["step"] >= number - 1)

    reach.__name__ = f"in_step_{number}"
    return reach


def after_it(guest: SectorGuest) -> None:
    ended(guest)
    await_return()


Moment = Callable[[SectorGuest], None]

IN_TURN: tuple[Moment, ...] = (
    while_the_guest_runs, when_its_end_is_unseen, in_the_pause, when_it_is_due,
    when_the_runner_reads, in_step(3), after_it,
)  # fmt: skip
"""One after the other, of the same return."""

EACH: tuple[Moment, ...] = (*IN_TURN[:5], *map(in_step, range(1, STEPS + 1)), after_it)


def killed(moment: Moment, guest: SectorGuest) -> str:
    """Kill the watch at a moment, and wait until systemd has started it again; returns where it
    was."""
    moment(guest)
    pid = kill(UNIT)
    until(lambda: main_pid(UNIT) != pid)
    left, now = memory(), swap()
    where = "acting" if left.get("acting") else "in the pause" if left.get("pending") else "-"
    step = f"{now['state']} {now['step'] + 1}/{len(now['steps'])}" if now else "no swap"
    systemctl("reset-failed", UNIT)  # its limit of starts is not what is tested
    new = await_new_process(UNIT, pid)
    until(lambda: record()["process"]["pid"] == new)
    return f"{moment.__name__.replace('_', ' '):<24} {where:<14} {step:<14}"


def ids(moments: tuple[Moment, ...]) -> str:
    return moments[0].__name__ if len(moments) == 1 else "in_turn"


@pytest.mark.parametrize("moments", [IN_TURN, *thorough(*(((each,),) for each in EACH))], ids=ids)
def test_a_watch_killed_at_any_moment(
    moments: tuple[Moment, ...], guest: SectorGuest, capsys: pytest.CaptureFixture[str]
) -> None:
    with watching(AFTER_STOP, f"pause = {PAUSE_S}"):
        borrow(guest)
        with followed_moves() as moves, capsys.disabled():
            print()
            for moment in moments:
                print(killed(moment, guest), flush=True)
            ended(guest)
            assert_home_once(moves)
            print("home, once", flush=True)
        stop()


# --- stop -----------------------------------------------------------------------------


def test_a_stop_in_the_middle_of_a_return(guest: SectorGuest) -> None:
    """The swap is not the unit's any more: it completes, and a new start does nothing more."""
    with watching(AFTER_STOP, "pause = 0"):
        borrow(guest)
        with followed_moves() as moves:
            in_step(2)(guest)
            stop()
            assert (state(UNIT), show(UNIT, "Result")) == ("inactive", "success")
            assert_home_alone(moves)
            identity = swap()["id"]
            start()
            until(lambda: record()["process"]["pid"] == main_pid(UNIT))
            assert_home_once(moves)
            assert swap()["id"] == identity


def assert_home_alone(moves: Moves) -> None:
    """As ``assert_home_once``, while no watch runs."""
    found = await_return()
    assert (found["state"], found["by"], moves.seen()) == ("done", "watch", ONE_RETURN)
