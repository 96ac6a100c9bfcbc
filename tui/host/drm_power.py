"""Whether a card on amdgpu, i915 or xe is awake, and whether it may fall asleep. Reading this
wakes none (kernel: Documentation/ABI/testing/sysfs-devices-power).
"""

from __future__ import annotations

import re

from tui.host import sysfs
from tui.host.rest import Power
from tui.host.sysfs import Attributes
from tui.host.tree import Tree

STATUS = "power/runtime_status"

CONNECTORS_LIMIT = 64

_CARD = re.compile(r"card[0-9]{1,5}")
_CONNECTOR = re.compile(r"card[0-9]{1,5}-[A-Za-z0-9-]{1,32}")


def read_power(directory: Tree, address: str) -> Power:
    """Of the card in ``directory``. Without a status, on kernels without runtime power
    management, nothing sleeps; a card that drives a screen does not either."""
    at = Attributes(directory)
    status = at.read(STATUS, sysfs.word)
    awake = status == "active" or (status is None and STATUS not in at.unreadable)
    may_sleep = awake and at.read("power/control", sysfs.word) == "auto"
    return Power(address, asleep=not awake, may_sleep=may_sleep and not _has_screen(directory))


def primary(directory: Tree) -> Tree | None:
    """The folder of the card's primary DRM node, ``drm/card<n>``."""
    home = directory / "drm"
    try:
        names = sorted(name for name in home.names() if _CARD.fullmatch(name))
    except OSError:
        return None
    return home / names[0] if names else None


def _has_screen(directory: Tree) -> bool:
    """Whether a connector shows a picture: ``enabled`` and ``dpms`` of its folder (kernel:
    drivers/gpu/drm/drm_sysfs.c), which tell what the kernel knows and ask no hardware."""
    card = primary(directory)
    if card is None:
        return False
    try:
        names = [name for name in card.names() if _CONNECTOR.fullmatch(name)]
    except OSError:
        return False
    at = Attributes(card)
    return any(
        at.read(f"{name}/enabled", str) == "enabled" and at.read(f"{name}/dpms", str) == "On"
        for name in names[:CONNECTORS_LIMIT]
    )
