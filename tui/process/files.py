"""Reads files that an ordinary user may have replaced by anything, such as a FIFO, a device
or a link into /proc; writes files atomically."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path

_NULL = os.makedev(1, 3)
"""/dev/null (kernel: Documentation/admin-guide/devices.txt), which stands for an empty file."""


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file; of /dev/null, none. Raises ``OSError``: it cannot be read, is
    something else, or holds more than ``limit`` bytes.

    It is examined before it is opened for reading: to open a device may have an effect, and to
    open a FIFO waits for a writer. Files of /proc are no files of a user's: reading
    /proc/kmsg takes the kernel's messages away from the log.
    """
    examined = os.open(path, os.O_PATH | os.O_CLOEXEC)  # open(2): opens nothing but the name
    try:
        status = os.fstat(examined)
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == _NULL:
            return b""
        itself = Path(f"/proc/self/fd/{examined}")
        if not itself.is_symlink():  # else the file would seem not to be there
            raise OSError(errno.EIO, "/proc is not mounted, through which it is opened", str(path))
        if not stat.S_ISREG(status.st_mode) or status.st_dev == itself.lstat().st_dev:
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        opened = os.open(itself, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    finally:
        os.close(examined)
    with open(opened, "rb", buffering=0) as file:  # noqa: PTH123
        data = bytearray()
        while chunk := file.read(limit + 1 - len(data)):
            data += chunk
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit // 1024} KiB", str(path))
    return bytes(data)


def write_atomically(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace ``path`` by a file with ``text``: a reader sees the old file or the new one,
    never half of one, and so does the next boot. Raises ``OSError``."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
        _sync(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _sync(folder: Path) -> None:
    """Make a rename in ``folder`` durable (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
