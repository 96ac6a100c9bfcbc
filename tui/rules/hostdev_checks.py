"""guest.devices: whether a guest can have every device that it names, and the host can spare it.

``hostdev_verdicts`` judges each device; here they become one check.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tui.model import (
    USB_CLASS,
    VERDICT_ORDER,
    Check,
    DeviceUses,
    Domain,
    Gpu,
    GuestDevice,
    Guests,
    HostView,
    Unavailable,
)
from tui.rules import guest_checks, host_checks, hostdev_verdicts, hostdev_words
from tui.rules.check_input import CheckInput
from tui.rules.hostdev_facts import MAY_HAVE_OPEN_FILES, DeviceFacts, on_host_driver
from tui.rules.viability import stay_with_host

ID = "guest.devices"

NAMED = 3
"""The most devices that one sentence names."""


def check(domain: Domain, readings: CheckInput) -> Check:
    """The worst verdict on the domain's devices, and the fixes for the first few of them."""
    found = verdicts(domain, readings)
    if domain.problem is not None and all(device.verdict != "fail" for device in found):
        return Check(ID, domain.name, "unknown", guest_checks.unreadable(domain))
    bad = [device for device in found if device.verdict != "pass"]
    bad.sort(key=lambda device: VERDICT_ORDER.index(device.verdict))
    if not bad:
        doubt = _may_be_taken(domain, readings.guests) if found else None
        return Check(
            ID, domain.name, "unknown" if doubt else "pass", doubt or _all_well(domain, found)
        )
    groups = hostdev_words.grouped(bad)[:NAMED]
    named = [device for group in groups for device in group]
    more = f" and {len(bad) - len(named)} more" if len(bad) > len(named) else ""
    why = "; ".join(hostdev_words.reason(group) for group in groups)
    return Check(ID, domain.name, bad[0].verdict, f"{why}{more}", hostdev_words.fixes(named))


def _may_be_taken(domain: Domain, guests: Guests | Unavailable) -> str | None:
    """Why another guest may have one of the devices; ``None`` if none can."""
    if isinstance(guests, Unavailable):
        return f"libvirt: {guests.reason}"
    for other in guests.domains:
        if other.problem and not other.off and other.uuid != domain.uuid:
            return f"the devices of “{other.name}” cannot be read"
    return None


def _all_well(domain: Domain, found: Sequence[GuestDevice]) -> str:
    if not found:
        return f"“{domain.name}” uses no host devices"
    if len(found) == 1:
        return f"{found[0].address} is present and available"
    return f"{len(found)} devices, all present and available"


def viable(gpu: Gpu, readings: CheckInput, domain: Domain | None = None) -> Check:
    """iommu.viable for the start of ``domain``, or of any guest that the card may be bound for.
    What that start may move itself does not block the group."""
    starts = [domain] if domain is not None else domains_to_bind_for(gpu, readings.view)
    found = [
        host_checks.viable(gpu, _moved_by(each, readings), f"“{each.name}”") for each in starts
    ]
    passed = (check for check in found if check.verdict == "pass")
    return next(passed, found[0] if found else host_checks.viable(gpu))


def domains_to_bind_for(gpu: Gpu, view: HostView) -> tuple[Domain, ...]:
    """The domains that a card may be bound for, if its group has blockers: the allowed guest, or
    each domain that names the card if that one is not known."""
    if not gpu.viability.blockers:
        return ()
    moves = set(gpu.viability.moves)
    naming = [guest for guest in view.guests if moves & set(guest.domain.functions)]
    allowed = [guest for guest in naming if guest.allowed and gpu.role == "guest"]
    return tuple(guest.domain for guest in allowed or naming)


def _moved_by(domain: Domain, readings: CheckInput) -> set[str]:
    """The functions that the start of a domain may move."""
    return hostdev_verdicts.moved_at_start(_facts(domain, readings))


def with_moved_at_start(view: HostView, guests: Guests | None) -> tuple[Gpu, ...]:
    """The GPUs of the view, with the blockers that the start of their guest moves, as far as the
    last readings tell. If a card may be bound for several guests, the start that moves most
    counts."""
    return tuple(_with_moved_at_start(gpu, view, guests) for gpu in view.gpus)


def _with_moved_at_start(gpu: Gpu, view: HostView, guests: Guests | None) -> Gpu:
    blockers = [blocker.address for blocker in gpu.viability.blockers]
    starts = (
        hostdev_verdicts.moved_at_start(DeviceFacts(domain, view, guests))
        for domain in domains_to_bind_for(gpu, view)
    )
    moved = max(
        (tuple(address for address in blockers if address in start) for start in starts),
        key=len, default=(),
    )  # fmt: skip
    if not moved:
        return gpu
    reason = stay_with_host(len(blockers) - len(moved))
    return replace(gpu, viability=replace(gpu.viability, moved_at_start=moved, reason=reason))


def domains_to_check(view: HostView) -> tuple[Domain, ...]:
    """The domains that the doctor checks: the allowed guest, or each domain that takes a device
    of the host if that one is not known."""
    if view.guest is not None:
        return (view.guest.domain,)
    return tuple(guest.domain for guest in view.guests if guest.domain.hostdevs)


def functions_to_inspect(domain: Domain, view: HostView) -> tuple[str, ...]:
    """The functions whose use must be read to judge the domain's devices: those on a host
    driver, and all USB controllers if one of these is a USB controller."""
    facts = DeviceFacts(domain, view)
    mine = [
        f for dev in domain.hostdevs
        if dev.by != "mdev" and (f := facts.functions.get(dev.address)) and on_host_driver(f)
        and f.address not in facts.bound_by_us
    ]  # fmt: skip
    others = facts.controllers if any(f.class_code.startswith(USB_CLASS) for f in mine) else []
    return tuple(dict.fromkeys(f.address for f in (*mine, *others)))


def functions_with_open_files(domain: Domain, view: HostView) -> tuple[str, ...]:
    """Those of them that a process may have open: sound and disks."""
    functions = view.functions
    return tuple(
        address for address in functions_to_inspect(domain, view)
        if functions[address].class_code.startswith(MAY_HAVE_OPEN_FILES)
    )  # fmt: skip


def verdicts(domain: Domain, readings: CheckInput) -> tuple[GuestDevice, ...]:
    """The verdict on each device of the domain, in its order, each once."""
    return hostdev_verdicts.verdicts(_facts(domain, readings))


def _facts(domain: Domain, readings: CheckInput) -> DeviceFacts:
    holders = None if isinstance(readings.holders, Unavailable) else readings.holders
    guests = None if isinstance(readings.guests, Unavailable) else readings.guests
    return DeviceFacts(
        domain, readings.view, guests, readings.uses, holders, readonly=readings.readonly
    )


def live_verdicts(
    domain: Domain, view: HostView, guests: Guests | Unavailable, uses: DeviceUses
) -> tuple[GuestDevice, ...]:
    """The same from the last readings, without a check of open files."""
    known = None if isinstance(guests, Unavailable) else guests
    return hostdev_verdicts.verdicts(DeviceFacts(domain, view, known, uses))
