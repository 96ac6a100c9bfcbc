"""libvirt's hooks, reduced to the words that show what they do."""

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

_ENDINGS = (".sh", ".py")

_WORDS = re.compile(
    r"virsh (?:-c qemu:///system )?nodedev-(?:detach|reattach)|driver_override|new_id"
    r"|drivers_probe|modprobe -r|rmmod|driverctl (?:un)?set-override|nr_hugepages|hugeadm"
)
"""Words of hooks that stay."""

_OTHERWISE: dict[HookAct, str] = {"moves": "echo > driver/unbind", "pages": "nr_hugepages"}
"""What replaces a line that has none of them."""


def hook(text: str, stand_ins: StandIns) -> str:
    """Keep of each line only what ``tui.host.hooks`` looks for; line numbers stay."""
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
    """Return the path of a hook below qemu.d, with stand-ins for guests and for files' names.

    Only the first part can be a guest's name, unless it has the extension of a script.
    """
    first, *below = path.split("/")
    shown = _script(first, stand_ins) if first.endswith(_ENDINGS) else stand_ins.guest(first)
    return "/".join((shown, *(_script(name, stand_ins) for name in below)))


def _script(name: str, stand_ins: StandIns) -> str:
    if name in _FOLDERS:
        return name
    ending = next((each for each in _ENDINGS if name.endswith(each)), "")
    return stand_ins.of("hook names", name.removesuffix(ending)) + ending
