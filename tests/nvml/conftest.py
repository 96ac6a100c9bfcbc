"""A sysfs with two cards on ``nvidia``, their device nodes, and the stand-in library."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.nvml.build import build
from tui.host import HostError
from tui.host.calls import CallLog
from tui.host.nvml.source import NvmlSource
from tui.model import CardReading, NvmlReading

ONE, TWO = "0000:01:00.0", "0000:02:00.0"


class Machine:
    """What the stand-in and the source see; tests change it while they run."""

    def __init__(self, root: Path, library: Path) -> None:
        self.root = root
        self.sys = root / "sys"
        self.dev = root / "dev"
        self.control_file = root / "control"
        self.journal = root / "swap.json"
        self.library = library
        self.now = 1000.0
        self.sources: list[NvmlSource] = []
        self.dev.mkdir(parents=True)
        (self.sys / "bus/pci/drivers/nvidia").mkdir(parents=True)
        self.control_file.touch()
        for name in ("nvidiactl", "nvidia0", "nvidia1"):
            (self.dev / name).touch()
        for address in (ONE, TWO):
            self.add(address)

    def add(self, address: str) -> None:
        power = self.sys / "bus/pci/devices" / address / "power"
        power.mkdir(parents=True, exist_ok=True)
        self.power(address, "active", "on")
        (self.sys / "bus/pci/drivers/nvidia" / address).symlink_to(power.parent)

    def unbind(self, address: str) -> None:
        (self.sys / "bus/pci/drivers/nvidia" / address).unlink()

    def power(self, address: str, status: str, control: str = "auto") -> None:
        folder = self.sys / "bus/pci/devices" / address / "power"
        (folder / "runtime_status").write_text(f"{status}\n")
        (folder / "control").write_text(f"{control}\n")

    def control(self, *lines: str) -> None:
        """Set what the library answers from now on; earlier settings are gone."""
        self.control_file.write_text("".join(f"{line}\n" for line in lines))

    def journal_is_replaced(self) -> None:
        """Replace the journal as a runner does; ``swapping`` says whether a swap is under way."""
        other = self.journal.with_name(".swap.other")
        other.write_text("{}")
        other.replace(self.journal)

    def await_hang(self) -> None:
        """Wait until the library hangs."""
        told, deadline = self.control_file.with_name("control.hangs"), time.monotonic() + 60
        while not told.exists():
            assert time.monotonic() < deadline

    def environment(self, library: Path | None = None) -> dict[str, str]:
        """The environment that selects the stand-in library and this machine."""
        return {
            "LD_LIBRARY_PATH": str((library or self.library).parent),
            "VFIOTOP_STANDIN_SYSFS": str(self.sys),
            "VFIOTOP_STANDIN_DEV": str(self.dev),
            "VFIOTOP_STANDIN_CONTROL": str(self.control_file),
            "VFIOTOP_STANDIN_STEP": "7",
        }

    def source(
        self,
        library: Path | None = None,
        timeout: float = 5.0,
        swapping: Callable[[], bool] = lambda: False,
        calls: CallLog | None = None,
    ) -> NvmlSource:
        source = NvmlSource(
            self.root, environment=self.environment(library), timeout=timeout,
            start_timeout=timeout + 10, clock=lambda: self.now, swapping=swapping,
            journal=self.journal, calls=calls,
        )  # fmt: skip
        self.sources.append(source)
        return source


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def machine(tmp_path: Path, library: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, library)
    yield machine
    for source in machine.sources:
        source.close()


def card(reading: NvmlReading, address: str = ONE) -> CardReading:
    found = reading.of(address)
    assert found is not None
    return found


def failure(source: NvmlSource) -> str:
    """Return the sentence with which a reading fails."""
    with pytest.raises(HostError) as caught:
        source.read()
    return str(caught.value)


def held_by(pid: int | None) -> set[str]:
    """Return the device nodes that a process has open."""
    targets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed after it was listed
            targets.add(link.readlink())
    return {target.name for target in targets if "/dev/nvidia" in str(target)}


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()
