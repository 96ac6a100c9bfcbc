"""Plans lending a USB device to a running guest, and taking it back. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tui.model import (
    Check,
    Domain,
    Guests,
    Holder,
    Holders,
    Unavailable,
    UsbAction,
    UsbDevice,
    UsbPlan,
    UsbReading,
)
from tui.rules import usb


def make_plan(
    action: UsbAction,
    device: UsbDevice,
    domain: Domain,
    reading: UsbReading,
    guests: Guests | Unavailable,
    *,
    holders: Holders | None = None,
) -> UsbPlan:
    """Return the plan for a ``device`` of the ``reading`` and one of the domains in ``guests``.

    ``holders`` are the processes that have the device open, if that is known.
    """
    domains = usb.domains_here(guests)
    checks = (
        _usable(guests),
        *(
            _lend_checks(device, domain, reading, domains, holders)
            if action == "lend"
            else _return_checks(device, domain)
        ),
    )
    return UsbPlan(
        action, device, domain.name, domain.raw_name, domain.uuid, _steps(action, device, domain),
        usb.ASKED, checks,
    )  # fmt: skip


def _steps(action: UsbAction, device: UsbDevice, domain: Domain) -> tuple[str, ...]:
    """Return the steps. virsh takes the element from a file, so words describe its content."""
    element = f"hostdev {device.id} bus {device.bus} device {device.number}"
    if action == "return":
        then = "the kernel gives the device to its drivers"
        return (
            f"{domain.virsh('detach-device', '--live')} ({element})",
            f"{then} when it is plugged in" if device.away else f"{then} again",
        )
    return (
        f"read the device at port {device.port} again: it must be {device.id} number "
        f"{device.number}",
        f"{domain.virsh('attach-device', '--live')} ({element})",
    )


# --- checks -----------------------------------------------------------------------


def _usable(guests: Guests | Unavailable) -> Check:
    id = "libvirt.reachable"
    if isinstance(guests, Unavailable):
        return Check(id, None, "fail", guests.reason)
    if (away := usb.why_not_here(guests)) is not None:
        return Check(
            id, None, "fail", away, "lend devices of this machine to guests of this machine"
        )
    if guests.readonly:
        return Check(id, None, "fail", f"{guests.uri} is read-only for you",
                     "join the group libvirt, or run this as root")  # fmt: skip
    return Check(id, None, "pass", f"{guests.uri} accepts changes")


def _lend_checks(
    device: UsbDevice,
    domain: Domain,
    reading: UsbReading,
    domains: Sequence[Domain],
    holders: Holders | None,
) -> Iterator[Check]:
    yield _runs(domain)
    yield _free(device, domains, holders)
    yield from usb.uses(device, reading, domains)


def _runs(domain: Domain) -> Check:
    id, name = "guest.state", domain.name
    if domain.active and not domain.preserved:
        return Check(id, name, "pass", f"“{name}” is {domain.state}")
    if domain.state == "unknown":
        return Check(id, name, "unknown", f"libvirt does not report the state of “{name}”")
    return Check(id, name, "fail", f"“{name}” is {domain.state}", "start it first")


def _free(device: UsbDevice, domains: Sequence[Domain], holders: Holders | None) -> Check:
    owner = usb.holder(device, domains)
    if owner is not None:
        fix = f"`vfiotop usb return {device.port} {owner.shell_word}`"
        return Check(usb.DEVICE, device.port, "fail", f"“{owner.name}” has it", fix)
    why = usb.why_kept(device, domains)
    holder = next((h for h in (holders.holders if holders else ()) if _takes(h, device)), None)
    if holder is not None and (why is None or device.taken):
        why = f"{holder.name} ({holder.pid}) has it open"
    if why is not None:
        return Check(usb.DEVICE, device.port, "fail", why)
    return Check(usb.DEVICE, device.port, "pass", "no guest and no program has it")


def _takes(holder: Holder, device: UsbDevice) -> bool:
    """Whether a process has the device through its node. A QEMU has it even before its guest
    configures the device, when no interface is claimed; other programs may only be watching it."""
    return holder.what == device.node and (device.taken or holder.name.startswith("qemu"))


def _return_checks(device: UsbDevice, domain: Domain) -> Iterator[Check]:
    if usb.hostdev_of(device, domain) is not None and domain.active:
        yield Check(usb.DEVICE, device.port, "pass", f"“{domain.name}” has it")
    else:
        yield Check(usb.DEVICE, device.port, "fail", f"“{domain.name}” does not have it")
