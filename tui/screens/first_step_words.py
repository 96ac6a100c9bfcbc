"""What the overview says about the next step towards a guest with the card."""

from __future__ import annotations

from collections.abc import Callable

from tui.live import Live
from tui.model import NOT_READ_YET
from tui.rules.first_steps import Lack, live_steps, next_step

WORDS: dict[Lack, tuple[str, str, str]] = {
    "one-gpu": ("doctor", "There is only one GPU. {key} shows what is missing.",
                "Only one GPU: {key} shows more"),
    "iommu-off": ("doctor", "IOMMU is off. {key} shows how to turn it on.",
                  "IOMMU is off: {key} shows the fix"),
    "vfio": ("doctor", "vfio-pci cannot be loaded. {key} shows why.",
             "No vfio-pci: {key} shows why"),
    "libvirt": ("doctor", "libvirt does not answer. {key} shows why.",
                "No libvirt: {key} shows the fix"),
    "no-guest": ("doctor", "No guest is defined. {key} shows what to do.",
                 "No guest yet: {key} shows more"),
    "card-unknown": ("roles", "Which card is the guest's? {key} chooses it.",
                     "No guest GPU: {key} chooses one"),
    "card-unnamed": ("roles", "No guest names this card. {key} chooses one.",
                     "No guest has it: {key} chooses one"),
    "card-not-listed": ("roles", "The guest does not name this card. {key} adds it.",
                        "Not in the guest: {key} adds it"),
    "card-gone": ("roles", "The guest's card is gone. {key} chooses another.",
                  "Guest GPU is gone: {key} changes it"),
    "guest-unknown": ("roles", "Several guests name this card. {key} chooses one.",
                      "Which guest? {key} chooses one"),
}  # fmt: skip
"""The command that helps, and the message with its key, in full and in brief."""


def first_step_words(live: Live, key_of: Callable[[str], str]) -> tuple[str, str] | None:
    """What is missing and the key that helps, in full and in at most 34 cells; ``None`` if nothing
    is known to be missing. If libvirt does not answer, the guest's panel says so."""
    step = next_step(live_steps(live.view, live.snapshot.guests))
    if step is None or step.lack is None:
        return None
    unread = live.snapshot.guests == NOT_READ_YET
    if step.lack == "libvirt" and (unread or live.last_guests is not None):
        return None
    command, long, brief = WORDS[step.lack]
    key = key_of(command)
    return long.format(key=key), brief.format(key=key)
