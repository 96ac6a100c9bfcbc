"""``vfiotop watch``: who may run it, how it ends, and how a return is cancelled."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.thorough import thorough
from tests.unit.host.history.made import folder
from tests.unit.host.watch.test_record import CARD, PENDING, RECORD
from tests.unit.made import NOON
from tui.cli import watch
from tui.config import Config, ConfigError
from tui.host import Host, run_folder
from tui.host.demo.host import demo_host
from tui.host.history import folder as places
from tui.host.history.reader import read
from tui.host.proc.process import Process
from tui.host.watch import record as records
from tui.host.watch.record import KEEP, LOCK, RecordFile
from tui.model import CLOCK, Event
from tui.model.errors import VfiotopError
from tui.model.watch import WatchMemory
from tui.session import Session
from tui.watch import listen

WATCH = argparse.Namespace(keep=False, event_user=None)
KEEPS = argparse.Namespace(keep=True, event_user=None)

Become = Callable[[int], None]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordFile:
    """The record, in a folder that stands for the one in /run."""
    made = RecordFile(tmp_path / "vfiotop", owner=os.geteuid())
    monkeypatch.setattr(records, "RecordFile", lambda: made)
    return made


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    return lambda user: monkeypatch.setattr(os, "geteuid", lambda: user)


@pytest.fixture
def host() -> Host:
    """A host that passes for this machine."""
    return replace(demo_host("desk"), kind="real", banner=None)


# --- keeping the card -----------------------------------------------------------------


class Answering(RecordFile):
    """The record of a watch that has ``answer`` in memory once it is asked to keep a card."""

    answer = WatchMemory(address=CARD)

    def request_keep(self, pending: str) -> None:
        super().request_keep(pending)
        self.write(replace(RECORD, memory=self.answer))


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answering:
    made = Answering(tmp_path / "vfiotop", owner=os.geteuid())
    made.write(RECORD)
    monkeypatch.setattr(records, "RecordFile", lambda: made)
    return made


def test_root_keeps_the_card(
    answering: Answering, host: Host, become: Become, capfd: pytest.CaptureFixture[str]
) -> None:
    become(0)
    assert watch.run(host, Config(), KEEPS) == 0
    assert capfd.readouterr().out == f"{CARD} stays on vfio-pci\n"
    assert answering.take_keep() == PENDING.id


@pytest.mark.parametrize("before", [False, True])
def test_a_return_that_has_begun_is_not_cancelled(
    answering: Answering,
    host: Host,
    become: Become,
    capfd: pytest.CaptureFixture[str],
    before: bool,
) -> None:
    acting = WatchMemory(address=CARD, pending=PENDING, acting=True)
    answering.answer = acting
    if before:
        answering.write(replace(RECORD, memory=acting))
    become(0)
    assert watch.run(host, Config(), KEEPS) == 1
    printed = capfd.readouterr()
    assert (printed.out, "the return has begun" in printed.err) == ("", True)


def test_a_watch_that_does_not_answer(
    file: RecordFile,
    host: Host,
    become: Become,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file.write(RECORD)
    monkeypatch.setattr(watch, "KEEP_S", 0.2)
    become(0)
    assert watch.run(host, Config(), KEEPS) == 1
    printed = capfd.readouterr()
    assert (printed.out, "the watch does not answer" in printed.err) == ("", True)


def test_an_ordinary_user_is_told_how(
    file: RecordFile, host: Host, become: Become, capfd: pytest.CaptureFixture[str]
) -> None:
    file.write(RECORD)
    become(1000)
    assert watch.run(host, Config(), KEEPS) == 1
    assert "`sudo vfiotop watch --keep`" in capfd.readouterr().err
    assert not (file.files.path / KEEP).exists()


@pytest.mark.parametrize(
    "left",
    [None, replace(RECORD, memory=WatchMemory()), replace(RECORD, process=Process(1, 2))],
    ids=["no watch", "nothing to come", "the watch has ended"],
)
def test_there_is_nothing_to_keep(
    file: RecordFile,
    host: Host,
    become: Become,
    capfd: pytest.CaptureFixture[str],
    left: records.Record | None,
) -> None:
    if left is not None:
        file.write(left)
    become(0)
    assert watch.run(host, Config(), KEEPS) == 1
    assert "no watch is about to return a card" in capfd.readouterr().err
    assert not (file.files.path / KEEP).exists()


def test_a_record_that_is_not_ours_is_an_error(
    file: RecordFile, host: Host, become: Become, capfd: pytest.CaptureFixture[str]
) -> None:
    file.files.make()
    file.files.write(records.NAME, "{}")
    become(0)
    assert watch.run(host, Config(), KEEPS) == 1
    assert "is damaged" in capfd.readouterr().err


# --- who may watch --------------------------------------------------------------------


def test_there_is_one_watch(
    file: RecordFile, host: Host, become: Become, capfd: pytest.CaptureFixture[str]
) -> None:
    become(0)
    with file.files.locked(LOCK):
        assert watch.run(host, Config(), WATCH) == 1
    assert "a watch runs on this host already" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("user", "event_user", "words"),
    [
        (0, None, "does not run as root"),
        (0, "root", "does not run as root"),
        (0, "nobody-at-all", "no user “nobody-at-all”"),
        (1000, "nobody", "only root can run on_event as another user"),
    ],
)
def test_who_on_event_never_runs_as(
    file: RecordFile,
    host: Host,
    become: Become,
    user: int,
    event_user: str | None,
    words: str,
) -> None:
    become(user)
    arguments = argparse.Namespace(keep=False, event_user=event_user)
    with pytest.raises(VfiotopError, match=words):
        watch.run(host, Config(on_event=("/bin/true",)), arguments)
    with file.files.locked(LOCK):
        pass  # it is free again


# --- how it ends ----------------------------------------------------------------------

RUNS = """
import sys
from tui.watch import systemd
def tell(manager, status, ready):
    print("looked", file=sys.stderr, flush=True)
systemd.Manager.tell = tell
from tui.cli.main import main
sys.exit(main(["watch", "--demo", "desk"]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, *thorough(signal.SIGINT, signal.SIGHUP)])
def test_a_signal_ends_it(number: signal.Signals, tmp_path: Path) -> None:
    folders = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", RUNS], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        env={**os.environ, **folders}, text=True,
    ) as running:  # fmt: skip
        assert running.stderr is not None
        assert running.stderr.readline() == "looked\n"
        running.send_signal(number)
        rest = running.stderr.read()
    assert (running.returncode, rest.replace("looked\n", "")) == (0, "")


# --- what it keeps in memory ----------------------------------------------------------


class Cycle:
    """Refers to itself, as what argparse leaves behind."""

    def __init__(self) -> None:
        self.itself = self


def test_what_the_start_needed_is_gone_while_it_watches(
    host: Host, become: Become, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(1000)
    needed = weakref.ref(Cycle())
    gc.freeze()
    left: list[object] = []
    monkeypatch.setattr(watch, "_serve", lambda *_: left.append(needed()))
    try:
        assert watch.run(host, Config(), WATCH) == 0
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
    assert left == [None]


# --- its metrics ----------------------------------------------------------------------


def test_metrics_are_served_where_the_configuration_says(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "only_root_can_change", lambda _path: True)
    place = tmp_path / "metrics.sock"
    with watch._exports(host, Config(metrics=f"unix:{place}")) as exports:
        assert exports is not None and not exports.attended
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(place))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        assert exports.attended
    assert not place.exists()


def test_by_default_none_are_served(host: Host) -> None:
    with watch._exports(host, Config()) as exports:
        assert exports is None


def test_a_place_that_is_taken_does_not_keep_the_watch_from_its_work(
    host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        place = f"127.0.0.1:{other.getsockname()[1]}"
        with watch._exports(host, Config(metrics=place)) as exports:
            assert exports is None
    assert f"no metrics at {place}: Address already in use" in capfd.readouterr().err


def test_without_its_token_nothing_is_served(host: Host, tmp_path: Path) -> None:
    settings = Config(metrics="127.0.0.1:1", metrics_token_file=str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="metrics_token_file"), watch._exports(host, settings):
        pass


# --- what it prints -------------------------------------------------------------------

ENDED = Event(NOON, CARD, "“a\x1b[2J\n” has ended", "warn", "watch", "`vfiotop unbind`")


@pytest.mark.parametrize(
    ("journal", "line"),
    [
        (True, "<4>"),
        (False, f"{CLOCK.time_of_day(NOON)}  "),
    ],
)
def test_an_event_is_one_line(capfd: pytest.CaptureFixture[str], journal: bool, line: str) -> None:
    watch.Printer(journal=journal).tell(ENDED)
    text = r"“a\x1b[2J\n” has ended (by watch) → `vfiotop unbind`"
    assert capfd.readouterr().out.rstrip("\n") == f"{line}{CARD}: {text}"


# --- the history ----------------------------------------------------------------------


def test_the_history_is_kept_on_disk_and_in_memory(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, memory = tmp_path / "state/history", tmp_path / "run/history"
    monkeypatch.setattr(places, "DISK", disk)
    monkeypatch.setattr(places, "MEMORY", memory)
    monkeypatch.setattr(run_folder, "RunFolder", folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history = watch._history(Session(host, Config()))
    history.tell(Event(CLOCK.now(), CARD, "has returned", "done", "watch"))
    assert history.look() is None
    history.close()
    for past in (read(None, folder(memory)), read(folder(disk), folder(tmp_path / "none"))):
        assert [event.text for event in past.events] == ["has returned"]
