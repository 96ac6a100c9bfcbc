"""Requests to a real libvirtd whose replies are lost: the outcome is found out and reported."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest
from msgspec.structs import replace

from tests.libvirt import proxy as wire
from tests.libvirt.daemon import Daemon, operator, tiny
from tests.libvirt.proxy import Proxy, Way, proxied
from tests.libvirt.test_guests import HOSTDEV
from tests.thorough import thorough
from tui.host import HostError, Unsettled
from tui.host.journal.file import Journal
from tui.host.libvirt import connection
from tui.host.libvirt.connection import Connection
from tui.host.libvirt.control import LibvirtControl
from tui.host.libvirt.domain_edit import replace_hostdevs
from tui.host.libvirt.domain_xml import definition
from tui.host.libvirt.operation import Timeouts
from tui.model import GuestAction, Guests

SHORT = Timeouts(open=10, read_all=3, reply=3, start=4, settle=30, steady=1, poll=0.05)
"""For a libvirt that responds again: the outcome is found out long before these limits."""

BRIEF = Timeouts(open=10, read_all=2, reply=20, start=20, settle=1, steady=1, poll=0.05)
"""For one that does not."""

WAYS: tuple[Way, ...] = ("close", "silence", "drop")
RUNNING, PAUSED, OFF = (
    libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_SHUTOFF
)  # fmt: skip


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a hung daemon after two seconds instead of twenty."""
    monkeypatch.setattr(connection, "KEEPALIVE_S", 1)
    monkeypatch.setattr(connection, "KEEPALIVE_COUNT", 1)


@pytest.fixture
def proxy(libvirtd: Daemon) -> Iterator[Proxy]:
    with proxied(libvirtd.socket) as made:
        yield made


@pytest.fixture
def vm(libvirtd: Daemon, virsh: libvirt.virConnect) -> Iterator[libvirt.virDomain]:
    """A guest that ends without the seconds that libvirt gives QEMU to exit."""
    made = virsh.defineXML(tiny("vm"))
    yield made
    libvirtd.end_domains()
    deadline = time.monotonic() + 60
    while made.isActive():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def control(proxy: Proxy, tmp_path: Path, patience: Timeouts = SHORT) -> LibvirtControl:
    return LibvirtControl(proxy.uri, Journal(tmp_path / "journal"), patience)


def nothing(_: Guests) -> str | None:
    return None


def state_of(vm: libvirt.virDomain) -> int:
    return int(vm.state()[0])


class Look:
    """A rule that calls ``then`` at its second check, and returns ``reason``."""

    def __init__(self, reason: str | None = None, then: object = None) -> None:
        self.looks, self.reason, self.then = 0, reason, then

    def __call__(self, _: Guests) -> str | None:
        self.looks += 1
        if self.looks < 2:
            return None
        if callable(self.then):
            self.then()
        return self.reason


# --- it was done ----------------------------------------------------------------------

DEEDS: tuple[tuple[GuestAction, int, int, int], ...] = (
    ("pause", wire.SUSPEND, RUNNING, PAUSED), ("resume", wire.RESUME, PAUSED, RUNNING),
    ("force-off", wire.DESTROY, RUNNING, OFF), ("force-off", wire.DESTROY, PAUSED, OFF),
)  # fmt: skip


LOST = [
    (*DEEDS[0], "drop"), (*DEEDS[1], "close"), (*DEEDS[2], "silence"),
    *thorough((*DEEDS[0], "close"), (*DEEDS[0], "silence"), (*DEEDS[3], "close")),
]  # fmt: skip


@pytest.mark.parametrize(("action", "procedure", "before", "after", "way"), LOST)
def test_an_action_whose_answer_is_lost_was_done(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path,
    action: GuestAction, procedure: int, before: int, after: int, way: Way,
) -> None:  # fmt: skip
    vm.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if before == PAUSED else 0)
    proxy.lose(procedure, way)
    control(proxy, tmp_path).act(action, vm.UUIDString(), "vm")
    assert proxy.lost == [procedure]
    assert state_of(vm) == after


def test_a_transient_guest_that_is_gone_was_ended(
    proxy: Proxy, virsh: libvirt.virConnect, tmp_path: Path
) -> None:
    vm = virsh.createXML(tiny("passing"))
    proxy.lose(wire.DESTROY, "close")
    control(proxy, tmp_path).act("force-off", vm.UUIDString(), "passing")
    assert virsh.listAllDomains() == []


@pytest.mark.parametrize(
    ("procedure", "nth", "way"),
    [(wire.CREATE, 1, "silence"), (wire.RESUME, 1, "close"),
     *thorough((wire.CREATE, 1, "close"), (wire.CREATE, 1, "drop"), (wire.RESUME, 1, "drop"),
                (wire.STATS, 2, "silence"), (wire.STATS, 2, "drop"),
               (wire.LOOKUP, 2, "close"))],
)  # fmt: skip
def test_a_start_that_loses_an_answer_goes_on(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path, procedure: int, nth: int, way: Way
) -> None:
    look = Look()
    proxy.lose(procedure, way, nth)
    if procedure == wire.LOOKUP:  # the second one is part of finding out what became of it
        proxy.lose(wire.CREATE, "close")
    started = control(proxy, tmp_path)
    started.start(vm.UUIDString(), look, "vm")
    assert procedure in proxy.lost
    assert look.looks >= 2
    assert state_of(vm) == RUNNING


def test_a_start_that_loses_every_answer(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path
) -> None:
    for procedure, nth in ((wire.CREATE, 1), (wire.STATS, 2), (wire.RESUME, 1)):
        proxy.lose(procedure, "close", nth)
    control(proxy, tmp_path).start(vm.UUIDString(), nothing, "vm")
    assert sorted(proxy.lost) == sorted([wire.CREATE, wire.STATS, wire.RESUME])
    assert state_of(vm) == RUNNING


def test_a_definition_whose_answer_is_lost(
    proxy: Proxy, virsh: libvirt.virConnect, tmp_path: Path
) -> None:
    uuid = virsh.defineXML(tiny("vm", HOSTDEV)).UUIDString()
    held = control(proxy, tmp_path)
    before = held.definition(uuid)
    edited = replace_hostdevs(before, ["0000:0a:00.0"], ["0000:ff:1f.7"])
    proxy.lose(wire.DEFINE, "close")
    held.define(uuid, before, edited.xml)
    assert [d.address for d in definition(held.definition(uuid)).hostdevs] == ["0000:0a:00.0"]
    proxy.swallow.add(wire.DEFINE)
    with pytest.raises(HostError, match="was not changed") as raised:
        held.define(uuid, held.definition(uuid), before)
    assert not isinstance(raised.value, Unsettled)


# --- it was not, or that is not known ---------------------------------------------------


@pytest.mark.parametrize(
    ("action", "procedure", "before", "words"),
    [("pause", wire.SUSPEND, RUNNING, "was not paused: .* it is running"),
     *thorough(("resume", wire.RESUME, PAUSED, "was not resumed: .* it is paused")),
     ("force-off", wire.DESTROY, RUNNING, "was not forced off: .* it is running")],
)  # fmt: skip
def test_a_request_that_is_lost_was_not_done(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path,
    action: GuestAction, procedure: int, before: int, words: str,
) -> None:  # fmt: skip
    vm.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if before == PAUSED else 0)
    proxy.swallow.add(procedure)
    with pytest.raises(HostError, match=words) as raised:
        control(proxy, tmp_path).act(action, vm.UUIDString())
    assert not isinstance(raised.value, Unsettled)
    assert state_of(vm) == before


@pytest.mark.parametrize(
    ("action", "procedure", "before", "after", "deaf"),
    [(*DEEDS[1], False), (*DEEDS[2], True), *thorough((*DEEDS[0], True))],
)
def test_a_libvirt_that_stays_away_is_not_known_yet(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path,
    action: GuestAction, procedure: int, before: int, after: int, deaf: bool,
) -> None:  # fmt: skip
    vm.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if before == PAUSED else 0)
    proxy.lose(procedure, "close")
    proxy.deaf_after, proxy.shut_after = deaf, not deaf
    with pytest.raises(Unsettled, match=r"“vm” was .*|not known yet") as raised:
        control(proxy, tmp_path, BRIEF).act(action, vm.UUIDString())
    assert raised.value.state is None
    assert state_of(vm) == after


def test_what_only_the_guest_can_do_is_not_known(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path
) -> None:
    vm.create()
    proxy.lose(wire.REBOOT, "close")
    with pytest.raises(Unsettled, match="cannot tell whether “vm” is rebooting"):
        control(proxy, tmp_path).act("reboot", vm.UUIDString())
    proxy.lose(wire.SHUTDOWN, "close")
    control(proxy, tmp_path).act("stop", vm.UUIDString())  # the caller waits for its end
    assert proxy.lost == [wire.REBOOT, wire.SHUTDOWN]


def test_a_start_whose_request_is_lost(proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path) -> None:
    proxy.swallow.add(wire.CREATE)
    with pytest.raises(HostError, match=r"“vm” was not started: .* it is shut off") as raised:
        control(proxy, tmp_path).start(vm.UUIDString(), nothing)
    assert not isinstance(raised.value, Unsettled)


@pytest.mark.parametrize("procedure", [wire.CREATE, wire.RESUME])
def test_a_start_that_ends_half_way_says_so(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path, procedure: int
) -> None:
    proxy.lose(procedure, "close")
    proxy.shut_after = True
    with pytest.raises(Unsettled, match="may be left paused") as raised:
        control(proxy, tmp_path, BRIEF).start(vm.UUIDString(), nothing)
    assert raised.value.state is None
    assert vm.isActive()


def test_a_second_look_that_cannot_be_taken_ends_it(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path
) -> None:
    """New connections are refused, and the existing one still works."""
    proxy.lose(wire.STATS, "close", 2)
    proxy.shut_after = True
    with pytest.raises(HostError, match="could not be checked again") as raised:
        control(proxy, tmp_path, BRIEF).start(vm.UUIDString(), nothing)
    assert not isinstance(raised.value, Unsettled)
    assert state_of(vm) == OFF


def test_a_resume_that_is_lost_says_that_the_guest_is_paused(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path
) -> None:
    proxy.swallow.add(wire.RESUME)
    with pytest.raises(Unsettled, match="“vm” was started and is left paused") as raised:
        control(proxy, tmp_path).start(vm.UUIDString(), nothing)
    assert raised.value.state == "paused"
    assert state_of(vm) == PAUSED


# --- a start that is taken back -----------------------------------------------------------


@pytest.mark.parametrize("way", [WAYS[0], *thorough(WAYS[1])])
def test_it_is_off_although_the_answer_to_its_end_is_lost(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path, way: Way
) -> None:
    proxy.lose(wire.DESTROY, way)
    with pytest.raises(HostError, match="a rival runs") as raised:
        control(proxy, tmp_path).start(vm.UUIDString(), Look("a rival runs"))
    assert not isinstance(raised.value, Unsettled)
    assert state_of(vm) == OFF


def test_it_cannot_be_ended(proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path) -> None:
    proxy.swallow.add(wire.DESTROY)
    with pytest.raises(
        Unsettled, match=r"“vm” was started and is left paused: a rival runs.*not be ended"
    ) as raised:
        control(proxy, tmp_path).start(vm.UUIDString(), Look("a rival runs"))
    assert raised.value.state == "paused"
    assert state_of(vm) == PAUSED


def test_a_libvirt_that_is_away_when_it_should_be_ended(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path
) -> None:
    proxy.lose(wire.DESTROY, "close")
    proxy.deaf_after = True
    with pytest.raises(Unsettled, match=r"may be left paused \(a rival runs") as raised:
        control(proxy, tmp_path, BRIEF).start(vm.UUIDString(), Look("a rival runs"))
    assert raised.value.state is None


def test_what_somebody_has_let_run_is_not_ended(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path
) -> None:
    look = Look("a rival runs", then=vm.resume)
    with pytest.raises(Unsettled, match=r"a rival runs.*it is running") as raised:
        control(proxy, tmp_path).start(vm.UUIDString(), look)
    assert raised.value.state == "running"
    assert state_of(vm) == RUNNING


def test_another_run_of_it_is_not_ended(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path
) -> None:
    def start_again() -> None:
        vm.destroy()
        vm.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)

    with pytest.raises(Unsettled, match="somebody else has changed its state") as raised:
        control(proxy, tmp_path).start(vm.UUIDString(), Look("a rival runs", then=start_again))
    assert raised.value.state == "paused"
    assert state_of(vm) == PAUSED


def test_a_defect_of_ours_leaves_no_guest_paused(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path
) -> None:
    def defect() -> None:
        raise ZeroDivisionError

    with pytest.raises(HostError, match="vfiotop failed here"):
        control(proxy, tmp_path).start(vm.UUIDString(), Look(then=defect))
    assert state_of(vm) == OFF


@pytest.mark.parametrize(("other", "left"), [("resume", RUNNING), ("destroy", OFF)])
def test_somebody_else_is_quicker(
    proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path, other: str, left: int
) -> None:
    look = Look(then=getattr(vm, other))
    if left == OFF:
        with pytest.raises(HostError, match="“vm” was started and has ended"):
            control(proxy, tmp_path).start(vm.UUIDString(), look)
    else:
        control(proxy, tmp_path).start(vm.UUIDString(), look)
    assert state_of(vm) == left


# --- the daemon itself --------------------------------------------------------------------


def test_a_daemon_that_is_silent_before_anything_was_asked(
    libvirtd: Daemon, proxy: Proxy, vm: libvirt.virDomain, tmp_path: Path
) -> None:
    held = control(proxy, tmp_path, replace(BRIEF, open=1))
    uuid = vm.UUIDString()
    with libvirtd.frozen(), pytest.raises(HostError, match="no request was sent") as raised:
        held.start(uuid, nothing)
    assert not isinstance(raised.value, Unsettled)
    assert state_of(vm) == OFF


def test_a_daemon_that_is_silent_in_the_middle_of_a_start(
    libvirtd: Daemon,
    proxy: Proxy,
    vm: libvirt.virDomain,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It hangs once the guest is paused, until the resume has timed out."""
    connected = threading.Event()
    daemon = contextlib.ExitStack()

    class Noticed(Connection):
        """Reports when another connection is opened: the request on the last one was abandoned."""

        def __init__(self, *words: Any, **named: Any) -> None:
            if frozen:
                connected.set()
            super().__init__(*words, **named)

    frozen: list[bool] = []

    def then() -> None:
        frozen.append(True)
        daemon.enter_context(libvirtd.frozen())
        threading.Thread(target=thaw).start()

    def thaw() -> None:
        connected.wait(60)
        daemon.close()

    monkeypatch.setattr("tui.host.libvirt.operation.Connection", Noticed)
    control(proxy, tmp_path).start(vm.UUIDString(), Look(then=then))
    assert connected.is_set()
    assert state_of(vm) == RUNNING


def test_a_daemon_that_is_killed_in_the_middle_of_a_start(libvirtd: Daemon, tmp_path: Path) -> None:
    """QEMU outlives it, paused, and the next daemon finds it like that."""
    with operator(libvirtd.uri) as before:  # a connection does not outlive its daemon
        uuid = before.defineXML(tiny("vm")).UUIDString()
    back = threading.Timer(1, libvirtd.start)

    def then() -> None:
        libvirtd.stop()
        back.start()

    held = LibvirtControl(libvirtd.uri, Journal(tmp_path / "journal"), SHORT)
    try:
        with pytest.raises(Unsettled, match="“vm” was started and is left paused") as raised:
            held.start(uuid, Look(then=then))
    finally:
        back.join()
    assert raised.value.state == "paused"
    with operator(libvirtd.uri) as after:
        vm = after.lookupByUUIDString(uuid)
        assert state_of(vm) == PAUSED
        vm.destroy()
        vm.undefine()
