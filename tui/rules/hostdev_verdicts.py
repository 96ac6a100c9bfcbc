"""The verdict on each device of a domain, on the facts in ``DeviceFacts``.

At a domain's start libvirt moves every <hostdev>, whether it belongs to the card or not, and
checks none of them. The first row that applies decides:

=========================================  ========  ===========================================
the function that the domain names         verdict   because
=========================================  ========  ===========================================
the PCI devices could not be read          unknown
does not exist                             fail      libvirt refuses the start
is a share of a card (mdev), card there    pass      the card stays with its driver
is a bridge                                fail      vfio-pci takes endpoints only
has a driver that cannot be read           unknown
another guest runs with it or its group    fail      libvirt, or VFIO, refuses the start
belongs to a GPU that the domain names,    fail      the host would lose its display
  which drives the host's display or is
  its only one
is on a host driver, managed='no'          fail      libvirt refuses it (error 55)
has none, or pci-stub, managed='no'        fail      the same
is on a host driver, managed='yes',
  … and the host uses it                   fail      libvirt would take it from under the host
  … and its address was another device's   fail      the same
shares a group with an endpoint on a host  fail      VFIO refuses the group
  driver, or is in none, or in a noiommu
shares a group with one that cannot be     unknown
  read, or the capture has no groups
is on a VFIO driver                        pass      it is ready
belongs to a GPU that the domain names     pass      our start binds it first
has no driver, or pci-stub, managed='yes'  pass      libvirt binds it
is on a host driver, managed='yes',
  … and its use is not known               unknown
  … and the host does not use it           warn      libvirt takes it without a check
=========================================  ========  ===========================================

The host uses a function if it has a disk that is mounted, swap or a part of something else; a
network interface with an address or in a bridge; the last USB controller; the last keyboard; or a
sound device or disk that a process has open. A driver that lends the function to a program, such
as uio, counts as a host driver here. A device on the QEMU command line counts as managed='no':
libvirt does not know of it, and QEMU refuses to start.

Source: libvirt, src/hypervisor/virhostdev.c; kernel, Documentation/driver-api/vfio.rst.
"""

from __future__ import annotations

from collections.abc import Sequence

from tui.model import (
    GuestDevice,
    HostDev,
    Inventory,
    PciFunction,
    Verdict,
    is_host_driver,
    is_vfio_driver,
    listed,
)
from tui.rules import hostdev_words, r465, vfio_users
from tui.rules.holder_checks import how_to_stop
from tui.rules.hostdev_facts import DeviceFacts, on_host_driver
from tui.rules.isolation import UNKNOWN_HOST, missing_group_fix, ways_out
from tui.rules.viability import blocks, driver_unreadable

IOMMU_ON = "turn the IOMMU on, in the firmware and for the kernel"


def verdicts(facts: DeviceFacts) -> tuple[GuestDevice, ...]:
    """The verdict on each device of the domain, in its order, each once."""
    each: dict[str, HostDev] = {}
    for dev in facts.domain.hostdevs:
        each.setdefault(dev.address, dev)
    return tuple(_device(dev, facts) for dev in each.values())


def moved_at_start(facts: DeviceFacts) -> set[str]:
    """The functions that the domain's start may move."""
    there = [facts.functions[address] for address in facts.moving if address in facts.functions]
    return {f.address for f in there if _moves_from_host(f, facts)}


def _moves_from_host(function: PciFunction, facts: DeviceFacts) -> bool:
    """Whether the domain's start may take the function from its driver."""
    return _by_driver(HostDev(function.address, managed=True), function, facts).verdict != "fail"


def _device(dev: HostDev, facts: DeviceFacts) -> GuestDevice:
    if not facts.functions:
        why = facts.view.problem("pci") or "the PCI devices were not read"
        return _verdict(dev, "unknown", f"cannot be checked: {why}", "not read")
    function = facts.functions.get(dev.address)
    remove = hostdev_words.remove(dev, facts)
    if function is None:
        return _verdict(dev, "fail", "does not exist", "gone", remove)
    if dev.by == "mdev":
        return _verdict(dev, "pass", "provides a mediated device for it")
    if function.is_bridge:
        return _verdict(dev, "fail", "is a bridge, which no guest can have", "a bridge", remove)
    if driver_unreadable(function):
        return _verdict(dev, "unknown", "has a driver that cannot be read", "driver?")
    by_driver = _by_driver(dev, function, facts)
    return (
        _taken(dev, function, facts)
        or (by_driver if by_driver.verdict == "fail" else None)
        or _out_of_reach(dev, function, facts)
        or by_driver
    )


def _taken(dev: HostDev, function: PciFunction, facts: DeviceFacts) -> GuestDevice | None:
    """Another guest has the function or a part of its IOMMU group, which VFIO gives to one guest
    as a whole."""
    gpu = facts.bound_by_us.get(dev.address)
    process = gpu.taken_by if gpu is not None else None
    if process is not None:
        return _verdict(dev, "fail", f"is in use by {vfio_users.describe(process)}",
                        f"in {vfio_users.display_name(process)}", how_to_stop(process))  # fmt: skip
    found = facts.other_guest_with({dev.address, *(f.address for f in _group(function, facts))})
    if found is None:
        return None
    other, address = found
    has = "it" if address == dev.address else f"{address} of its IOMMU group"
    return _verdict(dev, "fail", f"is in use: “{other.name}” is running with {has}",
                    f"in {other.name}", f"shut down {other.name} first")  # fmt: skip


def _group(function: PciFunction, facts: DeviceFacts) -> tuple[PciFunction, ...]:
    if function.iommu_group is None:
        return (function,)
    return next((g.functions for g in facts.view.groups if g.id == function.iommu_group), ())


def _out_of_reach(dev: HostDev, function: PciFunction, facts: DeviceFacts) -> GuestDevice | None:
    """VFIO cannot claim its group."""
    view = facts.view
    if "iommu_group" in function.unreadable:
        return _verdict(dev, "unknown", "has an IOMMU group that cannot be read", "group?")
    if function.iommu_group is None and view.iommu_enabled is None:
        return _verdict(dev, "unknown", "has no IOMMU group in the capture", "group?",
                        "capture /sys/kernel/iommu_groups as well")  # fmt: skip
    group = next((g for g in view.groups if g.id == function.iommu_group), None)
    if group is None or group.id is None or group.noiommu:
        host = view.facts or UNKNOWN_HOST
        found = missing_group_fix(function, facts.functions.values(), host)
        fix = found if view.iommu_enabled else IOMMU_ON
        return _verdict(dev, "fail", "is in no IOMMU group that isolates it", "no group", fix)
    rest = [f for f in group.functions if f.address not in {dev.address, *facts.moving}]
    staying = [f"{f.address} ({f.driver})" for f in rest if blocks(f)]
    if staying:
        with_ = "a device on a host driver" if len(staying) == 1 else "devices on host drivers"
        why = f"shares IOMMU group {group.id} with {with_}: {listed(staying)}"
        return _verdict(dev, "fail", why, "group not viable", _group_fix(function, rest, facts))
    unreadable = [f.address for f in rest if driver_unreadable(f)]
    if unreadable:
        why = f"shares IOMMU group {group.id} with {unreadable[0]}, whose driver cannot be read"
        return _verdict(dev, "unknown", why, "group?")
    return None


def _group_fix(
    function: PciFunction, rest: Sequence[PciFunction], facts: DeviceFacts
) -> str | None:
    """How to free the group of the ``rest``. What the guest takes too has a fix of its own."""
    blocking = [f for f in rest if blocks(f)]
    if all(f.address in facts.domain.functions for f in blocking):
        return None
    host = Inventory(tuple(facts.functions.values()), iommu_kind=facts.view.iommu_kind)
    named = facts.domain.functions
    return ways_out(function, blocking, host, named, facts.view.facts or UNKNOWN_HOST)


def _by_driver(dev: HostDev, function: PciFunction, facts: DeviceFacts) -> GuestDevice:
    if is_vfio_driver(function.driver):
        return _verdict(dev, "pass", f"is on {function.driver}")
    if dev.address in facts.bound_by_us:
        return _of_card(dev, function, facts)
    if on_host_driver(function):
        return (_moved if dev.managed else _not_moved)(dev, function, facts)
    if dev.managed:
        return _verdict(dev, "pass", "is free")
    where = f"on {function.driver}" if function.driver else "on no driver"
    return _verdict(dev, "fail", f"is {where}, {hostdev_words.not_moved(dev)}", "not on vfio",
                    hostdev_words.bind_by_hand(dev, facts))  # fmt: skip


def _of_card(dev: HostDev, function: PciFunction, facts: DeviceFacts) -> GuestDevice:
    """A function of a card that our start binds, under the same checks as the bind."""
    gpu = facts.bound_by_us[dev.address]
    checks = (r465.not_shared(gpu, facts.view), r465.two_gpus(gpu, facts.view))
    home = is_host_driver(function.driver)
    refused = next((c for c in checks if c.verdict == "fail"), None) if home else None
    if refused is None:
        return _verdict(dev, "pass", "is bound before the start")
    why = f"is on {function.driver}: {refused.why}"
    return _verdict(dev, "fail", why, "the host's", refused.fix)


def _not_moved(dev: HostDev, function: PciFunction, facts: DeviceFacts) -> GuestDevice:
    """A function on a host driver, from which libvirt does not move it."""
    use = facts.host_use(function)
    why = f"is on {function.driver}, {hostdev_words.not_moved(dev)}{f': {use}' if use else ''}"
    keeps = use is not None or dev.address in facts.stale
    fix = hostdev_words.remove(dev, facts) if keeps else hostdev_words.bind_by_hand(dev, facts)
    return _verdict(dev, "fail", why, f"on {function.driver}", fix)


def _moved(dev: HostDev, function: PciFunction, facts: DeviceFacts) -> GuestDevice:
    """A function on a host driver, from which libvirt moves it."""
    use, unknown = facts.host_use(function), facts.unknown_use(function)
    stale = facts.stale.get(dev.address)
    if use is None and stale is not None and (stale.certain or unknown):
        use = f"the address {stale.why}"
    why = f"is on {function.driver}, and libvirt takes it from the host at the start"
    short, remove = f"on {function.driver}", hostdev_words.remove(dev, facts)
    if use is not None:
        return _verdict(dev, "fail", f"{why}: {use}", short, remove)
    if unknown:
        return _verdict(dev, "unknown", f"{why}; cannot tell {listed(unknown)}", short, remove)
    idle = listed([each.text for each in facts.use(function).attached])
    why = f"{why}; the host does not seem to use it{f' ({idle})' if idle else ''}"
    return _verdict(dev, "warn", why, short)


def _verdict(
    dev: HostDev, verdict: Verdict, why: str, short: str = "", fix: str | None = None
) -> GuestDevice:
    return GuestDevice(dev.address, verdict, f"{dev.address} {why}", short, fix)
