"""Actions on the domains of a real libvirtd that runs real QEMU processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from tests.libvirt.daemon import LOGIN, Daemon, operator, tiny
from tests.libvirt.test_guests import HOSTDEV
from tests.libvirt.watching import is_in, state, watched
from tui.host import HostError
from tui.host.journal.file import Journal
from tui.host.libvirt.control import LibvirtControl
from tui.host.libvirt.domain_edit import replace_hostdevs
from tui.host.libvirt.domain_xml import definition
from tui.model import GuestAction, Guests


def nothing(_: Guests) -> str | None:
    return None


@pytest.fixture
def control(libvirtd: Daemon, tmp_path: Path) -> LibvirtControl:
    return LibvirtControl(libvirtd.uri, Journal(tmp_path / "journal"))


@pytest.fixture
def vm(virsh: libvirt.virConnect) -> Iterator[libvirt.virDomain]:
    yield virsh.defineXML(tiny("vm"))


def state_of(vm: libvirt.virDomain) -> int:
    return int(vm.state()[0])


def test_a_whole_life_and_each_action_is_seen_at_once(
    libvirtd: Daemon, control: LibvirtControl, vm: libvirt.virDomain
) -> None:
    uuid, delays = vm.UUIDString(), {}
    acts: tuple[tuple[GuestAction, str], ...] = (
        ("pause", "paused"), ("resume", "running"), ("reboot", "running"),
        ("force-off", "shut off"),
    )  # fmt: skip
    with watched(libvirtd.uri) as watch:
        watch.until(is_in("vm", "shut off"))
        began = time.monotonic()
        control.start(uuid, nothing)
        returned = time.monotonic()
        _, at = watch.until(is_in("vm", "running"))
        print(f"start: {returned - began:.3f} s, seen {at - returned:.3f} s after it")
        for action, expected in acts:
            began = time.monotonic()
            control.act(action, uuid)
            returned = time.monotonic()
            if action != "reboot":
                _, at = watch.until(is_in("vm", expected))
                delays[action] = at - returned
            print(f"{action}: {returned - began:.3f} s")
    print("seconds from the return of a call to the reading:", delays)


def test_a_start_is_looked_at_before_and_after_it(
    control: LibvirtControl, vm: libvirt.virDomain
) -> None:
    seen: list[str | None] = []

    def look(guests: Guests) -> str | None:
        seen.append(state(guests, "vm"))
        return None

    control.start(vm.UUIDString(), look)
    assert seen == ["shut off", "paused"]
    assert state_of(vm) == libvirt.VIR_DOMAIN_RUNNING


def test_what_was_started_between_look_and_start_ends_ours_before_it_ran(
    control: LibvirtControl, vm: libvirt.virDomain, virsh: libvirt.virConnect
) -> None:
    """Another client starts it right after the first check."""

    def look(guests: Guests) -> str | None:
        if state(guests, "rival") is None:
            virsh.createXML(tiny("rival"))
            return None
        return "“rival” runs with a GeForce card"

    with pytest.raises(HostError, match="“rival” runs"):
        control.start(vm.UUIDString(), look)
    assert state_of(vm) == libvirt.VIR_DOMAIN_SHUTOFF
    assert state_of(virsh.lookupByName("rival")) == libvirt.VIR_DOMAIN_RUNNING


def test_what_speaks_against_it_before_starts_nothing(
    control: LibvirtControl, vm: libvirt.virDomain
) -> None:
    with pytest.raises(HostError, match="no"):
        control.start(vm.UUIDString(), lambda _: "no")
    assert not vm.isActive()


def test_no_guest_is_started_while_a_card_moves(
    control: LibvirtControl, vm: libvirt.virDomain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.host.libvirt.control.LOCK_S", 0.0)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    owner = tmp_path.stat().st_uid
    journal = Journal(tmp_path / "journal", owner)
    held = LibvirtControl(control._uri, journal)
    with journal.locked(), pytest.raises(HostError, match="another swap"):
        held.start(vm.UUIDString(), nothing)
    assert not vm.isActive()
    held.start(vm.UUIDString(), nothing)
    assert vm.isActive()


def test_a_guest_that_ignores_the_power_button_is_forced_off(
    control: LibvirtControl, vm: libvirt.virDomain
) -> None:
    vm.create()
    control.act("stop", vm.UUIDString())
    control.act("stop", vm.UUIDString())
    assert state_of(vm) == libvirt.VIR_DOMAIN_RUNNING
    control.act("force-off", vm.UUIDString())
    assert state_of(vm) == libvirt.VIR_DOMAIN_SHUTOFF


@pytest.mark.parametrize("action", ["stop", "force-off"])
def test_what_is_off_already_was_stopped(
    control: LibvirtControl, vm: libvirt.virDomain, action: GuestAction
) -> None:
    control.act(action, vm.UUIDString())
    assert state_of(vm) == libvirt.VIR_DOMAIN_SHUTOFF


def test_what_libvirt_does_not_take_is_named(
    control: LibvirtControl, vm: libvirt.virDomain
) -> None:
    with pytest.raises(HostError, match=r"could not pause “vm”: .*not running"):
        control.act("pause", vm.UUIDString())
    uuid = vm.UUIDString()
    vm.undefine()
    with pytest.raises(HostError, match="is no longer defined"):
        control.act("reboot", uuid)


def test_a_start_that_fails_in_qemu(control: LibvirtControl, virsh: libvirt.virConnect) -> None:
    vm = virsh.defineXML(tiny("vm", HOSTDEV))
    with pytest.raises(HostError, match="could not start “vm”: "):
        control.start(vm.UUIDString(), nothing)


def test_a_daemon_that_is_restarted_in_the_middle_of_a_stop(
    libvirtd: Daemon, control: LibvirtControl
) -> None:
    with operator(libvirtd.uri) as before:  # a connection does not outlive its daemon
        vm = before.createXML(tiny("vm"))
        uuid = vm.UUIDString()
    with watched(libvirtd.uri, interval=0.1) as watch:
        watch.until(is_in("vm", "running"))
        control.act("stop", uuid)
        libvirtd.stop()
        watch.until_unavailable()
        with pytest.raises(HostError, match="libvirtd is not running"):
            control.act("force-off", uuid)
        libvirtd.start()
        watch.until(is_in("vm", "running"))
        control.act("force-off", uuid)
        watch.until(lambda guests: state(guests, "vm") is None)


def test_who_may_not_act_is_reported(libvirtd: Daemon, control: LibvirtControl) -> None:
    libvirtd.stop()
    libvirtd.start(LOGIN)
    try:
        with pytest.raises(HostError, match="join the group"):
            control.act("stop", "4dea22b3-1d52-d8f3-2516-782e98ab3fa0")
    finally:
        libvirtd.stop()
        libvirtd.start()


def test_a_definition_gets_another_card_and_keeps_its_password(
    control: LibvirtControl, virsh: libvirt.virConnect
) -> None:
    screen = "<graphics type='vnc' passwd='secret'/><!-- mine -->"
    vm = virsh.defineXML(tiny("vm", HOSTDEV + screen))
    uuid = vm.UUIDString()
    before = control.definition(uuid)
    edited = replace_hostdevs(before, ["0000:0a:00.0", "0000:0a:00.1"], ["0000:ff:1f.7"])
    control.define(uuid, before, edited.xml)
    after = control.definition(uuid)
    assert "passwd='secret'" in after
    assert [d.address for d in definition(after).hostdevs] == ["0000:0a:00.0", "0000:0a:00.1"]
    with pytest.raises(HostError, match="somebody else has changed the guest"):
        control.define(uuid, before, edited.xml)
    control.define(uuid, after, before)
    assert control.definition(uuid) == before


def test_among_a_hundred_domains(control: LibvirtControl, virsh: libvirt.virConnect) -> None:
    domains = [virsh.defineXML(tiny(f"vm-{n:02}")) for n in range(100)]
    began = time.monotonic()
    control.start(domains[50].UUIDString(), nothing)
    print(f"a start among 100 domains: {time.monotonic() - began:.3f} s")
    control.act("force-off", domains[50].UUIDString())
    assert not domains[50].isActive()
