"""Which kernel modules a host has: loaded, built in, or installed.

Source: sys/module (kernel: Documentation/ABI/stable/sysfs-module), proc/modules, and depmod's lists
below lib/modules (modules.dep(5)).
"""

from __future__ import annotations

import re

from tui.host.tree import Tree, exists, text_of

LIST_LIMIT = 16 << 20
"""Bytes of one of depmod's lists; those of a distribution have less than one million."""

LOADED_LIMIT = 1 << 20
"""Bytes of proc/modules, about fifty per module."""

_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")
_BUILT_IN = "modules.builtin"
_FOLDERS = ("lib/modules", "usr/lib/modules")


def is_loaded(root: Tree, module: str) -> bool | None:
    """Whether ``module``, named with underscores, is loaded or built in.

    ``None`` if a capture lacks the files.
    """
    if exists(root, f"sys/module/{module}"):
        return True
    loaded = text_of(root, "proc/modules", LOADED_LIMIT)
    if re.search(rf"^{module} ", loaded, re.MULTILINE) is not None:
        return True
    known = root.is_machine or bool(loaded.strip()) or _names(root, "sys/module")
    return False if known else None


def is_installed(root: Tree, module: str) -> bool | None:
    """Whether depmod's lists for the running kernel have ``module``; ``None`` if there are
    none."""
    lists = [listed for name in (_BUILT_IN, "modules.dep") for listed in _lists(root, name)]
    return any(_has(listed, module) for listed in lists) if lists else None


def is_built_in(root: Tree, module: str) -> bool:
    """Whether depmod's lists say that ``module`` is part of the running kernel.

    Such a module is never loaded, and modprobe.d(5) and ``module_blacklist`` do not apply to it.
    """
    return any(_has(listed, module) for listed in _lists(root, _BUILT_IN))


def _lists(root: Tree, name: str) -> list[str]:
    texts = (text_of(root, f"{folder}/{name}", LIST_LIMIT) for folder in _kernels(root))
    return [listed for listed in texts if listed.strip()]


def _has(listed: str, module: str) -> bool:
    name = module.replace("_", "[_-]")
    wanted = rf"^[^\s:]*/{name}\.ko(?:\.(?:gz|xz|zst))?(?::|$)"
    return re.search(wanted, listed, re.MULTILINE) is not None


def _kernels(root: Tree) -> list[str]:
    """Return the folders of the running kernel; if that is unknown, of the only one
    installed."""
    release = text_of(root, "proc/sys/kernel/osrelease").strip()
    if _RELEASE.fullmatch(release):
        return [f"{folder}/{release}" for folder in _FOLDERS]
    found = [f"{folder}/{name}" for folder in _FOLDERS for name in _names(root, folder)]
    return found if len({place.rpartition("/")[2] for place in found}) == 1 else []


def _names(root: Tree, folder: str) -> list[str]:
    try:
        return root.names(folder)
    except OSError:
        return []
