"""A fork bomb in ``on_event``, in a control group with a limit on tasks, as systemd makes one for
the service of the watch."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.sandbox import HOME, ROOT, UID, Sandbox, sandbox

__all__ = ["sandbox"]

LIMIT = 40
"""The task limit of the service, and of a program in a scope of its own."""

BOMB = """
import os, signal, sys
while True:
    try:
        if os.fork() == 0:
            signal.pause()
    except OSError:
        open(sys.argv[1], "w").close()
        signal.pause()
"""

WATCH = f"""
import os, subprocess, sys, time
sys.path.insert(0, {str(ROOT)!r})
from datetime import UTC, datetime
from tui.model import Event
from tui.watch import program
program.TASKS_LIMIT = {LIMIT}
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
user = program.Identity({UID}, {UID}, ({UID},), "player", "{HOME}")
command = [sys.executable, "-I", "-c", {BOMB!r}, "{HOME}/full"]
events = program.EventProgram(command, user, "tower", lambda text: None, limit_s=60.0)
events.tell(Event(datetime.now(UTC), "watch", "now", "note", "watch"))
while not os.path.exists("{HOME}/full"):
    time.sleep(0.02)
try:
    print(subprocess.run(["/bin/echo", "a swap begins"], capture_output=True, text=True).stdout)
except OSError as error:
    print(error.strerror)
sys.stdout.flush()
os._exit(0)
"""

SYSTEMD_RUN = """#!/bin/sh
while [ "$1" != -- ]; do
    case $1 in --property=TasksMax=*) echo "${1##*=}" >@GROUP@/pids.max;; esac
    shift
done
shift
echo $$ >@GROUP@/cgroup.procs
exec "$@"
"""
"""Stands in for systemd-run, which needs systemd. The control group is real."""


class Groups:
    """The test's control groups, in the hierarchy that limits tasks (cgroups(7))."""

    def __init__(self, name: str) -> None:
        old = Path("/sys/fs/cgroup/pids")
        self._folder = (old if old.is_dir() else Path("/sys/fs/cgroup")) / name
        self._made: list[Path] = []

    def make(self, name: str, limit: int) -> Path:
        """Make one. Raises ``OSError`` where that is not possible."""
        made = self._folder.with_name(f"{self._folder.name}-{name}")
        made.mkdir()
        self._made.append(made)
        (made / "pids.max").write_text(str(limit))
        return made

    def remove(self) -> None:
        """Kill all processes in them, and remove them."""
        for group in self._made:
            while pids := (group / "cgroup.procs").read_text().split():
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), 9)
                time.sleep(0.02)
            group.rmdir()


@pytest.fixture
def groups() -> Iterator[Groups]:
    made = Groups(f"vfiotop-test-{os.getpid()}")
    yield made
    made.remove()


@pytest.mark.parametrize("systemd", [True, False])
def test_a_fork_bomb_does_not_keep_the_watch_from_a_swap(
    sandbox: Sandbox, groups: Groups, tmp_path: Path, systemd: bool
) -> None:
    """Without systemd a service has no limit. Here it has one, so that the test can see it
    reached."""
    if not shutil.which("systemd-run"):
        pytest.skip("there is no systemd-run to put a stand-in in the place of")
    try:
        service, scope = groups.make("service", LIMIT), groups.make("scope", LIMIT)
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    stand_in = tmp_path / "systemd-run"
    stand_in.write_text(SYSTEMD_RUN.replace("@GROUP@", str(scope)))
    stand_in.chmod(0o755)
    (sandbox.home / "full").unlink(missing_ok=True)
    before = f"mount --bind {stand_in} {shutil.which('systemd-run')}\n"
    if systemd:
        before += "mkdir -p /run/systemd/system"
    python = sys.executable
    done = sandbox.run(python, "-I", "-c", WATCH, str(service), user="root", before=before)
    shutil.rmtree(sandbox.run_folder / "systemd", ignore_errors=True)
    assert done.stderr == ""
    expected = "a swap begins" if systemd else "Resource temporarily unavailable"
    assert done.stdout.strip() == expected
    assert (scope / "pids.current").read_text().strip() == str(LIMIT if systemd else 0)
