"""One return of the card by the watch: what leads to it, and that it happened exactly once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.lab.host import until
from tests.lab.sector import SectorGuest
from tests.lab.swaps import CARD, HOST, SOUND, drivers, journal, overrides
from tests.lab.watches import Moves, await_return, await_user, lend, memory, pending

ONE_RETURN = ["nvidia"]
"""The drivers that the kernel binds the card to during one return."""


def runners() -> list[int]:
    """The processes of swaps, writers included, that run in a scope of their own."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"tui.swap" in words and ".scope" in (entry / "cgroup").read_text():
                    found.append(int(entry.name))
    return found


def swap() -> dict[str, Any]:
    """The journal of the last swap; empty if there is none."""
    try:
        return journal()
    except FileNotFoundError:
        return {}


def assert_home_once(moves: Moves) -> None:
    """Check that one swap by the watch has returned the card, and nothing is left over."""
    end = await_return()
    until(lambda: not runners())
    assert (end["state"], end["direction"], end["by"]) == ("done", "unbind", "watch"), end
    assert (drivers(), overrides()) == (HOST, {CARD: None, SOUND: None})
    until(lambda: not pending())
    assert not memory().get("acting")
    assert moves.seen() == ONE_RETURN


def borrow(guest: SectorGuest) -> None:
    """Start a guest with the card, and wait until the watch has seen it."""
    lend()
    guest.start()
    await_user(guest.name)


def ended(guest: SectorGuest) -> None:
    """Let the guest shut itself down, unless it already has."""
    if not guest.state().startswith("shut off"):
        guest.shut_down()
        guest.await_state("shut off (shutdown)")
