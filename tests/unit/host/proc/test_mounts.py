"""Which file system a file is on, and which files are checked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.proc.file_numbers import FileInspector, NotChecked
from tui.host.proc.mounts import UNMOUNTED, FilesystemTypes, Mount, lines, mount_of, mounts

MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:45 / /net/a\\040b rw - nfs4 server:/home rw,hard
31 22 0:46 / /mnt/phone rw shared:5 master:2 - fuse.sshfs phone: rw
32 22 0:5 / /dev rw - devtmpfs udev rw
33 22 8:16 / /data - ext4 rw - fuseblk /dev/sdb rw
34 22 0:47 / /odd rw
"""


@pytest.fixture
def process(tmp_path: Path) -> Path:
    (tmp_path / "fd").mkdir()
    (tmp_path / "fdinfo").mkdir()
    (tmp_path / "map_files").mkdir()
    (tmp_path / "mountinfo").write_text(MOUNTINFO)
    return tmp_path


@pytest.mark.parametrize(
    ("mount", "kind"),
    [(b"22", b"ext4"), (b"30", b"nfs4"), (b"31", b"fuse"), (b"32", b"devtmpfs"),
     (b"34", UNMOUNTED), (b"99", UNMOUNTED)],
)  # fmt: skip
def test_the_type_by_the_mount(process: Path, mount: bytes, kind: bytes) -> None:
    assert FilesystemTypes().of_file(str(process), mount) == kind


@pytest.mark.parametrize(
    ("device", "kind"), [(b"08:01", b"ext4"), (b"00:2d", b"nfs4"), (b"00:05", b"devtmpfs")]
)
def test_the_type_by_the_device(process: Path, device: bytes, kind: bytes) -> None:
    assert FilesystemTypes().of_mapping(str(process), device) == kind


def test_without_mounts(tmp_path: Path) -> None:
    assert FilesystemTypes().of_file(str(tmp_path), b"22") == UNMOUNTED


def test_our_own(tmp_path: Path) -> None:
    kinds = {mount.type for mount in mounts("/proc/self/mountinfo") if mount.point == b"/proc"}
    assert kinds == {b"proc"}
    with (tmp_path / "file").open("w") as file:
        here = mount_of(f"/proc/self/fdinfo/{file.fileno()}")
    assert FilesystemTypes().of_file("/proc/self", here) != UNMOUNTED


@given(st.binary(max_size=200))
def test_no_line_is_taken_for_what_it_is_not(line: bytes) -> None:
    try:
        mount = Mount(line)
    except (ValueError, IndexError):
        return
    assert mount.type is not None


@given(st.lists(st.binary(max_size=9000).filter(lambda line: b"\n" not in line), max_size=20))
def test_lines_of_any_length(written: list[bytes]) -> None:
    descriptor = os.memfd_create("lines")
    try:
        os.write(descriptor, b"".join(line + b"\n" for line in written))
        ticks: list[None] = []
        read = lines(f"/proc/self/fd/{descriptor}", lambda: ticks.append(None))
        assert list(read) == written
    finally:
        os.close(descriptor)


# --- which are asked ------------------------------------------------------------


@pytest.mark.parametrize(
    ("mount", "name", "doubt"),
    [(22, "card1", False), (30, "card1", True), (30, "notes", False), (99, "card1", False)],
)
def test_a_file_of_a_server_is_recognized_by_its_name(
    process: Path, mount: int, name: str, doubt: bool
) -> None:
    """A file on a network file system is not checked; only its name can raise a doubt.

    The other files are checked, and are not devices.
    """
    (process / name).write_text("no device")
    (process / "fd/3").symlink_to(process / name)
    (process / "fdinfo/3").write_text(f"pos:\t0\nflags:\t02\nmnt_id:\t{mount}\nino:\t9\n")
    files = FileInspector(FilesystemTypes(), {"card1"})
    if doubt:
        with pytest.raises(NotChecked, match="on nfs4"):
            files.opened(str(process), "3")
    else:
        assert files.opened(str(process), "3") is None


def test_a_node_that_is_mapped(process: Path) -> None:
    (process / "map_files/1000-2000").symlink_to("/dev/null")
    for device in (b"00:05", b"00:2e", b"00:99"):
        found = FileInspector(FilesystemTypes()).mapped(
            str(process), "1000-2000", device, "/x/null"
        )
        assert found == ("c", 1, 3)
    assert (
        FileInspector(FilesystemTypes()).mapped(str(process), "1000-2000", b"00:2d", "/x/null")
        is None
    )
    with pytest.raises(NotChecked):
        FileInspector(FilesystemTypes(), {"null"}).mapped(
            str(process), "1000-2000", b"00:2d", "/x/null (deleted)"
        )
