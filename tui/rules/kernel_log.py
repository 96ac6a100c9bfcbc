"""kernel.log: the kernel's log, which says why a card died, can be read."""

from __future__ import annotations

from tui.model import Check, HostView, Readiness

ID = "kernel.log"

RESTRICT = "kernel.dmesg_restrict"
"""The sysctl that restricts the log to root (kernel:
Documentation/admin-guide/sysctl/kernel.rst)."""

NO_RIGHT = f"only root may read the kernel's log: {RESTRICT} is 1"

ALLOW = f"run vfiotop as root, or let every user read it: `sysctl {RESTRICT}=0`"


def check(view: HostView, readiness: Readiness) -> Check:
    """kernel.log: never a failure, because everything else works without."""
    if view.kernel_log is not None:
        return Check(ID, None, "pass", "the kernel's log can be read")
    if readiness.captured:
        return Check(ID, None, "unknown", "a capture does not contain the kernel's log")
    why = view.problem("kernel") or "the kernel's log was not read"
    return Check(ID, None, "unknown", why, fix(why))


def fix(why: str) -> str | None:
    """What to do about a log that cannot be read."""
    return ALLOW if why == NO_RIGHT else None
