"""Which host a command shows, and what it says where it is not the one that it runs on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack.test_command_line import VFIOTOP, Run, complaint, env, run
from tests.hosts_layout import lay_out
from tests.unit.cli.test_main import HOSTS

__all__ = ["env", "run"]

ACTS = (
    "bind", "unbind", "recover", "recover --undo", "recover --finish", "start", "stop",
    "force-off", "reboot", "pause", "resume", "start win11",
)  # fmt: skip
"""Every command that changes a host."""

NO_SYSFS = {
    "no PCI in sysfs": "mount -t tmpfs tmpfs /sys",
    "no functions": "mount -t tmpfs tmpfs /sys && mkdir -p /sys/bus/pci/devices",
    "a file in its place": "mount -t tmpfs tmpfs /sys && mkdir -p /sys/bus/pci && "
    "touch /sys/bus/pci/devices",
}


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A captured host whose card could be moved."""
    facts = json.loads((HOSTS / "21-z390-rtx2070-uhd630.json").read_text())
    return str(lay_out(facts, tmp_path / "tower"))


@pytest.mark.parametrize("command", ACTS)
def test_a_captured_host_is_called_one(run: Run, root: str, command: str) -> None:
    done = run(*command.split(), "--yes", "--root", root)
    told = complaint(done.stderr)
    assert (done.returncode, done.stdout) == (1, b"")
    assert "captured host" in told
    assert "simulated" not in told


@pytest.mark.parametrize("command", ACTS)
def test_a_simulated_host_is_never_taken_for_this_one(run: Run, command: str) -> None:
    """A swap on it ends with the command, and nobody's journal tells of it."""
    done = run(*command.split(), "--yes", "--demo", "desk")
    told = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert "captured" not in told
    assert "journal" not in told
    if command.split(maxsplit=1)[0] in ("bind", "unbind", "recover", "start"):
        assert "a simulated host" in complaint(done.stderr)


@pytest.mark.parametrize("command", ["bind", "start", "stop", "pause"])
def test_a_simulated_host_may_be_looked_at_only(run: Run, command: str) -> None:
    scenario = "desk" if command == "bind" else "idle" if command == "start" else "gaming"
    done = run(command, "--yes", "--demo", scenario, "--readonly")
    assert done.returncode == 1
    assert done.stdout == b""


@pytest.mark.parametrize("words", [("--demo", "idle"), ("--root", "")])
def test_a_reading_says_whose_it_is(run: Run, root: str, words: tuple[str, str]) -> None:
    option, value = words
    told = run("status", option, value or root).stdout.decode().splitlines()[0]
    assert told == ("Simulated host: idle" if value else "Captured host: tower")


@pytest.mark.parametrize("prepare", NO_SYSFS.values(), ids=NO_SYSFS.keys())
def test_without_pci_make_run_opens_the_simulated_host(env: dict[str, str], prepare: str) -> None:
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{prepare} && exec "$@"', "-", *VFIOTOP,
         "--demo-if-no-gpu", "status"],
        env=env, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    if b"unshare:" in done.stderr or b"mount:" in done.stderr:
        pytest.skip(f"no namespaces here: {done.stderr.decode().strip()}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"simulated host" in done.stdout.splitlines()[0]
    assert b"guest:win11" in done.stdout


def test_what_was_asked_for_without_a_wish_for_one_is_told(env: dict[str, str]) -> None:
    """Only `make run` opens another host than the one that was asked for."""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /sys && exec "$@"', "-",
         sys.executable, "-m", "tui", "plan", "bind"],
        env=env, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    if b"unshare:" in done.stderr or b"mount:" in done.stderr:
        pytest.skip(f"no namespaces here: {done.stderr.decode().strip()}")
    assert done.returncode == 1
    assert "is sysfs mounted there?" in complaint(done.stderr)
