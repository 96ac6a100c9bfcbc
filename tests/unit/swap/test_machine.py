"""What the runner does to the kernel: real processes, and files in place of sysfs."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from tui.host import HostError
from tui.host.proc.device_nodes import Node
from tui.host.proc.process import Process, process_of
from tui.model import Holders, Step, Unavailable
from tui.swap import machine
from tui.swap.machine import RealMachine, RunningStep

PATIENCE = 60.0
CARD = "0000:02:00.0"
PAST = Process(1 << 22, 1)
"""A process that has exited: no pid is that high."""


@pytest.fixture
def lock() -> Iterator[int]:
    reads, writes = os.pipe()
    yield writes
    os.close(reads)
    os.close(writes)


def ended(running: RunningStep) -> int:
    result = running.result(PATIENCE)
    assert result is not None
    return result


def write(path: Path, text: str = "vfio-pci") -> Step:
    return Step("override", text, 5.0, CARD, str(path))


# --- steps ------------------------------------------------------------------------


def test_a_write_is_one_and_goes_where_it_should(tmp_path: Path, lock: int) -> None:
    file = tmp_path / "driver_override"
    file.write_text("")
    assert ended(RealMachine().start(write(file, "\n"), lock)) == 0
    assert file.read_text() == "\n"


def test_a_write_that_fails_ends_with_its_errno(tmp_path: Path, lock: int) -> None:
    assert ended(RealMachine().start(write(tmp_path / "none"), lock)) == errno.ENOENT
    assert ended(RealMachine().start(write(tmp_path), lock)) == errno.EISDIR


def test_a_write_that_does_not_return_is_left_to_itself_and_holds_the_lock(
    tmp_path: Path, lock: int
) -> None:
    fifo = tmp_path / "unbind"
    os.mkfifo(fifo)
    running = RealMachine().start(write(fifo), lock)
    assert running.result(0.05) is None
    assert running.process == process_of(running.process.pid)
    theirs, ours = Path(f"/proc/{running.process.pid}/fd/{lock}"), Path(f"/proc/self/fd/{lock}")
    assert theirs.readlink() == ours.readlink()
    assert os.getsid(running.process.pid) == running.process.pid
    assert fifo.read_text() == "vfio-pci"
    assert ended(running) == 0


@pytest.fixture
def modprobe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a modprobe that records its arguments, and fails for ``broken``."""
    told, tool = tmp_path / "told", tmp_path / "modprobe"
    tool.write_text(
        f"#!{sys.executable} -IS\nimport json, os, sys\n"
        f"with open({str(told)!r}, 'w') as file:\n"
        "    json.dump([sys.argv[1:], sorted(os.environ), os.getcwd()], file)\n"
        "sys.exit('broken' in sys.argv)\n"
    )
    tool.chmod(0o755)
    monkeypatch.setattr(machine, "ROOT_PATH", str(tmp_path))
    monkeypatch.setenv("MODPROBE_OPTIONS", "--config /evil")
    return told


@pytest.mark.parametrize(
    ("step", "arguments"),
    [
        (Step("load", "vfio-pci", 30.0), ["vfio-pci"]),
        (Step("drivers", "pci:v10DE pci:v8086", 30.0), ["-abq", "pci:v10DE", "pci:v8086"]),
    ],
)
def test_modules_are_loaded_with_nothing_of_the_users(
    modprobe: Path, lock: int, step: Step, arguments: list[str]
) -> None:
    assert ended(RealMachine().start(step, lock)) == 0
    called, variables, folder = json.loads(modprobe.read_text())
    assert (called, folder) == (arguments, "/")
    assert set(variables) <= {"PATH", "LC_ALL", "LC_CTYPE", "PWD"}


def test_a_module_that_cannot_be_loaded(modprobe: Path, lock: int) -> None:
    assert ended(RealMachine().start(Step("load", "broken", 30.0), lock)) == 1


# --- what is seen -----------------------------------------------------------------


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a function on the nvidia driver."""
    monkeypatch.setattr(machine, "DEVICES", str(tmp_path))
    folder = tmp_path / CARD
    folder.mkdir()
    (folder / "driver").symlink_to("../../bus/pci/drivers/nvidia")
    return folder


def test_the_driver_is_what_the_link_names(function: Path) -> None:
    assert RealMachine().driver(CARD) == "nvidia"
    (function / "driver").unlink()
    assert RealMachine().driver(CARD) is None
    assert RealMachine().driver("0000:07:00.0") is None


def test_a_driver_that_is_still_letting_go(
    function: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nvidia driver keeps its folder below /proc until it has released the card."""
    monkeypatch.setattr(machine, "NVIDIA_CARDS", tmp_path / "gpus")
    (tmp_path / "gpus" / CARD).mkdir(parents=True)
    assert not RealMachine().removing(CARD)
    (function / "driver").unlink()
    assert RealMachine().removing(CARD)
    (tmp_path / "gpus" / CARD).rmdir()
    assert not RealMachine().removing(CARD)


def test_who_has_a_node_that_the_driver_has_taken_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A removal waits for the process that still has it open."""
    node = Node(("c", 195, 1), "/dev/nvidia1", CARD)
    found, asked = [node], []

    def scan(addresses: Collection[str], also: Collection[Node] = ()) -> Holders:
        asked.append((list(addresses), list(also)))
        return Holders(())

    monkeypatch.setattr(machine, "nodes", lambda root, addresses: found)
    monkeypatch.setattr(machine, "holders", scan)
    real = RealMachine()
    real.holders([CARD])
    found.clear()
    real.holders([CARD])
    assert asked == [([CARD], [node])] * 2
    real.holders(["0000:07:00.0"])
    assert asked[2] == (["0000:07:00.0"], [])


@pytest.mark.parametrize("error", [HostError("the scan ended"), PermissionError(13, "denied")])
def test_holders_that_cannot_be_seen_are_not_none(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> list[Node]:
        raise error

    monkeypatch.setattr(machine, "nodes", fail)
    assert isinstance(RealMachine().holders([CARD]), Unavailable)


@pytest.mark.parametrize(
    ("text", "override"), [("vfio-pci\n", "vfio-pci"), ("(null)\n", None), ("\n", None), ("", None)]
)
def test_an_override(function: Path, text: str, override: str | None) -> None:
    (function / "driver_override").write_text(text)
    assert RealMachine().override(CARD) == override


@pytest.mark.parametrize(
    ("text", "power"), [("on\n", "on"), ("auto\n", "auto"), ("other\n", None), ("", None)]
)
def test_power_control_is_one_of_two_words(
    function: Path, text: str, power: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "power_path", lambda address: function / "power/control")
    (function / "power").mkdir()
    (function / "power/control").write_text(text)
    assert RealMachine().power(CARD) == power


def test_a_function_that_is_gone_has_no_power_control(function: Path) -> None:
    assert RealMachine().power(CARD) is None


def test_an_override_that_cannot_be_read_is_not_none(function: Path) -> None:
    with pytest.raises(HostError, match="cannot be read"):
        RealMachine().override(CARD)


def test_an_override_whose_reading_does_not_return(
    function: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "OVERRIDE_READ_S", 0.05)
    fifo = function / "driver_override"
    os.mkfifo(fifo)
    real = RealMachine()
    with pytest.raises(HostError, match="has not returned"):
        real.override(CARD)
    fifo.write_text("")
    (reader,) = real.hung_reads
    assert reader.wait(PATIENCE) is not None


# --- whether a swap goes on -------------------------------------------------------
