"""Whether a card on amdgpu, i915 or xe may fall asleep: one that drives a screen may not."""

from __future__ import annotations

import re

from msgspec.structs import replace

from tui.host.idle import RuntimePower
from tui.host.pci import power
from tui.host.sysfs import Attributes
from tui.host.tree import Tree

CONNECTORS_LIMIT = 64

_CARD = re.compile(r"card[0-9]{1,5}")
_CONNECTOR = re.compile(r"card[0-9]{1,5}-[A-Za-z0-9-]{1,32}")


def read_power(directory: Tree, address: str) -> RuntimePower:
    """Return the power management of the card in ``directory``."""
    found = power.read_power(directory, address)
    return replace(found, may_sleep=found.may_sleep and not _has_screen(directory))


def primary_node(directory: Tree) -> Tree | None:
    """Return the folder of the card's primary DRM node, ``drm/card<n>``."""
    home = directory / "drm"
    try:
        names = sorted(name for name in home.names() if _CARD.fullmatch(name))
    except OSError:
        return None
    return home / names[0] if names else None


def _has_screen(directory: Tree) -> bool:
    """Whether a connector shows a picture.

    ``enabled`` and ``dpms`` of its folder (kernel: drivers/gpu/drm/drm_sysfs.c) report what the
    kernel knows, and do not access the hardware.
    """
    card = primary_node(directory)
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
