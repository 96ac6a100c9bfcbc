"""The loaded nvidia module: its version, and whether it drives a display."""

from __future__ import annotations

import re

from tui.host.readiness.modules import is_loaded
from tui.host.tree import Tree, exists, text_of
from tui.model import NvidiaModule
from tui.rules.driver_gates import DRIVER_VERSION

_VERSION = re.compile(rf"Module\s+(?:for \S+\s+)?({DRIVER_VERSION.pattern})\s")
"""In /proc/driver/nvidia/version. The open modules put the architecture in between, as in
"for x86_64"."""


def nvidia_module(root: Tree) -> NvidiaModule | None:
    """Return the loaded nvidia module, from /proc and /sys; ``None`` if it is not loaded."""
    found = _VERSION.search(text_of(root, "proc/driver/nvidia/version"))
    if found is None and not exists(root, "sys/module/nvidia"):
        return None
    version = found[1] if found else text_of(root, "sys/module/nvidia/version").strip()
    known = version if DRIVER_VERSION.fullmatch(version) else None
    return NvidiaModule(known, _modeset(root))


def _modeset(root: Tree) -> bool | None:
    """Return the parameter modeset of nvidia_drm, which only root may read."""
    if is_loaded(root, "nvidia_drm") is False:
        return False
    value = text_of(root, "sys/module/nvidia_drm/parameters/modeset").strip()
    return {"Y": True, "1": True, "N": False, "0": False}.get(value)
