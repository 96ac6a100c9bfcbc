"""A guest whose operating system is one sector (sector.S): it boots in a second, shuts down when
its power button is pressed, and shuts down, reboots or panics when it is asked to."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.host import LOOK, PATIENCE, hostdevs, virsh
from tests.libvirt.daemon import tiny

SOURCE = Path(__file__).with_name("sector.S")
SIZE = 1 << 20
"""Bytes of the disk: SeaBIOS does not boot from one of less than a cylinder."""

_DEVICES = """
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/><source file='{disk}'/><target dev='vda' bus='virtio'/><readonly/>
</disk>
<serial type='unix'><source mode='bind' path='{serial}'/></serial>
<panic model='isa'/>"""


class SectorGuest:
    """A defined guest. It is asked by letters on its serial port, and echoes unknown ones."""

    def __init__(self, name: str, serial: Path) -> None:
        self.name = name
        self._path, self._serial = serial, socket.socket()

    def start(self) -> None:
        """Start it, and wait until it has booted."""
        virsh("start", self.name)
        self.await_boot()

    def await_boot(self) -> None:
        """Wait until the guest answers, whoever has started it."""
        self.close()
        self._serial = socket.socket(socket.AF_UNIX)
        self._serial.settimeout(PATIENCE)
        self._serial.connect(str(self._path))
        self.await_answer()

    def await_answer(self) -> None:
        """Wait until the running guest answers; it looks at its power button first."""
        self._ask(b"?")
        self._await(b"?")

    def shut_down(self) -> None:
        """Let the guest shut itself down."""
        self._ask(b"p")

    def reboot(self) -> None:
        """Let the guest reboot itself, and wait until it has booted. Its firmware, SeaBIOS, resets
        it once or twice more, so libvirt reports several reboots."""
        self._ask(b"r")
        self._await(b"B")

    def panic(self) -> None:
        """Let the guest's kernel panic."""
        self._ask(b"c")

    def ignore_the_button(self) -> None:
        """Let the guest ignore its power button until it boots again."""
        self._ask(b"i")
        self._await(b"i")

    def state(self) -> str:
        """The state with its reason: ``running (booted)``, ``shut off (crashed)``, …"""
        return virsh("domstate", "--reason", self.name).strip()

    def await_state(self, wanted: str) -> None:
        """Wait for a state with its reason."""
        deadline = time.monotonic() + PATIENCE
        while (now := self.state()) != wanted:
            assert time.monotonic() < deadline, now
            time.sleep(LOOK)

    def close(self) -> None:
        self._serial.close()

    def _ask(self, letter: bytes) -> None:
        self._serial.sendall(letter)

    def _await(self, letter: bytes) -> None:
        while (got := self._serial.recv(1)) != letter:
            assert got, f"{self.name} has ended"


@contextmanager
def sector_guest(
    folder: Path, *addresses: str, name: str = "vm", managed: str = "no"
) -> Iterator[SectorGuest]:
    """Define such a guest with PCI functions passed through, for the duration of the test."""
    disk, serial = folder / f"{name}.disk", folder / f"{name}.serial"
    assemble(disk)
    devices = _DEVICES.format(disk=disk, serial=serial) + hostdevs(addresses, managed)
    definition = folder / f"{name}.xml"
    definition.write_text(tiny(name, devices, "<features><acpi/></features>"))
    virsh("define", str(definition))
    guest = SectorGuest(name, serial)
    try:
        yield guest
    finally:
        guest.close()
        if not guest.state().startswith("shut off"):
            virsh("destroy", name)
        virsh("undefine", name)


def assemble(disk: Path) -> None:
    """Write the guest's disk, with binutils."""
    with tempfile.TemporaryDirectory() as made:
        code = Path(made, "sector.o")
        subprocess.run(["as", "--32", "-o", code, SOURCE], check=True)
        subprocess.run(
            ["ld", "-m", "elf_i386", "-Ttext=0x7c00", "--oformat", "binary", "-o", disk, code],
            check=True,
        )
    with disk.open("r+b") as file:
        file.truncate(SIZE)
