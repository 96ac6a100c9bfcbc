"""Paths that only root can change, and the folders that root uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui.process import folders
from tui.process.privileges import only_root_can_change

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what others own")

OTHER = 1234


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "a" / "b"
    made.mkdir(parents=True)
    return made


def test_a_folder_of_root_and_a_path_that_does_not_exist_yet(folder: Path) -> None:
    assert only_root_can_change(folder)
    assert only_root_can_change(folder / "c" / "d.toml")


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("how", ["owner", "group", "everybody"])
def test_a_folder_that_others_can_change(folder: Path, level: int, how: str) -> None:
    which = (folder, folder.parent)[level]
    if how == "owner":
        os.chown(which, OTHER, OTHER)
    else:
        which.chmod(0o775 if how == "group" else 0o757)
    assert not only_root_can_change(folder)
    assert not only_root_can_change(folder / "file")


def test_a_sticky_folder_on_the_way_is_accepted(folder: Path) -> None:
    folder.parent.chmod(0o1777)
    assert only_root_can_change(folder)
    os.chown(folder, OTHER, OTHER)
    assert not only_root_can_change(folder)


def test_a_missing_entry_of_a_sticky_folder_could_be_created_by_others(folder: Path) -> None:
    """Between this check and what root does next."""
    folder.chmod(0o1777)
    for path in (folder, folder / "vfiotop", folder / "a" / "b", folder / ".", folder / "c" / ".."):
        assert not only_root_can_change(path), path
    (folder / "c").mkdir()
    assert only_root_can_change(folder / "c" / "d")
    assert not only_root_can_change(folder / "c" / "..")
    (folder.parent / "link").symlink_to(folder)
    assert not only_root_can_change(folder.parent / "link")
    (folder.parent / "dangling").symlink_to(folder / "new")
    assert not only_root_can_change(folder.parent / "dangling" / "file")


def test_links_count_with_every_folder_they_lead_through(folder: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, OTHER, OTHER)
    (theirs / "roots").mkdir()
    link = folder / "link"
    link.symlink_to(folder.parent)
    assert only_root_can_change(link / "b")
    os.chown(link, OTHER, OTHER, follow_symlinks=False)
    assert not only_root_can_change(link / "b")
    link.unlink()
    for target in (theirs, theirs / "roots", Path("../../theirs/roots"), theirs / ".." / "a"):
        link.symlink_to(target)
        assert not only_root_can_change(link / "b"), target
        link.unlink()


def test_a_loop_of_links_is_refused(folder: Path) -> None:
    (folder / "x").symlink_to(folder / "y")
    (folder / "y").symlink_to(folder / "x")
    assert not only_root_can_change(folder / "x" / "file")


def test_a_file_of_another_user(folder: Path) -> None:
    file = folder / "file"
    file.touch()
    assert only_root_can_change(file)
    file.chmod(0o666)
    assert not only_root_can_change(file)
    file.chmod(0o644)
    os.chown(file, OTHER, OTHER)
    assert not only_root_can_change(file)


def test_root_uses_its_own_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    for name, place in (
        ("XDG_CONFIG_HOME", folders.config_folder), ("XDG_STATE_HOME", folders.state_folder)
    ):  # fmt: skip
        monkeypatch.setenv(name, str(folder / "xdg"))
        assert place() == folder / "xdg" / "vfiotop"
        monkeypatch.setenv(name, "relative")
        assert place().is_relative_to(folder)
    os.chown(folder, OTHER, OTHER)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    assert not folders.config_folder().is_relative_to(folder)
    assert not folders.state_folder().is_relative_to(folder)
