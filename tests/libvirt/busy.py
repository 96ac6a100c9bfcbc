"""A guest whose vCPUs spin or sleep, and processes of the host that compete with them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.libvirt.daemon import tiny

LOOPS = 3
"""Busy loops beside the vCPU that runs."""

ONLY_THE_FIRST = b"\xfa\xeb\xfe"  # cli, jmp $

ONLY_THE_SECOND = b"".join(
    (
        b"\xfa",  # cli
        b"\x31\xc0\x8e\xd8",  # ds = 0
        b"\xc7\x06\x00\x80\xeb\xfe",  # at 0x8000: jmp $
        # The interrupt command register of the local APIC (Intel SDM, volume 3, 11.6.1). TCG
        # checks no segment limit, so real mode reaches it.
        b"\x67\x66\xc7\x05\x00\x03\xe0\xfe\x00\x45\x0c\x00",  # INIT to all other CPUs
        b"\xb9\xff\xff\xe2\xfe",  # a pause: cx = 0xffff, loop $
        b"\x67\x66\xc7\x05\x00\x03\xe0\xfe\x08\x46\x0c\x00",  # SIPI: they start at 0x8000
        b"\xf4\xeb\xfd",  # hlt, in a loop
    )
)
"""Firmware: one vCPU spins, the other sleeps. A sleeping vCPU never waits for a CPU, however busy
the machine that runs the test is."""

RESET = b"\xe9\x0d\x00"
"""At the reset vector, 16 bytes before the end: jmp to the beginning of the 64 KiB."""


def busy_guest(folder: Path, firmware: bytes, cpus: tuple[int, int]) -> str:
    """A domain with two vCPUs, each pinned to one of the ``cpus``. Its firmware is written to
    ``folder``."""
    rom = folder / "firmware"
    rom.write_bytes(firmware.ljust(0xFFF0, b"\0") + RESET.ljust(16, b"\0"))
    pins = "".join(f"<vcpupin vcpu='{n}' cpuset='{cpu}'/>" for n, cpu in enumerate(cpus))
    return (
        tiny("busy")
        .replace("<vcpu>1</vcpu>", f"<vcpu>2</vcpu><cputune>{pins}</cputune>")
        .replace("</type></os>", f"</type><loader readonly='yes' type='rom'>{rom}</loader></os>")
    )


@contextmanager
def host_work(cpu: int, count: int = LOOPS) -> Iterator[None]:
    """Busy loops on a CPU, each in a session of its own: the kernel may share time by session."""
    loop = ["taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"]
    loops = [subprocess.Popen(loop, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
        for each in loops:
            each.wait()
