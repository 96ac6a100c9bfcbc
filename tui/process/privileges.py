"""What a process of root's inherits from the user who had it started, and sheds first.

sudo, doas and run0 may be set up to keep the environment, and all of them hand on limits,
the mask and the dispositions of signals, the umask and the working directory. None of it
may steer root. Imports nothing but the standard library: it runs before anything else.
"""

from __future__ import annotations

import os
import pwd
import re
import resource
import signal
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

ROOT_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"
"""Where root looks for programs; the last is NixOS's."""

ROOT_HOME, NO_HOME = "/root", "/nonexistent"
"""In place of what passwd(5) does not tell."""

MAX_LINKS = 16

_PLAIN = re.compile(r"[A-Za-z0-9_.,@:+-]{1,64}")
_PRINTABLE = re.compile(r"[\x20-\x7e]{0,4096}")

KEPT: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(
        ("TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "COLUMNS", "LINES",
         "NO_COLOR", "TERM_PROGRAM", "VFIOTOP_DEBUG"),
        _PLAIN,
    ),
    "TZ": re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}"),
    "LD_LIBRARY_PATH": _PRINTABLE,
}  # fmt: skip
"""What the program keeps of root's environment where root runs it directly, each with what
it must look like. LD_LIBRARY_PATH finds NVML on some distributions; the loader drops it by
itself where a user has become root (ld.so(8), secure-execution mode)."""

_KEPT_FOLDERS = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
"""Kept where they name a folder that only root can change."""

_LIMITS = (
    resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_STACK,
)  # fmt: skip
"""A swap that a limit ends half way would be the user's doing."""

MIN_OPEN_FILES = 1024


def reset_process() -> None:
    """Make this process what a fresh one of root's is. For the privileged half."""
    os.environ.clear()
    os.environ.update({"PATH": ROOT_PATH, "HOME": _home_of(0) or ROOT_HOME, "LC_ALL": "C.UTF-8"})
    os.chdir("/")
    os.umask(0o022)
    for number in signal.valid_signals():
        # An ignored SIGCHLD would hide how a writer ended; a blocked SIGTERM, the user's stop.
        with suppress(OSError, ValueError):
            if signal.getsignal(number) is signal.SIG_IGN and number != signal.SIGPIPE:
                signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _reset_oom_score()
    for limit in _LIMITS:
        _raise_limit(limit)


def clean_environment() -> None:
    """Keep of root's environment what the screen needs, and nothing that says where code,
    configuration or daemons come from."""
    kept = {
        name: os.environ[name]
        for name, shape in KEPT.items()
        if name in os.environ and shape.fullmatch(os.environ[name])
    }
    for name in _KEPT_FOLDERS:
        if os.environ.get(name, "").startswith("/") and only_root_can_change(
            Path(os.environ[name])
        ):
            kept[name] = os.environ[name]
    kept |= {"PATH": ROOT_PATH, "HOME": str(root_home())}
    os.environ.clear()
    os.environ.update(kept)


def root_home() -> Path:
    """Root's home: that of passwd(5), since HOME may still be that of whoever called sudo,
    unless it is another folder of root's own."""
    named = os.environ.get("HOME", "")
    if named.startswith("/") and only_root_can_change(Path(named)):
        return Path(named)
    return Path(_home_of(0) or ROOT_HOME)


def ensure_home() -> None:
    """Where neither HOME nor passwd(5) names the home of an ordinary user, as in a container
    that was told a user id: one that is not there. Libraries complain where there is none."""
    if not os.environ.get("HOME") and not _home_of(os.getuid()):
        os.environ["HOME"] = NO_HOME


def _home_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return None


def only_root_can_change(path: Path) -> bool:
    """Whether nobody but root can change what ``path`` is: it, or what is there of it, and
    every folder and link on the way belong to root and are writable by root alone. A folder
    with the sticky bit, as /tmp, will do on the way: what root has there stays root's. It will
    not do where the rest is still to be made, for others may be the first."""
    last = None
    try:
        for last in _each_part(path):
            if not _belongs_to_root(last):
                return False
    except (OSError, ValueError):
        return False
    return last is not None and not last.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _belongs_to_root(status: os.stat_result) -> bool:
    if status.st_uid != 0:
        return False
    if stat.S_ISLNK(status.st_mode):
        return True
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return bool(sticky) or not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _each_part(path: Path) -> Iterator[os.stat_result]:
    """lstat(2) of each part of an absolute path that exists, links followed by hand; and of the
    last one, or of the folder that the next would be in, once more."""
    pending, at, links = list(path.parts[1:])[::-1], "/", 0
    yield os.lstat(at)
    while pending:
        part = pending.pop()
        if part == "..":
            at = os.path.dirname(at)  # noqa: PTH120 - text: nothing is resolved here
            continue
        here = os.path.join(at, part)  # noqa: PTH118
        try:
            status = os.lstat(here)
        except FileNotFoundError:
            break
        yield status
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > MAX_LINKS:
                raise OSError("too many links")
            target = os.readlink(here)  # noqa: PTH115
            if target.startswith("/"):
                at = "/"
            pending += [p for p in target.split("/") if p not in ("", ".")][::-1]
        else:
            at = here
    yield os.lstat(at)


def _reset_oom_score() -> None:
    """Whoever starts it may have had it be the first to be killed (proc_pid_oom_score_adj(5))."""
    place = Path("/proc/self/oom_score_adj")
    with suppress(OSError, ValueError):
        if int(place.read_text()) > 0:
            place.write_text("0")


def _raise_limit(limit: int) -> None:
    """As high as may be: only a process that may change limits can pass the hard one."""
    soft, hard = resource.getrlimit(limit)
    least = MIN_OPEN_FILES if limit == resource.RLIMIT_NOFILE else resource.RLIM_INFINITY
    if soft != resource.RLIM_INFINITY and (least == resource.RLIM_INFINITY or soft < least):
        for wanted in ((least, resource.RLIM_INFINITY), (hard, hard)):
            with suppress(OSError, ValueError):
                resource.setrlimit(limit, wanted)
                return
