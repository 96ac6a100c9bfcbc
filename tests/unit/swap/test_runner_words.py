"""What a swap reports while it runs and when it fails, and when it waits."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from tests.unit.swap.test_runner import CARD, NOON, SOUND, Full, Once, Rig
from tui.host.journal.entry import Entry, JournalError
from tui.host.journal.file import Journal
from tui.model import Holder, Holders, NvidiaModule, Step
from tui.swap.runner import Runner
from tui.swap.verify import BETWEEN_SCANS_S

OPEN = "swap.json cannot be written"


@pytest.fixture
def bind(tmp_path: Path) -> Rig:
    return Rig(tmp_path, "bind")


@pytest.fixture
def unbind(tmp_path: Path) -> Rig:
    return Rig(tmp_path, "unbind")


class Kept(Journal):
    """Records every entry, and has no space for some of them."""

    def __init__(self, journal: Journal, full: set[int]) -> None:
        super().__init__(journal.folder, owner=os.geteuid())
        self.entries: list[Entry] = []
        self._full = full

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)
        if len(self.entries) - 1 in self._full:
            raise JournalError(f"{OPEN}: No space left on device")
        super().write(entry)


def another(rig: Rig, name: str) -> Rig:
    folder = rig.journal.folder.parent / name
    folder.mkdir()
    return Rig(folder, "bind")


def run(rig: Rig, journal: Journal) -> Entry:
    with journal.locked() as lock:
        runner = Runner(rig.machine, journal, lock, now=lambda: NOON, pause=rig.pause,
                        clock=lambda: rig.time)  # fmt: skip
        return runner.run(runner.prepare(rig.plan), rig.plan)


# --- why it failed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("faulty", "outcome", "words"),
    [
        (("override", CARD), errno.EACCES, "Permission denied"),
        (("override", SOUND), -signal.SIGKILL, "the writer was ended by signal 9"),
        (("unbind", CARD), errno.EBUSY, "Device or resource busy"),
        (
            ("probe", CARD),
            errno.ENODEV,
            f"{CARD} is on no driver and not vfio-pci (No such device)",
        ),
        (("load", None), errno.EPERM, "Operation not permitted"),
    ],
)
def test_the_error_of_a_write_is_reported(
    bind: Rig, faulty: tuple[str, str | None], outcome: int, words: str
) -> None:
    bind.machine.faults[faulty] = outcome
    entry = bind.run()
    assert entry.state in ("undone", "failed")
    assert words in (entry.message or "")


def test_a_write_that_did_nothing_is_reported_as_such(bind: Rig) -> None:
    bind.machine.ignored = Once({("unbind", CARD)})
    assert "it did not take effect" in (bind.run().message or "")
    bind.machine.ignored = Once({("probe", CARD)})
    assert (bind.run().message or "").endswith(f"{CARD} is on no driver and not vfio-pci")


@pytest.mark.parametrize("address", [CARD, SOUND])
def test_a_function_whose_driver_is_still_releasing_it_is_not_touched(
    bind: Rig, address: str
) -> None:
    """Somebody else unbinds it after the origins were recorded."""

    def begins(addresses: object) -> Holders:
        bind.machine.leaving.add(address)
        return Holders(())

    bind.machine.holders = begins  # type: ignore[method-assign]
    entry = bind.run()
    assert f"the driver of {address} has not released it yet" in (entry.message or "")
    assert ("override", address) not in {(kind, a) for kind, a, _ in bind.machine.done}


def test_an_unbind_whose_driver_never_releases_it_ends_after_its_time(bind: Rig) -> None:
    real = bind.machine._take_effect

    def never(step: Step) -> None:
        real(step)
        if (step.kind, step.address) == ("unbind", CARD):
            bind.machine.leaving.add(CARD)

    bind.machine._take_effect = never  # type: ignore[method-assign]
    before = bind.time
    entry = bind.run()
    assert entry.state == "failed"
    assert bind.time - before > 60.0


def test_from_595_on_what_may_be_anybodys_is_in_the_way(bind: Rig) -> None:
    """A shared node does not say which card is used, and a hang would never end."""
    shared = Holders((Holder(CARD, 9, "Xorg", "/dev/nvidiactl", shared=True),))
    bind.machine.held = [shared] * 20
    bind.machine.nvidia = NvidiaModule("595.45", modeset=False)
    entry = bind.run()
    assert "may be in use by Xorg" in (entry.message or "")
    bind.machine.held = [shared] * 20
    bind.machine.nvidia = NvidiaModule("580.105.08", modeset=False)
    assert bind.run().state == "done"


# --- when it waits ----------------------------------------------------------------


def test_the_two_looks_at_holders_are_apart(bind: Rig) -> None:
    looks: list[float] = []

    def look(addresses: object) -> Holders:
        looks.append(bind.time)
        return Holders(())

    bind.machine.holders = look  # type: ignore[method-assign]
    bind.run()
    assert looks[1] - looks[0] >= BETWEEN_SCANS_S


def test_a_node_that_comes_late_is_waited_for(bind: Rig) -> None:
    bind.machine.node = False
    pause = bind.pause

    def later(seconds: float) -> None:
        pause(seconds)
        bind.machine.node = bind.time > 2.0

    bind.pause = later  # type: ignore[method-assign]
    assert bind.run().state == "done"


# --- what the journal tells -------------------------------------------------------


def test_a_stuck_write_that_ends_goes_on_as_what_it_was(bind: Rig) -> None:
    bind.machine.slow = {("unbind", SOUND): 2, ("probe", SOUND): 2}
    bind.machine.faults = {("unbind", CARD): errno.EBUSY}
    bind.machine.ignored = {("unbind", CARD)}
    journal = Kept(bind.journal, set())
    assert run(bind, journal).state == "undone"
    states = [entry.state for entry in journal.entries]
    after = [states[n + 1] for n, state in enumerate(states) if state == "stuck"]
    went_on = [state for state in after if state != "stuck"]
    assert (went_on[0], went_on[-1]) == ("running", "undoing")


def test_a_swap_that_cannot_be_followed_is_undone(bind: Rig) -> None:
    """Every entry but the first fails in turn: the swap is undone, unless all was done."""
    complete = Kept(bind.journal, set())
    run(bind, complete)
    for missing in range(1, len(complete.entries) - 1):
        rig = another(bind, str(missing))
        journal = Kept(rig.journal, {missing})
        entry = run(rig, journal)
        assert (entry.state, rig.machine.drivers) == ("undone", rig.before), missing
        assert OPEN in (entry.message or "")


def test_the_end_of_an_undo_makes_room_for_itself(bind: Rig) -> None:
    """The old entry makes room for the last one; entries in between are not worth it."""
    bind.machine.faults = {("unbind", CARD): errno.EBUSY}
    bind.machine.ignored = {("unbind", CARD)}
    complete = Kept(bind.journal, set())
    run(bind, complete)
    ends = len(complete.entries) - 1
    rig = another(bind, "again")
    rig.machine.faults, rig.machine.ignored = bind.machine.faults, bind.machine.ignored
    journal = Kept(rig.journal, {ends})
    cleared: list[int] = []
    clear = journal.clear

    def clearing() -> None:
        cleared.append(len(journal.entries))
        clear()

    journal.clear = clearing  # type: ignore[method-assign]
    entry = run(rig, journal)
    assert journal.read() == entry
    assert (entry.state, cleared) == ("undone", [ends + 1])


def test_without_any_room_an_undo_is_made_all_the_same(bind: Rig) -> None:
    bind.machine.faults = {("unbind", CARD): errno.EBUSY}
    bind.machine.ignored = {("unbind", CARD)}
    entry = run(bind, Full(bind.journal, 4))
    assert (entry.state, bind.machine.drivers) == ("undone", bind.before)


def test_what_is_prepared_is_journaled_before_anything_is_done(bind: Rig) -> None:
    with bind.journal.locked() as lock:
        entry = bind.runner(lock).prepare(bind.plan)
    assert (bind.journal.read(), bind.machine.done) == (entry, [])
