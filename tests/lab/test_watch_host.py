"""The watch on a host in trouble: a full /run, and a clock that jumps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.host import run, until
from tests.lab.returns import assert_home_once, borrow, ended, swap
from tests.lab.sector import SectorGuest
from tests.lab.swaps import VFIO, drivers
from tests.lab.units import main_pid, show
from tests.lab.watches import (
    AFTER_STOP,
    RECORD,
    UNIT,
    await_pending,
    followed_moves,
    installed_watch,
    lend,
    memory,
    pending,
    start,
    stop,
    watching,
)

pytestmark = [pytest.mark.only("systemd"), pytest.mark.usefixtures("whole")]

# --- a full /run, a clock that jumps --------------------------------------------------

SIZE = 64 * 1024
"""Bytes of the folder in /run. A swap needs some pages for its journal."""


@contextmanager
def small_run() -> Iterator[Path]:
    """A file system of its own in place of vfiotop's folder in /run."""
    folder = RECORD.parent
    folder.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        stop()
        run("umount", str(folder))


def fill(file: Path) -> None:
    """Write until nothing more fits."""
    with file.open("wb", buffering=0) as filled, pytest.raises(OSError, match="No space"):
        while True:
            filled.write(b"x" * 4096)


@pytest.mark.thorough
def test_a_full_run(guest: SectorGuest) -> None:
    """It says so once and goes on; the card returns when there is room again."""
    with installed_watch(AFTER_STOP, "pause = 0"), small_run() as folder:
        lend()
        start()
        pid = main_pid(UNIT)
        fill(folder / "filler")
        with followed_moves() as moves:
            guest.start()
            until(lambda: said("screens cannot show the watch") == 1)
            ended(guest)
            until(lambda: said("not returned yet") == 1)
            assert drivers() == VFIO
            (folder / "filler").unlink()
            assert_home_once(moves)
        assert said("screens cannot show the watch") == 1
        assert (main_pid(UNIT), show(UNIT, "NRestarts")) == (pid, "0")


def said(words: str) -> int:
    """In how many lines this watch's process has logged these words."""
    run("journalctl", "--sync")
    lines = run("journalctl", "--output", "cat", "--quiet", f"_PID={main_pid(UNIT)}").splitlines()
    return sum(words in line for line in lines)


DAY_S = 24 * 3600.0


@contextmanager
def true_clock() -> Iterator[None]:
    """Set the clock right afterwards."""
    off = time.time() - time.monotonic()
    try:
        yield
    finally:
        time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + off)


@pytest.mark.thorough
def test_a_clock_that_jumps_in_the_pause(guest: SectorGuest) -> None:
    with watching(AFTER_STOP, "pause = 30"), true_clock():
        borrow(guest)
        with followed_moves() as moves:
            ended(guest)
            due_s = await_pending()["due_s"]
            for jump_s in (DAY_S, -2 * DAY_S):
                before = show(UNIT, "StatusText")
                time.clock_settime(time.CLOCK_REALTIME, time.time() + jump_s)
                until(lambda old=before: show(UNIT, "StatusText") != old)  # type: ignore[misc]
            assert (found := pending()) is not None
            assert (found["due_s"], memory().get("acting")) == (due_s, None)
            assert_home_once(moves)
        assert swap()["began_s"] >= due_s
