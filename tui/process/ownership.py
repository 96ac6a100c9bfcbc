"""Who can change what a path refers to, judged by owners and modes.

Imports only the standard library, since root uses it before anything else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from typing import Literal, NamedTuple

MAX_LINKS = 16

EVERYBODY, USER, GROUP = "everybody", "user", "group"


class Part(NamedTuple):
    """A file, folder or link, as lstat(2) shows it.

    ``on_the_way``: only as a folder that leads to a further part. ``acl``: an access control list
    (acl(5)) may give others what ``mode`` gives the group.
    """

    path: str
    uid: int
    gid: int
    mode: int
    on_the_way: bool = False
    acl: bool = False


class Writer(NamedTuple):
    """Somebody who can change a part: a user or a group by id, or everybody."""

    kind: str
    id: int = -1


class Verdict(NamedTuple):
    """``writers``: "root" alone, root and the "user", or "others" too. ``by`` and ``path``: the
    first part that somebody but root can change, of others before the user's."""

    writers: Literal["root", "user", "others"]
    by: Writer | None = None
    path: str = ""


def judge(found: Iterable[Part], user: int, groups: Collection[int] = ()) -> Verdict:
    """Judge parts for a user. ``groups`` have no other member than that user."""
    verdict = Verdict("root")
    for part in found:
        by = writer_beside(part, (0,))
        if by is None:
            continue
        other = writer_beside(part, (0, user), groups)
        if other is not None:
            return Verdict("others", other, part.path)
        if verdict.writers == "root":
            verdict = Verdict("user", by, part.path)
    return verdict


def writer_beside(
    part: Part, users: Collection[int], groups: Collection[int] = ()
) -> Writer | None:
    """Return somebody besides ``users`` and ``groups`` who can change ``part``; ``None`` if there
    is nobody.

    An owner can, whatever the mode: chmod(2). A folder with the sticky bit, like /tmp, is
    accepted on the way, since nobody else can replace entries of ``users`` there. It is not
    accepted as the last part: somebody else could create the rest first.
    """
    if part.uid not in users:
        return Writer(USER, part.uid)
    sticky = stat.S_ISDIR(part.mode) and part.mode & stat.S_ISVTX
    if stat.S_ISLNK(part.mode) or (sticky and part.on_the_way):
        return None
    if part.mode & stat.S_IWOTH:
        return Writer(EVERYBODY)
    if part.mode & stat.S_IWGRP and (part.acl or part.gid not in groups):
        return Writer(GROUP, part.gid)
    return None


def parts(path: str) -> Iterator[Part]:
    """Yield each existing part of an absolute path, following links by hand, and finally the last
    one, or the folder where the next would be created. Raises ``OSError`` and ``ValueError``."""
    pending, at, links = [p for p in path.split("/") if p not in ("", ".")][::-1], "/", 0
    yield _part(at, on_the_way=True)
    while pending:
        name = pending.pop()
        if name == "..":
            at = os.path.dirname(at)  # noqa: PTH120 - lexical: nothing is resolved here
            continue
        here = os.path.join(at, name)  # noqa: PTH118
        try:
            part = _part(here, on_the_way=True)
        except FileNotFoundError:
            break
        yield part
        if stat.S_ISLNK(part.mode):
            links += 1
            if links > MAX_LINKS:
                raise OSError("too many links")
            target = os.readlink(here)  # noqa: PTH115
            if target.startswith("/"):
                at = "/"
            pending += [p for p in target.split("/") if p not in ("", ".")][::-1]
        else:
            at = here
    yield _part(at)


def below(folder: str, leave_out: Collection[str] = ()) -> Iterator[Part]:
    """Yield everything in ``folder`` and its folders, and what links there lead to. Leaves out
    hidden names, which nothing imports, and the names in ``leave_out``. Raises ``OSError``."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in leave_out:
                continue
            if entry.is_symlink():
                yield from parts(entry.path)
                continue
            yield _made(entry.path, entry.stat(follow_symlinks=False))
            if entry.is_dir(follow_symlinks=False):
                yield from below(entry.path, leave_out)


def _part(path: str, *, on_the_way: bool = False) -> Part:
    return _made(path, os.lstat(path), on_the_way=on_the_way)


def _made(path: str, status: os.stat_result, *, on_the_way: bool = False) -> Part:
    mode = status.st_mode
    # Where there is a list, the group's bits are its mask (acl(5)): without write, it gives none.
    acl = bool(mode & stat.S_IWGRP) and not stat.S_ISLNK(mode) and _has_acl(path)
    return Part(path, status.st_uid, status.st_gid, mode, on_the_way, acl)


def _has_acl(path: str) -> bool:
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except OSError:  # ENODATA, or a file system without
        return False
