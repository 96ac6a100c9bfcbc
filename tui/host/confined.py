"""The files of a directory that anybody may have written, such as a captured host.

Nothing in it can name a file outside. Paths are resolved beneath an open descriptor of the
directory: absolute links start there, and ``..`` stops there. Only directories and regular files
are opened. A file is first opened as a location only (O_PATH), which calls no driver and never
blocks. If it turns out to be a regular file, that same file is opened for reading, whatever its
name means by then (open(2), openat2(2), proc_pid_fd(5)).
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
"""Directories that one path may descend into; a card behind a dozen bridges lies 20 deep. Each
is held open while the path is walked."""

LINKS_LIMIT = 40
"""Links that one path may lead through (the kernel's MAXSYMLINKS)."""

OPENAT2_TRIES = 4
"""openat2 returns EAGAIN when anything on the machine was renamed while it followed a ``..``."""

Resolver = Callable[[int, str, bool], int]
"""Opens what a path leads to, and nothing outside an open directory.

Takes the directory's descriptor, the path, and whether to follow a link at its end. Returns a
descriptor with O_PATH, raises ``OSError``.
"""

_PATH_ONLY = os.O_PATH | os.O_CLOEXEC
_PATH_ONLY_NOFOLLOW = _PATH_ONLY | os.O_NOFOLLOW


class Confined:
    """A directory that somebody else has written.

    ``path`` is a path on this machine and may lead anywhere: the user chose it. Raises ``OSError``
    if it is not a directory.
    """

    __slots__ = ("_path", "_root")

    is_machine = False

    def __init__(self, path: str, resolver: Resolver | None = None) -> None:
        self._root = _Root(path, resolver or resolve)
        self._path = ""

    def __str__(self) -> str:
        return clean(f"{self._root.path.rstrip('/')}/{self._path}".rstrip("/")) or "/"

    @property
    def label(self) -> str:
        """A name for the whole tree: the last part of its path, safe to draw; for a subroot the
        last two."""
        parts = self._root.path.rsplit("/", 2 if self._root.is_subroot else 1)
        return clean("/".join(parts[1:])) or "/"

    def subroot(self, name: str) -> Confined:
        """Return the directory ``name`` as a tree that nothing beneath it leads out of.

        Raises ``OSError``, also for a link.
        """
        inner = object.__new__(Confined)
        inner._root, inner._path = self._root.enter(self._join(name)), ""
        return inner

    @property
    def is_copied(self) -> bool:
        try:
            with self._root.opened("sys") as descriptor:
                return os.fstat(descriptor).st_dev != os.stat("/sys").st_dev  # noqa: PTH116
        except OSError:
            return True

    def __truediv__(self, name: str) -> Confined:
        below = object.__new__(Confined)
        below._root, below._path = self._root, self._join(name)
        return below

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        path = self._join(name)
        try:
            with self._root.opened(path) as location:
                if not stat.S_ISREG(os.fstat(location).st_mode):
                    raise not_regular(path)
                descriptor = _open_for_reading(location)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
        try:
            return read_all(descriptor, path, limit)
        finally:
            os.close(descriptor)

    def names(self, name: str = "", limit: int = NAMES_LIMIT) -> list[str]:
        path = self._join(name)
        with self._root.opened(path) as location:
            descriptor = os.open(".", READ_FLAGS | os.O_DIRECTORY, dir_fd=location)
        try:
            with os.scandir(descriptor) as entries:
                return listed(entries, path, limit)
        finally:
            os.close(descriptor)

    def target(self, name: str) -> str:
        with self._root.opened(self._join(name), follow=False) as descriptor:
            return _target(descriptor)

    def mode(self, name: str = "") -> int:
        with self._root.opened(self._join(name)) as descriptor:
            return os.fstat(descriptor).st_mode

    def _join(self, name: str) -> str:
        return f"{self._path}/{name}" if self._path and name else self._path or name


class _Root:
    """The directory, held open as long as anything beneath it may be read."""

    def __init__(self, path: str, resolver: Resolver) -> None:
        self._resolver, self.is_subroot = resolver, False
        self._keep_open(os.open(path, _PATH_ONLY | os.O_DIRECTORY))

    def enter(self, path: str) -> _Root:
        """Return the directory at ``path``, which must not be a link."""
        inner = object.__new__(_Root)
        inner._resolver, inner.is_subroot = self._resolver, True
        with self.opened(path, follow=False) as descriptor:
            _must_be_directory(descriptor)
            inner._keep_open(os.dup(descriptor))
        return inner

    def _keep_open(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # Not at exit: a thread may still be reading, and another file may get the number.
        weakref.finalize(self, os.close, self._descriptor).atexit = False
        self.path = _path_of(self._descriptor)

    @contextmanager
    def opened(self, path: str, *, follow: bool = True) -> Iterator[int]:
        """Open what ``path`` leads to, with O_PATH."""
        if "\0" in path:
            raise OSError(errno.EINVAL, "a name with a NUL")
        descriptor = self._resolver(self._descriptor, path or ".", follow)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


_WITHOUT_PROC = "/proc is not mounted, and files are opened through it"


def _path_of(descriptor: int) -> str:
    """Return the path of an open descriptor, without links."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - a str
    except FileNotFoundError as error:
        raise OSError(errno.EIO, _WITHOUT_PROC) from error


def _open_for_reading(location: int) -> int:
    """Open for reading the regular file at ``location``, a descriptor with O_PATH."""
    try:
        return os.open(f"/proc/self/fd/{location}", READ_FLAGS)
    except FileNotFoundError as error:
        raise OSError(errno.EIO, _WITHOUT_PROC) from error


def _target(descriptor: int) -> str:
    if not stat.S_ISLNK(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a symlink")
    return os.readlink("", dir_fd=descriptor)


# --- how a path is resolved beneath a directory -------------------------------


class _OpenHow(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("flags", "mode", "resolve")]


_OPENAT2 = 437  # the same on every architecture except alpha
_NO_MAGICLINKS, _IN_ROOT = 0x02, 0x10

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


def resolve(root: int, path: str, follow: bool) -> int:
    """Resolve by openat2, else by walking.

    openat2 is missing before Linux 5.6 and in sandboxes that do not know the call, and gives up on
    a machine that renames files all the time.
    """
    try:
        return resolve_by_openat2(root, path, follow)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EAGAIN, errno.EINTR):
            raise
    return resolve_by_walking(root, path, follow)


def resolve_by_openat2(root: int, path: str, follow: bool) -> int:
    """Resolve by openat2(2) with RESOLVE_IN_ROOT."""
    flags = _PATH_ONLY if follow else _PATH_ONLY_NOFOLLOW
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
    """Resolve part by part, reading links instead of following them.

    Every directory on the way down stays open, and ``..`` returns to it: a directory that is moved
    meanwhile leads nowhere else.
    """
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
                behind.append(os.open(part, _PATH_ONLY_NOFOLLOW, dir_fd=behind[-1]))
                if not stat.S_ISLNK(os.fstat(behind[-1]).st_mode) or not (ahead or follow):
                    continue
                links += 1
                if links > LINKS_LIMIT:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                to = _target(behind[-1])
                # An absolute link starts at the root, any other at its own directory.
                keep = 1 if to.startswith("/") else len(behind) - 1
                while len(behind) > keep:
                    os.close(behind.pop())
                ahead += to.split("/")[::-1]
        return behind.pop()
    finally:
        for descriptor in behind:
            os.close(descriptor)


def _must_be_directory(descriptor: int) -> None:
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
