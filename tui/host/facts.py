"""The host's name and kernel."""

from __future__ import annotations

import os
from pathlib import Path

from tui.host import Wake
from tui.host.sysfs import read_file
from tui.host.untrusted import clean
from tui.model import HostFacts

UNKNOWN = "unknown"


class FactsSource:
    """uname(2); of a captured host proc/sys/kernel/{hostname,osrelease}, else etc/hostname
    (kernel: Documentation/admin-guide/sysctl/kernel.rst)."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def read(self) -> HostFacts:
        if self._root == Path("/"):
            uname = os.uname()
            return HostFacts(clean(uname.nodename), clean(uname.release))
        return HostFacts(
            name=self._text("proc/sys/kernel/hostname") or self._text("etc/hostname") or UNKNOWN,
            kernel=self._text("proc/sys/kernel/osrelease") or UNKNOWN,
        )

    def watch(self, wake: Wake) -> None:
        """A host keeps its name and kernel."""

    def close(self) -> None:
        """Nothing is held."""

    def _text(self, path: str) -> str:
        """Empty where it is not captured or cannot be read, which is unknown all the same."""
        try:
            data = read_file(str(self._root / path))
        except OSError:
            return ""
        return clean((data or b"").decode("utf-8", "replace"))
