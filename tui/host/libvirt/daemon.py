"""Tells a libvirt that is not installed from one that does not run, by its files.

A daemon starts when somebody connects to its socket, so only the files of its package say whether
there is one: libvirtd, or with modular daemons virtqemud (https://libvirt.org/daemons.html).
"""

from __future__ import annotations

from tui.host.tree import Tree, exists, is_gone
from tui.rules.libvirt_uri import INSTALL, START, START_LIBVIRTD, START_VIRTQEMUD

_PROGRAMS = (
    "usr/sbin", "usr/bin", "usr/local/sbin", "usr/local/bin", "run/current-system/sw/bin",
)  # fmt: skip
"""Where the daemons' programs are; the last folder is NixOS's."""

_UNITS = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system",
          "usr/local/lib/systemd/system")  # fmt: skip
"""Where systemd looks for units of packages and of the administrator (systemd.unit(5))."""

_SOCKETS = "run/libvirt"
"""The daemons' sockets. A container may have them, and no daemon."""


def why_not_running(root: Tree, uri: str) -> str:
    """Why nothing answers at the system's sockets, with the fix."""
    libvirtd, virtqemud = (_installed(root, name) for name in ("libvirtd", "virtqemud"))
    if virtqemud and (not libvirtd or _enabled(root, "virtqemud")):
        return f"virtqemud is not running: {START_VIRTQEMUD}"
    if libvirtd:
        return f"libvirtd is not running: {START_LIBVIRTD}"
    if is_gone(root, _SOCKETS) and not is_gone(root, "usr"):
        return f"libvirt is not installed: {INSTALL}"
    return f"libvirtd is not running, or does not serve {uri}: {START}"


def _installed(root: Tree, daemon: str) -> bool:
    units = (f"{folder}/{daemon}.service" for folder in _UNITS)
    return any(exists(root, file) for file in (*(f"{f}/{daemon}" for f in _PROGRAMS), *units))


def _enabled(root: Tree, daemon: str) -> bool:
    """Whether systemd starts the daemon, or listens for it. A link that leads nowhere counts as
    missing."""
    wants = (f"sockets.target.wants/{daemon}.socket", f"multi-user.target.wants/{daemon}.service")
    return any(exists(root, f"etc/systemd/system/{each}") for each in wants)
