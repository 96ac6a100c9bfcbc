"""Which files may be looked at without waiting for a server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui.host.mounts import Mounts

MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:45 / /net/a\\040b rw - nfs4 server:/home rw,hard
31 22 0:46 / /mnt/phone rw shared:5 master:2 - fuse.sshfs phone: rw
32 22 0:5 / /dev rw - devtmpfs udev rw
33 22 8:16 / /data rw - fuseblk /dev/sdb rw
"""


@pytest.fixture
def process(tmp_path: Path) -> Path:
    (tmp_path / "fdinfo").mkdir()
    (tmp_path / "mountinfo").write_text(MOUNTINFO)
    return tmp_path


@pytest.mark.parametrize(
    ("mount", "may"), [(22, True), (32, True), (30, False), (31, False), (33, False), (99, False)]
)
def test_an_open_file_by_its_mount(process: Path, mount: int, may: bool) -> None:
    (process / "fdinfo/3").write_text(f"pos:\t0\nflags:\t0100002\nmnt_id:\t{mount}\nino:\t9\n")
    assert Mounts().may_stat_file(process, "3") is may


def test_a_file_that_was_closed(process: Path) -> None:
    assert not Mounts().may_stat_file(process, "4")


@pytest.mark.parametrize(
    ("device", "may"), [(b"08:01", True), (b"00:2d", False), (b"00:2e", False), (b"08:10", False)]
)
def test_a_mapped_file_by_its_device(process: Path, device: bytes, may: bool) -> None:
    assert Mounts().may_stat_mapping(process, device) is may


def test_this_machine(tmp_path: Path) -> None:
    """Against the kernel's own files."""
    (tmp_path / "x").write_text("")
    with (tmp_path / "x").open() as file:
        here = Path(f"/proc/{os.getpid()}")
        assert Mounts().may_stat_file(here, str(file.fileno()))
