"""USB devices that were plugged in or out, lent or taken back."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import HostView, Usb
from tui.rules.change import Change, all_read


def changes(before: HostView, after: HostView) -> Iterator[Change]:
    """The changes between two views that both rest on a reading of USB. Without libvirt it is not
    known which guest has a device."""
    known = all_read("guests", before, after)
    old, new = _by_place(before), _by_place(after)
    for place, was in old.items():
        if place not in new:
            lent = f", lent to {was.guest}" if was.guest else ""
            text = f"unplugged: {was.device.name}{lent}"
            yield Change(was.device.port, text, "warn" if lent else "note")
    for place, now in new.items():
        found = old.get(place)
        if found is None:
            yield Change(now.device.port, f"plugged in: {now.device.name}", "note")
        had = found.guest_uuid if found is not None else None
        if now.guest_uuid == had or not known:
            continue
        if now.guest is not None:
            text = f"{now.device.name} lent to {now.guest}"
            yield Change(now.device.port, text, "done", now.guest_uuid)
        elif found is not None:
            text = f"{now.device.name} returned by {found.guest}"
            yield Change(now.device.port, text, "done", had)


def _by_place(view: HostView) -> dict[tuple[str, int], Usb]:
    """The devices by port and number: a device that was replugged is another one."""
    return {(each.device.port, each.device.number): each for each in view.usb or ()}
