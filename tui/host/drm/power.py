"""Whether a card on amdgpu, i915 or xe may fall asleep: one that drives a screen may not."""

from __future__ import annotations

from msgspec.structs import replace

from tui.host.idle import RuntimePower
from tui.host.pci import power
from tui.host.pci.connectors import has_picture
from tui.host.tree import Tree


def read_power(directory: Tree, address: str) -> RuntimePower:
    """Return the power management of the card in ``directory``."""
    found = power.read_power(directory, address)
    return replace(found, may_sleep=found.may_sleep and not has_picture(directory))
