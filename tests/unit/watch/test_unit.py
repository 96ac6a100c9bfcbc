"""The service's unit: its time limits fit the program's, and systemd understands it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tui.cli.arguments import make_parser
from tui.cli.families import FAMILIES
from tui.cli.watch import LAST_EVENTS_S
from tui.host.history.folder import DISK
from tui.host.run_folder import FOLDER
from tui.watch.boot import LIMIT_S
from tui.watch.program import LIMIT_S as PROGRAM_LIMIT_S
from tui.watch.service import IDLE_TICK_S

UNIT = Path(__file__).parents[3] / ".packaging" / "vfiotop-watch.service"
TEXT = UNIT.read_text()


def value(key: str) -> str:
    (found,) = re.findall(rf"^{key}=(.*)$", TEXT, re.MULTILINE)
    assert isinstance(found, str)
    return found


def seconds(key: str) -> float:
    return float(value(key))


def test_the_boot_does_not_fail_because_a_bind_takes_long() -> None:
    assert seconds("TimeoutStartSec") >= LIMIT_S + 30


def test_a_stop_waits_for_the_last_events() -> None:
    assert seconds("TimeoutStopSec") >= LAST_EVENTS_S + PROGRAM_LIMIT_S + 10


def test_the_watchdog_is_fed_in_time() -> None:
    """Three times in a period, at the first look after each third."""
    assert seconds("WatchdogSec") / 3 + IDLE_TICK_S <= seconds("WatchdogSec") / 2


def test_it_starts_a_watch_that_is_understood() -> None:
    program, *words = shlex.split(value("ExecStart"))
    assert program == "@LIB@/vfiotop"
    found = make_parser(FAMILIES).parse_args(words)
    assert (found.command, found.event_user) == ("watch", "${EVENT_USER}")
    assert "\nEnvironment=EVENT_USER=nobody\n" in TEXT


def test_what_it_leaves_in_run_stays() -> None:
    assert f"/run/{value('RuntimeDirectory')}" == str(FOLDER)
    assert value("RuntimeDirectoryPreserve") == "yes"


def test_it_may_write_the_history() -> None:
    """All but this folder is read-only for it (systemd.exec(5), ProtectSystem=strict)."""
    assert value("ProtectSystem") == "strict"
    assert DISK.is_relative_to(f"/var/lib/{value('StateDirectory')}")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_systemd_understands_it(tmp_path: Path) -> None:
    program = tmp_path / "vfiotop"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(TEXT.replace("@LIB@", str(tmp_path)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
