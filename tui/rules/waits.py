"""The waits of a guest's vCPUs over the last minute: the worst one, and which are events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field

from tui.model import WAIT_HIGH_MS, WAIT_LOW_MS, CpuUser, Event, Guest, GuestCpu, Wait, listed

KEPT = timedelta(minutes=1)
"""How long the worst wait stays visible."""

QUIET = timedelta(seconds=10)
"""How long a vCPU must wait less than ``WAIT_LOW_MS`` before its next wait is another event."""

BURST, PERIOD = 5, timedelta(minutes=10)
"""The most events in a period. A guest decides how busy its vCPUs are, and must not push all else
out of the events."""

CAUSES: dict[CpuUser, str] = {
    "host": "the host's work",
    "emulator": "QEMU's own threads",
    "sibling": "work on the other thread of its core",
    "steal": "the hypervisor below the host",
}


KEEP_OFF = "keep the host off with AllowedCPUs= on system.slice, user.slice and init.scope"
"""What keeps tasks of the host off pinned vCPUs: systemd.resource-control(5). Guests of libvirt are
in machine.slice."""


UNREAD = "cannot tell what else runs on its core"
UNSEEN = "nothing else was seen on its core in the last minute"
LOOK = "compare guest.pinning in `vfiotop doctor`"
"""What to say of a vCPU if nothing was seen that keeps it waiting: where to look."""


class Users(Struct, frozen=True):
    """Who else took time from a vCPU's core, and when that was seen."""

    users: tuple[CpuUser, ...]
    at: datetime


class Waits(Struct, frozen=True):
    """The waits of one guest. ``recent`` has the worst vCPU of each reading, newest last;
    ``over`` are the vCPUs with an event, each with when it last waited ``WAIT_LOW_MS`` or more.
    ``told`` are the times of the last events. ``users`` are those last seen on the vCPUs' cores:
    threads are read at other moments than waits."""

    uuid: str | None = None
    recent: tuple[Wait, ...] = ()
    over: Mapping[int, datetime] = field(default_factory=dict)
    told: tuple[datetime, ...] = ()
    users: Mapping[int, Users] = field(default_factory=dict)

    def worst(self, at: datetime) -> Wait | None:
        """The longest wait of the minute before ``at``; the latest of equal ones."""
        return max(
            (wait for wait in self.recent if at - wait.at <= KEPT),
            key=lambda wait: (wait.ms, wait.at), default=None,
        )  # fmt: skip


def seen(before: Waits, guest: Guest | None, at: datetime) -> tuple[Waits, tuple[Event, ...]]:
    """The waits with a new reading of the allowed guest, and the events in it: a vCPU waits more
    than ``WAIT_HIGH_MS``. One event names all vCPUs that start to wait at the same time. It says
    neither how long nor for whom, so that events of the same vCPUs are equal."""
    if guest is None or guest.cpus is None:
        return Waits(), ()
    if before.uuid != guest.domain.uuid:
        before = Waits(guest.domain.uuid)
    recent = tuple(wait for wait in before.recent if at - wait.at <= KEPT)
    worst = guest.cpus.worst
    if worst is not None:
        recent = (*recent, Wait(worst.number, worst.wait_ms or 0.0, at, worst.cpu))
    waits = {cpu.number: cpu.wait_ms or 0.0 for cpu in guest.cpus.cpus}
    over = {
        vcpu: at if waits.get(vcpu, 0.0) >= WAIT_LOW_MS else since
        for vcpu, since in before.over.items()
        if at - since < QUIET
    }
    new = [c for c in guest.cpus.cpus if (c.wait_ms or 0.0) > WAIT_HIGH_MS and c.number not in over]
    over |= {cpu.number: at for cpu in new}
    users = {vcpu: each for vcpu, each in before.users.items() if at - each.at <= KEPT}
    users |= {c.number: Users(c.shared_with, at) for c in guest.cpus.cpus if c.shared_with}
    told = tuple(then for then in before.told if at - then < PERIOD)
    events: tuple[Event, ...] = ()
    if new and len(told) < BURST:
        events = (Event(at, guest.domain.name, _text(new), "warn", "host", _fix(new, users, at)),)
        told = (*told, at)
    return Waits(guest.domain.uuid, recent, over, told, users), events


def _text(cpus: list[GuestCpu]) -> str:
    """``vCPU 5 waited over 20 ms/s for core 26``"""
    limit = f"waited over {WAIT_HIGH_MS:.0f} ms/s"
    if len(cpus) > 1:
        return f"vCPUs {listed([str(cpu.number) for cpu in cpus])} {limit}"
    [cpu] = cpus
    return f"vCPU {cpu.number} {limit}" + ("" if cpu.cpu is None else f" for core {cpu.cpu}")


def _fix(cpus: list[GuestCpu], users: Mapping[int, Users], at: datetime) -> str:
    """Who else is or was on their cores, and what keeps it off; or where to look for that."""
    found = [users[cpu.number] for cpu in cpus if cpu.number in users]
    causes = dict.fromkeys(CAUSES[each.users[0]] for each in found)
    if not causes:
        unread = all(cpu.shared_with is None for cpu in cpus)
        return f"{UNREAD if unread else UNSEEN}: {LOOK}"
    now = any(each.at == at for each in found)
    who = listed(list(causes))
    also = f"on its core {'is also' if now else 'in the last minute was'} {who}"
    if list(causes) == [CAUSES["steal"]]:
        return also
    pins = f"{also}: pin as guest.pinning in `vfiotop doctor` says"
    return f"{pins}, then {KEEP_OFF}" if CAUSES["host"] in causes else pins
