"""The host's name, kernel, chassis and processor."""

from __future__ import annotations

from tui.host import Wake, sysfs
from tui.host.cpu_topology import cpu_topology
from tui.host.tree import MACHINE, Tree, text_of
from tui.host.untrusted import clean
from tui.model import HostFacts

UNKNOWN = "unknown"


class FactsSource:
    """Reads proc/sys/kernel/{hostname,osrelease} and the chassis type.

    The files hold what uname(2) returns (kernel: Documentation/admin-guide/sysctl/kernel.rst);
    etc/hostname stands in for the name. chassis_type comes from the firmware's tables
    (drivers/firmware/dmi-id.c) and is readable by everybody.
    """

    def __init__(self, root: Tree = MACHINE) -> None:
        self._root = root

    def read(self) -> HostFacts:
        return HostFacts(
            name=self._text("proc/sys/kernel/hostname") or self._text("etc/hostname") or UNKNOWN,
            kernel=self._text("proc/sys/kernel/osrelease") or UNKNOWN,
            chassis=sysfs.Attributes(self._root / "sys/class/dmi/id").read(
                "chassis_type", sysfs.count
            ),
            captured=not self._root.is_machine,
            cpus=cpu_topology(self._root),
        )

    def watch(self, wake: Wake) -> None:
        """The name and the kernel do not change."""

    def close(self) -> None:
        """This source holds nothing."""

    def _text(self, path: str) -> str:
        """Empty if the file was not captured or cannot be read: unknown either way."""
        return clean(text_of(self._root, path))
