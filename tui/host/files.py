"""Files of this machine that a guest's definition names: ROMs and shared memory.

Anybody who may define a domain names them, so only regular files are opened, without
blocking, after a check of what each is. A file server that is gone costs a bounded time.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from tui.host.proc.stat import Stat
from tui.host.timeout import within
from tui.host.tree import MACHINE, READ_FLAGS
from tui.host.untrusted import clean
from tui.model import FileFacts, FileKind, RomImage

TIMEOUT_S = 2.0
"""Seconds for all files together."""

FILES_LIMIT = 64
HEAD = 64 << 10
"""Files to check, and bytes of one that are read."""

MAPS_LIMIT = 4 << 20
"""Bytes of one /proc/PID/maps; a line has about a hundred."""

KERNEL_FOLDERS = ("/proc/", "/sys/", "/dev/")
"""Folders with the kernel's files. Reading some wakes a card, or consumes data meant for others."""

_HEADER = b"NVGI"
_SIGNATURE, _PCIR = b"\x55\xaa", b"PCIR"


def file_facts(paths: Collection[str]) -> Mapping[str, FileFacts]:
    """Return what is known about the files; never raises."""
    found: dict[str, FileFacts] = {}
    wanted = [path for path in dict.fromkeys(paths) if path.startswith("/") and "\0" not in path]

    def look() -> None:
        for path in wanted[:FILES_LIMIT]:
            found[path] = _facts(path)
        mapped = _mappers([p for p, facts in found.items() if facts.kind in ("file", "device")])
        for path, names in mapped.items():
            found[path] = replace(found[path], mapped_by=names)

    with suppress(TimeoutError, OSError):  # files that were not reached are unknown
        within(TIMEOUT_S, look)
    return {path: found.get(path, FileFacts("unknown")) for path in paths}


def _facts(path: str) -> FileFacts:
    try:
        seen = Path(path).stat()
    except FileNotFoundError:
        return FileFacts("missing")
    except OSError:
        return FileFacts("unknown")
    kind = _kind(seen.st_mode)
    return FileFacts(
        kind=kind,
        size=seen.st_size,
        mode=stat.S_IMODE(seen.st_mode),
        owner=_user(seen.st_uid),
        group=_group(seen.st_gid),
        open_path=_is_open(path),
        rom=_rom(path) if kind == "file" else None,
    )


def _kind(mode: int) -> FileKind:
    if stat.S_ISREG(mode):
        return "file"
    return "device" if stat.S_ISCHR(mode) else "other"


def _user(uid: int) -> str:
    try:
        return clean(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return clean(grp.getgrgid(gid).gr_name)
    except KeyError:
        return str(gid)


def _is_open(path: str) -> bool:
    """Whether everybody may enter the folders above a file."""
    try:
        above = Path(path).resolve().parents
        return all(folder.stat().st_mode & 0o001 for folder in above)
    except OSError:
        return False


def _rom(path: str) -> RomImage | None:
    """Read the head of a regular file; ``None`` if it cannot be read, or is the kernel's."""
    try:
        real = str(Path(path).resolve())
        if real.startswith(KERNEL_FOLDERS):
            return None
        descriptor = os.open(real, READ_FLAGS | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return rom_image(os.read(descriptor, HEAD))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def rom_image(head: bytes) -> RomImage:
    """Parse the head of an option ROM: its signature, and the ids in the structure to which the
    word at 0x18 points."""
    if not head.startswith(_SIGNATURE):
        return RomImage(signature=False, header=head.startswith(_HEADER))
    at = int.from_bytes(head[0x18:0x1A], "little")
    data = head[at : at + 8]
    if not data.startswith(_PCIR) or len(data) < 8:
        return RomImage(signature=True)
    vendor, device = (int.from_bytes(data[i : i + 2], "little") for i in (4, 6))
    return RomImage(signature=True, vendor=f"{vendor:04x}", device=f"{device:04x}")


# --- who maps a file --------------------------------------------------------------


def _mappers(paths: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the processes that map files in /dev, which hold shared memory."""
    wanted = {path: _mapped(path) for path in paths if path.startswith("/dev/")}
    if not wanted:
        return {}
    found: dict[str, list[str]] = {path: [] for path in wanted}
    ends = time.monotonic() + TIMEOUT_S / 2
    for pid in sorted(filter(str.isdecimal, MACHINE.names("proc")), key=int, reverse=True):
        if time.monotonic() > ends:
            break
        try:
            maps = MACHINE.read(f"proc/{pid}/maps", MAPS_LIMIT) or b""
            for path, file in wanted.items():
                if file in maps:
                    found[path].append(_name(pid))
        except OSError:
            continue
    return {path: tuple(dict.fromkeys(names)) for path, names in found.items()}


def _mapped(path: str) -> bytes:
    """Return how /proc/PID/maps names a file's device and inode (proc_pid_maps(5)). Raises
    ``OSError``."""
    seen = Path(path).stat()
    device = f"{os.major(seen.st_dev):02x}:{os.minor(seen.st_dev):02x}"
    return f" {device} {seen.st_ino} ".encode()


def _name(pid: str) -> str:
    try:
        return clean(Stat(f"/proc/{pid}").name.decode("utf-8", "replace"), 40)
    except (OSError, ValueError, IndexError):
        return f"process {pid}"
