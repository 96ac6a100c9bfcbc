"""Huge pages and a real libvirtd: what our plan refuses really does not start.

The machine's pool of huge pages is changed for the duration of a test, by one test at a time.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest
from msgspec.structs import replace

from tests.libvirt.daemon import Daemon, daemon, missing, operator, tiny
from tui.guest.execute import execute
from tui.guest.planning import guest_plan_once
from tui.host import Host
from tui.host.libvirt.source import GuestsSource
from tui.host.memory import MemorySource
from tui.host.real import AgentSettings, real_host
from tui.model import Check, GuestPlan, Guests
from tui.model.errors import Refused
from tui.model.requests import Consent
from tui.rules.roles import Choice

POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
BACKING = "<memoryBacking><hugepages/></memoryBacking>"
WANTED = 32
"""Pages of 2 MiB that the guest of 64 MiB needs."""
EVERYTHING = Consent(None, everything=True)


def read(name: str) -> int:
    return int((POOL / name).read_text())


def pages(count: int) -> None:
    """Set the size of the pool; skip where memory is too fragmented for it."""
    (POOL / "nr_hugepages").write_text(str(count))
    if read("nr_hugepages") < count:
        pytest.skip(f"the kernel made {read('nr_hugepages')} of {count} huge pages")


@pytest.fixture(scope="module")
def pool() -> Iterator[None]:
    """A pool that is ours to size, and empty afterwards as it was before."""
    if not POOL.is_dir():
        pytest.skip("the kernel has no huge pages of 2 MiB")
    lock = os.open(POOL, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        if read("nr_hugepages") or read("nr_overcommit_hugepages"):
            pytest.skip("this machine has huge pages of its own")
        try:
            pages(0)
        except OSError as error:
            pytest.skip(f"huge pages cannot be allocated here: {error}")
        try:
            yield
        finally:
            pages(0)
    finally:
        os.close(lock)


@pytest.fixture(scope="module")
def huge(pool: None) -> Iterator[Daemon]:
    """A daemon with a hugetlbfs of its own: an unprivileged one does not look for any."""
    if packages := missing():
        pytest.skip(f"not installed: {', '.join(packages)}")
    at = tempfile.mkdtemp(prefix="vfiotop-huge-")
    mount = ["mount", "-t", "hugetlbfs", "-o", "pagesize=2M,mode=1777", "hugetlbfs", at]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no hugetlbfs can be mounted here: {done.stderr.strip()}")
        try:
            with daemon(f'hugetlbfs_mount = "{at}"\n') as started:
                yield started
        finally:
            subprocess.run(["umount", at], check=True)
    finally:
        Path(at).rmdir()


@pytest.fixture
def vm(huge: Daemon) -> Iterator[libvirt.virDomain]:
    with operator(huge.uri) as connection:
        made = connection.defineXML(tiny("vm").replace("<vcpu>", f"{BACKING}<vcpu>"))
        yield made
        if made.isActive():
            made.destroy()
        made.undefine()


class LocalGuests(GuestsSource):
    """The guests of the tests' daemon. Its URI names a socket, so it counts as another machine's
    unless it is called as the one that the socket stands for."""

    def read(self) -> Guests:
        return replace(super().read(), uri="qemu:///session")


@pytest.fixture
def host(huge: Daemon) -> Iterator[Host]:
    made = replace(
        real_host(huge.uri, agent_settings=AgentSettings(guests=False)),
        guests=LocalGuests(huge.uri), memory=MemorySource(),
    )  # fmt: skip
    yield made
    made.close()


def planned(host: Host) -> tuple[GuestPlan, Check]:
    """The plan of a start on fresh readings, and its verdict on the memory."""
    plan, _ = guest_plan_once(host, Choice(), "start", "vm")
    (check,) = [each for each in plan.checks if each.id == "guest.memory"]
    return plan, check


def allocate(fix: str | None) -> None:
    """Run the command that the check gives as its fix."""
    subprocess.run(["sh", "-c", (fix or "").split("`")[1]], check=True)


def test_too_few_are_refused_where_libvirt_fails_and_our_fix_lets_it_start(
    vm: libvirt.virDomain, host: Host
) -> None:
    pages(8)
    plan, check = planned(host)
    print(f"{check.verdict}: {check.why}: {check.fix}")
    assert (check.verdict, check.why) == (
        "fail", f"“vm” needs {WANTED} huge pages of 2 MiB, 8 are free"
    )  # fmt: skip
    assert check in plan.refusals
    with pytest.raises(Refused, match="needs 32 huge pages of 2 MiB, 8 are free"):
        execute(host, Choice(), plan, EVERYTHING)
    assert not vm.isActive()
    with pytest.raises(libvirt.libvirtError, match="allocate memory") as error:
        vm.create()
    print(f"libvirt: {error.value}")

    allocate(check.fix)
    enough, passed = planned(host)
    print(f"{passed.verdict}: {passed.why}")
    assert (passed.verdict, enough.refusals) == ("pass", ())
    pages(8)  # somebody else took them after the plan: it is checked again
    with pytest.raises(Refused, match="needs 32 huge pages of 2 MiB, 8 are free"):
        execute(host, Choice(), enough, EVERYTHING)
    assert not vm.isActive()

    allocate(check.fix)
    execute(host, Choice(), enough, EVERYTHING)
    assert vm.state()[0] == libvirt.VIR_DOMAIN_RUNNING
    assert read("free_hugepages") == 0
