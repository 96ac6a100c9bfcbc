"""libvirt's hooks, with the words that tell what they do and nothing else."""

from __future__ import annotations

import re

from tui.host.capture.standins import StandIns
from tui.host.hooks import line_act
from tui.model import HookAct

_FOLDERS = frozenset({
    "prepare", "start", "started", "stopped", "release", "migrate", "restore", "reconnect",
    "attach", "begin", "end",
})  # fmt: skip
"""Names of operations and sub-operations, by which hooks are sorted into folders."""

_WORDS = re.compile(
    r"virsh nodedev-(?:detach|reattach)|driver_override|new_id|drivers_probe|modprobe -r|rmmod"
    r"|driverctl set-override|driverctl unset-override|nr_hugepages|hugeadm"
)
"""Words of hooks that stay."""

_OTHERWISE: dict[HookAct, str] = {"moves": "echo > driver/unbind", "pages": "nr_hugepages"}
"""What stands for a line without one of them."""


def hook(text: str, stand_ins: StandIns) -> str:
    """Keep of each line what ``tui.host.hooks`` looks for, in its place."""
    return "\n".join(_line(line, stand_ins) for line in text.split("\n"))


def _line(line: str, stand_ins: StandIns) -> str:
    act = line_act(line)
    if act is not None:
        found = _WORDS.search(line)
        return found[0] if found is not None else _OTHERWISE[act]
    if line.strip():
        stand_ins.remove("lines of hooks")
    return "#" if line.strip() else ""


def hook_path(path: str, stand_ins: StandIns) -> str:
    """Return the path of a hook below qemu.d, with stand-ins for guests and for files' names."""
    *folders, name = path.split("/")
    shown = [part if part in _FOLDERS else stand_ins.guest(part) for part in folders]
    if name in _FOLDERS:
        return "/".join((*shown, name))
    stem, dot, ending = name.rpartition(".")
    suffix = f".{ending}" if dot and ending in ("sh", "py") else ""
    known = stand_ins.guest(name) == name and not suffix  # a guest's folder
    return "/".join((*shown, name if known else stand_ins.of("hook names", stem) + suffix))
