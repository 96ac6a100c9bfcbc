"""``python -m tests.nvml.machine``: the screen on two cards of the stand-in library.

The real backends read PCI and NVML from a host laid out in a temporary folder; libvirt is this
machine's. ``--bind`` moves a card of a screen that is open.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.hosts_layout import bind, hosts, lay_out
from tests.nvml.build import build
from tui.app import VfiotopApp
from tui.config import Config
from tui.host import Host
from tui.host.facts import FactsSource
from tui.host.libvirt.source import GuestsSource
from tui.host.nvml.source import NvmlSource
from tui.host.pci.source import PciSource
from tui.host.pci.vitals import VitalsSource
from tui.host.tree import PlainTree
from tui.session import Session

HOST = "19-x570-1080ti-gt710"
CARDS = ("0000:0b:00.0", "0000:0c:00.0")


def lay_out_cards(folder: Path) -> Path:
    """Lay out a host in ``folder`` with both its cards on ``nvidia`` and awake."""
    root = lay_out(hosts()[HOST], folder)
    for address in CARDS:
        bring(root, address)
    return root


def bring(root: Path, address: str, driver: str = "nvidia") -> None:
    """Bind a card to a driver, as the kernel shows it."""
    device = (root / "sys/bus/pci/devices" / address).resolve()
    bind(root / "sys", device, driver)


def open_host(folder: Path, uri: str) -> Host:
    """Return the real backends on the cards in ``folder``."""
    library = build(folder)
    root = folder / "host"
    if not root.exists():
        lay_out_cards(root)
    (folder / "control").touch()
    pci = PciSource(PlainTree(root))
    nvml = NvmlSource(
        root,
        environment={
            "LD_LIBRARY_PATH": str(library.parent),
            "VFIOTOP_STANDIN_SYSFS": str(root / "sys"),
            "VFIOTOP_STANDIN_CONTROL": str(folder / "control"),
        },
    )
    return Host(
        FactsSource(), pci, VitalsSource(pci), nvml, GuestsSource(uri), banner="Stand-in for NVML"
    )


def main() -> None:
    """Open the screen; with ``--bind`` move a card of one that is open instead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the host is laid out")
    parser.add_argument("--bind", nargs=2, metavar=("ADDRESS", "DRIVER"))
    parser.add_argument("--connect", default="qemu:///system")
    given = parser.parse_args()
    if given.bind and given.folder:
        bring(given.folder / "host", *given.bind)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        folder.mkdir(exist_ok=True)
        host = open_host(folder, given.connect)
        VfiotopApp(Session(host, Config())).run()
        host.close()


if __name__ == "__main__":
    main()
