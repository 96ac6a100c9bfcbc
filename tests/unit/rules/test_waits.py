"""The worst wait of the last minute, and the events."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.made import NOON, domain
from tui.model import CpuUser, Event, Guest, GuestCpu, GuestCpus, Wait
from tui.rules.waits import BURST, PERIOD, QUIET, Waits, seen

LONG, SHORT, BETWEEN = 41.0, 1.0, 12.0
"""Milliseconds: over the limit, under the one at which an event is over, and between the two."""


def guest(*waits: float | None, cpu: int | None = None, uuid: str = "uuid-win11") -> Guest:
    cpus = tuple(GuestCpu(number, 50.0, ms, cpu) for number, ms in enumerate(waits))
    return Guest(domain("win11", state="running", uuid=uuid), True, cpus=GuestCpus(cpus))


def second(count: float) -> timedelta:
    return timedelta(seconds=count)


def after(*readings: Guest | None) -> tuple[Waits, list[Event]]:
    """What is known after a reading each second."""
    waits, events = Waits(), list[Event]()
    for number, reading in enumerate(readings):
        waits, new = seen(waits, reading, NOON + second(number))
        events += new
    return waits, events


def test_the_worst_second_stays_for_a_minute() -> None:
    waits, _ = after(guest(0.2, LONG, cpu=9), *[guest(0.3, SHORT)] * 5)
    worst = Wait(1, LONG, NOON, 9)
    assert waits.worst(NOON + second(60)) == worst
    assert waits.worst(NOON + second(60.1)) == Wait(1, SHORT, NOON + second(5))
    assert waits.worst(NOON + second(66)) is None


def test_what_is_kept_is_bounded() -> None:
    waits, _ = after(*[guest(SHORT)] * 300)
    assert len(waits.recent) == 61


@pytest.mark.parametrize("reading", [None, Guest(domain("win11"), True)])
def test_a_guest_that_is_off_has_no_waits(reading: Guest | None) -> None:
    assert after(guest(LONG), reading)[0] == Waits()


def test_another_guest_begins_anew() -> None:
    waits, events = after(guest(LONG), guest(LONG, uuid="uuid-other"))
    assert [wait.at for wait in waits.recent] == [NOON + second(1)]
    assert len(events) == 2


def test_a_wait_that_was_not_measured_is_none() -> None:
    waits, events = after(guest(None, None))
    assert (waits.worst(NOON), events) == (None, [])


def test_an_event_names_vcpu_and_core_and_its_fix_the_cause() -> None:
    cpu = GuestCpu(5, 97.0, 31.0, 26, (26,), ("host", "sibling"), 40.0)
    reading = Guest(domain("win11", state="running"), True, cpus=GuestCpus((cpu,)))
    [event] = after(reading)[1]
    assert (event.subject, event.text) == ("win11", "vCPU 5 waited over 20 ms/s for core 26")
    assert (event.kind, event.by) == ("warn", "host")
    assert event.fix == (
        "on its core is also the host's work: pin as guest.pinning in `vfiotop doctor` says, then "
        "keep the host off with AllowedCPUs= on system.slice, user.slice and init.scope"
    )


@pytest.mark.parametrize(
    ("cause", "fix"),
    [
        ("emulator", "on its core is also QEMU's own threads: pin as guest.pinning in "
                     "`vfiotop doctor` says"),
        ("steal", "on its core is also the hypervisor below the host"),
    ],
)  # fmt: skip
def test_what_is_not_the_hosts_work_is_not_kept_off_by_systemd(cause: CpuUser, fix: str) -> None:
    cpu = GuestCpu(5, 97.0, 31.0, 26, (26,), (cause,), 40.0)
    reading = Guest(domain("win11", state="running"), True, cpus=GuestCpus((cpu,)))
    [event] = after(reading)[1]
    assert event.fix == fix


def test_without_core_and_cause_an_event_names_neither() -> None:
    [event] = after(guest(LONG))[1]
    assert event.text == "vCPU 0 waited over 20 ms/s"
    assert event.fix == (
        "cannot tell what else runs on its core: compare guest.pinning in `vfiotop doctor`"
    )


def on_core(ms: float, *users: CpuUser) -> Guest:
    cpu = GuestCpu(5, 97.0, ms, 26, (26,), users, 40.0)
    return Guest(domain("win11", state="running"), True, cpus=GuestCpus((cpu,)))


@pytest.mark.parametrize(
    ("before", "fix"),
    [
        (30, "on its core in the last minute was QEMU's own threads: pin as guest.pinning in "
             "`vfiotop doctor` says"),
        (70, "nothing else was seen on its core in the last minute: compare guest.pinning in "
             "`vfiotop doctor`"),
    ],
)  # fmt: skip
def test_the_cause_of_a_wait_may_be_seen_up_to_a_minute_before_it(before: int, fix: str) -> None:
    quiet = [on_core(SHORT)] * (before - 1)
    [event] = after(on_core(SHORT, "emulator"), *quiet, on_core(LONG))[1]
    assert event.fix == fix


def test_vcpus_that_begin_to_wait_together_are_one_event() -> None:
    _, events = after(guest(*[LONG] * 5))
    assert [event.text for event in events] == ["vCPUs 0, 1, 2 and 2 more waited over 20 ms/s"]


@pytest.mark.parametrize(
    ("waits", "events"),
    [
        ([SHORT, BETWEEN, 20.0], 0),
        ([LONG, LONG, LONG], 1),
        ([LONG, BETWEEN, LONG, BETWEEN, LONG], 1),
        ([LONG, *[SHORT] * 5, LONG], 1),
        ([LONG, *[BETWEEN] * 30, LONG], 1),
        ([LONG, *[SHORT] * int(QUIET.total_seconds()), LONG], 2),
    ],
    ids=["under the limit", "on and on", "up and down", "a short pause", "never low", "two"],
)
def test_events_do_not_flood(waits: list[float], events: int) -> None:
    assert len(after(*map(guest, waits))[1]) == events


def test_vcpus_that_wait_in_turn_do_not_flood_either() -> None:
    """16 vCPUs on fewer CPUs: in each second another one waits."""
    turns = [guest(*[LONG if vcpu == now % 16 else SHORT for vcpu in range(16)])
             for now in range(int(PERIOD.total_seconds()))]  # fmt: skip
    assert len(after(*turns)[1]) == BURST
    assert len(after(*turns, *[guest(*[SHORT] * 16)] * 20, guest(LONG))[1]) == BURST + 1


def test_another_vcpu_is_another_event() -> None:
    _, events = after(guest(LONG, SHORT), guest(LONG, LONG))
    assert [event.text for event in events] == [
        "vCPU 0 waited over 20 ms/s", "vCPU 1 waited over 20 ms/s",
    ]  # fmt: skip
