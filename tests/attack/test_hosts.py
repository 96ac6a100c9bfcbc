"""Which host a command applies to, and what it says if that is not this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attack.test_command_line import VFIOTOP, Run, complaint, env, run
from tests.hosts_layout import lay_out
from tests.thorough import thorough
from tests.unit.cli.test_main import HOSTS

__all__ = ["env", "run"]

ACTS = [
    "bind", "recover --undo", "start win11", "force-off",
    *thorough(
        "unbind", "recover", "recover --finish", "start", "stop", "reboot", "pause", "resume"
    ),
]  # fmt: skip
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
def test_a_captured_host_refuses_actions(run: Run, root: str, command: str) -> None:
    done = run(*command.split(), "--yes", "--root", root)
    printed = complaint(done.stderr)
    assert (done.returncode, done.stdout) == (1, b"")
    assert "captured host" in printed
    assert "simulated" not in printed


@pytest.mark.parametrize("command", ACTS)
def test_a_simulated_host_is_never_taken_for_this_machine(run: Run, command: str) -> None:
    """A simulated swap ends with the command, and no journal records it."""
    done = run(*command.split(), "--yes", "--demo", "desk")
    printed = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert "captured" not in printed
    assert "journal" not in printed
    if command.split(maxsplit=1)[0] in ("bind", "unbind", "recover", "start"):
        assert "a simulated host" in complaint(done.stderr)


@pytest.mark.parametrize("command", ["bind", "stop", *thorough("start", "pause")])
def test_readonly_applies_to_a_simulated_host(run: Run, command: str) -> None:
    scenario = "desk" if command == "bind" else "idle" if command == "start" else "gaming"
    done = run(command, "--yes", "--demo", scenario, "--readonly")
    assert done.returncode == 1
    assert done.stdout == b""


@pytest.mark.parametrize("words", [("--demo", "idle"), ("--root", "")])
def test_status_names_a_host_that_is_not_this_machine(
    run: Run, root: str, words: tuple[str, str]
) -> None:
    option, value = words
    printed = run("status", option, value or root).stdout.decode().splitlines()[0]
    assert printed == ("Simulated host: idle" if value else "Captured host: tower")


@pytest.mark.parametrize("prepare", NO_SYSFS.values(), ids=NO_SYSFS.keys())
def test_demo_if_no_gpu_opens_a_simulated_host_without_pci(
    env: dict[str, str], prepare: str
) -> None:
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


def test_without_demo_if_no_gpu_missing_pci_is_an_error(env: dict[str, str]) -> None:
    """A command does not silently use a simulated host."""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /sys && exec "$@"', "-",
         sys.executable, "-m", "tui", "plan", "bind"],
        env=env, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    if b"unshare:" in done.stderr or b"mount:" in done.stderr:
        pytest.skip(f"no namespaces here: {done.stderr.decode().strip()}")
    assert done.returncode == 1
    assert "is sysfs mounted there?" in complaint(done.stderr)
