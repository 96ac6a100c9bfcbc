"""guest.devices: whether a guest can have every device that it names, and the host spare it.

libvirt moves every <hostdev> of a domain at its start, the card's functions or not, and looks at
none of them. Each is judged by the first row that applies:

=========================================  ==============  =====================================
the function that the domain names         verdict         because
=========================================  ==============  =====================================
the PCI devices could not be read          unknown
is not there                               fail            libvirt refuses the start
is a share of a card (mdev), card there    pass            the card stays with its driver
is a bridge                                fail            vfio-pci takes endpoints only
another guest runs with it or its group    fail            libvirt, or VFIO, refuses the start
its driver cannot be read                  unknown
is in no IOMMU group, or a noiommu one     fail            VFIO has no way to it
shares a group with an endpoint that       fail            VFIO refuses the group
  stays on a host driver
shares a group with one that cannot be     unknown
  read
is on a VFIO driver                        pass            it is ready
belongs to a GPU that the domain names     pass            our start binds it first
  … and that GPU drives the host's         fail            the host would lose its display
    display, or is its only one
has no driver, or is on pci-stub
  … managed='yes'                          pass            libvirt binds it
  … managed='no'                           fail            libvirt refuses it (error 55)
is on a host driver, managed='no'          fail            libvirt refuses it (error 55)
is on a host driver, managed='yes'
  … and the host uses it                   fail            it would be taken from under it
  … its address was another device's       fail            it would be taken from under it
  … and what hangs on it is not known      unknown
  … and the host does not use it           warn            libvirt takes it without a look
=========================================  ==============  =====================================

The host uses a function on which a disk hangs that is mounted, swap or part of something else,
a network interface with an address or in a bridge, the last USB controller, the last keyboard, or
whose sound or disk a process has open. A QEMU command line is managed='no' to libvirt, which does
not know of it: QEMU then refuses to start.

Source: libvirt, src/hypervisor/virhostdev.c; kernel, Documentation/driver-api/vfio.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tui.model import (
    Check,
    Domain,
    Gpu,
    GuestDevice,
    Guests,
    Holders,
    HostDev,
    HostView,
    PciFunction,
    Unavailable,
    Verdict,
)
from tui.model.devices import DeviceUse, DeviceUses
from tui.rules import passthrough
from tui.rules.domains import address_xml, with_cards
from tui.rules.fresh import Fresh
from tui.rules.strays import Stray, strays
from tui.rules.viability import blocks, on_vfio, undecided

ID = "guest.devices"

NAMED = 3
"""Devices that one sentence names."""

ORDER: tuple[Verdict, ...] = ("fail", "unknown", "warn", "pass")

USB = "0c03"

_ELEMENTS = {
    "hostdev": "<hostdev>", "disk": "<disk type='nvme'>", "interface": "<interface type='hostdev'>",
    "mdev": "<hostdev type='mdev'>", "command line": "<qemu:arg>",
}  # fmt: skip

_IN_THE_WAY = re.compile(r"/dev/(snd/|vfio/|nvme[0-9]+n|sd|vd)")
"""Nodes whose users lose data, or keep the driver from leaving."""


def check(domain: Domain, fresh: Fresh) -> Check:
    """The worst of a domain's devices, and what to do about each of the first few."""
    if domain.problem is not None:
        return Check(ID, domain.name, "unknown", domain.problem)
    found = judged(domain, fresh)
    bad = sorted((d for d in found if d.verdict != "pass"), key=lambda d: ORDER.index(d.verdict))
    if not bad:
        return Check(ID, domain.name, "pass", _all_well(found))
    more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    why = "; ".join(device.why for device in bad[:NAMED])
    return Check(ID, domain.name, bad[0].verdict, f"{why}{more}", _mends(bad[:NAMED]))


def of_interest(view: HostView) -> tuple[Domain, ...]:
    """The domains whose devices the doctor judges: the allowed guest; where none is known, each
    that takes a device of the host."""
    if view.guest is not None:
        return (view.guest.domain,)
    return tuple(g.domain for g in view.guests if g.domain.hostdevs and g.domain.problem is None)


def looked_at(domain: Domain, view: HostView) -> tuple[str, ...]:
    """The functions of which has to be known what hangs on them, so that the domain's devices can
    be judged: those on a host driver, and where one of these is a USB controller, all such."""
    seen = _Seen(domain, view)
    mine = [
        f for dev in domain.hostdevs
        if dev.by != "mdev" and (f := seen.functions.get(dev.address)) and _on_host(f)
        and f.address not in seen.by_us
    ]  # fmt: skip
    others = seen.controllers if any(f.class_code.startswith(USB) for f in mine) else []
    return tuple(dict.fromkeys(f.address for f in (*mine, *others)))


def held_at(domain: Domain, view: HostView) -> tuple[str, ...]:
    """The functions among them that a process can have open to the harm of both."""
    functions = _Seen(domain, view).functions
    return tuple(
        address for address in looked_at(domain, view)
        if functions[address].class_code.startswith(("01", "04"))
    )  # fmt: skip


def judged(domain: Domain, fresh: Fresh) -> tuple[GuestDevice, ...]:
    """Each device that the domain names, in its order, each once."""
    holders = None if isinstance(fresh.holders, Unavailable) else fresh.holders
    guests = None if isinstance(fresh.guests, Unavailable) else fresh.guests
    seen = _Seen(domain, fresh.view, guests, fresh.uses, holders, readonly=fresh.readonly)
    each = {dev.address: dev for dev in reversed(domain.hostdevs)}
    return tuple(seen.device(dev) for dev in reversed(each.values()))


def _all_well(found: Sequence[GuestDevice]) -> str:
    if not found:
        return "it takes no device of the host"
    if len(found) == 1:
        return f"{found[0].address} is there and free for it"
    return f"all {len(found)} devices are there and free for it"


def _mends(bad: Sequence[GuestDevice]) -> str | None:
    """What to do, each once; what is to be done with one command is said in one go."""
    told: dict[str, list[str]] = {}
    for mend in dict.fromkeys(device.mend for device in bad if device.mend):
        command, _, rest = mend.partition(": ")
        first = not told.setdefault(command, [])
        told[command].append(rest if first else rest.removeprefix("take out "))
    return "; ".join(
        f"{command}: {' and '.join(rests)}" if any(rests) else command
        for command, rests in told.items()
    ) or None  # fmt: skip


def _on_host(function: PciFunction) -> bool:
    """Whether a driver of the host has it."""
    return function.driver not in (None, "pci-stub") and not on_vfio(function.driver)


@dataclass(frozen=True)
class _Seen:
    """What a domain's devices are judged by."""

    domain: Domain
    view: HostView
    guests: Guests | None = None
    uses: DeviceUses = field(default_factory=DeviceUses)
    holders: Holders | None = None
    readonly: bool = False

    @cached_property
    def functions(self) -> dict[str, PciFunction]:
        return {f.address: f for group in self.view.groups for f in group.functions}

    @cached_property
    def by_us(self) -> dict[str, Gpu]:
        """The functions that move with a GPU that the domain names: our start binds them."""
        cards = with_cards(self.domain, self.view.gpus)
        return {address: gpu for gpu in cards for address in gpu.viability.moves}

    @cached_property
    def strays(self) -> dict[str, Stray]:
        return {stray.address: stray for stray in strays(self.domain, self.view)}

    @cached_property
    def controllers(self) -> list[PciFunction]:
        """The USB controllers that the host has, but for those of GPUs."""
        slots = {gpu.function.slot for gpu in self.view.gpus}
        return [
            f for f in self.functions.values()
            if f.class_code.startswith(USB) and _on_host(f) and f.slot not in slots
        ]  # fmt: skip

    # --- one device ---

    def device(self, dev: HostDev) -> GuestDevice:
        function = self.functions.get(dev.address)
        if not self.functions:
            why = self.view.problem("pci") or "the PCI devices were not read"
            return GuestDevice(dev.address, "unknown", f"{dev.address}: {why}", "not read")
        if function is None:
            return self._fail(dev, "is not there", "gone", self._take_out(dev))
        if dev.by == "mdev":
            return self._pass(dev, "has a share for it")
        return (
            self._taken(dev, function)
            or self._out_of_reach(dev, function)
            or self._by_driver(dev, function)
        )

    def _taken(self, dev: HostDev, function: PciFunction) -> GuestDevice | None:
        if function.is_bridge:
            return self._fail(dev, "is a bridge, which no guest can have", "a bridge",
                              self._take_out(dev))  # fmt: skip
        members = {dev.address}
        if function.iommu_group is not None:
            members |= {f.address for f in self._group(function)}
        for other in self.guests.domains if self.guests else ():
            mine = other.uuid == self.domain.uuid and other.name == self.domain.name
            if other.active and not mine and (taken := members & set(other.addresses)):
                has = "it" if dev.address in taken else f"{min(taken)} of its IOMMU group"
                return self._fail(dev, f"is taken: “{other.name}” runs with {has}",
                                  f"in {other.name}", f"shut down {other.name} first")  # fmt: skip
        return None

    def _group(self, function: PciFunction) -> tuple[PciFunction, ...]:
        return next(
            (g.functions for g in self.view.groups if g.id == function.iommu_group), (function,)
        )

    def _out_of_reach(self, dev: HostDev, function: PciFunction) -> GuestDevice | None:
        """Where VFIO cannot have its group."""
        if undecided(function):
            return self._unknown(dev, "has a driver that cannot be read", "driver?")
        if "iommu_group" in function.unreadable:
            return self._unknown(dev, "has an IOMMU group that cannot be read", "group?")
        group = next((g for g in self.view.groups if g.id == function.iommu_group), None)
        if group is None or group.id is None or group.noiommu:
            return self._fail(dev, "is in no IOMMU group that isolates it", "no group")
        members = [f for f in group.functions if f.address not in self._moving]
        staying = [f for f in members if blocks(f)]
        if staying:
            names = ", ".join(f"{f.address} ({f.driver})" for f in staying[:NAMED])
            return self._fail(
                dev, f"shares IOMMU group {group.id} with {names}, which the host keeps",
                "group not viable", "try another slot, or give the guest the whole group",
            )  # fmt: skip
        dark = [f.address for f in members if undecided(f)]
        if dark:
            return self._unknown(dev, f"is in a group with {dark[0]}, whose driver cannot be read",
                                 "group?")  # fmt: skip
        return None

    @cached_property
    def _moving(self) -> set[str]:
        """What leaves the host for this start: by us, or by libvirt."""
        managed = {dev.address for dev in self.domain.hostdevs if dev.managed and dev.by != "mdev"}
        return {*self.by_us, *managed}

    def _by_driver(self, dev: HostDev, function: PciFunction) -> GuestDevice:
        gpu = self.by_us.get(dev.address)
        if on_vfio(function.driver):
            return self._pass(dev, f"is on {function.driver}")
        if gpu is not None:
            return self._of_card(dev, function, gpu)
        if not _on_host(function):
            if dev.managed:
                return self._pass(dev, "is free")
            return self._fail(dev, f"is not on vfio-pci, and {self._refuses(dev)}", "not bound",
                              self._by_hand(dev))  # fmt: skip
        if not dev.managed:
            use = self._used(function)
            mend = self._take_out(dev) if use or self._stray(dev) else self._by_hand(dev)
            return self._fail(
                dev, f"is on {function.driver}, and {self._refuses(dev)}{_colon(use)}",
                f"on {function.driver}", mend,
            )  # fmt: skip
        return self._from_host(dev, function)

    def _of_card(self, dev: HostDev, function: PciFunction, gpu: Gpu) -> GuestDevice:
        if _on_host(function):
            for found in (
                passthrough.not_shared(gpu),
                passthrough.two_gpus(gpu, self.view),
            ):
                if found.verdict == "fail":
                    return self._fail(dev, f"is on {function.driver}: {found.why}", "the host's",
                                      found.mend)  # fmt: skip
        return self._pass(dev, "is bound before the start")

    def _from_host(self, dev: HostDev, function: PciFunction) -> GuestDevice:
        """On a host driver with managed='yes'."""
        taken = f"is on {function.driver}, and libvirt takes it from the host at the start"
        short, use, stray = (
            f"on {function.driver}",
            self._used(function),
            self.strays.get(dev.address),
        )
        if use is not None:
            return self._fail(dev, f"{taken}: {use}", short, self._take_out(dev))
        dark = self._dark(function)
        if stray is not None and (stray.certain or dark):
            return self._fail(dev, f"{taken}: it {stray.why}", short, self._take_out(dev))
        if dark:
            why = f"{taken}; not known is {', '.join(dark[:NAMED])}"
            return self._unknown(dev, why, short, self._take_out(dev))
        idle = ", ".join(each.text for each in self._use(function).attached[:NAMED])
        why = f"{taken}; nothing in use was found on it{f' ({idle})' if idle else ''}"
        return GuestDevice(dev.address, "warn", f"{dev.address} {why}", short)

    # --- what hangs on it ---

    def _use(self, function: PciFunction) -> DeviceUse:
        return self.uses.of(function.address) or DeviceUse(
            function.address, dark=("what hangs on it",)
        )

    def _used(self, function: PciFunction) -> str | None:
        """What the host uses it for."""
        use = self._use(function)
        if use.used:
            more = f" and {len(use.used) - NAMED} more" if len(use.used) > NAMED else ""
            return ", ".join(each.text for each in use.used[:NAMED]) + more
        found = self.holders.of([function.address]) if self.holders else ()
        open_ = [h for h in found if not h.ours and _IN_THE_WAY.search(h.what)]
        if open_:
            return f"{open_[0].name} ({open_[0].pid}) has {open_[0].what} open"
        if function in self.controllers:
            if not self._left:
                return "the host has no other USB controller"
            if self._last_keyboard(function):
                return "the host's last keyboard is on it"
        return None

    def _dark(self, function: PciFunction) -> tuple[str, ...]:
        use = self._use(function)
        others = [self._use(f) for f in self._left]
        keyboard = any(each.kind == "keyboard" for each in use.attached)
        if keyboard and not self._another_keyboard and any(each.dark for each in others):
            return (*use.dark, "whether the host has another keyboard")
        return use.dark

    @cached_property
    def _left(self) -> list[PciFunction]:
        """The USB controllers that stay with the host."""
        return [f for f in self.controllers if f.address not in self.domain.addresses]

    @property
    def _another_keyboard(self) -> bool:
        return self.uses.keyboard or any(
            each.kind == "keyboard" for f in self._left for each in self._use(f).attached
        )

    def _last_keyboard(self, function: PciFunction) -> bool:
        here = any(each.kind == "keyboard" for each in self._use(function).attached)
        dark = any(self._use(f).dark for f in self._left)
        return here and not self._another_keyboard and not dark

    # --- words ---

    def _stray(self, dev: HostDev) -> bool:
        return dev.address in self.strays

    @staticmethod
    def _refuses(dev: HostDev) -> str:
        if dev.by == "command line":
            return "QEMU cannot have it then"
        return "libvirt does not take it from there (managed='no')"

    def _take_out(self, dev: HostDev) -> str:
        """How its element leaves the definition, in the words of the XML."""
        element = _ELEMENTS[dev.by]
        what = (
            f"that names {dev.address}" if dev.by == "command line"
            else f"with {address_xml(dev.address)}"
        )  # fmt: skip
        stray = self.strays.get(dev.address)
        ours = dev.by == "hostdev" and stray is not None and stray.certain and not self.readonly
        press = "press w, or " if ours else ""
        return f"{press}`virsh edit {self.domain.word}`: take out the {element} {what}"

    def _by_hand(self, dev: HostDev) -> str:
        node = f"pci_{dev.address.replace(':', '_').replace('.', '_')}"
        if dev.by == "command line":
            return f"`virsh nodedev-detach {node}` before each start"
        return (
            f"`virsh edit {self.domain.word}`: managed='yes' in its {_ELEMENTS[dev.by]}, or "
            f"`virsh nodedev-detach {node}` before each start"
        )

    @staticmethod
    def _pass(dev: HostDev, why: str) -> GuestDevice:
        return GuestDevice(dev.address, "pass", f"{dev.address} {why}")

    @staticmethod
    def _fail(dev: HostDev, why: str, short: str, mend: str | None = None) -> GuestDevice:
        return GuestDevice(dev.address, "fail", f"{dev.address} {why}", short, mend)

    @staticmethod
    def _unknown(dev: HostDev, why: str, short: str, mend: str | None = None) -> GuestDevice:
        return GuestDevice(dev.address, "unknown", f"{dev.address} {why}", short, mend)


def _colon(use: str | None) -> str:
    return f": {use}" if use else ""


def worst(found: Iterator[GuestDevice] | Sequence[GuestDevice]) -> Verdict:
    """The verdict on all of them."""
    return min((device.verdict for device in found), key=ORDER.index, default="pass")
