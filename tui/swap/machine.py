"""What the runner changes on the machine, and what it reads from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from tui.host import HostError
from tui.host.nvml.probe import why_not_visible
from tui.host.proc.device_nodes import Node, nodes
from tui.host.proc.holders import holders
from tui.host.proc.process import Process, process_of
from tui.host.readiness.source import readiness
from tui.model import Holders, NvidiaModule, PowerControl, Step, Unavailable
from tui.process.privileges import ROOT_PATH
from tui.swap.plan import DEVICES, power_path

_WRITER = Path(__file__).with_name("writer.py")
OVERRIDE_READ_S = 5.0

NVIDIA_CARDS = Path("/proc/driver/nvidia/gpus")
"""Has a folder for each card that the nvidia driver has."""


class RunningStep(Protocol):
    """A step that a child process is executing."""

    @property
    def process(self) -> Process: ...

    def result(self, seconds: float) -> int | None:
        """Wait up to ``seconds``; returns ``None`` if the step has not ended.

        Otherwise 0, an errno, or the negative number of the signal that ended it.
        """
        ...


class Machine(Protocol):
    """The part of a host that a swap needs."""

    def start(self, step: Step, lock: int) -> RunningStep:
        """Begin a write or a modprobe in a child that inherits the lock."""
        ...

    def driver(self, address: str) -> str | None:
        """The driver that a function's driver link names."""
        ...

    def override(self, address: str) -> str | None:
        """The driver_override of a function. Raises ``HostError`` if the read hangs or fails."""
        ...

    def power(self, address: str) -> PowerControl | None:
        """The power/control of a function, ``None`` if it cannot be read."""
        ...

    def removing(self, address: str) -> bool:
        """Whether a driver is still releasing a function although the link is gone."""
        ...

    def exists(self, path: str) -> bool: ...

    def holders(self, addresses: Collection[str]) -> Holders | Unavailable: ...

    def module(self) -> NvidiaModule | None:
        """The loaded nvidia module."""
        ...

    def nvml_failure(self, address: str, seconds: float) -> str | None:
        """Why NVML does not see a card within ``seconds``; ``None`` if it does, or without NVML."""
        ...


class RealRunningStep:
    """A child process. It is never killed: that would not end a write that hangs."""

    def __init__(self, command: Sequence[str], lock: int) -> None:
        self._child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": ROOT_PATH, "LC_ALL": "C"},
            pass_fds=[lock],
            start_new_session=True,
        )
        self.process = process_of(self._child.pid)

    def result(self, seconds: float) -> int | None:
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


class RealMachine:
    """This machine: /sys, /proc and modprobe."""

    def __init__(self) -> None:
        self._nodes: dict[str, set[Node]] = {}
        self.hung_reads: list[subprocess.Popen[bytes]] = []
        """Reads that have not returned; they may never end."""

    def start(self, step: Step, lock: int) -> RunningStep:
        if step.kind == "load":
            return RealRunningStep(["modprobe", step.value], lock)
        if step.kind == "drivers":
            return RealRunningStep(["modprobe", "-abq", *step.value.split()], lock)
        assert step.path is not None
        return RealRunningStep(
            [sys.executable, "-I", "-S", str(_WRITER), step.path, step.value], lock
        )

    def driver(self, address: str) -> str | None:
        try:
            return Path(DEVICES, address, "driver").readlink().name
        except FileNotFoundError:
            return None

    def override(self, address: str) -> str | None:
        """Read driver_override in a child: the attribute takes the device lock."""
        path = f"{DEVICES}/{address}/driver_override"
        child = subprocess.Popen(  # noqa: S603
            ["/bin/cat", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert child.stdout is not None
        with child.stdout:
            try:
                status = child.wait(OVERRIDE_READ_S)
            except subprocess.TimeoutExpired as error:
                self.hung_reads.append(child)
                raise HostError(
                    f"the kernel is busy with {address}: an unbind by another process has not "
                    "returned"
                ) from error
            text = child.stdout.read(4096).decode("ascii", "replace").strip()
        if status:
            raise HostError(f"{path} cannot be read")
        return None if text in ("", "(null)") else text

    def power(self, address: str) -> PowerControl | None:
        """Read power/control; unlike a write, this takes no lock (drivers/base/power/sysfs.c)."""
        try:
            text = Path(power_path(address)).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return None
        return "auto" if text == "auto" else "on" if text == "on" else None

    def removing(self, address: str) -> bool:
        return self.driver(address) is None and (NVIDIA_CARDS / address).exists()

    def exists(self, path: str) -> bool:
        return Path(path).exists()

    def holders(self, addresses: Collection[str]) -> Holders | Unavailable:
        """Scan for holders, including those of nodes that a driver has removed while it releases
        the card.

        A process that still has such a node open is what the driver waits for.
        """
        try:
            for node in nodes(Path("/"), sorted(addresses)):
                self._nodes.setdefault(node.address, set()).add(node)
            known = [node for address in addresses for node in self._nodes.get(address, ())]
            return holders(addresses, also=known)
        except HostError as error:
            return Unavailable(str(error))
        except OSError as error:
            return Unavailable(f"cannot tell who holds the card: {error.strerror}")

    def module(self) -> NvidiaModule | None:
        return readiness([]).nvidia

    def nvml_failure(self, address: str, seconds: float) -> str | None:
        return why_not_visible(address, seconds)
