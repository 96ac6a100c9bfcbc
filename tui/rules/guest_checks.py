"""Whether a domain is set up for its card, and what can be done to it now."""

from __future__ import annotations

from tui.model import Check, Domain, Gpu, GuestAction, Unavailable
from tui.rules import driver_gates
from tui.rules.check_input import CheckInput

GUEST_DRIVER = (465,)
"""Since this version NVIDIA's driver works in any guest. Before, it fails (code 43) if it detects a
hypervisor."""

NO_GUEST = ("cannot tell which guest the card is for",
            "press w to choose the guest, or set guest in the configuration")  # fmt: skip
"""Reason and fix of the checks that need the guest."""

ALLOWED_STATES: dict[GuestAction, tuple[str, ...]] = {
    "start": ("shut off", "crashed"),
    "stop": ("running", "blocked", "in shutdown"),
    "reboot": ("running", "blocked"),
    "pause": ("running", "blocked"),
    "resume": ("paused",),
    "force-off": ("running", "blocked", "in shutdown", "paused", "pmsuspended", "crashed"),
}
"""The states in which an action makes sense."""


def state_allows(domain: Domain, action: GuestAction) -> Check:
    """guest.state: whether the action makes sense now."""
    check, state = "guest.state", domain.state
    if action == "start" and domain.preserved:
        why = f"“{domain.name}” has crashed, and libvirt keeps it as is"
        return Check(check, domain.name, "fail", why, "force it off first")
    if state in ALLOWED_STATES[action]:
        return Check(check, domain.name, "pass", f"“{domain.name}” is {state}")
    if state == "unknown":
        why = f"libvirt does not report the state of “{domain.name}”"
        return Check(check, domain.name, "unknown", why)
    fixes = {"paused": "resume it first, or force it off"}
    if domain.preserved:
        fixes["crashed"] = "force it off"
    why = f"“{domain.name}” is {'already ' if state in _ENDS.get(action, ()) else ''}{state}"
    fix = fixes.get(state) if action != "start" else None
    return Check(check, domain.name, "fail", why, fix)


_ENDS: dict[GuestAction, tuple[str, ...]] = {
    "start": ("running", "blocked"), "stop": ("shut off",), "force-off": ("shut off",),
    "pause": ("paused",), "resume": ("running", "blocked"),
}  # fmt: skip


def writable(readings: CheckInput) -> Check:
    """libvirt.reachable: it answers, and the connection is not read-only."""
    check = "libvirt.reachable"
    if isinstance(readings.guests, Unavailable):
        return Check(check, None, "fail", readings.guests.reason)
    if readings.guests.captured:
        return Check(check, None, "pass", "the domains are from a capture")
    if readings.readonly:
        return Check(check, None, "fail", f"{readings.guests.uri} is read-only for you",
                     "join the group libvirt, or run this as root")  # fmt: skip
    return Check(check, None, "pass", f"{readings.guests.uri} accepts changes")


def why_not(domain: Domain, action: GuestAction) -> str | None:
    """Why an action makes no sense now, in a sentence."""
    found = state_allows(domain, action)
    if found.verdict != "fail":
        return None
    return f"{found.why}: {found.fix}" if found.fix else found.why


def hostdevs_complete(domain: Domain, gpu: Gpu) -> Check:
    """guest.hostdevs-complete: the domain lists every function that moves. Without the companions
    the guest lacks the card's audio or USB port."""
    check, name = "guest.hostdevs-complete", domain.name
    missing = [address for address in gpu.viability.moves if address not in domain.functions]
    if not missing:
        return Check(check, name, "pass", f"“{name}” lists {' '.join(gpu.viability.moves)}")
    if domain.problem is not None:
        return Check(check, name, "unknown", unreadable(domain))
    return Check(
        check, name, "fail" if gpu.address in missing else "warn",
        f"the definition of “{name}” does not list {' '.join(missing)}",
        f"press w, or {domain.edit}: add <hostdev mode='subsystem' type='pci' "
        f"managed='no'><source>{address_xml(missing[0])}</source></hostdev>"
        f"{' and the others' if len(missing) > 1 else ''}",
    )  # fmt: skip


def unreadable(domain: Domain) -> str:
    """Why the devices of a domain are not known, in a sentence of its own."""
    return f"“{domain.name}”: {domain.problem}"


def address_xml(address: str) -> str:
    """A PCI address as libvirt writes it (https://libvirt.org/formatdomain.html)."""
    domain, bus, rest = address.split(":")
    slot, _, function = rest.partition(".")
    return f"<address domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>"


def managed(domain: Domain, gpu: Gpu) -> Check:
    """guest.managed: libvirt does not move the card. With managed='yes' it does, without checking
    who uses the card and without a timeout."""
    check, name = "guest.managed", domain.name
    mine = [
        dev for dev in domain.hostdevs
        if dev.address in gpu.viability.moves and dev.by != "mdev"
    ]  # fmt: skip
    by_libvirt = [dev.address for dev in mine if dev.managed]
    if by_libvirt:
        return Check(
            check, name, "warn",
            f"libvirt moves {' '.join(by_libvirt)} at the start without checking who uses it",
            f"{domain.edit}: set managed='no' in its <hostdev>",
        )  # fmt: skip
    if not mine:
        return Check(check, name, "unknown", f"“{name}” lists no function of the card")
    return Check(check, name, "pass", "libvirt does not move the card")


def driver(domain: Domain, version: str | None, why_unknown: str | None = None) -> Check:
    """r465.guest-driver: the guest's driver is 465 or newer, if its agent reports the ``version``.
    Only older drivers need KVM to be hidden. What the agent said in an earlier run does not count:
    the driver may be another one by now."""
    check, name, found = "r465.guest-driver", domain.name, driver_gates.version_number(version)
    if found is None and not domain.active:
        return Check(
            check, name, "unknown", "known once the guest runs: its agent reports the driver"
        )
    if found is None:
        return Check(
            check, name, "unknown", why_unknown or "the guest does not report its driver",
            "check in the guest that it is 465 or newer",
        )  # fmt: skip
    if found >= GUEST_DRIVER:
        return Check(check, name, "pass", f"driver {version} in the guest")
    if domain.kvm_hidden:
        return Check(check, name, "fail", f"driver {version} in the guest is older than 465",
                     "update the driver in the guest")  # fmt: skip
    return Check(
        check, name, "fail",
        f"driver {version} in the guest is older than 465: it fails with code 43 if it detects KVM",
        f"update the driver in the guest; until then {domain.edit}: "
        "<kvm><hidden state='on'/></kvm> in <features>",
    )  # fmt: skip


def allowed(domain: Domain, gpu: Gpu, guest: Domain | None) -> Check:
    """guest.allowed: the guest GPU is for one guest, and no other is started with it."""
    check = "guest.allowed"
    if gpu.role != "guest":
        return Check(check, domain.name, "pass", f"{gpu.address} is not reserved for a guest")
    if guest is None:
        return Check(check, domain.name, "unknown", *NO_GUEST)
    if guest.uuid != domain.uuid:
        return Check(
            check, domain.name, "fail", f"the guest GPU is assigned to “{guest.name}”",
            "press w to change that, or set guest in the configuration",
        )  # fmt: skip
    why = f"the guest GPU is assigned to “{domain.name}”"
    return Check(check, domain.name, "pass", why)


def cards_of(domain: Domain, gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """The GPUs of which a domain names any function whole. Those of its mdevs stay on their
    driver."""
    return tuple(g for g in gpus if set(g.viability.moves) & set(domain.functions))
