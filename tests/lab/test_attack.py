"""Attacks by a user during a real swap, and a swap whose messages nobody can read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lab.host import PATIENCE, run, until
from tests.lab.swaps import CARD, HOST, JOURNAL, SOUND, VFIO, drivers, journal, overrides, vfiotop
from tests.lab.test_keys import add_user
from tests.thorough import thorough

UID = 1235

pytestmark = [pytest.mark.only("two-slots"), pytest.mark.usefixtures("whole")]


def test_a_users_configuration_runs_nothing_as_root() -> None:
    """The user's libvirt runs a program of theirs; root asks its own, and runs the swap shown."""
    add_user("mover", "letmein", UID)
    home = Path("/run/lab/mover")
    Path("/etc/sudoers.d/mover").write_text(
        "Defaults:mover env_keep += \"HOME XDG_CONFIG_HOME PYTHONPATH\"\n"
        "mover ALL=(ALL) NOPASSWD: ALL\n"
    )  # fmt: skip
    evil = home / "evil.sh"
    evil.write_text(f"#!/bin/sh\nid -u >>{home}/ran-as\n")
    evil.chmod(0o755)
    settings = home / ".config" / "vfiotop" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'connect = "qemu+ext:///system?command={evil}"\n')
    run("chown", "-R", f"{UID}:{UID}", str(home))
    done = subprocess.run(
        ["vfiotop", "bind", CARD, "--yes", "--despite-doubts"], user="mover", group=UID,
        extra_groups=[], capture_output=True, text=True, timeout=PATIENCE, check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": f"{home}/.config"},
    )  # fmt: skip
    assert (done.returncode, drivers()) == (0, VFIO), done.stderr
    ran = home / "ran-as"
    assert set(ran.read_text().split()) == {str(UID)}  # only the user's vfiotop asked it
    vfiotop("unbind", "--yes")
    assert drivers() == HOST


@pytest.mark.parametrize(
    "sink",
    [
        "| head -n 1", ">/dev/full", *thorough("| true", ">&-"),
    ],
)  # fmt: skip
def test_a_swap_continues_when_its_messages_cannot_be_read(sink: str) -> None:
    script = f"set -o pipefail; vfiotop bind --yes {sink}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert "Traceback" not in done.stderr
    assert (done.returncode, drivers(), journal()["state"]) == (0, VFIO, "done"), done.stderr
    vfiotop("unbind", "--yes")
    assert drivers() == HOST


def test_a_process_that_names_our_reader_is_left_alone() -> None:
    """An editor, or a process that looks like our reader but holds nothing."""
    reader = Path(sys.modules["tui.host.nvml"].__file__ or "").with_name("child.py")
    others = [
        subprocess.Popen(["tail", "-f", str(reader)], stdout=subprocess.DEVNULL),
        subprocess.Popen(["sleep", "1000"], env={"X": str(reader)}),
        subprocess.Popen(
            [sys.executable, "-c", "input()", "-S", str(reader)], stdin=subprocess.PIPE
        ),
    ]  # fmt: skip
    try:
        vfiotop("bind", "--yes")
        vfiotop("unbind", "--yes")
        assert [other.poll() for other in others] == [None, None, None]
    finally:
        for other in others:
            other.kill()
            other.communicate()


def test_an_undo_needs_no_room_for_its_journal() -> None:
    folder = JOURNAL.parent
    folder.mkdir(mode=0o755, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", str(folder))
    try:
        asked = subprocess.Popen(["vfiotop", "bind", "--yes"], stdout=subprocess.DEVNULL)
        until(lambda: JOURNAL.exists() and journal()["step"] == 3)
        os.kill(journal()["runner"]["pid"], signal.SIGKILL)
        assert asked.wait(PATIENCE) == 3
        with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        assert "cannot be written" in vfiotop("recover", "--finish", "--yes", code=3)
        vfiotop("recover", "--undo", "--yes")
        assert (drivers(), overrides()) == (HOST, {CARD: None, SOUND: None})
    finally:
        run("umount", str(folder))
