"""Changes of a folder, told by the kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tui.host import folder_watch
from tui.host.folder_watch import FolderChanges, FolderWatch

PATIENCE = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def changes(folder: Path) -> Iterator[FolderChanges]:
    with FolderChanges(folder) as changes:
        yield changes


def replace_file(folder: Path) -> None:
    (folder / "new").touch()
    (folder / "new").rename(folder / "swap.json")


def remove_file(folder: Path) -> None:
    (folder / "swap.json").unlink()


@pytest.mark.parametrize("change", [replace_file, remove_file])
def test_a_file_that_is_replaced_or_removed_ends_the_wait(
    folder: Path, change: Callable[[Path], None]
) -> None:
    replace_file(folder)
    with FolderChanges(folder) as changes:
        change(folder)
        assert changes.wait(PATIENCE)
        assert not changes.wait(0)


def test_nothing_ends_the_wait_while_nothing_changes(folder: Path, changes: FolderChanges) -> None:
    (folder.parent / "other").mkdir()
    assert not changes.wait(0)


def test_a_folder_that_is_made_later_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with FolderChanges(folder) as changes:
        assert not changes.wait(0)
        for _ in range(2):
            folder.mkdir()
            assert changes.wait(PATIENCE)
            replace_file(folder)
            assert changes.wait(PATIENCE)
            remove_file(folder)
            folder.rmdir()
            assert changes.wait(PATIENCE)


def test_other_files_beside_a_missing_folder_are_not_followed_for_long(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with FolderChanges(folder) as changes:
        (tmp_path / "other").touch()
        assert changes.wait(PATIENCE)
        folder.mkdir()
        assert changes.wait(PATIENCE)
        (tmp_path / "another").touch()
        assert not changes.wait(0)


def test_a_poke_ends_a_wait_and_none_after_it(changes: FolderChanges) -> None:
    for _ in range(2):
        changes.poke()
    assert changes.wait(PATIENCE)
    assert not changes.wait(0)


def test_a_poke_after_the_end_does_nothing(folder: Path) -> None:
    with FolderChanges(folder) as changes:
        pass
    changes.poke()


@pytest.mark.parametrize("reason", ["no parent", "no instance"])
def test_a_folder_that_cannot_be_followed_is_looked_at_often(
    folder: Path, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "no parent":
        folder = folder / "missing/run"
    else:

        class Exhausted:
            inotify_add_watch = folder_watch._libc.inotify_add_watch

            @staticmethod
            def inotify_init1(flags: int) -> int:
                return -1

        monkeypatch.setattr(folder_watch, "_libc", Exhausted)
    with FolderChanges(folder) as changes:
        assert changes.wait()


class Looked:
    """A version that the test sets, and how often it was asked for."""

    def __init__(self) -> None:
        self.version, self.looks = 0, 0
        self.looked = threading.Semaphore(0)

    def __call__(self) -> int:
        self.looks += 1
        self.looked.release()
        return self.version


def test_another_version_wakes_and_the_same_one_does_not(folder: Path) -> None:
    looked, wakes = Looked(), threading.Semaphore(0)
    watch = FolderWatch("test", folder, looked, wakes.release)
    try:
        for _ in range(2):  # before the thread, and on it
            assert looked.looked.acquire(timeout=PATIENCE)
        (folder / "other").touch()
        assert looked.looked.acquire(timeout=PATIENCE)
        looked.version += 1
        (folder / "swap.json").touch()
        assert wakes.acquire(timeout=PATIENCE)
        assert not wakes.acquire(blocking=False)
        assert looked.looks == 4
    finally:
        watch.close()


def test_a_version_that_depends_on_more_is_looked_at_often(folder: Path) -> None:
    looked, wakes = Looked(), threading.Semaphore(0)
    watch = FolderWatch("test", folder, looked, wakes.release)
    try:
        watch.look_every(0.001)
        looked.version += 1
        assert wakes.acquire(timeout=PATIENCE)
    finally:
        watch.close()


def test_its_thread_ends_when_it_is_closed(folder: Path) -> None:
    watch = FolderWatch("test-folder-watch", folder, Looked(), lambda: None)
    (thread,) = (each for each in threading.enumerate() if each.name == "test-folder-watch")
    watch.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
