"""The connectors of a GPU, as its DRM driver shows them.

``enabled`` and ``dpms`` of a connector's folder (kernel: drivers/gpu/drm/drm_sysfs.c) report what
the kernel knows, take no lock, and do not access the hardware.
"""

from __future__ import annotations

import re

from tui.host.sysfs import Attributes
from tui.host.tree import Tree

CONNECTORS_LIMIT = 64

LISTS_ALL = ("amdgpu", "i915", "xe")
"""Drivers that list every connector of a card: one without any has none. nvidia lists none without
nvidia_drm.modeset=1."""

_CARD = re.compile(r"card[0-9]{1,5}")
_CONNECTOR = re.compile(r"card[0-9]{1,5}-[A-Za-z0-9-]{1,32}")


def primary_node(directory: Tree) -> Tree | None:
    """Return the folder of the card's primary DRM node, ``drm/card<n>``."""
    home = directory / "drm"
    try:
        names = sorted(name for name in home.names() if _CARD.fullmatch(name))
    except OSError:
        return None
    return home / names[0] if names else None


def has_picture(directory: Tree, driver: str | None = None) -> bool | None:
    """Whether a connector of the card in ``directory`` drives a display that is on.

    ``None`` if that is not known: no connector can be read, as with a driver without DRM, or a
    display is asleep (DPMS), which the next key press wakes.
    """
    card = primary_node(directory)
    if card is None:
        return None
    try:
        names = sorted(name for name in card.names() if _CONNECTOR.fullmatch(name))
    except OSError:
        return None
    at, known = Attributes(card), bool(names) or driver in LISTS_ALL
    for name in names[:CONNECTORS_LIMIT]:
        enabled = at.read(f"{name}/enabled", str)
        if enabled == "enabled" and at.read(f"{name}/dpms", str) == "On":
            return True
        known = known and enabled == "disabled"
    return False if known else None
