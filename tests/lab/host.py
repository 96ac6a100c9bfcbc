"""The lab's host from inside, as an operator reads and changes it: through the kernel's files,
with none of the code under test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.libvirt.daemon import tiny
from tui.host.nvml.command import PROGRAM

DEVICES = Path("/sys/bus/pci/devices")
PATIENCE = 120.0
"""Seconds after which waiting fails; the lab is slow."""

LOOK = 0.05
"""Seconds between polls of what has no event."""


def slot(number: int, function: int = 0) -> str:
    """The address of a function of the card in slot 1, 2, …"""
    return f"0000:{number:02x}:00.{function}"


def attribute(address: str, name: str) -> str:
    return (DEVICES / address / name).read_text().strip()


def link(address: str, name: str) -> str | None:
    """The name that a link of a function points to: ``driver``, ``iommu_group``."""
    try:
        return (DEVICES / address / name).readlink().name
    except FileNotFoundError:
        return None


def driver(address: str) -> str | None:
    return link(address, "driver")


def write(path: Path, text: str) -> None:
    """Write to a file of sysfs in a process of its own: a hang fails one test, not the run."""
    writer = Writer(path, text)
    assert writer.wait() == 0, f"{text!r} was not taken by {path}"


def unbind(address: str) -> None:
    """Unbind a function; returns when the driver has released it."""
    write(DEVICES / address / "driver/unbind", address)


def override(address: str, name: str | None) -> None:
    write(DEVICES / address / "driver_override", f"{name or ''}\n")


def override_of(address: str) -> str | None:
    text = attribute(address, "driver_override")
    return None if text == "(null)" else text


def bind(address: str, name: str | None) -> None:
    """Bind a function to a driver, or with ``None`` to the kernel's choice."""
    override(address, name)
    if driver(address) is not None:
        unbind(address)
    write(Path("/sys/bus/pci/drivers_probe"), address)
    assert name is None or driver(address) == name


def modprobe(*arguments: str) -> None:
    run("modprobe", *arguments)


def run(*command: str, limit: float = PATIENCE) -> str:
    """Run a tool and return its output; fails if the tool does."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
    return done.stdout


def kernel_log() -> list[str]:
    return run("dmesg", "--notime").splitlines()


def until(wanted: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + patience
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(LOOK)


class Writer:
    """A process that writes to a file of sysfs and may hang there."""

    def __init__(self, path: Path, text: str) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", 'printf %s "$1" >"$2"', "-", text, str(path)], stderr=subprocess.DEVNULL
        )

    def hangs(self) -> bool:
        """Whether it waits in the kernel for a driver to release the device, where no signal
        reaches it."""
        return waits_in("unbind_store", self._process.pid)

    def kill(self) -> None:
        """Kill the process; it ends when the kernel lets it."""
        self._process.kill()

    def abandon(self) -> None:
        """Stop waiting for a process that will never end."""
        self._process.returncode = 0

    def wait(self) -> int:
        """Wait for the process to end, and return its exit status."""
        return self._process.wait(PATIENCE)


def unbinding(address: str) -> Writer:
    """An external process that unbinds a function and waits for it."""
    return Writer(DEVICES / address / "driver/unbind", address)


# --- guests ---------------------------------------------------------------------

URI = "qemu:///system"

_HOSTDEV = """
<hostdev mode='subsystem' type='pci' managed='{}'>
  <source><address domain='0x0000' bus='0x{}' slot='0x{}' function='0x{}'/></source>
</hostdev>"""


def virsh(*words: str) -> str:
    return run("virsh", "--connect", URI, *words)


def hostdevs(addresses: Sequence[str], managed: str) -> str:
    """PCI functions as devices of a domain."""
    parts = (re.split("[:.]", address) for address in addresses)
    return "".join(_HOSTDEV.format(managed, *part[1:]) for part in parts)


@contextmanager
def defined(folder: Path, *addresses: str, name: str = "vm", managed: str = "no") -> Iterator[str]:
    """Define a domain with PCI functions passed through, for the duration of the test."""
    definition = folder / f"{name}.xml"
    definition.write_text(tiny(name, hostdevs(addresses, managed)))
    virsh("define", str(definition))
    try:
        yield name
    finally:
        if virsh("domstate", name).strip() != "shut off":
            virsh("destroy", name)
        virsh("undefine", name)


@contextmanager
def guest_with(folder: Path, *addresses: str) -> Iterator[str]:
    """The same, and start it."""
    with defined(folder, *addresses) as name:
        virsh("start", name)
        try:
            yield name
        finally:
            virsh("destroy", name)


# --- holders of a card -----------------------------------------------------------


def node(address: str) -> str:
    """The device node of a card on nvidia, by its minor number."""
    text = Path(f"/proc/driver/nvidia/gpus/{address}/information").read_text()
    found = re.search(r"^Device Minor: *\t? *(\d+)$", text, re.MULTILINE)
    assert found is not None
    return f"/dev/nvidia{found[1]}"


# Python's mmap duplicates the file's descriptor; with the C library's mmap, only the
# mapping remains.
_HOLD = """
import ctypes, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
if sys.argv[2] == "mapping":
    mmap = ctypes.CDLL(None).mmap
    mmap.restype = ctypes.c_void_p
    mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    assert mmap(None, 4096, 3, 1, fd, 0) != ctypes.c_void_p(-1).value
    os.close(fd)
print("holds", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: str, by: str = "fd") -> Iterator[subprocess.Popen[str]]:
    """A process that holds a device node open, or with ``mapping`` only maps it."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _HOLD, path, by],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "holds\n"
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()


def sound_node(address: str) -> str:
    """The control node of an audio function; its driver creates it after the probe."""
    folder = DEVICES / address / "sound"
    until(lambda: any(folder.glob("card*/controlC*")))
    return f"/dev/snd/{next(folder.glob('card*/controlC*')).name}"


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            fields = _stat(entry)
            if fields:
                parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def waits_in(function: str, pid: int) -> bool:
    """Whether a process waits in a kernel function (/proc/<pid>/stack)."""
    try:
        return function in Path(f"/proc/{pid}/stack").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def thread_states(pids: list[int]) -> Mapping[str, str]:
    """The state of every thread (proc(5)); D cannot be killed."""
    states = {}
    for pid in pids:
        with suppress(FileNotFoundError):  # it has ended
            for task in Path(f"/proc/{pid}/task").iterdir():
                fields = _stat(task)
                if fields:
                    states[f"{pid}/{task.name}"] = fields[0]
    return states


def _stat(process: Path) -> list[str]:
    """The fields of /proc/<pid>/stat after the name; empty if the process has ended."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def holds(pids: list[int]) -> dict[int, set[str]]:
    """The NVIDIA, DRM, sound and VFIO nodes that processes have open or mapped."""
    found: dict[int, set[str]] = {}
    for pid in pids:
        files: list[str] = []
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            files = [*_open_files(pid), *Path(f"/proc/{pid}/maps").read_text().split()]
        nodes = {file for file in files if re.match(r"/dev/(nvidia|dri/|snd/|vfio)", file)}
        if nodes:
            found[pid] = nodes
    return found


def _open_files(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed in the meantime
            yield str(entry.readlink())


def is_nvml(pid: int) -> bool:
    """Whether a process is vfiotop's NVML child."""
    return os.fsencode(PROGRAM) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
