"""libvirt's hooks for QEMU, read for what they do to devices and huge pages.

Nothing is run. The scripts are shell, Python or anything: a line counts by the words in it, so
a line in a function that is never called counts too.
Source: https://libvirt.org/hooks.html
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from functools import lru_cache

from tui.host.tree import GONE, Tree, exists, text
from tui.host.untrusted import visible
from tui.model import HookAct, HookLine, Hooks

FOLDERS = ("etc/libvirt/hooks", "var/lib/libvirt/hooks")
"""libvirt's folder, and NixOS's."""

CALLED = tuple(
    f"{folder}/{name}"
    for folder in ("bin", "usr/bin", "usr/local/bin")
    for name in ("vfio-startup", "vfio-startup.sh", "vfio-teardown", "vfio-teardown.sh")
)
"""Scripts that widely copied hooks call."""

FILES_LIMIT, ENTRIES_LIMIT = 64, 512
DEPTH_LIMIT = 5
"""Files to read, entries to check, and folders within folders: qemu.d/GUEST/prepare/begin is a
common layout."""

LINES_LIMIT, LINE_LIMIT = 2048, 512
"""Lines to read in one file, and characters of a line."""

TEXT_LIMIT = 96
"""Characters of a line that are shown."""

ACTS: tuple[tuple[HookAct, re.Pattern[str]], ...] = (
    ("moves", re.compile(
        r"nodedev-(?:det+ach|reattach)|\bdriver_override\b|\bnew_id\b|\bdrivers_probe\b"
        r"|(?:bus/pci|/driver)\S*/(?:un)?bind\b|\bmodprobe\s+(?:-\w*r\w*|--remove)\b|\brmmod\b"
        r"|\bdriverctl\b.*\b(?:un)?set-override\b"
    )),
    ("pages", re.compile(r"\bnr_(?:overcommit_)?hugepages\b|\bhugeadm\b")),
)  # fmt: skip
"""What a line does, by the words in it. The console's and the firmware's framebuffers are unbound
from platform drivers and vtconsole, which moves no card."""

_NO_CARD = re.compile(r"/platform/|/vtconsole/")


def hooks(root: Tree) -> Hooks:
    """Return what the host's hooks do."""
    unreadable: list[str] = []
    lines: list[HookLine] = []
    own = _files(root, unreadable)
    for name in (*own, *_called(root)):
        if (data := _read(root, name, unreadable)) is not None:
            lines += _of_interest(data, f"/{name}")
    there = root.is_machine or bool(lines) or exists(root, "etc/libvirt")
    files = (name for name in own if name not in unreadable)
    return Hooks(tuple(lines), _shown(unreadable), _shown(files), there)


def _shown(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(visible(f"/{name}") for name in names)


def _called(root: Tree) -> Iterator[str]:
    """Yield the scripts that hooks call; each once, even where /bin is a link to /usr/bin."""
    try:
        root.target("bin")
    except OSError:  # not a link
        yield from CALLED
    else:
        yield from (name for name in CALLED if not name.startswith("bin/"))


def _files(root: Tree, unreadable: list[str]) -> list[str]:
    """Return the hooks for QEMU: the file ``qemu``, and everything below ``qemu.d``."""
    found: list[str] = []
    ahead = [(f"{folder}/{name}", 0) for folder in FOLDERS for name in ("qemu", "qemu.d")]
    for _ in range(ENTRIES_LIMIT):
        if not ahead or len(found) == FILES_LIMIT:
            break
        name, depth = ahead.pop(0)
        try:
            mode = root.mode(name)
            if stat.S_ISDIR(mode) and depth < DEPTH_LIMIT:
                names = sorted(root.names(name, 4 * FILES_LIMIT))
                ahead += [(f"{name}/{each}", depth + 1) for each in names]
            elif stat.S_ISREG(mode) and _runs(root, mode, depth):
                found.append(name)
        except OSError as error:
            if error.errno not in GONE:
                unreadable.append(name)
    return found


def _runs(root: Tree, mode: int, depth: int) -> bool:
    """Whether a file may be run. libvirt runs executables only; a copy may have lost the mode, and
    a hook may source files deeper down."""
    return not root.is_machine or depth > 1 or bool(mode & 0o111)


def _read(root: Tree, name: str, unreadable: list[str]) -> str | None:
    try:
        data = root.read(name)
    except OSError:
        unreadable.append(name)
        return None
    return None if data is None else text(data, "utf-8", "replace")


@lru_cache(maxsize=FILES_LIMIT)  # hooks seldom change, and are read every few seconds
def _of_interest(data: str, file: str) -> tuple[HookLine, ...]:
    return tuple(
        HookLine(act, visible(line.strip(), TEXT_LIMIT), visible(file), number)
        for number, line in enumerate(data.split("\n")[:LINES_LIMIT], 1)
        if (act := line_act(line)) is not None
    )


def line_act(line: str) -> HookAct | None:
    """Return what a line does; ``None`` for a comment and for any other line."""
    line = line[:LINE_LIMIT]
    if line.lstrip().startswith("#") or _NO_CARD.search(line):
        return None
    return next((act for act, pattern in ACTS if pattern.search(line)), None)
