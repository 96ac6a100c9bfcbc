"""A guest that stutters: its vCPU really waits for its core, and the screen shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.host import virsh
from tests.lab.screens import nvml_reads_both, shows
from tests.lab.terminal import Terminal, terminal
from tests.lab.vm import RESULTS
from tests.libvirt.busy import ONLY_THE_FIRST, busy_guest, host_work

pytestmark = [pytest.mark.only("two-slots"), pytest.mark.thorough]

NAME = "busy"
CPU = 0
"""The only CPU of the lab's machine."""

READINGS = 8
"""The number of different waits that the screen shows before its picture is taken, for the
graph."""

ROW = re.compile(r" 0 +\d+ % .*\b0h +(\d+)!")
"""The vCPU's row: its core, which the host uses, too, and its wait in ms per second."""


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Terminal]:
    """The whole screen for a guest with a vCPU that always runs and one that sleeps."""
    domain, settings = tmp_path / "busy.xml", tmp_path / "config.toml"
    domain.write_text(busy_guest(tmp_path, ONLY_THE_FIRST, (CPU, CPU)))
    settings.write_text(f'guest = "{NAME}"\n')
    virsh("define", str(domain))
    try:
        with terminal("vfiotop", "--config", str(settings)) as opened:
            opened.until(nvml_reads_both)
            opened.press("33")
            opened.until(shows("0 back"))
            with running():
                opened.until(shows("Longest wait of a vCPU"))
                yield opened
    finally:
        virsh("undefine", NAME)


@contextmanager
def running() -> Iterator[None]:
    """Start the guest, after which nothing in the lab is fast."""
    virsh("start", NAME)
    try:
        yield
    finally:
        virsh("destroy", NAME)


def waited_s() -> float:
    """Seconds that the vCPU waited for its core since its start, as the kernel counts them."""
    (delay,) = re.findall(r"vcpu\.0\.delay=(\d+)", virsh("domstats", NAME, "--vcpu"))
    return int(delay) / 1e9


def test_a_vcpu_that_shares_its_core_with_the_host_waits(screen: Terminal) -> None:
    before, waits = waited_s(), set[str]()
    with host_work(CPU, 1):
        while len(waits) < READINGS:
            screen.until(lambda text: bool(set(ROW.findall(text)) - waits))
            waits.update(ROW.findall(screen.text()))
        screen.until(lambda text: "vCPU 0 waited" in text)
        picture = screen.picture("vfiotop in the lab: a guest beside work of the host")
        Path(RESULTS, "lab-stutter.svg").write_text(picture, encoding="utf-8")
    # Half of it: a reading may cover less than a second.
    assert waited_s() - before > sum(map(int, waits)) / 1e3 / 2
