"""Malicious recordings, opened with the real program."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import recordings
from tests.attack.terminals import attributes, environment, given_back, opened, ready
from tests.attack.test_archive import HOSTILE, MEMORY
from tests.thorough import thorough
from tests.touched import Fifo
from tui.host.capture.archive import pack
from tui.host.history.entry import Block, Entry, Run, StoredEvent, encoded
from tui.host.history.folder import ON_DISK, segment_name
from tui.host.history.frames import MAGIC, framed

SECRET = "Gurkensalat"
FIRST = segment_name(1)
REPLAY = (sys.executable, "-B", "-m", "tui", "replay")


def refused(place: Path, home: Path) -> str:
    """Why the program refuses it, with little memory."""
    done = subprocess.run(
        [*REPLAY, str(place)], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.strip().isprintable()
    assert SECRET not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "name", ["a link out", *thorough("a file through a link", "a device", "twice", "noise")]
)
def test_a_hostile_archive_is_refused_and_touches_nothing(tmp_path: Path, name: str) -> None:
    outside, home = tmp_path / "outside", tmp_path / "home"
    for folder in (outside, home):
        folder.mkdir()
    (outside / "secret").write_text(SECRET)
    place = tmp_path / "bug.tar.gz"
    place.write_bytes(HOSTILE[name](outside))
    before = sorted(tmp_path.rglob("*"))
    assert "nor a usable archive" in refused(place, home)
    assert sorted(tmp_path.rglob("*")) == before


# --- members that would be a history ------------------------------------------------------


def many_runs() -> bytes:
    """A file of a store that holds half a million runs."""
    runs: tuple[Run, ...] = (Run(0, b""),) * 4096
    series = {f"{'abcdefghij'[n % 10] * (1 + n // 10)}": runs for n in range(120)}
    entry = Entry(recordings.BOOT_ID, 0.0, 1.0, (Block(1, {recordings.GUEST: series}),))
    data = MAGIC + framed(encoded(entry))
    assert len(data) <= ON_DISK.segment_limit
    return data


def outside_history(root: Path, *, whole: bool) -> None:
    """A link to a history outside, as a whole or as one file of it."""
    events = (StoredEvent(1.0, SECRET, SECRET),)
    outside = recordings.keep(root.parent / "outside", recordings.entries(events))
    if whole:
        (root / "history").symlink_to(outside)
    else:
        (root / "history").mkdir()
        (root / "history" / FIRST).symlink_to(os.path.relpath(outside / FIRST, root / "history"))


def of_bytes(data: Callable[[], bytes], files: int = 1) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        (root / "history").mkdir()
        for number in range(1, files + 1):
            (root / "history" / segment_name(number)).write_bytes(data())

    return make


MADE: dict[str, Callable[[Path], None]] = {
    "a link to a history outside": lambda root: outside_history(root, whole=True),
    "a link to a file outside": lambda root: outside_history(root, whole=False),
    "millions of runs": of_bytes(many_runs, files=5),
    "larger than any file of a watch": of_bytes(lambda: MAGIC + bytes(3 << 20)),
    "a frame of another length": of_bytes(lambda: MAGIC + b"\xff" * 64),
    "no entry of ours": of_bytes(lambda: MAGIC + framed(b"\x93" * 1000) + framed(b"\xc1")),
    "noise": of_bytes(lambda: os.urandom(1 << 12)),
}

WHY = {"millions of runs": "holds more than a watch would write"}

FEW = ("a link to a history outside", "a link to a file outside", "millions of runs")


@pytest.mark.parametrize("name", [*FEW, *thorough(*(MADE.keys() - set(FEW)))])
def test_a_hostile_history_is_refused(tmp_path: Path, name: str) -> None:
    root = recordings.host(tmp_path / "host")
    MADE[name](root)
    assert WHY.get(name, "has no history") in refused(root, tmp_path)


def test_no_fifo_is_opened(tmp_path: Path) -> None:
    root = recordings.host(tmp_path / "host")
    (root / "history").mkdir()
    trap = Fifo(root / "history" / FIRST)
    try:
        assert "has no history" in refused(root, tmp_path)
        assert not trap.touched()
    finally:
        trap.close()


def test_a_history_inside_an_archive_is_bounded_as_well(tmp_path: Path) -> None:
    place = tmp_path / "bug.tar.gz"
    device = "sys/bus/pci/devices/0000:01:00.0/vendor"
    history = {f"history/{segment_name(n)}": many_runs() for n in range(1, 6)}
    place.write_bytes(pack({device: b"0x10de\n", **history}))
    assert "holds more than a watch would write" in refused(place, tmp_path)


def test_words_of_a_recording_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    """The screen opens on it, and the terminal gets their letters, but no control characters."""
    events = (
        StoredEvent(1795.0, "win\x1b[2J11", "\x1b]0;owned\x07 \x9b31m started\u202e", "warn"),
        StoredEvent(1796.0, "x" * 2000, "y" * 2000, "failed", fix="\x1bc" * 900),
    )
    place = recordings.bug_report(tmp_path / "host", events)
    with opened([*REPLAY, str(place)], environment(TZ="UTC")) as terminal:
        before = attributes(terminal)
        ready(terminal)
        terminal.until(lambda text: "]0;owned" in text and "Recorded 2026-03-01 12:30" in text)
        terminal.press("e")
        terminal.until(lambda text: "]0;owned 31m started" in text)
        terminal.press("q")
        assert terminal.end() == 0
        assert given_back(terminal, before)
        output = terminal.output()
        for harm in (b"\x1b]0;owned", b"\x9b31m", b"\x1bc", "\u202e".encode()):
            assert harm not in output
