"""``vfiotop status --follow --json``: when it prints a line, and how it ends."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.thorough import thorough
from tests.ui.rig import GUESTS, NOON, NVML, READING, WIN11, Rig
from tui.cli import status_follow
from tui.cli.main import main
from tui.cli.status_follow import Latest, show_changes
from tui.config import Config
from tui.host.demo.host import demo_host
from tui.model import HostFacts, HostView, Metrics, Sample
from tui.process import output
from tui.session import Session

PATIENCE = 60.0


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))


class Lines:
    """What is shown, until the test has seen enough."""

    def __init__(self) -> None:
        self._views: queue.SimpleQueue[HostView] = queue.SimpleQueue()
        self.enough = threading.Event()

    def show(self, session: Session) -> None:
        self._views.put(session.live.view)

    def next(self) -> HostView:
        return self._views.get(timeout=PATIENCE)

    @property
    def waiting(self) -> int:
        return self._views.qsize()


@contextmanager
def following(rig: Rig) -> Iterator[Lines]:
    lines = Lines()
    session = Session(rig.host, Config(interval=3600))
    thread = threading.Thread(target=show_changes, args=(session, lines.show, lines.enough.is_set))
    thread.start()
    try:
        yield lines
    finally:
        lines.enough.set()
        rig.facts.put(HostFacts("tower", "the end"))
        thread.join(PATIENCE)
        assert not thread.is_alive()
        rig.free()


def test_the_first_line_has_every_source_and_the_next_ones_what_differs(home: None) -> None:
    rig = Rig()
    with following(rig) as lines:
        first = lines.next()
        assert first.facts is not None and len(first.gpus) == 2
        assert first.problem("guests") is None and first.problem("nvml") is None
        rig.nvml.put(replace(NVML, cards=(replace(READING, metrics=Metrics(util_pct=99)),)))
        changed = lines.next().gpu(READING.address)
        assert changed is not None and changed.reading is not None
        assert changed.reading.metrics.util_pct == 99


def test_an_equal_reading_is_no_line(home: None) -> None:
    rig = Rig()
    with following(rig) as lines:
        lines.next()
        before = rig.guests.readings
        rig.guests.put(GUESTS)
        rig.facts.put(HostFacts("tower", "other"))
        view = lines.next()
        assert view.facts == HostFacts("tower", "other")
        assert rig.guests.readings >= before
        assert lines.waiting == 0


def test_a_source_that_hangs_does_not_keep_the_others_from_the_first_line(
    home: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_follow, "FIRST_S", 0.0)
    rig = Rig()
    rig.guests.free.clear()
    with following(rig) as lines:
        view = lines.next()
        while view.facts is None:
            view = lines.next()
        assert view.problem("guests") is not None


def test_a_reader_who_is_slow_gets_the_last_reading_of_each_source() -> None:
    latest = Latest()
    for state in ("paused", "running"):
        latest.put(Sample("guests", replace(GUESTS, domains=(replace(WIN11, state=state),)), NOON))
    latest.put(Sample("facts", HostFacts("tower", "6.12"), NOON))
    taken = latest.take(0.0, 0.0)
    assert [sample.source for sample in taken] == ["guests", "facts"]
    assert taken[0].reading == GUESTS
    assert latest.take(0.0, 0.0) == []


def test_a_closed_pipe_is_noticed_although_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, write = os.pipe()
    try:
        monkeypatch.setattr(output, "STDOUT", output.Channel(write))
        assert not status_follow._unread()
        os.close(read)
        assert status_follow._unread()
    finally:
        os.close(write)


def test_for_people_there_is_the_screen(capfd: pytest.CaptureFixture[str], home: None) -> None:
    assert main(["status", "--follow", "--demo", "idle"]) == 2
    assert "add --json" in capfd.readouterr().err


@contextmanager
def program(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program, which has printed its first line."""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    arguments = ["status", "--follow", "--json", "--demo", "gaming", "--interval", "0.2"]
    with subprocess.Popen(
        [sys.executable, "-m", "tui", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    ) as started:  # fmt: skip
        try:
            assert started.stdout is not None
            assert json.loads(started.stdout.readline())["schema"] == 1
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, *thorough(signal.SIGINT, signal.SIGHUP)])
def test_a_signal_ends_it_well(number: signal.Signals, tmp_path: Path) -> None:
    with program(tmp_path) as started:
        started.send_signal(number)
        rest, errors = started.communicate(timeout=PATIENCE)
        assert (started.returncode, errors) == (0, b"")
        assert all(json.loads(line)["schema"] == 1 for line in rest.splitlines())


def test_a_reader_who_leaves_ends_it_well(tmp_path: Path) -> None:
    with program(tmp_path) as started:
        assert started.stdout is not None and started.stderr is not None
        started.stdout.close()
        assert started.wait(PATIENCE) == 0
        assert started.stderr.read() == b""


class Full(output.Channel):
    """A pipe that nobody reads. A signal comes while a write waits for room in it."""

    def _write_some(self, data: memoryview) -> int:
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGTERM]).start()
        return super()._write_some(data)


def test_a_signal_ends_it_although_nobody_takes_its_lines(
    home: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, bytes(4096))
    os.set_blocking(write, True)
    monkeypatch.setattr(output, "STDOUT", Full(write))
    status_follow.follow(demo_host("idle"), Config())
    os.close(read)
    os.close(write)
