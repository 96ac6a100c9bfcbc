"""What the watch tells systemd, on a real socket and with a stand-in for systemd-inhibit."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.watch import systemd
from tui.watch.systemd import RETRY_S, Inhibitor, Manager

PATIENCE = 60.0


@pytest.fixture(params=["a path", "an abstract name"])
def manager(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[socket.socket]:
    """The socket of a service manager that asks for notifications."""
    path = f"{tmp_path}/notify"
    abstract = request.param == "an abstract name"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{path}" if abstract else path)
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{path}" if abstract else path)
        yield listening


def told(listening: socket.socket) -> list[str]:
    """What has been sent since the last call."""
    lines: list[str] = []
    while True:
        try:
            lines += listening.recv(4096).decode().splitlines()
        except BlockingIOError:
            return lines


# --- notifications --------------------------------------------------------------------


def test_it_is_ready_once_and_its_status_is_told_when_it_changes(manager: socket.socket) -> None:
    watch = Manager()
    watch.tell("binding the guest's card at boot", ready=False)
    assert told(manager) == ["STATUS=binding the guest's card at boot"]
    watch.tell("waiting", ready=True)
    assert told(manager) == ["READY=1", "STATUS=waiting"]
    watch.tell("waiting", ready=True)
    assert told(manager) == []


def test_a_name_in_the_status_adds_no_line(manager: socket.socket) -> None:
    Manager().tell("“a\nMAINPID=1” has the card", ready=False)
    assert told(manager) == [r"STATUS=“a\nMAINPID=1” has the card"]


def test_a_status_does_not_end_with_a_backslash(manager: socket.socket) -> None:
    """systemd 252 drops the whole message, the readiness in it too."""
    Manager().tell("waiting for C:\\", ready=True)
    assert told(manager) == ["READY=1", "STATUS=waiting for C:"]


def test_it_is_alive_three_times_in_the_watchdog_s_period(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    now = [100.0]
    watch = Manager(lambda: now[0])
    beats = []
    for _ in range(24):
        now[0] += 5.0
        watch.tell("waiting", ready=True)
        if "WATCHDOG=1" in told(manager):
            beats.append(now[0])
    assert beats == [120.0, 140.0, 160.0, 180.0, 200.0, 220.0]


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "x"}, None),
    ],
)
def test_the_watchdog_s_period(
    variables: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert systemd.watchdog_s() == seconds


@pytest.mark.parametrize("place", ["", "/nowhere/notify", "/dev/null"])
def test_nobody_listens(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    Manager().tell("waiting", ready=True)


def test_a_manager_that_reads_nothing_holds_up_nothing(manager: socket.socket) -> None:
    for number in range(4096):
        systemd.notify(f"STATUS={number}")
    assert told(manager)[0] == "STATUS=0"


def test_what_did_not_arrive_is_told_again(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every user may write to the manager's socket, and fill it."""
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    now = [100.0]
    watch = Manager(lambda: now[0])
    while systemd.notify("STATUS=flood"):
        pass
    now[0] += 20.0
    watch.tell("waiting", ready=True)
    assert set(told(manager)) == {"STATUS=flood"}
    now[0] += 1.0
    watch.tell("waiting", ready=True)
    assert told(manager) == ["READY=1", "STATUS=waiting", "WATCHDOG=1"]
    watch.tell("waiting", ready=True)
    assert told(manager) == []


def test_output_to_the_journal_is_recognised(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    assert not systemd.in_journal()
    status = os.fstat(1)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    assert systemd.in_journal()
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + 1}")
    assert not systemd.in_journal()


# --- the console ----------------------------------------------------------------------


def test_a_line_on_the_console() -> None:
    ours, theirs = os.openpty()
    systemd.tell_console("not bound at boot", Path(os.ttyname(theirs)))
    assert b"\nnot bound at boot\r" in os.read(ours, 100)
    os.close(ours)
    os.close(theirs)


def test_a_console_shows_no_control_characters() -> None:
    ours, theirs = os.openpty()
    systemd.tell_console("“a\x1b[2J\n” uses it", Path(os.ttyname(theirs)))
    assert rb"a\x1b[2J\n" in os.read(ours, 100)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("place", ["/nowhere", "/dev/full"])
def test_a_console_that_takes_nothing(place: str) -> None:
    systemd.tell_console("not bound at boot", Path(place))


def test_a_console_that_nobody_reads_holds_up_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "console")
    systemd.tell_console("not bound at boot", tmp_path / "console")


# --- the inhibitor --------------------------------------------------------------------

TOOL = """#!/bin/sh
echo "$@" >>{folder}/calls
exec 3>{folder}/lock
while [ "${{1#--}}" != "$1" ]; do shift; done
"$@"
"""
"""systemd-inhibit, which holds its lock while its command runs: a FIFO that is open."""


class Lock:
    """A FIFO that is open for writing while the lock is held."""

    def __init__(self, folder: Path) -> None:
        os.mkfifo(folder / "lock")
        self._reader = os.open(folder / "lock", os.O_RDONLY | os.O_NONBLOCK)
        self._held = select.poll()
        self._held.register(self._reader, 0)
        self._folder = folder
        self.tool = str(folder / "inhibit")
        Path(self.tool).write_text(TOOL.format(folder=folder))
        Path(self.tool).chmod(0o755)

    def until_free(self) -> bool:
        """Wait until nobody has it open. A FIFO that nobody has opened yet does not count."""
        return bool(self._held.poll(PATIENCE * 1000))

    def calls(self) -> list[str]:
        return (self._folder / "calls").read_text().splitlines()

    def close(self) -> None:
        os.close(self._reader)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Lock]:
    made = Lock(tmp_path)
    yield made
    made.close()


def test_it_is_held_until_it_is_released(lock: Lock) -> None:
    inhibitor = Inhibitor(lock.tool)
    assert inhibitor.hold("a guest has a GPU of this host")
    assert inhibitor.hold("a guest has a GPU of this host")
    inhibitor.release()
    assert lock.until_free()
    (call,) = lock.calls()
    assert call == (
        "--what=sleep --mode=block --who=vfiotop --why=a guest has a GPU of this host cat"
    )
    inhibitor.release()


def test_it_may_be_held_again(lock: Lock) -> None:
    inhibitor = Inhibitor(lock.tool)
    for _ in range(2):
        assert inhibitor.hold("why")
        inhibitor.release()
    assert len(lock.calls()) == 2


DIES = """
import sys
from tui.watch.systemd import Inhibitor
held = Inhibitor(sys.argv[1])
assert held.hold("why")
with open(sys.argv[2]) as began:
    began.read()
print("holds", flush=True)
input()
"""


def test_it_ends_with_a_watch_that_is_killed(lock: Lock, tmp_path: Path) -> None:
    began = tmp_path / "began"
    os.mkfifo(began)
    Path(lock.tool).write_text(
        TOOL.format(folder=tmp_path).replace("while", f": >{began}\nwhile", 1)
    )
    with subprocess.Popen(
        [sys.executable, "-c", DIES, lock.tool, str(began)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as watch:  # fmt: skip
        assert watch.stdout is not None
        assert watch.stdout.readline() == b"holds\n"
        watch.send_signal(signal.SIGKILL)
    assert lock.until_free()


def test_without_the_tool_nothing_is_held() -> None:
    inhibitor = Inhibitor("/nowhere/systemd-inhibit")
    assert not inhibitor.hold("why")
    inhibitor.release()


def test_a_tool_that_fails_is_not_started_over_and_over(lock: Lock, tmp_path: Path) -> None:
    """As where no logind runs."""
    failing = tmp_path / "failing"
    failing.write_text(f"#!/bin/sh\necho >>{tmp_path}/calls\nexec 3>{tmp_path}/lock\nexit 1\n")
    failing.chmod(0o755)
    now = [100.0]
    inhibitor = Inhibitor(str(failing), lambda: now[0])
    inhibitor.hold("why")
    assert lock.until_free()
    while inhibitor.hold("why"):
        now[0] += 0.01  # its end is seen a moment later
    for _ in range(10):
        assert not inhibitor.hold("why")
    assert len(lock.calls()) == 1
    now[0] += RETRY_S
    assert inhibitor.hold("why")
    inhibitor.release()
    assert len(lock.calls()) == 2


def test_a_holder_that_does_not_end_is_killed(
    lock: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "ASK_S", 0.1)
    stubborn = tmp_path / "stubborn"
    stubborn.write_text(f"#!/bin/sh\nexec 3>{tmp_path}/lock\nexec sleep 600\n")
    stubborn.chmod(0o755)
    inhibitor = Inhibitor(str(stubborn))
    assert inhibitor.hold("why")
    inhibitor.release()
    assert lock.until_free()


# --- what the host is doing -------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "boots", "shuts_down"),
    [
        ("echo initializing; exit 1", True, False),
        ("echo starting; exit 1", True, False),
        ("echo running", False, False),
        ("echo degraded; exit 1", False, False),
        ("echo stopping; exit 1", False, True),
        ("echo offline; exit 1", False, False),
        ("exit 1", False, False),
    ],
)
def test_whether_the_host_is_booting_or_shutting_down(
    said: str, boots: bool, shuts_down: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "systemctl"
    tool.write_text(f'#!/bin/sh\n[ "$*" = is-system-running ] || exit 9\n{said}\n')
    tool.chmod(0o755)
    monkeypatch.setattr(systemd, "ROOT_PATH", str(tmp_path))
    monkeypatch.setattr(systemd, "systemd_runs", lambda: True)
    assert (systemd.booting(), systemd.shutting_down()) == (boots, shuts_down)
    monkeypatch.setattr(systemd, "systemd_runs", lambda: False)
    assert (systemd.booting(), systemd.shutting_down()) == (False, False)
