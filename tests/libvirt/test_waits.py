"""The waits and the pinning of vCPUs, by a real libvirtd and the kernel: which vCPU waits, and for
whom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import libvirt
import pytest

from tests.libvirt.busy import ONLY_THE_FIRST, ONLY_THE_SECOND, busy_guest, host_work
from tests.libvirt.daemon import Daemon, tiny
from tests.libvirt.watching import PATIENCE, domain, watched
from tests.thorough import thorough
from tui.host.facts import FactsSource
from tui.host.libvirt.source import GuestsSource
from tui.host.libvirt.threads_source import ThreadsSource
from tui.model import Demand, GuestCpus, Guests, Pinning
from tui.rules.guest_cpus import guest_cpus

MEASURED_S = 0.5
"""Seconds between two readings. The kernel counts waits in ns, so that a short time is enough."""


class Readings:
    """What the program reads of the guest through a read-only connection."""

    def __init__(self, uri: str, uuid: str) -> None:
        self.guests = GuestsSource(uri, readonly=True)
        self._threads = ThreadsSource()
        self._threads.set_demand(Demand(threads_of=uuid))
        self._topology = FactsSource().read().cpus

    def next(self) -> GuestCpus:
        """A reading over the next ``MEASURED_S`` seconds."""
        self._read()
        time.sleep(MEASURED_S)
        return self._read()

    def until(self, wanted: Callable[[GuestCpus], bool]) -> GuestCpus:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = self.next()
            if wanted(found):
                return found
        raise AssertionError("no such reading came")

    def _read(self) -> GuestCpus:
        guest = domain(self.guests.read(), "busy")
        assert guest is not None
        found = guest_cpus(guest, self._threads.read(), self._topology)
        assert found is not None
        return found


def test_another_pin_of_a_running_guest_is_seen_at_once(
    libvirtd: Daemon, virsh: libvirt.virConnect
) -> None:
    """The XML of a running domain has it, so libvirt is asked for nothing else."""

    def pinned_to(cpu: int) -> Callable[[Guests], bool]:
        def wanted(guests: Guests) -> bool:
            found = domain(guests, "vm")
            return found is not None and found.pinning == Pinning(((cpu,),))

        return wanted

    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        pytest.skip("needs two CPUs")
    pin = f"<vcpu>1</vcpu><cputune><vcpupin vcpu='0' cpuset='{first}'/></cputune>"
    vm = virsh.createXML(tiny("vm").replace("<vcpu>1</vcpu>", pin))
    with watched(libvirtd.uri, readonly=True) as watch:  # only events cause readings
        watch.until(pinned_to(first))
        vm.pinVcpu(0, tuple(cpu == others[0] for cpu in range(others[0] + 1)))
        watch.until(pinned_to(others[0]))


@pytest.mark.parametrize(
    ("firmware", "busy"),
    [(ONLY_THE_SECOND, 1), *thorough((ONLY_THE_FIRST, 0))],
    ids=["second", "first"],
)
def test_the_vcpu_that_shares_its_cpu_with_the_host_waits(
    firmware: bytes, busy: int, libvirtd: Daemon, virsh: libvirt.virConnect
) -> None:
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        pytest.skip("needs two CPUs")
    cpus = available[0], available[1]
    vm = virsh.createXML(busy_guest(libvirtd.folder, firmware, cpus))
    readings = Readings(libvirtd.uri, vm.UUIDString())
    try:
        with host_work(cpus[busy]):
            found = readings.until(lambda cpus: bool(cpus.cpus[busy].load_pct))
    finally:
        readings.guests.close()
    worst = found.worst
    assert worst is not None and worst.wait_ms, found
    assert (worst.number, worst.cpu, worst.pinned) == (busy, cpus[busy], (cpus[busy],)), found
    assert worst.shared_with is not None and "host" in worst.shared_with, found
    other = found.cpus[1 - busy]
    assert (other.asleep_pct or 0) > (worst.asleep_pct or 0), found
