"""What must hold outside the machine. ``python -m tests.lab`` names this file; nothing else
collects it, because it boots a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.kernel import LabError, kernel
from tests.lab.topologies import TOPOLOGIES
from tests.lab.vm import RESULTS, Machine, make_image

LIMIT = 40
HANG = f"touch {RESULTS}/reached; sleep infinity"


def test_a_machine_that_hangs_is_ended_and_nothing_stays_behind(tmp_path: Path) -> None:
    image = tmp_path / "image"
    make_image(image)
    topology = TOPOLOGIES["one-gpu"]
    machine = Machine(kernel(), image, topology, topology.models)
    with pytest.raises(LabError, match=rf"one-gpu: the machine was ended after {LIMIT} s"):
        machine.run(["bash", "-c", HANG], tmp_path / "results", LIMIT)
    assert (tmp_path / "results/reached").exists()
    assert "lab_cards" in (tmp_path / "results/kernel.log").read_text()
    assert processes_that_name(str(image)) == []


def processes_that_name(words: str) -> list[str]:
    """The command lines that contain the given words."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
        if words in command:
            found.append(command)
    return found
