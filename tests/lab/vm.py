"""Boots a topology: the kernel over this machine's own root file system, copy-on-write.

virtme-ng does the booting. Python's files come as a disk image, because the shared root file
system is slow for thousands of small files.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.lab.kernel import Kernel, LabError, libvirt_units
from tests.lab.topologies import Topology

PROJECT = Path(__file__).parents[2]
INIT = Path(__file__).with_name("init.sh")
SYSTEMD = Path(__file__).with_name("systemd.sh")
"""What bash, as PID 1, sources in place of virtme-init."""
WATCH_UNIT = ".packaging/vfiotop-watch.service"
OF_PROJECT = (".venv", "tui", "widgets", "tests", "pyproject.toml", WATCH_UNIT)
"""The parts of the project in the image."""

WRITABLE = ("/etc", "/home", "/lib", "/opt", "/root", "/srv", "/tmp", "/usr", "/var")
"""Directories that are writable inside; changes are lost at the end."""

NOT_READ = ("site-packages", "dist-packages", "test", "idlelib")
"""Modules of the standard library that nothing needs inside."""

RESULTS = "/run/lab/results"
"""The directory of results, inside."""

FEW_DESCRIPTORS = "-global virtio-serial-pci.ioeventfd=off"
"""virtme adds seven of these devices. Each has 64 queues, and with a descriptor for each one QEMU's
main loop needs a processor of its own: it polls all of them whenever it wakes up."""

MEMORY, CPUS = "3G", "1"
"""With two CPUs, QEMU's emulation sometimes stalls on a busy machine: one CPU spins on a lock and
keeps taking QEMU's own lock. The other, which holds the spin lock, then runs so rarely that the
next timer interrupt is due by the time it has handled the last one."""

WATCH = 30
"""Seconds before the time limit at which a machine records what every process waits for."""

KILL_AFTER = 10
"""Seconds that a machine has to end after its time limit."""

TIMED_OUT = (124, 137)
"""The exit code of timeout(1)."""


def make_image(target: Path) -> None:
    """Pack Python's files into a squashfs at ``target``, under their own paths."""
    sources = [*(str(PROJECT / name) for name in OF_PROJECT), _stdlib()]
    compileall = [sys.executable, "-m", "compileall", "-q", "tui", "widgets", "tests"]
    uncompressed = ("-noI", "-noD", "-noF", "-noX")
    for command in (
        compileall,
        ["mksquashfs", *sources, str(target), "-no-strip", "-noappend", "-quiet", "-no-progress",
         *uncompressed, "-e", *(f"{_stdlib()}/{name}" for name in NOT_READ)],
    ):  # fmt: skip
        subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)


def _stdlib() -> str:
    """The directory of the standard library."""
    return sysconfig.get_path("stdlib")


Tell = Callable[[bytes], None]


def to_stdout(line: bytes) -> None:
    """Pass a line of a machine's output on."""
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


@dataclass(frozen=True)
class Machine:
    """A bootable machine: a topology with the models of its cards."""

    kernel: Kernel
    image: Path
    topology: Topology
    models: tuple[str, ...]

    def run(self, command: Sequence[str], results: Path, limit: int, tell: Tell = to_stdout) -> int:
        """Run ``command`` inside and return its exit code.

        Passes its output on line by line. ``results`` receives what the command writes there,
        and the kernel's log. Raises ``LabError`` if it runs longer than ``limit`` seconds.
        """
        # The limit holds even if this process is killed: no machine stays behind.
        watch = ["timeout", f"--kill-after={KILL_AFTER}", str(limit)]
        virtme = [
            *watch,
            *self._virtme(results, "loglevel=7", limit - WATCH, "--script-sh", str(INIT)),
        ]
        with _ended(virtme, self._prepared(command, results)) as machine:
            assert machine.stdout is not None
            for line in machine.stdout:
                tell(line)
            status = machine.wait()
        code = results / "exit-code"
        if code.exists():
            return int(code.read_text())
        why = f"was ended after {limit} s" if status in TIMED_OUT else "ended without a result"
        raise LabError(f"{self.topology.name}: the machine {why}; see {results}/kernel.log")

    def open(self, command: Sequence[str], results: Path) -> int:
        """Run ``command`` inside on this terminal."""
        environment = self._prepared(command, results)
        virtme = self._virtme(results, "loglevel=1", None, "--shell", str(INIT))
        subprocess.run(virtme, env=environment, check=False)
        code = results / "exit-code"
        return int(code.read_text()) if code.exists() else 1

    def _prepared(self, command: Sequence[str], results: Path) -> dict[str, str]:
        """Write the command for init.sh; returns virtme's environment."""
        results.mkdir(parents=True, exist_ok=True)
        for old in results.iterdir():
            old.unlink()
        (results / "command").write_text(shlex.join(command) + "\n")
        # virtme leaves temporary files; those next to the image go with it.
        return {
            **os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "TMPDIR": str(self.image.parent),
        }  # fmt: skip

    def _virtme(self, results: Path, loglevel: str, watch: int | None, *how: str) -> list[str]:
        told = {
            "project": PROJECT, "stdlib": _stdlib(), "nvml": self.kernel.nvml,
            "kernel": self.kernel.unpacked,
            "models": ",".join(self.models), "watch": "infinity" if watch is None else watch,
        }  # fmt: skip
        if self.topology.systemd:
            told["units"] = libvirt_units() or ""
            how = ("--no-virtme-ng-init", f"--kopt=BASH_ENV={SYSTEMD}", *how)
        devices = (
            f"-drive if=none,id=lab,format=raw,readonly=on,file={self.image}",
            "-device virtio-blk-pci,drive=lab,serial=lab",
            f"-chardev file,id=log,path={results}/kernel.log",
            "-device virtio-serial-pci -device virtconsole,chardev=log",
        )
        qemu = " ".join((*self.topology.qemu, "-cpu max", FEW_DESCRIPTORS, *devices))
        kernel = [
            *self.topology.kernel, "console=hvc0", loglevel,
            *(f"lab.{name}={value}" for name, value in told.items()),
        ]  # fmt: skip
        return [
            str(Path(sys.executable).with_name("virtme-run")), "--kimg", str(self.kernel.image),
            "--mods", "auto", "--name", "lab", "--memory", MEMORY, "--cpus", CPUS,
            "--disable-microvm", "--disable-kvm", "--disable-monitor", "--force-9p",
            *(f"--overlay-rwdir={place}" for place in WRITABLE),
            "--rwdir", f"{RESULTS}={results}",
            *(f"--kopt={option}" for option in kernel), *how,
            "--qemu-opts", *shlex.split(qemu),
        ]  # fmt: skip


_running: set[int] = set()
"""The process groups of the running machines, for ``end_all``."""


def end_all() -> None:
    """End every machine; the code that runs one gets a ``LabError``."""
    for group in tuple(_running):
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


@contextmanager
def _ended(
    command: Sequence[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended together with everything it started."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    _running.add(process.pid)
    try:
        yield process
    finally:
        _running.discard(process.pid)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
