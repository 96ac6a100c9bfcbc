"""Kills a writer at a random write, many times, and reads what it has left each time.

A program of its own, because it forks: ``python -m tests.unit.host.history.killed FOLDER ROUNDS``.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

from tests.unit.host.history.made import LOAD, clock, folder, minute, store
from tui.host.history.folder import Shape, segment_name, segments
from tui.host.history.frames import MAGIC
from tui.host.history.reader import read
from tui.model.past import MINUTES

SHAPE = Shape(180, 24 * 3600, 360, (MINUTES,), 1 << 20, 1 << 20)
"""A new file every three minutes, so that files are packed all the time."""


def main(place: Path, rounds: int) -> None:
    chance, written = random.Random(19), 0
    for _ in range(rounds):
        written = killed_after(place, written, chance.randrange(1, 12), chance.random() < 0.5)
        now = written + 1
        past = read(folder(place), folder(place.with_name("memory")), clock(now))
        booted = int(clock(now).at(0.0).timestamp()) // 60
        found = {step - booted for step in past.buckets(LOAD, MINUTES)}
        assert found >= set(range(max(0, written - 200), written)), (written, sorted(found))
        for number in segments(folder(place)):
            assert (place / segment_name(number)).read_bytes()[: len(MAGIC)] in (MAGIC, b"")
        assert len(list(place.glob(".*"))) <= 1, "half-written files pile up"
        written = max(written, *(step + 1 for step in found))
    print("done")


def killed_after(place: Path, first: int, writes: int, at_once: bool) -> int:
    """Let a process write that many minutes, kill it in the next one, and return the number of
    minutes that it had written for sure. ``at_once``: it does not wait in between."""
    said, says = os.pipe()
    may, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        writer = store(place, SHAPE)
        number = first
        while at_once or os.read(may, 1):
            writer.write(minute(number))
            os.write(says, b".")
            number += 1
        os._exit(0)
    for _ in range(writes):
        os.write(go, b".")
        assert os.read(said, 1) == b"."
    os.write(go, b".")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(says)
    more = len(os.read(said, 65536))
    for descriptor in (said, may, go):
        os.close(descriptor)
    return first + writes + more


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
