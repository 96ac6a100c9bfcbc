"""Drops what a root process inherits from the user who started it.

sudo, doas and run0 may be configured to keep the environment, and all of them pass on resource
limits, signal mask and dispositions, umask and working directory. None of that may influence
root. Loads only the standard library, since it runs before anything else.
"""

from __future__ import annotations

import os
import pwd
import re
import resource
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tui.process.ownership import parts, writer_beside

ROOT_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"
"""PATH for root; the last folder is NixOS's."""

ROOT_HOME, NO_HOME = "/root", "/nonexistent"
"""Used if passwd(5) has no entry."""

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
    "NOTIFY_SOCKET": re.compile("/run/systemd/notify"),
    "WATCHDOG_USEC": re.compile("[0-9]{1,12}"),
    "WATCHDOG_PID": re.compile("[0-9]{1,7}"),
    "JOURNAL_STREAM": re.compile("[0-9]{1,20}:[0-9]{1,20}"),
}  # fmt: skip
"""The variables that are kept when root runs the program, each with the pattern it must match. Some
distributions need LD_LIBRARY_PATH to find NVML; the loader drops it if a user has become root
(ld.so(8), secure-execution mode). systemd sets the last four for a service (systemd.exec(5))."""

_KEPT_FOLDERS = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
"""Variables that are kept if they name a folder which only root can change."""

_LIMITS = (
    resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_STACK,
)  # fmt: skip
"""Limits that could end a swap halfway; a user could set them on purpose."""

MIN_OPEN_FILES = 1024


def reset_process() -> None:
    """Give this process the state of one that root started. For the privileged half."""
    os.environ.clear()
    os.environ.update({"PATH": ROOT_PATH, "HOME": _home_of(0) or ROOT_HOME, "LC_ALL": "C.UTF-8"})
    os.chdir("/")
    os.umask(0o022)
    for number in signal.valid_signals():
        # An ignored SIGCHLD would hide how a writer ended, a blocked SIGTERM a request to stop.
        with suppress(OSError, ValueError):
            if signal.getsignal(number) is signal.SIG_IGN and number != signal.SIGPIPE:
                signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _reset_oom_score()
    for limit in _LIMITS:
        _raise_limit(limit)


def clean_environment() -> None:
    """Reduce root's environment to what the screen needs: nothing that says where code,
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
    """Root's home: HOME if only root can change that folder, else the one in passwd(5). HOME may
    still be that of the user who called sudo."""
    named = os.environ.get("HOME", "")
    if named.startswith("/") and only_root_can_change(Path(named)):
        return Path(named)
    return Path(_home_of(0) or ROOT_HOME)


def ensure_home() -> None:
    """Set HOME to a folder that does not exist if neither HOME nor passwd(5) names one, as in a
    container started with a user id. Libraries print warnings without a home."""
    if not os.environ.get("HOME") and not _home_of(os.getuid()):
        os.environ["HOME"] = NO_HOME


def _home_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return None


def only_root_can_change(path: Path) -> bool:
    """Whether only root can change what ``path`` refers to: the part of it that exists, and every
    folder and link on the way, belong to root and are writable by root alone."""
    try:
        return all(writer_beside(part, frozenset({0})) is None for part in parts(str(path)))
    except (OSError, ValueError):
        return False


def _reset_oom_score() -> None:
    """Undo an inherited preference of the OOM killer (proc_pid_oom_score_adj(5))."""
    place = Path("/proc/self/oom_score_adj")
    with suppress(OSError, ValueError):
        if int(place.read_text()) > 0:
            place.write_text("0")


def _raise_limit(limit: int) -> None:
    """Raise a limit as far as possible: beyond the hard limit only with CAP_SYS_RESOURCE."""
    soft, hard = resource.getrlimit(limit)
    least = MIN_OPEN_FILES if limit == resource.RLIMIT_NOFILE else resource.RLIM_INFINITY
    if soft != resource.RLIM_INFINITY and (least == resource.RLIM_INFINITY or soft < least):
        for wanted in ((least, resource.RLIM_INFINITY), (hard, hard)):
            with suppress(OSError, ValueError):
                resource.setrlimit(limit, wanted)
                return
