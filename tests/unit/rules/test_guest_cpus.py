"""Who else is on the host CPU of each vCPU: a verdict for each kind of user."""

from __future__ import annotations

import pytest

from tests.unit.made import domain
from tests.values import replace
from tui.model import (
    VCPU_LIMIT,
    CpuTopology,
    CpuUser,
    Domain,
    GuestCpu,
    GuestCpus,
    GuestThreads,
    HostCpu,
    Pinning,
    QemuLoad,
    QemuThread,
    Unavailable,
    VcpuTime,
)
from tui.rules.guest_cpus import guest_cpus

SMT = CpuTopology(((0, 2), (1, 3)))
HIDDEN = Unavailable("its QEMU process cannot be seen in /proc", expected=True)


def guest(*times: VcpuTime, **facts: object) -> Domain:
    made = domain("win11", state="running", vcpus=len(times), vcpu_times=times)
    return replace(made, **facts)


def threads(*found: QemuThread, cpus: tuple[HostCpu, ...]) -> GuestThreads:
    return GuestThreads("uuid-win11", found, cpus)


def cpus_of(found: GuestThreads | Unavailable, *times: VcpuTime, **facts: object) -> GuestCpus:
    made = guest_cpus(guest(*(times or (VcpuTime(0, 50.0, 3.0),)), **facts), found, SMT)
    assert made is not None
    return made


ON_ZERO = QemuThread("vcpu", 0, 0, 50.0)


@pytest.mark.parametrize(
    ("found", "users", "host"),
    [
        (threads(ON_ZERO, cpus=(HostCpu(0, 50.0, 0.0),)), (), 0.0),
        (threads(ON_ZERO, cpus=(HostCpu(0, 88.0, 0.0),)), ("host",), 38.0),
        (threads(ON_ZERO, cpus=(HostCpu(0, 54.0, 0.0),)), (), 4.0),
        (threads(ON_ZERO, cpus=(HostCpu(0, 40.0, 0.0),)), (), 0.0),
        (threads(ON_ZERO, QemuThread("emulator", 0, None, 20.0), cpus=(HostCpu(0, 70.0, 0.0),)),
         ("emulator",), 0.0),
        (threads(ON_ZERO, QemuThread("io", 0, None, 6.0), cpus=(HostCpu(0, 56.0, 0.0),)),
         ("emulator",), 0.0),
        (threads(ON_ZERO, QemuThread("emulator", 1, None, 20.0), cpus=(HostCpu(0, 50.0, 0.0),)),
         (), 0.0),
        (threads(ON_ZERO, cpus=(HostCpu(0, 50.0, 0.0), HostCpu(2, 30.0, 0.0))),
         ("sibling",), 0.0),
        (threads(ON_ZERO, QemuThread("io", 2, None, 9.0),
                 cpus=(HostCpu(0, 50.0, 0.0), HostCpu(2, 9.0, 0.0))), ("sibling",), 0.0),
        (threads(ON_ZERO, QemuThread("vcpu", 2, 1, 90.0),
                 cpus=(HostCpu(0, 50.0, 0.0), HostCpu(2, 90.0, 0.0))), (), 0.0),
        (threads(ON_ZERO, cpus=(HostCpu(0, 50.0, 0.0), HostCpu(1, 99.0, 0.0))), (), 0.0),
        (threads(ON_ZERO, cpus=(HostCpu(0, 50.0, 12.0),)), ("steal",), 0.0),
        (threads(ON_ZERO, QemuThread("emulator", 0, None, 9.0),
                 cpus=(HostCpu(0, 80.0, 7.0), HostCpu(2, 50.0, 0.0))),
         ("host", "emulator", "sibling", "steal"), 21.0),
        (threads(ON_ZERO, cpus=(HostCpu(0),)), None, None),
        (threads(ON_ZERO, cpus=()), None, None),
        (threads(QemuThread("vcpu", 0, 0), cpus=(HostCpu(0, 88.0, 0.0),)), None, None),
    ],
    ids=["alone", "host", "rounding", "less than its own load", "emulator", "IO", "elsewhere",
         "sibling busy", "IO on the sibling", "its own vCPU on the sibling", "another core",
         "virtual host", "all", "first reading", "no CPUs", "first reading of the thread"],
)  # fmt: skip
def test_who_else_is_on_a_core(
    found: GuestThreads, users: tuple[CpuUser, ...] | None, host: float | None
) -> None:
    cpu = cpus_of(found).cpus[0]
    assert (cpu.cpu, cpu.shared_with, cpu.host_pct) == (0, users, host)
    assert (cpu.load_pct, cpu.wait_ms) == (50.0, 3.0)


def test_the_wait_is_given_to_its_vcpu() -> None:
    """vCPUs are told apart by their number, not by the order of their threads."""
    found = cpus_of(
        threads(
            QemuThread("vcpu", 3, 1, 5.0), ON_ZERO,
            cpus=(HostCpu(0, 50.0, 0.0), HostCpu(3, 45.0, 0.0)),
        ),
        VcpuTime(0, 50.0, 0.2), VcpuTime(1, 5.0, 31.0),
        pinning=Pinning(((0,), (3,))),
    )  # fmt: skip
    assert found.worst == GuestCpu(1, 5.0, 31.0, 3, (3,), ("host",), 40.0)
    assert found.host_pct == 20.0
    assert found.cpus[0].shared_with == ()


def test_qemus_other_threads() -> None:
    found = cpus_of(
        threads(
            QemuThread("emulator", 1, None, 3.5), QemuThread("emulator", 2, None, 0.0),
            QemuThread("emulator", 3, None, 1.0), QemuThread("io", 1, None, 2.0), ON_ZERO,
            cpus=(HostCpu(0, 50.0, 0.0),),
        )
    )  # fmt: skip
    assert found.emulator == QemuLoad(4.5, (1, 3))
    assert found.io == QemuLoad(2.0, (1,))
    assert cpus_of(threads(ON_ZERO, cpus=())).io is None


@pytest.mark.parametrize("found", [HIDDEN, GuestThreads("uuid-nas", (ON_ZERO,), ())])
def test_without_its_threads_only_a_pin_tells_the_core(
    found: GuestThreads | Unavailable,
) -> None:
    made = cpus_of(
        found, VcpuTime(0, 1.0, 0.0), VcpuTime(1), VcpuTime(2),
        pinning=Pinning(((5,), (6, 7), None)),
    )  # fmt: skip
    assert [cpu.cpu for cpu in made.cpus] == [5, None, None]
    assert {cpu.shared_with for cpu in made.cpus} == {None}
    assert (made.emulator, made.host_pct) == (None, None)
    assert made.problem == (HIDDEN.reason if found is HIDDEN else None)


@pytest.mark.parametrize(
    ("pinning", "pinned"),
    [
        (Pinning(((2, 3),)), (2, 3)), (Pinning((None,)), (0, 1, 2, 3)), (None, None),
        (Pinning((None,), unclear=True), None), (Pinning((None,), auto=True), None),
    ],
    ids=["pinned", "not pinned", "no definition", "unclear", "by libvirt"],
)  # fmt: skip
def test_a_vcpu_that_is_not_pinned_may_run_everywhere(
    pinning: Pinning | None, pinned: tuple[int, ...] | None
) -> None:
    assert cpus_of(HIDDEN, pinning=pinning).cpus[0].pinned == pinned
    assert cpus_of(threads(ON_ZERO, cpus=()), pinning=pinning).cpus[0].pinned == pinned


def test_no_vcpus_no_panel() -> None:
    assert guest_cpus(guest(), HIDDEN, SMT) is None
    assert guest_cpus(guest(VcpuTime(0), state="shut off"), HIDDEN, SMT) is None


def test_vcpus_beyond_the_limit_are_counted() -> None:
    times = tuple(VcpuTime(n) for n in range(VCPU_LIMIT))
    assert cpus_of(HIDDEN, *times, vcpus=VCPU_LIMIT + 8).unread == 8


@pytest.mark.parametrize(
    ("load", "wait", "asleep"),
    [
        (50.0, 20.0, 48.0),
        (99.0, 50.0, 0.0),
        (0.0, 0.0, 100.0),
        (None, 5.0, None),
        (5.0, None, None),
    ],
)
def test_what_a_vcpu_neither_ran_nor_waited_it_slept(
    load: float | None, wait: float | None, asleep: float | None
) -> None:
    assert GuestCpu(0, load, wait).asleep_pct == asleep
