"""The inventory of PCI functions and IOMMU groups: sysfs, and udev events for its changes.

It is read at start and on events. ``tui.host.pci.vitals`` reads on every tick what changes
without one, and shares what this source knows.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from tui.host import HostError, Wake
from tui.host.pci import DEVICES, FUNCTIONS_LIMIT, GPUS_LIMIT
from tui.host.pci.copied import drivers_by_address, with_drivers
from tui.host.pci.function import AwakeFacts, read_awake_facts, read_class, read_function
from tui.host.pci.iommu import read_groups
from tui.host.pci.names import Names
from tui.host.tree import MACHINE, Tree
from tui.model import GPU_CLASSES, Inventory
from tui.model.address import is_address


def _nothing() -> None:
    """Wake nobody, and stop nothing."""


class PciSource:
    """All PCI functions of this machine, or of a captured host."""

    def __init__(self, root: Tree = MACHINE) -> None:
        self._root = root
        self._devices = root / DEVICES
        self._names = Names(root)
        self._awake_facts: dict[tuple[str, str, str], AwakeFacts] = {}
        self._asleep: frozenset[str] = frozenset()
        self._gpus: tuple[str, ...] | None = None
        self._listed_drivers: dict[str, str] = {}
        self._wake: Wake = _nothing
        self._stop: Callable[[], None] = _nothing

    def read(self) -> Inventory:
        copied = self.copied
        read = (
            read_function(self.directory(address), address, self._names, copied=copied)
            for address in self._addresses()
        )
        functions = [function for function in read if function is not None]
        self._names.release()
        if copied:
            self._listed_drivers = drivers_by_address(self._root)
            functions = with_drivers(functions, self._listed_drivers, self._devices)
        grouped = read_groups(self._root, functions)
        if len(grouped.gpus) > GPUS_LIMIT:
            raise HostError(f"{self._devices} lists more than {GPUS_LIMIT} GPUs")
        inventory = self._with_awake_facts(grouped)
        self._gpus = tuple(gpu.address for gpu in inventory.gpus)
        return inventory

    def watch(self, wake: Wake) -> None:
        """Listen to the events of a live host.

        If there are none, as in a container, the vitals still show a GPU's new driver.
        """
        self._wake = wake
        if not self._root.is_machine:
            return
        from tui.host.pci.udev import listen  # noqa: PLC0415 - libudev is for live hosts only

        try:
            self._stop = listen(wake)
        except OSError:
            self._stop = _nothing

    def close(self) -> None:
        self._stop()

    # --- for the vitals -------------------------------------------------

    def directory(self, address: str) -> Tree:
        """Return the directory of a function."""
        return self._devices / address

    def gpus(self) -> tuple[str, ...]:
        """Return the addresses of the GPUs, as last read or else as listed. Raises
        ``HostError``."""
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
        """Return the driver whose folder lists the function, as last read.

        Only for a copy, which may have lost the driver link.
        """
        return self._listed_drivers.get(address)

    def note_awake(self, address: str) -> None:
        """Note that a GPU is awake: if it slept at the last reading, its fastest link can now be
        read."""
        if address in self._asleep:
            self._asleep -= {address}
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

    def _with_awake_facts(self, inventory: Inventory) -> Inventory:
        """Add the ports above each GPU, its fastest link and its resizable BARs; for a
        sleeping GPU, those it had when awake."""
        known: dict[tuple[str, str, str], AwakeFacts] = {}
        asleep = set()
        functions = list(inventory.functions)
        for index, gpu in enumerate(functions):
            if not gpu.is_gpu:
                continue
            key = gpu.address, gpu.vendor, gpu.device
            awake, facts, unreadable = read_awake_facts(self.directory(gpu.address))
            if awake:
                known[key] = facts
            elif key in self._awake_facts:
                facts = known[key] = self._awake_facts[key]
            else:
                asleep.add(gpu.address)
            functions[index] = replace(
                gpu,
                link_max=facts.link,
                resizable=facts.resizable,
                unreadable=(*gpu.unreadable, *unreadable),
                ports=self._ports(gpu.address),
            )
        self._awake_facts, self._asleep = known, frozenset(asleep)
        return replace(inventory, functions=tuple(functions))

    def _ports(self, address: str) -> tuple[str, ...]:
        """Return the bridges above a function: the directories on the way to its own. Only on a
        live host: they serve to read the kernel's log, which no capture has."""
        if self.copied:
            return ()
        try:
            way = self._devices.target(address).split("/")
        except OSError:  # it is gone
            return ()
        return tuple(name for name in way[:-1] if is_address(name))
