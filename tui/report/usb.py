"""The USB devices as JSON for programs and as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import asdict

from tui.model import Usb

WORDS = {
    "free": "can be lent", "in use": "in use", "kept": "stays", "lent": "lent",
    "taken": "in use by a program", "away": "lent, unplugged",
}  # fmt: skip
"""Each state in words."""


def as_json(devices: Sequence[Usb] | None) -> list[dict[str, Any]] | None:
    """The devices as JSON values; null if they are not known."""
    return None if devices is None else [_device(each) for each in devices]


def _device(usb: Usb) -> dict[str, Any]:
    device = usb.device
    return {
        "port": device.port,
        "bus": device.bus,
        "number": device.number,
        "vendor": device.vendor,
        "product": device.product,
        "serial": device.serial,
        "name": device.name,
        "controller": device.controller,
        "state": usb.state,
        "why": usb.why,
        "guest": usb.guest,
        "guest_uuid": usb.guest_uuid,
        "attached": [asdict(each) for each in device.attached],
    }


def as_text(devices: Sequence[Usb]) -> str:
    """One line per device: port, ids, name, state and why."""
    if not devices:
        return "No USB device is plugged in."
    rows = [
        (each.device.port, each.device.id, each.device.name, WORDS[each.state], each.why)
        for each in devices
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, (*widths, 0), strict=True)).rstrip()
        for row in rows
    )
