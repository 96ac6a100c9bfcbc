"""``python -m tests.attack.slow``: the program on its simulated host, on a machine that takes long
to import Textual. It settles at once."""

from __future__ import annotations

import sys
import time
from importlib.abc import MetaPathFinder

from tui import __main__ as entry
from tui.cli import screen


class SlowTextual(MetaPathFinder):
    """Delays the import of each of Textual's modules."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.startswith("textual."):
            time.sleep(0.01)


def main() -> None:
    """Run it, and end the process as it does."""
    screen.SETTLED_S = 0.0
    sys.meta_path.insert(0, SlowTextual())
    sys.argv = ["vfiotop", "--demo"]
    entry.main()


if __name__ == "__main__":
    main()
