"""How the real QEMU parses the address of a host device."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.libvirt.daemon import SEARCHED
from tui.host.libvirt.qemu_args import host_arguments

QEMU = shutil.which("qemu-system-x86_64", path=SEARCHED)

pytestmark = pytest.mark.skipif(QEMU is None, reason="not installed: qemu-system-x86")


def by_qemu(*words: str) -> str:
    """Return the missing device that QEMU looks for before it exits, or why it refuses."""
    assert QEMU is not None
    command = [QEMU, "-M", "pc", "-accel", "tcg", "-display", "none", "-nodefaults", "-S", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False
    )
    assert done.returncode != 0
    found = re.search(r"vfio (?:/sys/bus/pci/devices/)?(\S+): no such host device", done.stderr)
    return found[1] if found else "refused"


@pytest.mark.parametrize(
    "words",
    [
        ["-device", "vfio-pci,host=fe:1f.7"],
        ["--device", "vfio-pci,host=0000:fe:1f.7"],
        ["-device", "driver=vfio-pci,host=FE:1F.7,id=a"],
        ["-device", "id=a,host=0x0:0xfe:0x1f.07,driver=vfio-pci"],
        ["-device", "vfio-pci,host= +fe:1f.7"],
        ["-device", "vfio-pci,host=1:fe:1f.7"],
        ["-device", "vfio-pci-nohotplug,host=fe:1f.7"],
        ["-device", "vfio-pci,host=fe:1f.7,host=fd:00.0"],
        ["-device", "vfio-pci,host=fd:00.0,sysfsdev=/sys/bus/pci/devices/0000:fe:1f.7"],
        ["-device", '{"driver": "vfio-pci", "host": "fe:1f.7"}'],
        ["-device", "{'driver': 'vfio-pci', 'host': 'fe:1f.7'}"],
        ["-global", "vfio-pci.host=fe:1f.7", "-device", "vfio-pci"],
    ],
)
def test_it_is_read_as_qemu_reads_it(words: list[str]) -> None:
    assert host_arguments(words).functions == [by_qemu(*words)]


@pytest.mark.parametrize(
    "words",
    [
        ["-device", "vfio-pci,host=fe:1f.8"], ["-device", "vfio-pci,host=100:1f.7"],
        ["-device", "vfio-pci,host=fe:20.7"], ["-device", "vfio-pci,host=fe:1f.7x"],
        ["-device", "vfio-pci,host=fe.1f:7"], ["-device", "vfio-pci,host="],
    ],
)  # fmt: skip
def test_what_qemu_refuses_is_a_doubt(words: list[str]) -> None:
    assert by_qemu(*words) == "refused"
    found = host_arguments(words)
    assert found.functions == []
    assert found.doubt is not None
