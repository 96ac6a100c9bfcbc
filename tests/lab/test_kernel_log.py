"""What a real kernel says about a card is on the screen, with what to do about it; and who may read
it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.host import (
    DEVICES,
    PATIENCE,
    Writer,
    attribute,
    family,
    held,
    kernel_log,
    modprobe,
    node,
    slot,
    thread_states,
    unbinding,
    until,
    write,
)
from tests.lab.screens import kernel_log_is_read, nvml_reads_both, shows
from tests.lab.terminal import Terminal, terminal
from tui.host.pci.source import PciSource

pytestmark = pytest.mark.only("two-slots")

CARD = slot(2)
RESTRICT = Path("/proc/sys/kernel/dmesg_restrict")


@pytest.fixture
def events() -> Iterator[Terminal]:
    """The whole list of events, on a screen that learns of changes from events only. It follows the
    kernel's log, which begins after the first frame: lines from before do not count."""
    with terminal("vfiotop", "--interval", "3600") as opened:
        opened.until(nvml_reads_both)
        opened.press("c")
        opened.until(kernel_log_is_read)
        opened.press("e")
        yield opened


@pytest.fixture
def restrict() -> Iterator[Callable[[int], int]]:
    """Set kernel.dmesg_restrict, and restore it at the end."""
    before = RESTRICT.read_text()
    yield lambda value: RESTRICT.write_text(f"{value}\n")
    RESTRICT.write_text(before)


@pytest.mark.usefixtures("with_the_host")
def test_a_removal_that_waits_is_the_kernels_word(events: Terminal) -> None:
    Path("/dev/kmsg").write_text(f"<3>NVRM: Xid (PCI:{CARD[:-2]}): 62, from a process\n")
    with held(node(CARD)):
        writer = unbinding(CARD)
        until(writer.hangs)
        events.until(shows("the nvidia driver cannot release the card: something uses it"))
        events.until(shows("→ end what uses it, which `vfiotop doctor` names"))
        assert "kernel" in next(row for row in events.text().splitlines() if "release" in row)
        assert "Xid" not in events.text()
    assert writer.wait() == 0


@contextmanager
def does_not_come_back(address: str) -> Iterator[None]:
    """A card that is reset by its function (FLR), and does not answer after that."""
    method, before = DEVICES / address / "reset_method", attribute(address, "reset_method")
    modprobe("lab_flr", f"card={address}")
    try:
        write(method, "flr")
        yield
    finally:
        modprobe("-r", "lab_flr")
    assert attribute(address, "reset_method") == before != "flr"


@pytest.mark.only("no-iommu")  # a short topology: the kernel waits a minute for the card
def test_a_reset_that_fails_is_the_kernels_word(events: Terminal) -> None:
    said = len(kernel_log())
    with does_not_come_back(CARD):
        reset = Writer(DEVICES / CARD / "reset", "1")
        until(lambda: any("after FLR; waiting" in line for line in kernel_log()[said:]))
        assert "after FLR" not in events.text()
        until(lambda: "D" not in thread_states(family(events.process.pid)).values())
        assert not any("giving up" in line for line in kernel_log()[said:])  # still locks the card
        events.until(shows(f"{CARD[5:]} does not answer after FLR"))
        assert reset.wait() != 0
    (line,) = [line for line in kernel_log()[said:] if "giving up" in line]
    assert line.startswith(f"nvidia {CARD}: not ready ")
    events.until(shows("→ shut the guest down and power the host off and on: a reboot may not"))
    (event,) = [row for row in events.text().splitlines() if "after FLR" in row]
    assert "kernel" in event


def test_the_ports_are_those_of_the_kernel() -> None:
    addresses = {device.name for device in DEVICES.iterdir()}
    (gpu,) = [gpu for gpu in PciSource().read().gpus if gpu.address == CARD]
    *way, _ = (DEVICES / CARD).resolve().parts
    assert gpu.ports == tuple(part for part in way if part in addresses) != ()


@pytest.mark.parametrize(("value", "readable"), [(0, True), (1, False)])
def test_an_ordinary_user_may_read_it_unless_that_is_restricted(
    restrict: Callable[[int], int], value: int, readable: bool
) -> None:
    restrict(value)
    found = json.loads(as_nobody("status", "--json"))["host"]["kernel_log"]
    assert found["readable"] is readable
    checks = json.loads(as_nobody("doctor", "--json"))["checks"]
    (check,) = [check for check in checks if check["id"] == "kernel.log"]
    assert check["verdict"] == ("pass" if readable else "unknown")
    if not readable:
        assert "kernel.dmesg_restrict is 1" in found["error"] == check["why"]
        assert "sysctl kernel.dmesg_restrict=0" in check["fix"]


def as_nobody(*arguments: str) -> str:
    done = subprocess.run(
        ["vfiotop", *arguments], user="nobody", capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.stdout
