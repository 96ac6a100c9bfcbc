"""A screen on which nothing changes writes nothing to its terminal."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from tests.bench.terminal import Terminal

ROUNDS = 12
STILL = 4
"""Rounds at the end that must write nothing."""
BELL = b"\x07"
COMMAND = re.compile(rb"\x1b\][^\x07]*\x07")
"""A sequence that ends with a bell, such as the shape of the pointer."""


def test_equal_readings_write_nothing(tmp_path: Path) -> None:
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    command = [sys.executable, "-m", "tests.bench.still", str(ROUNDS)]
    with Terminal(command, {**os.environ, **home}) as terminal:
        assert terminal.end() == 0, terminal.text()
        # The first rounds may still finish the start: keys enabled by the focus, and background
        # readings.
        _start, *rounds, change, _end = COMMAND.sub(b"", terminal.output()).split(BELL)
    assert len(rounds) == ROUNDS
    assert rounds[-STILL:] == [b""] * STILL
    assert b"38" in change
