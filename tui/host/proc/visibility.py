"""Whether a /proc shows every process of the machine.

If processes could be hidden, finding no holder proves nothing. Imports little, because the scan
process loads it.
"""

from __future__ import annotations

import os

from tui.host.proc.mounts import Mount, mounts
from tui.host.proc.stat import Stat

_INITIAL = {"pid": "pid:[4026531836]", "user": "user:[4026531837]"}
"""The initial namespaces (include/linux/proc_ns.h)."""

_CAP_SYS_PTRACE = 19  # include/uapi/linux/capability.h
_KTHREADD = 2

CONTAINER = "run vfiotop on the host itself, outside containers and as root with all capabilities"

HiddenReason = tuple[str, str | None]
"""Why processes may be hidden, and what to do about it."""


def is_kernel_thread(process: str) -> bool:
    """Whether it is a kernel thread, which has no files."""
    try:
        return Stat(process).is_kernel_thread
    except (OSError, ValueError, IndexError):
        return False


def may_see_all() -> bool:
    """Whether we may inspect every process: CAP_SYS_PTRACE in the initial user namespace."""
    try:
        with open("/proc/self/status", "rb") as file:
            caps = file.read().partition(b"CapEff:")[2].split()[0]
        return bool(int(caps, 16) >> _CAP_SYS_PTRACE & 1) and _is_initial("user") is not False
    except (OSError, ValueError, IndexError):
        return False


def how_to_see_more() -> str:
    """Return what would let us inspect more processes."""
    return CONTAINER if os.geteuid() == 0 else "run this as root"


def check_proc(proc: str) -> tuple[bool, HiddenReason | None]:
    """Return whether a /proc is the kernel's, not fabricated or captured, and why it may hide
    processes."""
    try:
        here = list(mounts("/proc/self/mountinfo"))
    except OSError:
        here = []
    mount = _mount_at(proc, here)
    if mount is None or mount.type != b"proc":
        return False, (f"{proc} is not the kernel's, so the processes are not known", None)
    return True, _hidden_reason(proc, mount, here)


def _hidden_reason(proc: str, mount: Mount, here: list[Mount]) -> HiddenReason | None:
    hides = next((each for each in mount.options if each.startswith(b"hidepid=")), None)
    if hides not in (None, b"hidepid=0", b"hidepid=off") and not may_see_all():
        words = hides.decode("ascii", "replace")
        return (
            f"{proc} is mounted with {words}: processes of other users are hidden",
            how_to_see_more(),
        )
    if b"subset=pid" in mount.options:
        return f"{proc} is mounted with subset=pid: what drivers report there is hidden", None
    if mount.root != b"/" or any(_is_over_a_process(other, mount) for other in here):
        return f"something is mounted over processes in {proc} and hides them", None
    if _is_initial("pid") is False or not is_kernel_thread(f"{proc}/{_KTHREADD}"):
        return "only the processes of this container are visible, not those of the host", CONTAINER
    return None


def _mount_at(proc: str, here: list[Mount]) -> Mount | None:
    """Return the mount at ``proc``: the last one there that has its device."""
    try:
        point, number = os.fsencode(os.path.realpath(proc)), os.stat(proc).st_dev
    except OSError:
        return None
    device = b"%02x:%02x" % (os.major(number), os.minor(number))
    found = [mount for mount in here if mount.point == point and mount.device == device]
    return found[-1] if found else None


def _is_over_a_process(other: Mount, proc: Mount) -> bool:
    rest = other.point.removeprefix(proc.point + b"/")
    return rest != other.point and rest.partition(b"/")[0].isdigit()


def _is_initial(kind: str) -> bool | None:
    """Whether our own namespace of a kind is the initial one; ``None`` if there is none."""
    try:
        return os.readlink(f"/proc/self/ns/{kind}") == _INITIAL[kind]
    except OSError:
        return None
