"""Readings of the journal: live and dead processes, and files that are not a journal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.host.journal.test_file import ENTRY
from tui.host import HostError, NothingToRead
from tui.host.journal.entry import Entry, Origin
from tui.host.journal.file import Journal
from tui.host.journal.source import SwapSource, home_power
from tui.host.proc.process import Process, is_alive, process_of, this_process

PATIENCE = 60.0
RUNS = replace(ENTRY, runner=this_process())
GONE = Process(1, 2)
"""Process 1 has another start time."""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "vfiotop", owner=os.geteuid())
    with journal.locked():
        return journal


@pytest.fixture
def sleeper() -> Iterator[Process]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process_of(process.pid)
    process.communicate()


def test_no_swap_is_nothing_to_read(journal: Journal, tmp_path: Path) -> None:
    for each in (journal, Journal(tmp_path / "nowhere", owner=os.geteuid())):
        with pytest.raises(NothingToRead, match="since boot"):
            SwapSource(each).read()


def test_a_swap_of_another_boot_is_none(journal: Journal) -> None:
    journal.write(replace(RUNS, boot_id="1" * 8 + "-1111" * 3 + "-" + "1" * 12))
    with pytest.raises(NothingToRead):
        SwapSource(journal).read()


def test_what_is_no_journal_is_an_error(journal: Journal) -> None:
    (journal.folder / "swap.json").write_text("{}")
    with pytest.raises(HostError, match="is damaged"):
        SwapSource(journal).read()


def test_a_swap_that_runs(journal: Journal) -> None:
    journal.write(RUNS)
    swap = SwapSource(journal).read()
    assert (swap.address, swap.moves) == ("0000:02:00.0", ("0000:02:00.0", "0000:02:00.1"))
    assert (swap.under_way, swap.stuck, swap.interrupted, swap.ended) == (True, False, False, False)
    assert swap.current_step == "modprobe vfio-pci"
    assert swap.drivers == ("nvidia", "snd_hda_intel")


def test_whose_runner_is_gone(journal: Journal) -> None:
    journal.write(replace(RUNS, runner=GONE))
    swap = SwapSource(journal).read()
    assert (swap.under_way, swap.interrupted) == (False, True)


def test_whose_runner_is_gone_in_a_write(journal: Journal, sleeper: Process) -> None:
    """The write continues: nothing may happen before it has returned."""
    journal.write(replace(RUNS, runner=GONE, writer=sleeper))
    swap = SwapSource(journal).read()
    assert (swap.under_way, swap.stuck, swap.interrupted) == (True, True, False)


@pytest.mark.parametrize("state", ["done", "undone"])
def test_that_has_ended_needs_no_runner(journal: Journal, state: str) -> None:
    journal.write(replace(RUNS, state=state, runner=GONE, writer=GONE))
    swap = SwapSource(journal).read()
    assert (swap.ended, swap.under_way, swap.interrupted) == (True, False, False)


def test_its_words_are_safe_to_draw(journal: Journal) -> None:
    journal.write(replace(RUNS, steps=("a\x1b[2J\u202eb",), message="x\n\x07y"))
    swap = SwapSource(journal).read()
    assert (swap.steps, swap.message) == (("a[2Jb",), "x y")


def test_a_new_entry_wakes(journal: Journal) -> None:
    source, woken = SwapSource(journal), threading.Event()
    source.watch(woken.set)
    try:
        for step in (0, 1):
            entry: Entry = replace(RUNS, step=step)
            journal.write(entry)
            assert woken.wait(PATIENCE)
            woken.clear()
    finally:
        source.close()


def test_a_runner_that_ends_wakes(journal: Journal) -> None:
    """The end of a runner writes nothing to the journal."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    journal.write(replace(RUNS, runner=process_of(process.pid)))
    source, woken = SwapSource(journal), threading.Event()
    source.watch(woken.set)
    try:
        assert source.read().under_way
        woken.clear()
        process.communicate()
        assert woken.wait(PATIENCE)
        assert source.read().interrupted
    finally:
        source.close()


def test_a_process_that_may_not_be_looked_at_is_taken_for_alive() -> None:
    """As with hidepid on /proc: an ordinary user cannot read other users' entries."""
    asks = (
        "from tui.host.proc.process import Process, is_alive;"
        "import os; opened = os.open\n"
        "def hidden(path, *a, **k):\n"
        "    if str(path).startswith('/proc/'): raise PermissionError\n"
        "    return opened(path, *a, **k)\n"
        "os.open = hidden\n"
        "print(is_alive(Process(1, 5)), is_alive(Process(4194303, 5)))"
    )
    told = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True", "False"]


def test_a_name_that_is_no_text_hides_no_process(tmp_path: Path) -> None:
    """A later process with the same pid is not the runner, whatever its name."""
    program = os.fsencode(tmp_path) + b"/\xff) Z (\xfe"
    shutil.copy(b"/bin/cat", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        found = process_of(process.pid)
        assert found.start != 0
        assert is_alive(found)
        assert not is_alive(replace(found, start=found.start + 1))
        assert process.stdin is not None
        process.stdin.close()


def test_what_power_control_was_at_home(journal: Journal) -> None:
    assert home_power(journal) == {}
    origins = (Origin("0000:02:00.0", "nvidia", None, "auto"), Origin("0000:02:00.1", None, None))
    journal.write(replace(RUNS, state="done", home=origins))
    assert home_power(journal) == {"0000:02:00.0": "auto"}
    (journal.folder / "swap.json").write_text("{}")
    assert home_power(journal) == {}
