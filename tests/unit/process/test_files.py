"""Files of a user: anything but a regular file is refused before it is opened."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.process.files import read_file

LIMIT = 100


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=2 * LIMIT))
def test_a_file_is_read_completely_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    if len(data) <= LIMIT:
        assert read_file(path, LIMIT) == data
    else:
        with pytest.raises(OSError, match="larger than"):
            read_file(path, LIMIT)


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link", LIMIT) == b"x"


def test_dev_null_is_an_empty_file() -> None:
    assert read_file(Path("/dev/null"), LIMIT) == b""


@pytest.mark.parametrize(
    "place",
    ["/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx", "/proc/kmsg", "/proc/self/mem",
     "/proc/self/environ", "/etc"],
)  # fmt: skip
def test_devices_and_files_of_proc_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "link").symlink_to(place)
    with pytest.raises(OSError, match=r"not a regular file|Permission|No such"):
        read_file(tmp_path / "link", LIMIT)


def test_a_fifo_and_a_socket_are_refused_without_opening_them(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(OSError, match="not a regular file"):
        read_file(fifo, LIMIT)
    with pytest.raises(OSError) as caught:  # nobody has opened it for reading
        os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    assert caught.value.errno == errno.ENXIO
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match="not a regular file"):
            read_file(tmp_path / "socket", LIMIT)


def test_no_descriptor_is_leaked(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    (tmp_path / "file").write_bytes(b"x")
    read_file(tmp_path / "file", LIMIT)
    for refused in (Path("/dev/zero"), tmp_path, tmp_path / "none"):
        with pytest.raises(OSError):
            read_file(refused, LIMIT)
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208
