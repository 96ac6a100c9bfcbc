"""PCI functions and IOMMU groups, from sysfs; what changes in them, from udev.

Two sources share what they know: the inventory is read at start and on events, the vitals
of the GPUs on every tick.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tui.host import HostError, Wake
from tui.host.pci.copied import (
    drivers_by_address,
    groups_by_member,
    with_drivers,
    with_groups,
    with_unknown_groups,
)
from tui.host.pci.function import read_class, read_function, read_max_link, read_vitals
from tui.host.pci.names import Names
from tui.host.pci.removal import Removals
from tui.host.pci.vfio_users import VfioUsers
from tui.host.sysfs import Attributes
from tui.host.tree import MACHINE, Tree
from tui.model import GPU_CLASSES, CardVitals, Inventory, IommuKind, Link, PciFunction, Vitals
from tui.model.address import is_address

FUNCTIONS_LIMIT = 16384
"""PCI functions of one host; a machine full of virtual functions has some thousand."""

IOMMU_PREFIXES: tuple[tuple[str, IommuKind], ...] = (
    ("dmar", "intel"),
    ("ivhd", "amd"),
    ("smmu", "smmu"),
    ("arm-smmu", "smmu"),
)
"""How the drivers name their entries of /sys/class/iommu."""

_GROUP = re.compile(r"[0-9]{1,9}")


def _nobody() -> None:
    """Nobody listens."""


class PciSource:
    """All PCI functions of this machine, or of a captured host."""

    def __init__(self, root: Tree = MACHINE) -> None:
        self._root = root
        self._devices = root / "sys/bus/pci/devices"
        self._names = Names(root)
        self._fastest: dict[tuple[str, str, str], Link | None] = {}
        self._slept: frozenset[str] = frozenset()
        self._gpus: tuple[str, ...] | None = None
        self._bound: dict[str, str] = {}
        self._wake: Wake = _nobody
        self._stop: Callable[[], None] = _nobody

    def read(self) -> Inventory:
        copied = self.copied
        read = (
            read_function(self.directory(address), address, self._names, copied=copied)
            for address in self._addresses()
        )
        functions = [function for function in read if function is not None]
        if copied:
            self._bound = drivers_by_address(self._root)
            functions = with_drivers(functions, self._bound, self._devices)
        inventory = self._grouped(functions)
        inventory = self._with_fastest_links(inventory)
        self._gpus = tuple(gpu.address for gpu in inventory.gpus)
        return inventory

    def watch(self, wake: Wake) -> None:
        """Listen to the events of a live host. Where they cannot be had, such as in a
        container, the vitals still show a GPU's new driver."""
        self._wake = wake
        if not self._root.is_machine:
            return
        from tui.host.pci.udev import listen  # noqa: PLC0415 - libudev is for live hosts only

        try:
            self._stop = listen(wake)
        except OSError:
            self._stop = _nobody

    def close(self) -> None:
        self._stop()

    # --- what the vitals need -------------------------------------------------

    def directory(self, address: str) -> Tree:
        """The directory of a function."""
        return self._devices / address

    def gpus(self) -> tuple[str, ...]:
        """The addresses of the GPUs as last read, else as listed. Raises ``HostError``."""
        if self._gpus is not None:
            return self._gpus
        codes = ((a, read_class(self.directory(a))) for a in self._addresses())
        return tuple(address for address, code in codes if code and code[:4] in GPU_CLASSES)

    @property
    def root(self) -> Tree:
        return self._root

    @property
    def copied(self) -> bool:
        """Whether sysfs is a copy, as in a captured host."""
        return self._root.is_copied

    def listed_driver(self, address: str) -> str | None:
        """The driver whose folder lists the function, as last read; only of a copy, which may
        have lost the link."""
        return self._bound.get(address)

    def note_awake(self, address: str) -> None:
        """Take note that a GPU is awake: one that slept at the last reading can now tell
        its fastest link."""
        if address in self._slept:
            self._slept -= {address}
            self._wake()

    # --- functions ------------------------------------------------------------

    def _addresses(self) -> list[str]:
        try:
            entries = self._devices.names(limit=FUNCTIONS_LIMIT)
        except FileNotFoundError as error:
            missing = f"no PCI devices: there is no {self._devices}; is sysfs mounted there?"
            raise HostError(missing) from error
        except OSError as error:
            raise HostError(f"no PCI devices: {self._devices}: {error.strerror}") from error
        return sorted(entry for entry in entries if is_address(entry))

    def _with_fastest_links(self, inventory: Inventory) -> Inventory:
        """The fastest link of each GPU; of a sleeping one, the one it told when awake."""
        fastest: dict[tuple[str, str, str], Link | None] = {}
        slept = set()
        functions = list(inventory.functions)
        for index, gpu in enumerate(functions):
            if not gpu.is_gpu:
                continue
            key = gpu.address, gpu.vendor, gpu.device
            awake, link, unreadable = read_max_link(self.directory(gpu.address))
            if awake:
                fastest[key] = link
            elif key in self._fastest:
                link = fastest[key] = self._fastest[key]
            else:
                slept.add(gpu.address)
            functions[index] = replace(
                gpu, link_max=link, unreadable=(*gpu.unreadable, *unreadable)
            )
        self._fastest, self._slept = fastest, frozenset(slept)
        return replace(inventory, functions=tuple(functions))

    # --- IOMMU groups ---------------------------------------------------------

    def _grouped(self, functions: list[PciFunction]) -> Inventory:
        """Groups as listed and as linked (kernel: sysfs-kernel-iommu_groups). A group whose
        name cannot be read may be one that isolates nothing: its functions say so."""
        home = self._root / "sys/kernel/iommu_groups"
        listed = self._group_names(home)
        groups = {int(name) for name in listed or ()}
        if self.copied:
            in_group = groups_by_member(home, groups)
            functions = with_groups(functions, {a: g for a, g in in_group.items() if is_address(a)})
            if len(functions) > FUNCTIONS_LIMIT:
                raise HostError(f"no PCI devices: {home} lists more than {FUNCTIONS_LIMIT}")
            empty = groups - {*in_group.values(), *(f.iommu_group for f in functions)}
            if empty and all(f.iommu_group is None for f in functions):
                listed, groups = None, set()
            elif empty:  # no kernel keeps such a group: the copy has lost who is in it
                functions = with_unknown_groups(functions)
        groups |= {f.iommu_group for f in functions if f.iommu_group is not None}
        names = {group: Attributes(home / str(group)) for group in sorted(groups)}
        noiommu = tuple(g for g, at in names.items() if at.read("name", str) == "vfio-noiommu")
        unknown = {group for group, at in names.items() if at.unreadable}
        if unknown:
            functions = [
                replace(f, unreadable=(*f.unreadable, "iommu_group"))
                if f.iommu_group in unknown
                else f
                for f in functions
            ]
        known = listed is not None or bool(names)
        return Inventory(tuple(functions), self._iommu_kind(), tuple(names), noiommu, known)

    def _group_names(self, home: Tree) -> list[str] | None:
        """``None`` where a capture does not have them."""
        try:
            return [name for name in home.names() if _GROUP.fullmatch(name)]
        except FileNotFoundError:  # a kernel without IOMMU support, if it is not a copy
            return None if self.copied else []
        except OSError as error:
            raise HostError(f"no IOMMU groups: {home}: {error.strerror}") from error

    def _iommu_kind(self) -> IommuKind | None:
        """The first known entry of /sys/class/iommu (kernel: sysfs-class-iommu)."""
        try:
            entries = sorted(self._root.names("sys/class/iommu"))
        except OSError:
            return None
        kinds = (k for entry in entries for prefix, k in IOMMU_PREFIXES if entry.startswith(prefix))
        return next(kinds, None)


class VitalsSource:
    """What changes on the GPUs of ``pci`` without an event."""

    def __init__(
        self, pci: PciSource, removals: Removals | None = None, users: VfioUsers | None = None
    ) -> None:
        self._pci = pci
        self._removals = removals or Removals(pci.root)
        self._users = users
        self._wake: Wake = _nobody

    def read(self) -> Vitals:
        cards: list[CardVitals] = []
        copied = self._pci.copied
        for address in self._pci.gpus():
            card = read_vitals(self._pci.directory(address), address, copied=copied)
            if card is not None:
                if card.driver is None and copied:
                    card = replace(card, driver=self._pci.listed_driver(address))
                removal = self._removals.of(address, card.driver)
                cards.append(replace(card, removal=removal) if removal else card)
                if card.runtime_status == "active":
                    self._pci.note_awake(address)
        if self._users is not None:
            cards = self._users.with_users(cards, self._wake)
        return Vitals(tuple(cards))

    def watch(self, wake: Wake) -> None:
        """Nothing tells of these, but for who has the cards; they are read on every tick."""
        self._wake = wake

    def close(self) -> None:
        """Nothing is held."""
