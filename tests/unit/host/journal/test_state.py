"""Whether a swap is under way, according to real journal files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.host.journal.test_file import ENTRY
from tui.host.journal.entry import Entry
from tui.host.journal.file import Journal
from tui.host.journal.state import under_way
from tui.host.proc.process import Process, this_process

PAST = Process(1 << 22, 1)
"""A process that has exited: no pid is that high."""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "vfiotop", owner=os.geteuid())


def left(journal: Journal, entry: Entry) -> None:
    with journal.locked():
        journal.write(entry)


@pytest.mark.parametrize("state", ["done", "undone"])
def test_one_that_has_ended_is_not_under_way(journal: Journal, state: str) -> None:
    assert not under_way(journal)
    left(journal, replace(ENTRY, state=state, runner=this_process()))
    assert not under_way(journal)


def test_one_whose_runner_lives_is_under_way(journal: Journal) -> None:
    left(journal, replace(ENTRY, runner=this_process(), writer=None))
    assert under_way(journal)


@pytest.mark.parametrize(
    ("writer", "goes_on"), [(None, False), (PAST, False), (this_process(), True)]
)
def test_a_write_that_has_not_returned_is_under_way(
    journal: Journal, writer: Process | None, goes_on: bool
) -> None:
    left(journal, replace(ENTRY, runner=PAST, writer=writer))
    assert under_way(journal) is goes_on


def test_a_state_that_cannot_be_read_is_under_way(journal: Journal) -> None:
    journal.folder.mkdir(mode=0o755)
    (journal.folder / "swap.json").write_text("no journal")
    assert under_way(journal)
