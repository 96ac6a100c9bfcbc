"""``vfiotop capture`` of captured hosts, which have no secrets of this machine."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from tests.touched import Fifo
from tests.unit.captured import tower
from tests.unit.host.capture import towers
from tui.cli.main import main
from tui.host import HostError
from tui.host.capture.archive import unpack
from tui.host.libvirt import source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tower(tmp_path / "host")


def run(*arguments: str | Path) -> int:
    return main(["capture", *map(str, arguments)])


def program(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "tui", "capture", *map(str, arguments)],
        stderr=subprocess.PIPE, timeout=60, check=False, **options,
    )  # fmt: skip


def test_a_capture_says_what_was_replaced(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bug.tar.gz"
    assert run(file, "--root", towers.full(tmp_path / "full")) == 0
    out, errors = capfd.readouterr()
    assert errors == ""
    lines = out.splitlines()
    assert lines[0].endswith("files, links and folders")
    assert "user names (1)" in lines[1] and "MAC addresses" in lines[1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    nodes = unpack(file.read_bytes())
    page = nodes["vfiotop-capture/REDACTED"]
    assert isinstance(page, bytes)
    assert b"     1  user names" in page and b"domain\nnames, unless" in page
    versions = nodes["vfiotop-capture/VERSIONS"]
    assert isinstance(versions, bytes)
    assert {line.split(b":")[0] for line in versions.splitlines()} >= {
        b"vfiotop", b"Python", b"textual", b"libvirt daemon", b"kernel", b"nvidia driver",
        b"distribution",
    }  # fmt: skip
    assert b"distribution: debian 12" in versions and b"nvidia driver: 580.95.05" in versions


def test_an_unredacted_one_says_so(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "x.tar.gz", "--unredacted", "--root", root) == 0
    assert "Nothing was replaced" in capfd.readouterr().out


def test_a_capture_can_be_loaded(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.tar.gz"
    assert run(file, "--root", root) == 0
    assert main(["doctor", "--root", str(file)]) == main(["doctor", "--root", str(root)])


def test_an_existing_file_is_kept(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.tar.gz"
    file.write_text("mine")
    assert run(file, "--root", root) == 1
    out, errors = capfd.readouterr()
    assert (out, errors.count("\n")) == ("", 1)
    assert errors.endswith("x.tar.gz cannot be written: it exists; --force replaces it\n")
    assert file.read_text() == "mine"
    assert run(file, "--root", root, "--force") == 0
    assert unpack(file.read_bytes())


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_what_is_no_file_is_not_replaced(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    place = tmp_path / "place"
    if kind == "folder":
        place.mkdir()
    elif kind == "fifo":
        Fifo(place)
    else:
        place.symlink_to(root)
    before = place.lstat()
    assert run(place, "--root", root, "--force") == 1
    assert "it exists and is not a regular file" in capfd.readouterr().err
    assert place.lstat().st_ino == before.st_ino


@pytest.mark.parametrize("place", ["none/x.tar.gz", "host/proc/cmdline/x.tar.gz"])
def test_a_folder_that_cannot_be_written_to(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], place: str
) -> None:
    (root / "proc/cmdline").write_text("quiet")
    before = sorted(tmp_path.rglob("*"))
    assert run(tmp_path / place, "--root", root) == 1
    assert capfd.readouterr().err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_leaves_nothing_behind(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "out").mkdir()
    assert run(tmp_path / "out/x.tar.gz", "--root", root) == 1
    assert capfd.readouterr().err.endswith("cannot be written: No space left on device\n")
    assert list((tmp_path / "out").iterdir()) == []


# --- standard output -----------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("-",)])
def test_a_pipe_gets_the_archive(root: Path, words: tuple[str, ...]) -> None:
    done = program(*words, "--root", root, stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert "vfiotop-capture/VERSIONS" in unpack(done.stdout)
    assert b"Look through it" in done.stderr


def test_a_terminal_gets_none(root: Path) -> None:
    master, slave = pty.openpty()
    try:
        done = program("-", "--root", root, stdout=slave)
    finally:
        os.close(slave)
        os.close(master)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"name a file" in done.stderr


def test_a_full_standard_output(root: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = program("-", "--root", root, stdout=full)
    assert done.returncode == 1
    assert b"the output could not be written: No space left on device" in done.stderr


def test_a_simulated_host_has_no_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "x.tar.gz", "--demo", "gaming") == 2
    assert "a simulated host has no files" in capfd.readouterr().err


def test_this_machine_can_be_captured(tmp_path: Path) -> None:
    """With or without a GPU; libvirt's test driver is always there and needs no daemon."""
    file = tmp_path / "x.tar.gz"
    assert run(file, "--connect", "test:///default") == 0
    nodes = unpack(file.read_bytes())
    assert "vfiotop-capture/proc/sys/kernel/hostname" in nodes
    found = nodes["vfiotop-capture/domains/test.xml"]
    assert isinstance(found, bytes)
    assert found.startswith(b'<domstatus state="running">') and b"<name>test</name>" in found


def test_without_libvirt_the_rest_is_captured(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(uri: str) -> NoReturn:
        raise HostError(f"{uri} does not answer")

    monkeypatch.setattr(source, "stored_domains", silent)
    file = tmp_path / "x.tar.gz"
    assert run(file, "--connect", "test:///default") == 0
    assert "Not read: " in capfd.readouterr().out
    nodes = unpack(file.read_bytes())
    lacking = nodes["vfiotop-capture/NOT-READ"]
    assert isinstance(lacking, bytes) and b"domains: " in lacking
    assert not [path for path in nodes if path.startswith("vfiotop-capture/domains")]
