"""Who can change a file, by the owners and modes along its path."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tui.process.ownership import Part, Verdict, Writer, below, judge, parts

ME, OTHER, MY_GROUP, GROUP = 1000, 1001, 1000, 50

FILE, FOLDER, LINK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK

ROOTS = Part("/usr", 0, 0, FOLDER | 0o755)
MINE = Part("/srv/me/file", ME, MY_GROUP, FILE | 0o600)


def verdict(*found: Part) -> Verdict:
    return judge(found, ME, {MY_GROUP})


def test_what_is_roots_and_what_is_the_users() -> None:
    assert verdict(ROOTS) == Verdict("root")
    assert verdict(ROOTS, MINE, ROOTS) == Verdict("user", Writer("user", ME), MINE.path)


@pytest.mark.parametrize(
    ("part", "by"),
    [
        (Part("/x", OTHER, 0, FILE | 0o400), Writer("user", OTHER)),  # who may chmod it
        (Part("/x", OTHER, 0, LINK | 0o777), Writer("user", OTHER)),
        (Part("/x", OTHER, 0, FOLDER | 0o1777, on_the_way=True), Writer("user", OTHER)),
        (Part("/x", 65534, 65534, FILE | 0o644), Writer("user", 65534)),
        (Part("/x", 0, GROUP, FOLDER | 0o775), Writer("group", GROUP)),
        (Part("/x", 0, 0, FILE | 0o664), Writer("group", 0)),
        (Part("/x", ME, GROUP, FILE | 0o664), Writer("group", GROUP)),
        (Part("/x", ME, MY_GROUP, FILE | 0o664, acl=True), Writer("group", MY_GROUP)),
        (Part("/x", 0, 0, FILE | 0o646), Writer("everybody")),
        (Part("/x", ME, MY_GROUP, FOLDER | 0o757, on_the_way=True), Writer("everybody")),
        (Part("/x", 0, 0, FOLDER | 0o1777), Writer("everybody")),
        (Part("/x", 0, 0, FILE | 0o1666, on_the_way=True), Writer("everybody")),
    ],
)
def test_what_others_can_change(part: Part, by: Writer) -> None:
    assert verdict(ROOTS, MINE, part) == Verdict("others", by, "/x")


@pytest.mark.parametrize(
    ("part", "writers"),
    [
        (Part("/tmp", 0, 0, FOLDER | 0o1777, on_the_way=True), "root"),
        (Part("/x", 0, 0, LINK | 0o777), "root"),
        (Part("/x", ME, GROUP, LINK | 0o777), "user"),
        (Part("/x", ME, MY_GROUP, FILE | 0o664), "user"),
        (Part("/x", 0, MY_GROUP, FILE | 0o664), "user"),
        (Part("/x", ME, GROUP, FILE | 0o644, acl=True), "user"),
    ],
)
def test_what_others_cannot_change(part: Part, writers: str) -> None:
    assert verdict(part).writers == writers


def test_root_is_asked_about_everybody_else() -> None:
    assert judge([MINE], 0) == Verdict("others", Writer("user", ME), MINE.path)


def paths(path: Path) -> list[str]:
    return [part.path for part in parts(str(path))]


def test_every_folder_and_link_on_the_way_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/../other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    found = paths(tmp_path / "link" / "file")
    assert found[0] == "/"
    for name in ("link", "a", "other", "other/file"):
        assert str(tmp_path / name) in found
    assert found[-1] == str(tmp_path / "other" / "file")


def test_the_folder_of_a_missing_file_is_no_longer_on_the_way(tmp_path: Path) -> None:
    *_, last = parts(str(tmp_path / "python311.zip"))
    assert (last.path, last.on_the_way) == (str(tmp_path), False)


def test_links_in_a_loop_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="too many links"):
        paths(tmp_path / "a")


def test_everything_in_a_folder_counts_but_what_nothing_imports(tmp_path: Path) -> None:
    package, target = tmp_path / "code" / "package", tmp_path / "target"
    for folder in (package, target, tmp_path / "code" / ".git", tmp_path / "code" / "left"):
        folder.mkdir(parents=True)
        (folder / "file.py").touch()
    (package / "linked.py").symlink_to(target / "file.py")
    found = [part.path for part in below(str(tmp_path / "code"), ("left",))]
    assert {str(package), str(package / "file.py"), str(package / "linked.py")} <= set(found)
    assert {str(target), str(target / "file.py")} <= set(found)
    inside = [path.removeprefix(str(tmp_path)) for path in found if path.startswith(str(tmp_path))]
    assert not [path for path in inside if ".git" in path or "left" in path]


def test_modes_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o666)
    (part,) = below(str(tmp_path))
    assert stat.S_IMODE(part.mode) == 0o666
    assert part.uid == os.getuid()
    assert not part.acl
