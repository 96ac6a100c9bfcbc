"""guest.devices: whether a guest can have every device that it names, and the host spare it.

libvirt moves every <hostdev> of a domain at its start, the card's functions or not, and looks at
none of them. Each is judged by the first row that applies:

=========================================  ========  ===========================================
the function that the domain names         verdict   because
=========================================  ========  ===========================================
the PCI devices could not be read          unknown
is not there                               fail      libvirt refuses the start
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
  … and the host uses it                   fail      it would be taken from under the host
  … and its address was another device's   fail      the same
shares a group with an endpoint on a host  fail      VFIO refuses the group
  driver, or is in none, or in a noiommu
shares a group with one that cannot be     unknown
  read, or the capture has no groups
is on a VFIO driver                        pass      it is ready
belongs to a GPU that the domain names     pass      our start binds it first
has no driver, or pci-stub, managed='yes'  pass      libvirt binds it
is on a host driver, managed='yes',
  … and what hangs on it is not known      unknown
  … and the host does not use it           warn      libvirt takes it, and does not look
=========================================  ========  ===========================================

The host uses a function on which a disk hangs that is mounted, swap or part of something else,
a network interface with an address or in a bridge, the last USB controller, the last keyboard, or
whose sound or disk a process has open. A driver that lends it to a program, as uio does, counts
as one of the host here. A QEMU command line is managed='no' to libvirt, which does
not know of it: QEMU then refuses to start.

Source: libvirt, src/hypervisor/virhostdev.c; kernel, Documentation/driver-api/vfio.rst.
"""

from __future__ import annotations

from collections.abc import Sequence

from tui.model import (
    INACTIVE_STATES,
    Check,
    DeviceUses,
    Domain,
    Gpu,
    GuestDevice,
    Guests,
    HostDev,
    HostView,
    PciFunction,
    Unavailable,
    Verdict,
    is_host_driver,
    is_vfio_driver,
    listed,
)
from tui.rules import host_checks, r465, vfio_users
from tui.rules.check_input import CheckInput
from tui.rules.guest_checks import address_xml
from tui.rules.holder_checks import how_to_stop
from tui.rules.hostdev_facts import MULTIMEDIA, STORAGE, USB, DeviceFacts, on_host_driver
from tui.rules.isolation import UNKNOWN_HOST, detach, missing_group_fix, slot_advice
from tui.rules.viability import blocks, driver_unreadable

ID = "guest.devices"

NAMED = 3
"""Devices that one sentence names."""

LONG = 60
"""Characters of a reason that is not said twice."""

ORDER: tuple[Verdict, ...] = ("fail", "unknown", "warn", "pass")

IOMMU_ON = "turn the IOMMU on, in the firmware and for the kernel"

_TAKE_OUT = "take out "
_INSTEAD = "; instead of managed='yes', "

_ELEMENTS = {
    "hostdev": "<hostdev>", "disk": "<disk type='nvme'>", "interface": "<interface type='hostdev'>",
    "mdev": "<hostdev type='mdev'>", "command line": "<qemu:arg>",
}  # fmt: skip


def check(domain: Domain, fresh: CheckInput) -> Check:
    """The worst of a domain's devices, and what to do about each of the first few."""
    found = verdicts(domain, fresh)
    if domain.problem is not None and all(device.verdict != "fail" for device in found):
        return Check(ID, domain.name, "unknown", domain.problem)
    bad = sorted((d for d in found if d.verdict != "pass"), key=lambda d: ORDER.index(d.verdict))
    if not bad:
        doubt = _may_be_taken(domain, fresh.guests) if found else None
        return Check(ID, domain.name, "unknown" if doubt else "pass", doubt or _all_well(found))
    alike = _alike(bad)[:NAMED]
    named = [device for group in alike for device in group]
    more = f" and {len(bad) - len(named)} more" if len(bad) > len(named) else ""
    why = "; ".join(_why(group) for group in alike)
    return Check(ID, domain.name, bad[0].verdict, f"{why}{more}", _fixes(named))


def _may_be_taken(domain: Domain, guests: Guests | Unavailable) -> str | None:
    """Why it is not known whether another guest has one of the devices."""
    if isinstance(guests, Unavailable):
        return f"libvirt: {guests.reason}"
    for other in guests.domains:
        if other.problem and other.state not in INACTIVE_STATES and other.uuid != domain.uuid:
            return f"what “{other.name}” has cannot be read"
    return None


def _alike(found: Sequence[GuestDevice]) -> list[list[GuestDevice]]:
    """The devices of which the same is to be said, together."""
    groups: dict[str, list[GuestDevice]] = {}
    for device in found:
        why = device.why.removeprefix(device.address)
        groups.setdefault(why if len(why) > LONG else device.why, []).append(device)
    return list(groups.values())


def _why(alike: Sequence[GuestDevice]) -> str:
    first, *rest = alike
    if not rest:
        return first.why
    return f"{first.why}; the same holds for {listed([device.address for device in rest])}"


def viable(gpu: Gpu, fresh: CheckInput, domain: Domain | None = None) -> Check:
    """iommu.viable for the start of ``domain``, or of whichever guest the card is for: what that
    start moves itself, and not from under the host, is in nobody's way."""
    starts = [domain] if domain is not None else domains_to_bind_for(gpu, fresh.view)
    found = [host_checks.viable(gpu, _leaving(each, fresh), f"“{each.name}”") for each in starts]
    passed = (check for check in found if check.verdict == "pass")
    return next(passed, found[0] if found else host_checks.viable(gpu))


def domains_to_bind_for(gpu: Gpu, view: HostView) -> tuple[Domain, ...]:
    """The domains that a card could be bound for, where its group has more in it than the card:
    the allowed guest; where that is not known, each that names the card."""
    if not gpu.viability.blockers:
        return ()
    moves = set(gpu.viability.moves)
    naming = [guest for guest in view.guests if moves & set(guest.domain.functions)]
    allowed = [guest for guest in naming if guest.allowed and gpu.role == "guest"]
    return tuple(guest.domain for guest in allowed or naming)


def _leaving(domain: Domain, fresh: CheckInput) -> set[str]:
    seen = _facts(domain, fresh)
    there = [seen.functions[address] for address in seen.moving if address in seen.functions]
    return {
        f.address for f in there
        if _by_driver(HostDev(f.address, managed=True), f, seen).verdict != "fail"
    }  # fmt: skip


def domains_to_check(view: HostView) -> tuple[Domain, ...]:
    """The domains whose devices the doctor judges: the allowed guest; where none is known, each
    that takes a device of the host."""
    if view.guest is not None:
        return (view.guest.domain,)
    return tuple(guest.domain for guest in view.guests if guest.domain.hostdevs)


def functions_to_inspect(domain: Domain, view: HostView) -> tuple[str, ...]:
    """The functions of which has to be known what hangs on them, so that the domain's devices can
    be judged: those on a host driver, and where one of these is a USB controller, all such."""
    seen = DeviceFacts(domain, view)
    mine = [
        f for dev in domain.hostdevs
        if dev.by != "mdev" and (f := seen.functions.get(dev.address)) and on_host_driver(f)
        and f.address not in seen.bound_by_us
    ]  # fmt: skip
    others = seen.controllers if any(f.class_code.startswith(USB) for f in mine) else []
    return tuple(dict.fromkeys(f.address for f in (*mine, *others)))


def functions_with_open_files(domain: Domain, view: HostView) -> tuple[str, ...]:
    """The functions among them that a process can have open to the harm of both."""
    functions = DeviceFacts(domain, view).functions
    return tuple(
        address for address in functions_to_inspect(domain, view)
        if functions[address].class_code.startswith((STORAGE, MULTIMEDIA))
    )  # fmt: skip


def verdicts(domain: Domain, fresh: CheckInput) -> tuple[GuestDevice, ...]:
    """Each device that the domain names, in its order, each once."""
    return _judged(_facts(domain, fresh))


def _facts(domain: Domain, fresh: CheckInput) -> DeviceFacts:
    holders = None if isinstance(fresh.holders, Unavailable) else fresh.holders
    guests = None if isinstance(fresh.guests, Unavailable) else fresh.guests
    return DeviceFacts(domain, fresh.view, guests, fresh.uses, holders, readonly=fresh.readonly)


def live_verdicts(
    domain: Domain, view: HostView, guests: Guests | Unavailable, uses: DeviceUses
) -> tuple[GuestDevice, ...]:
    """The same on the last readings, without a look at who has what open."""
    known = None if isinstance(guests, Unavailable) else guests
    return _judged(DeviceFacts(domain, view, known, uses))


def _judged(seen: DeviceFacts) -> tuple[GuestDevice, ...]:
    each: dict[str, HostDev] = {}
    for dev in seen.domain.hostdevs:
        each.setdefault(dev.address, dev)
    return tuple(_device(dev, seen) for dev in each.values())


def _all_well(found: Sequence[GuestDevice]) -> str:
    if not found:
        return "it takes no device of the host"
    if len(found) == 1:
        return f"{found[0].address} is there and free for it"
    return f"all {len(found)} devices are there and free for it"


def _fixes(bad: Sequence[GuestDevice]) -> str | None:
    """What to do, each once; what is to be done with one command is said in one go."""
    told: dict[str, list[str]] = {}
    others: list[str] = []
    for fix in dict.fromkeys(device.fix for device in bad if device.fix):
        edit, _, other = fix.partition(_INSTEAD)
        command, _, rest = edit.partition(": ")
        told.setdefault(command, []).append(rest)
        others += [other] if other else []
    fixes = "; ".join(
        f"{command}: {_in_one_go(rests)}" if any(rests) else command
        for command, rests in told.items()
    )
    return f"{fixes}{_INSTEAD}{', '.join(others)}" if others else fixes or None


def _in_one_go(rests: Sequence[str]) -> str:
    """What is to be taken out, and then the rest."""
    out = [rest for rest in rests if rest.startswith(_TAKE_OUT)]
    shorter = [*out[:1], *(rest.removeprefix(_TAKE_OUT) for rest in out[1:])]
    return " and ".join((*shorter, *(rest for rest in rests if rest not in out)))


# --- one device, row by row of the table ----------------------------------------------


def _device(dev: HostDev, seen: DeviceFacts) -> GuestDevice:
    if not seen.functions:
        why = seen.view.problem("pci") or "the PCI devices were not read"
        return _found(dev, "unknown", f"cannot be looked up: {why}", "not read")
    function = seen.functions.get(dev.address)
    if function is None:
        return _found(dev, "fail", "is not there", "gone", _take_out(dev, seen))
    if dev.by == "mdev":
        return _found(dev, "pass", "has a share for it")
    if function.is_bridge:
        return _found(dev, "fail", "is a bridge, which no guest can have", "a bridge",
                      _take_out(dev, seen))  # fmt: skip
    if driver_unreadable(function):
        return _found(dev, "unknown", "has a driver that cannot be read", "driver?")
    by_driver = _by_driver(dev, function, seen)
    return (
        _taken(dev, function, seen)
        or (by_driver if by_driver.verdict == "fail" else None)
        or _out_of_reach(dev, function, seen)
        or by_driver
    )


def _taken(dev: HostDev, function: PciFunction, seen: DeviceFacts) -> GuestDevice | None:
    """By another guest, or its IOMMU group is: that belongs to one guest as a whole."""
    gpu = seen.bound_by_us.get(dev.address)
    process = gpu.taken_by if gpu is not None else None
    if process is not None:
        return _found(dev, "fail", f"is taken: {vfio_users.describe(process)} has it",
                      f"in {vfio_users.display_name(process)}", how_to_stop(process))  # fmt: skip
    found = seen.other_guest_with({dev.address, *(f.address for f in _group(function, seen))})
    if found is None:
        return None
    other, address = found
    has = "it" if address == dev.address else f"{address} of its IOMMU group"
    return _found(dev, "fail", f"is taken: “{other.name}” runs with {has}", f"in {other.name}",
                  f"shut down {other.name} first")  # fmt: skip


def _group(function: PciFunction, seen: DeviceFacts) -> tuple[PciFunction, ...]:
    if function.iommu_group is None:
        return (function,)
    return next((g.functions for g in seen.view.groups if g.id == function.iommu_group), ())


def _out_of_reach(dev: HostDev, function: PciFunction, seen: DeviceFacts) -> GuestDevice | None:
    """Where VFIO cannot have its group."""
    if "iommu_group" in function.unreadable:
        return _found(dev, "unknown", "has an IOMMU group that cannot be read", "group?")
    if function.iommu_group is None and seen.view.iommu_enabled is None:
        return _found(dev, "unknown", "has no IOMMU group in the capture", "group?",
                      "capture /sys/kernel/iommu_groups as well")  # fmt: skip
    group = next((g for g in seen.view.groups if g.id == function.iommu_group), None)
    if group is None or group.id is None or group.noiommu:
        on, facts = seen.view.iommu_enabled, seen.view.facts or UNKNOWN_HOST
        fix = missing_group_fix(function, seen.functions.values(), facts) if on else IOMMU_ON
        return _found(dev, "fail", "is in no IOMMU group that isolates it", "no group", fix)
    rest = [f for f in group.functions if f.address not in {dev.address, *seen.moving}]
    staying = [f"{f.address} ({f.driver})" for f in rest if blocks(f)]
    if staying:
        why = f"shares IOMMU group {group.id} with {listed(staying)}, on drivers of the host"
        return _found(dev, "fail", why, "group not viable", _apart(function, rest, seen))
    dark = [f.address for f in rest if driver_unreadable(f)]
    if dark:
        why = f"shares IOMMU group {group.id} with {dark[0]}, whose driver cannot be read"
        return _found(dev, "unknown", why, "group?")
    return None


def _apart(function: PciFunction, rest: Sequence[PciFunction], seen: DeviceFacts) -> str | None:
    """What frees its group of the ``rest``; what the guest takes too has a fix of its own."""
    if all(f.address in seen.domain.functions for f in rest if blocks(f)):
        return None
    slot = slot_advice(function, seen.functions.values(), seen.view.facts or UNKNOWN_HOST)
    return f"{f'{slot}; or ' if slot else ''}give the guest all of the group"


def _by_driver(dev: HostDev, function: PciFunction, seen: DeviceFacts) -> GuestDevice:
    if is_vfio_driver(function.driver):
        return _found(dev, "pass", f"is on {function.driver}")
    if dev.address in seen.bound_by_us:
        return _of_card(dev, function, seen)
    if on_host_driver(function):
        return (_left if not dev.managed else _moved)(dev, function, seen)
    if dev.managed:
        return _found(dev, "pass", "is free")
    where = f"on {function.driver}" if function.driver else "on no driver"
    return _found(dev, "fail", f"is {where}, {_not_moved(dev)}", "not on vfio",
                  _by_hand(dev, seen))  # fmt: skip


def _of_card(dev: HostDev, function: PciFunction, seen: DeviceFacts) -> GuestDevice:
    """A function of a card that our start binds, by the same checks as that."""
    gpu = seen.bound_by_us[dev.address]
    checks = (r465.not_shared(gpu), r465.two_gpus(gpu, seen.view))
    home = is_host_driver(function.driver)
    refused = next((c for c in checks if c.verdict == "fail"), None) if home else None
    if refused is None:
        return _found(dev, "pass", "is bound before the start")
    why = f"is on {function.driver}: {refused.why}"
    return _found(dev, "fail", why, "the host's", refused.fix)


def _left(dev: HostDev, function: PciFunction, seen: DeviceFacts) -> GuestDevice:
    """On a host driver, from which libvirt does not move it."""
    use = seen.host_use(function)
    why = f"is on {function.driver}, {_not_moved(dev)}{f': {use}' if use else ''}"
    keeps = use is not None or dev.address in seen.stale
    fix = _take_out(dev, seen) if keeps else _by_hand(dev, seen)
    return _found(dev, "fail", why, f"on {function.driver}", fix)


def _moved(dev: HostDev, function: PciFunction, seen: DeviceFacts) -> GuestDevice:
    """On a host driver, from which libvirt moves it."""
    use, dark, stray = (
        seen.host_use(function),
        seen.unknown_use(function),
        seen.stale.get(dev.address),
    )
    if use is None and stray is not None and (stray.certain or dark):
        use = f"it {stray.why}"
    why = f"is on {function.driver}, and libvirt takes it from the host at the start"
    short = f"on {function.driver}"
    if use is not None:
        return _found(dev, "fail", f"{why}: {use}", short, _take_out(dev, seen))
    if dark:
        why = f"{why}; cannot tell {listed(dark)}"
        return _found(dev, "unknown", why, short, _take_out(dev, seen))
    idle = listed([each.text for each in seen.use(function).attached])
    why = f"{why}; no use of it by the host was found{f' ({idle})' if idle else ''}"
    return _found(dev, "warn", why, short)


# --- words -----------------------------------------------------------------------------


def _found(
    dev: HostDev, verdict: Verdict, why: str, short: str = "", fix: str | None = None
) -> GuestDevice:
    return GuestDevice(dev.address, verdict, f"{dev.address} {why}", short, fix)


def _not_moved(dev: HostDev) -> str:
    if dev.by == "command line":
        return "and QEMU cannot have it from there"
    return "and libvirt does not move it (managed='no')"


def _take_out(dev: HostDev, seen: DeviceFacts) -> str:
    """How its element leaves the definition, in the words of the XML."""
    stray = seen.stale.get(dev.address)
    ours = dev.by == "hostdev" and stray is not None and stray.certain and not seen.readonly
    which = dev.address if dev.by == "command line" else address_xml(dev.address)
    edit = f"`virsh edit {seen.domain.shell_word}`: {_TAKE_OUT}the {_ELEMENTS[dev.by]} with {which}"
    return f"press w, or {edit}" if ours else edit


def _by_hand(dev: HostDev, seen: DeviceFacts) -> str:
    """How it gets to vfio-pci."""
    command = f"{detach(dev.address)} before each start"
    if dev.by == "command line":
        return command
    which = f"the {_ELEMENTS[dev.by]} with {address_xml(dev.address)}"
    return f"`virsh edit {seen.domain.shell_word}`: set managed='yes' in {which}{_INSTEAD}{command}"
