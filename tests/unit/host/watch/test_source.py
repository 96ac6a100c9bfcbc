"""What screens read of the watch: whether it runs, and what it is about to do."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.host.watch.test_record import CARD, PENDING, RECORD
from tui.host import HostError, NothingToRead
from tui.host.proc.process import Process, process_of
from tui.host.watch.record import NAME, RecordedEvent, RecordFile
from tui.host.watch.source import WatchSource
from tui.model import CLOCK
from tui.model.watch import WatchMemory, WatchPolicy

PATIENCE = 60.0
GONE = Process(1, 2)
"""Process 1 has another start time."""


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    made = RecordFile(tmp_path / "vfiotop", owner=os.geteuid())
    made.files.make()
    return made


@pytest.fixture
def woken(file: RecordFile) -> Iterator[threading.Semaphore]:
    """Is released each time that the source wakes its thread."""
    file.write(RECORD)
    source = WatchSource(file)
    source.read()
    wakes = threading.Semaphore(0)
    source.watch(wakes.release)
    yield wakes
    source.close()


def test_no_watch_is_nothing_to_read(file: RecordFile, tmp_path: Path) -> None:
    for each in (file, RecordFile(tmp_path / "nowhere", owner=os.geteuid())):
        with pytest.raises(NothingToRead, match="since boot"):
            WatchSource(each).read()


def test_what_is_no_record_is_an_error(file: RecordFile) -> None:
    file.files.write(NAME, "{}")
    with pytest.raises(HostError, match="is damaged"):
        WatchSource(file).read()


def test_one_that_runs(file: RecordFile) -> None:
    file.write(RECORD)
    found = WatchSource(file).read()
    assert (found.running, found.acts, found.stays_awake) == (True, True, True)
    assert (found.policy, found.file) == (WatchPolicy("unbind"), "/etc/vfiotop/config.toml")
    assert found.pending is not None
    assert (found.pending.id, found.pending.address) == (PENDING.id, CARD)
    assert found.pending.due_at == CLOCK.at(PENDING.due_s)
    (event,) = found.events
    assert (event.at, event.by, event.fix) == (CLOCK.at(1000.0), "watch", "`vfiotop unbind`")


def test_one_that_has_ended_is_about_to_do_nothing(file: RecordFile) -> None:
    file.write(replace(RECORD, process=GONE))
    found = WatchSource(file).read()
    assert (found.running, found.pending, found.stays_awake) == (False, None, False)
    assert found.events


def test_control_characters_are_dropped(file: RecordFile) -> None:
    evil = "a\x1b[2J\u202e\n\x9b"
    pending = replace(PENDING, guest=evil, reason=evil)
    event = RecordedEvent(1.0, evil, evil, fix=evil)
    file.write(replace(RECORD, file=evil, memory=WatchMemory(pending=pending), events=(event,)))
    found = WatchSource(file).read()
    assert found.pending is not None
    (shown,) = found.events
    for text in (
        found.file, found.pending.guest, found.pending.reason, shown.subject, shown.text, shown.fix
    ):  # fmt: skip
        assert text is not None
        assert text.isprintable()


def test_a_sentence_is_not_cut_like_a_name(file: RecordFile) -> None:
    text = "not returned yet: " + "qemu-system-x86 (pid 4711) uses it; " * 20 + "end"
    pending = replace(PENDING, reason=text)
    event = RecordedEvent(1.0, CARD, text, fix=text)
    path = "/etc/" + "x" * 200 + "/config.toml"
    file.write(replace(RECORD, file=path, memory=WatchMemory(pending=pending), events=(event,)))
    found = WatchSource(file).read()
    (shown,) = found.events
    assert (shown.text, shown.fix, found.file) == (text, text, path)
    assert found.pending is not None
    assert found.pending.reason == text


def test_a_new_record_wakes_it(file: RecordFile, woken: threading.Semaphore) -> None:
    file.write(replace(RECORD, stays_awake=False))
    assert woken.acquire(timeout=PATIENCE)


def test_the_end_of_the_record_wakes_it(file: RecordFile, woken: threading.Semaphore) -> None:
    file.files.remove(NAME)
    assert woken.acquire(timeout=PATIENCE)


def test_the_end_of_the_watch_wakes_it(file: RecordFile) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        file.write(replace(RECORD, process=process_of(process.pid)))
        source = WatchSource(file)
        assert source.read().running
        wakes = threading.Semaphore(0)
        source.watch(wakes.release)
        process.kill()
        process.wait()
        assert wakes.acquire(timeout=PATIENCE)
    assert not source.read().running
    source.close()
