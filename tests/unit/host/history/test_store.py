"""The store of the history: bounded, and readable after whatever happened to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.thorough import thorough
from tests.unit.host.history.made import LOAD, WAIT, clock, folder, minute, store
from tui.host.history.folder import (
    ASIDE_LIMIT,
    FILES_LIMIT,
    IN_MEMORY,
    Shape,
    aside_name,
    segment_name,
    segments,
)
from tui.host.history.frames import MAGIC
from tui.host.history.reader import read
from tui.host.run_folder import Untrusted
from tui.model.past import MINUTES, TENS

SMALL = Shape(120, 600, 240, (MINUTES,), 64 << 10, 256 << 10)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history"


def size(place: Path) -> int:
    return sum(path.stat().st_size for path in place.iterdir())


def found_minutes(place: Path, now: float) -> list[int]:
    """The minutes since boot that a reader finds."""
    past = read(folder(place), folder(place.with_name("memory")), clock(now))
    booted = int(clock(now).at(0.0).timestamp()) // 60
    return [step - booted for step in sorted(past.buckets(LOAD, MINUTES))]


def test_what_was_written_is_read(place: Path) -> None:
    writer = store(place)
    for number in range(3):
        writer.write(minute(number))
    past = read(folder(place), folder(place.with_name("memory")), clock(3))
    assert past.keys == {LOAD, WAIT}
    found = [past.buckets(WAIT, MINUTES)[step] for step in sorted(past.buckets(WAIT, MINUTES))]
    assert [tuple(bucket) for bucket in found] == [(60, 0.0, 5.0), (60, 1.0, 6.0), (60, 2.0, 7.0)]
    assert len(past.buckets(LOAD, TENS)) == 18


def test_everybody_may_read_it_and_only_its_owner_may_write(place: Path) -> None:
    before = os.umask(0o077)
    try:
        store(place).write(minute(0))
    finally:
        os.umask(before)
    assert (place / segment_name(1)).stat().st_mode & 0o777 == 0o644
    assert place.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("days", [5, *thorough(30)])
def test_many_days_take_no_more_room_than_two(place: Path, days: int) -> None:
    """Four entries stand for those of an hour: they cover the same time."""
    writer, sizes = store(place), []
    for hour in range(days * 24):
        for number in (1, 20, 40, 58):
            writer.write(minute(hour * 60 + number))
        sizes.append(size(place))
    assert max(sizes[2 * 24 :]) <= 1.02 * max(sizes[: 2 * 24])  # the numbers get longer
    assert len(segments(folder(place))) <= 27
    found = found_minutes(place, days * 24 * 60)
    assert found[0] <= (days - 1) * 24 * 60 + 60  # all of the last day but the hour that is cut


def test_the_oldest_readings_are_thinned(place: Path) -> None:
    writer = store(place)
    for number in range(0, 12 * 60, 5):
        writer.write(minute(number))
    past = read(folder(place), folder(place.with_name("memory")), clock(12 * 60))
    assert len(past.buckets(LOAD, MINUTES)) == 12 * 12
    tens = past.buckets(LOAD, TENS._replace(keep_s=24 * 3600))
    oldest_s = min(tens) * TENS.step_s - clock(0).at(0.0).timestamp()
    assert 6 * 3600 <= oldest_s <= 8 * 3600


def test_packing_changes_no_reading(place: Path) -> None:
    writer = store(place, IN_MEMORY._replace(kept_tiers=(MINUTES,), keep_s=3600))
    for number in range(8):
        writer.write(minute(number))
        assert found_minutes(place, number + 1) == list(range(number + 1))


def test_what_many_starts_leave_is_bounded(place: Path) -> None:
    for number in range(FILES_LIMIT + 20):
        writer = store(place)
        writer.write(minute(number))
        writer.close()
    assert len(segments(folder(place))) <= FILES_LIMIT + 1
    assert found_minutes(place, FILES_LIMIT + 20)[-1] == FILES_LIMIT + 19


def test_a_file_that_would_get_too_large_is_ended(place: Path) -> None:
    writer = store(place, SMALL._replace(segment_limit=2000, total_limit=8000))
    for number in range(100):
        writer.write(minute(number, booted=clock(0).at(0.0)))
        assert size(place) <= 8000 + 2000
    assert found_minutes(place, 100)[-1] == 99


# --- what happens to files --------------------------------------------------------------


def test_a_torn_tail_costs_only_itself(place: Path) -> None:
    writer = store(place)
    for number in range(3):
        writer.write(minute(number))
    file = place / segment_name(1)
    file.write_bytes(file.read_bytes()[:-7])
    assert found_minutes(place, 3) == [0, 1]
    again = store(place)
    again.write(minute(3))
    assert found_minutes(place, 4) == [0, 1, 3]


def test_a_file_of_another_version_is_set_aside(place: Path) -> None:
    store(place).write(minute(0))
    for number in range(2, 2 + ASIDE_LIMIT + 2):
        (place / segment_name(number)).write_bytes(b"vfiotop history 2\nwhatever")
    assert found_minutes(place, 1) == [0]
    store(place).write(minute(1))
    store(place).write(minute(2))
    assert found_minutes(place, 3) == [0, 1, 2]
    aside = sorted(path.name for path in place.glob("*.aside"))
    assert aside == [aside_name(number) for number in range(4, 8)]


def test_a_store_that_was_removed_is_begun_again(place: Path) -> None:
    writer = store(place)
    writer.write(minute(0))
    shutil.rmtree(place.parent)
    writer.write(minute(1))
    assert found_minutes(place, 2) == [1]


def hostile(path: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(path, 0o644)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "two names":
        (path.parent / "other").write_bytes(MAGIC)
        path.hardlink_to(path.parent / "other")
    elif kind == "writable":
        path.write_bytes(MAGIC)
        path.chmod(0o666)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.write(MAGIC)
            file.truncate(1 << 33)
    elif kind == "nothing":
        path.touch()


KINDS = ["fifo", "link", "two names", "writable", "folder", "huge", "nothing"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_not_ours_is_neither_read_nor_in_the_way(place: Path, kind: str) -> None:
    store(place).write(minute(0))
    hostile(place / segment_name(2), kind)
    store(place).write(minute(1))
    assert found_minutes(place, 2) == [0, 1]


def test_a_folder_that_others_may_write_to_is_refused(place: Path) -> None:
    place.mkdir(parents=True)
    place.chmod(0o777)
    with pytest.raises(Untrusted, match="other users may write"):
        store(place).write(minute(0))


def test_a_frame_with_nonsense_is_left_out(place: Path) -> None:
    writer = store(place)
    writer.write(minute(0))
    writer.write(replace(minute(1), boot_id="no boot"))
    writer.write(minute(2))
    assert found_minutes(place, 3) == [0, 2]


# --- a disk that is full ----------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    tmp_path.chmod(0o755)
    place = tmp_path / "tiny"
    place.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", str(place)]
    if os.geteuid() != 0 or mount is None or subprocess.run(command, check=False).returncode:
        pytest.skip("only root can mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_costs_what_does_not_fit_and_nothing_else(tiny: Path) -> None:
    place = tiny / "history"
    writer = store(place)
    writer.write(minute(0))
    ballast = tiny / "ballast"
    with pytest.raises(OSError, match="No space left"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    number = 1
    with pytest.raises(OSError, match="No space left"):
        for number in range(1, 100):
            writer.write(minute(number))
    written = list(range(number))
    assert found_minutes(place, number) == written
    for _ in range(FILES_LIMIT + 5):  # what cannot be written pushes nothing out
        with pytest.raises(OSError, match="No space left"):
            store(place).write(minute(number))
    assert len(segments(folder(place))) <= 2
    assert found_minutes(place, number + 1) == written
    ballast.unlink()
    writer.write(minute(number + 1))
    assert found_minutes(place, number + 2) == [*written, number + 1]


# --- a writer that is killed ------------------------------------------------------------


@pytest.mark.parametrize("rounds", [25, *thorough(400)])
def test_a_killed_writer_leaves_all_that_it_had_written(place: Path, rounds: int) -> None:
    """Killed at any write: also while files are packed and removed."""
    words = ["-m", "tests.unit.host.history.killed", str(place), str(rounds)]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["done"]), done.stderr


# --- what a power loss costs ----------------------------------------------------------


class Disk:
    """Records what is forced to the disk: the inode numbers of files, with their sizes then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forced: list[tuple[int, int]] = []
        self.folders: list[int] = []
        self.fails = False
        monkeypatch.setattr(os, "fdatasync", self._file)
        monkeypatch.setattr(os, "fsync", lambda file: self.folders.append(os.fstat(file).st_ino))

    def _file(self, file: int) -> None:
        if self.fails:
            raise OSError(5, "Input/output error")
        status = os.fstat(file)
        self.forced.append((status.st_ino, status.st_size))


def test_each_entry_on_disk_is_forced_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, writer = Disk(monkeypatch), store(place)
    for number in range(3):
        writer.write(minute(number))
        status = (place / segment_name(1)).stat()
        assert disk.forced[-1] == (status.st_ino, status.st_size)
    assert len(disk.forced) == 3
    assert disk.folders == [place.stat().st_ino], "the name of the file, once"


def test_nothing_is_forced_in_memory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    store(place, IN_MEMORY).write(minute(0))
    assert (disk.forced, disk.folders) == ([], [])


def test_after_a_disk_failed_the_next_entry_is_in_another_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, writer = Disk(monkeypatch), store(place)
    writer.write(minute(0))
    disk.fails = True
    with pytest.raises(OSError, match="Input/output"):
        writer.write(minute(1))
    disk.fails = False
    writer.write(minute(2))
    assert segments(folder(place)) == [1, 2]
    assert disk.forced[-1][0] == (place / segment_name(2)).stat().st_ino
