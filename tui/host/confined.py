"""The files of a directory that anybody may have written, such as a captured host.

Nothing in it can name a file outside: paths are resolved beneath an open descriptor of the
directory, where absolute links start and ``..`` ends. Nothing but directories and regular
files is opened. A file is first opened as a mere place (O_PATH), which asks no driver and
waits for nobody; only if that turns out to be a regular file, the very same one is opened
for reading, whatever its name has become meanwhile (open(2), openat2(2), proc_pid_fd(5)).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tui.host.tree import FILE_LIMIT, GONE, NAMES_LIMIT, READ_FLAGS, listed, not_regular, read_all
from tui.host.untrusted import clean

DEPTH_LIMIT = 64
"""Directories that one path may lead down into; a card behind a dozen bridges lies 20 deep.
Each is held open while a path is walked."""

LINKS_LIMIT = 40
"""Links that one path may lead through (MAXSYMLINKS of the kernel)."""

OPENAT2_TRIES = 4
"""Of openat2, which asks to be called again where anything on the machine was renamed while
it went up by ``..``."""

Resolver = Callable[[int, str, bool], int]
"""Opens the place that a path leads to, with nothing outside of an open directory: the
directory's descriptor, the path, whether a link at its end is followed. Returns a descriptor
with O_PATH, raises ``OSError``."""

_PLACE = os.O_PATH | os.O_CLOEXEC
_PLACE_ITSELF = _PLACE | os.O_NOFOLLOW


class Confined:
    """A directory of somebody else. ``place`` is a path of this machine, which may lead
    anywhere: its user chose it. Raises ``OSError`` where it is no directory."""

    __slots__ = ("_path", "_root")

    is_machine = False

    def __init__(self, place: str, beneath: Resolver | None = None) -> None:
        self._root = _Root(place, beneath or resolve)
        self._path = ""

    def __str__(self) -> str:
        return clean(f"{self._root.place.rstrip('/')}/{self._path}".rstrip("/")) or "/"

    @property
    def label(self) -> str:
        """What to call the whole: the last part of its path, safe to draw; of one that was
        entered, the last two."""
        parts = self._root.place.rsplit("/", 2 if self._root.entered else 1)
        return clean("/".join(parts[1:])) or "/"

    def subroot(self, name: str) -> Confined:
        """The directory ``name`` as a whole of its own: what is beneath it leads to nothing
        outside of it. Raises ``OSError``, also for a link."""
        inner = object.__new__(Confined)
        inner._root, inner._path = self._root.enter(self._to(name)), ""
        return inner

    @property
    def is_copied(self) -> bool:
        try:
            with self._root.at("sys") as place:
                return os.fstat(place).st_dev != os.stat("/sys").st_dev  # noqa: PTH116
        except OSError:
            return True

    def __truediv__(self, name: str) -> Confined:
        below = object.__new__(Confined)
        below._root, below._path = self._root, self._to(name)
        return below

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        path = self._to(name)
        try:
            with self._root.at(path) as place:
                if not stat.S_ISREG(os.fstat(place).st_mode):
                    raise not_regular(path)
                descriptor = _opened(place)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        try:
            return read_all(descriptor, path, limit)
        finally:
            os.close(descriptor)

    def names(self, name: str = "", limit: int = NAMES_LIMIT) -> list[str]:
        path = self._to(name)
        with self._root.at(path) as place:
            descriptor = os.open(".", READ_FLAGS | os.O_DIRECTORY, dir_fd=place)
        try:
            with os.scandir(descriptor) as entries:
                return listed(entries, path, limit)
        finally:
            os.close(descriptor)

    def target(self, name: str) -> str:
        with self._root.at(self._to(name), follow=False) as place:
            return _target(place)

    def mode(self, name: str = "") -> int:
        with self._root.at(self._to(name)) as place:
            return os.fstat(place).st_mode

    def _to(self, name: str) -> str:
        return f"{self._path}/{name}" if self._path and name else self._path or name


class _Root:
    """The directory, held open as long as anything beneath it may be read."""

    def __init__(self, place: str, beneath: Resolver) -> None:
        self._beneath, self.entered = beneath, False
        self._hold(os.open(place, _PLACE | os.O_DIRECTORY))

    def enter(self, path: str) -> _Root:
        """The directory at ``path``, which is no link."""
        inner = object.__new__(_Root)
        inner._beneath, inner.entered = self._beneath, True
        with self.at(path, follow=False) as place:
            _must_be_directory(place)
            inner._hold(os.dup(place))
        return inner

    def _hold(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # Not at exit: a thread may still read then, and the number be given to another file.
        weakref.finalize(self, os.close, self._descriptor).atexit = False
        self.place = _named(self._descriptor)

    @contextmanager
    def at(self, path: str, *, follow: bool = True) -> Iterator[int]:
        """The place that ``path`` leads to, open meanwhile."""
        if "\0" in path:
            raise OSError(errno.EINVAL, "a name with a NUL")
        place = self._beneath(self._descriptor, path or ".", follow)
        try:
            yield place
        finally:
            os.close(place)


_WITHOUT_PROC = "/proc is not mounted, through which files are opened"


def _named(descriptor: int) -> str:
    """The path of what is open, without links."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - a str
    except FileNotFoundError as error:
        raise OSError(errno.EIO, _WITHOUT_PROC) from error


def _opened(place: int) -> int:
    """The regular file at a place, opened for reading."""
    try:
        return os.open(f"/proc/self/fd/{place}", READ_FLAGS)
    except FileNotFoundError as error:
        raise OSError(errno.EIO, _WITHOUT_PROC) from error


def _target(place: int) -> str:
    if not stat.S_ISLNK(os.fstat(place).st_mode):
        raise OSError(errno.EINVAL, "not a symlink")
    return os.readlink("", dir_fd=place)


# --- how a path is resolved beneath a directory -------------------------------


class _OpenHow(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("flags", "mode", "resolve")]


_OPENAT2 = 437  # the same on every architecture but alpha
_NO_MAGICLINKS, _IN_ROOT = 0x02, 0x10

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


def resolve(root: int, path: str, follow: bool) -> int:
    """``by_kernel``; ``by_walk`` where that is not to be had: Linux before 5.6, a sandbox that
    does not know the call, or a machine that renames all the time."""
    try:
        return resolve_by_openat2(root, path, follow)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EAGAIN, errno.EINTR):
            raise
    return resolve_by_walking(root, path, follow)


def resolve_by_openat2(root: int, path: str, follow: bool) -> int:
    """By openat2(2), RESOLVE_IN_ROOT."""
    flags = _PLACE if follow else _PLACE_ITSELF
    how = _OpenHow(flags=flags, resolve=_IN_ROOT | _NO_MAGICLINKS)
    name = os.fsencode(path)
    for _ in range(OPENAT2_TRIES):
        descriptor: int = _syscall(
            ctypes.c_long(_OPENAT2), ctypes.c_int(root), ctypes.c_char_p(name),
            ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)),
        )  # fmt: skip
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code))


def resolve_by_walking(root: int, path: str, follow: bool) -> int:
    """Part by part, where links are read and not followed. What was gone down into stays open
    and is what ``..`` goes back to, so that a directory which is moved leads nowhere else."""
    ahead = path.split("/")[::-1]
    behind = [os.dup(root)]
    links = 0
    try:
        while ahead:
            part = ahead.pop()
            if part in ("", "."):
                _must_be_directory(behind[-1])
            elif part == "..":
                _must_be_directory(behind[-1])
                if len(behind) > 1:
                    os.close(behind.pop())
            else:
                if len(behind) > DEPTH_LIMIT:
                    raise OSError(errno.ENAMETOOLONG, f"more than {DEPTH_LIMIT} directories deep")
                behind.append(os.open(part, _PLACE_ITSELF, dir_fd=behind[-1]))
                if not stat.S_ISLNK(os.fstat(behind[-1]).st_mode) or not (ahead or follow):
                    continue
                links += 1
                if links > LINKS_LIMIT:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                to = _target(behind[-1])
                # An absolute link starts at the root, any other where it lies.
                keep = 1 if to.startswith("/") else len(behind) - 1
                while len(behind) > keep:
                    os.close(behind.pop())
                ahead += to.split("/")[::-1]
        return behind.pop()
    finally:
        for descriptor in behind:
            os.close(descriptor)


def _must_be_directory(place: int) -> None:
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
