"""``python -m tests.bench.screen FOLDER``: vfiotop as users start it, on a host laid out in FOLDER.

The command line, the backends and the wiring are the program's own. PCI comes from FOLDER, NVML
from the library that the environment names. libvirt is its test driver; the loads that it lacks
are added. With ``--still`` nothing changes, not even the clock. With ``--plain`` the colours are
the terminal's 16.
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

# ruff: noqa: E402
gc.disable()  # before the imports, as tui.__main__ does

from tui.process.imports import WITH_TYPING, hidden

with hidden(WITH_TYPING):
    from msgspec.structs import replace

from tests.bench.places import CONFIG, DOMAINS, PLAIN, UDEV, root
from tui.cli import main as cli
from tui.host import Host, Source, Wake, real
from tui.host.nvml.source import NvmlSource
from tui.host.pci.names import Names
from tui.host.pci.source import PciSource
from tui.host.tree import PlainTree, Tree
from tui.model import Domain, Guests
from tui.rules import libvirt_uri

STILL = datetime(2026, 1, 1, 12, tzinfo=UTC)

Seconds = Callable[[], float]


class LivePci(PciSource):
    """A source with what a live host has: names from udev, and events, which are this machine's."""

    def __init__(self, root: Tree) -> None:
        super().__init__(root)
        self._names = Names(root, root / UDEV)

    def watch(self, wake: Wake) -> None:
        super().watch(wake)
        from tui.host.pci.udev import listen  # imported as late as in the program

        try:
            self._stop = listen(wake)
        except OSError:  # a container has no events
            return


class Busy:
    """The domains of another source, with loads that change every second."""

    def __init__(self, source: Source[Guests], seconds: Seconds) -> None:
        self._source, self._seconds = source, seconds
        self._began = datetime.now(UTC) - timedelta(hours=2)

    def read(self) -> Guests:
        guests, at = self._source.read(), self._seconds()
        return replace(guests, domains=tuple(self._at_work(each, at) for each in guests.domains))

    def watch(self, wake: Wake) -> None:
        self._source.watch(wake)

    def close(self) -> None:
        self._source.close()

    def _at_work(self, domain: Domain, at: float) -> Domain:
        if not domain.active:
            return domain
        load = 0.5 + 0.45 * math.sin(at / 7 + len(domain.name))
        return replace(
            domain,
            started_at=self._began, agent=True, cpu_pct=round(100 * load, 1),
            memory_used_mib=round((domain.memory_mib or 0) * (0.3 + 0.3 * load)),
            disk_read_bps=round(120e6 * load, -3), disk_write_bps=round(30e6 * load, -3),
            net_rx_bps=round(2e6 * load, -2), net_tx_bps=round(9e5 * load, -2),
        )  # fmt: skip


def lay_under(folder: Path, still: bool) -> None:
    """Make the sources of ``real_host`` read from ``folder``; leave the rest unchanged."""
    seconds: Seconds = (lambda: 0.0) if still else time.monotonic

    def guests(*given: Any, **named: Any) -> Busy:
        return Busy(read_guests(*given, **named), seconds)

    def host(*given: Any, **named: Any) -> Host:
        return replace(real_host(*given, **named), now=now)

    now = (lambda: STILL) if still else _now
    real_host, read_guests = real.real_host, real._guests
    vars(real).update(
        PciSource=partial(LivePci, PlainTree(root(folder))),
        NvmlSource=partial(NvmlSource, root(folder)),
        _guests=guests,
        real_host=host,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> int:
    """Open the screen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args()
    lay_under(given.folder, given.still)
    return start(given.folder, PLAIN if given.plain else CONFIG)


def start(folder: Path, config: str, *words: str) -> int:
    """Run the command line on the host in ``folder``, with this configuration of it."""
    uri = f"test://{folder / DOMAINS}"
    # Root opens only this machine's daemons; the bench has domains of its own.
    libvirt_uri.LOCAL |= {uri}
    return cli.main(["--connect", uri, "--config", str(folder / config), *words])


if __name__ == "__main__":
    raise SystemExit(main())
