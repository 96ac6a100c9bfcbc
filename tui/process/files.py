"""Reads files that a user may have replaced by a FIFO, a device or a link into /proc, and writes
files atomically."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path

_NULL = os.makedev(1, 3)
"""/dev/null, which counts as an empty file (kernel: Documentation/admin-guide/devices.txt)."""


def read_file(path: Path, limit: int) -> bytes:
    """Read a regular file, or nothing from /dev/null. Raises ``OSError`` if it cannot be read, is
    of another kind, or holds more than ``limit`` bytes.

    The file is examined before it is opened for reading: opening a device may have side effects,
    and opening a FIFO waits for a writer. Files of /proc are refused: reading /proc/kmsg takes
    the kernel's messages away from the log.
    """
    examined = os.open(path, os.O_PATH | os.O_CLOEXEC)  # open(2): does not open the file itself
    try:
        status = os.fstat(examined)
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == _NULL:
            return b""
        itself = Path(f"/proc/self/fd/{examined}")
        if not itself.is_symlink():  # else the file would appear to be missing
            raise OSError(errno.EIO, "it cannot be opened because /proc is not mounted", str(path))
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


def write_atomically(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Replace ``path`` with a file with ``content``. A reader sees the old file or the new one,
    even after a power loss. Raises ``OSError``."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable (fsync(2)). Raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
