"""The host's name, its kernel and its case."""

from __future__ import annotations

from tui.host import Wake, sysfs
from tui.host.tree import MACHINE, Tree, text_of
from tui.host.untrusted import clean
from tui.model import HostFacts

UNKNOWN = "unknown"


class FactsSource:
    """proc/sys/kernel/{hostname,osrelease}, which is what uname(2) tells, else etc/hostname
    (kernel: Documentation/admin-guide/sysctl/kernel.rst); chassis_type of the firmware's tables
    (drivers/firmware/dmi-id.c), which anybody may read."""

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
        )

    def watch(self, wake: Wake) -> None:
        """A host keeps its name and kernel."""

    def close(self) -> None:
        """Nothing is held."""

    def _text(self, path: str) -> str:
        """Empty where it is not captured or cannot be read, which is unknown all the same."""
        return clean(text_of(self._root, path))
