"""The guests of a real libvirtd that runs real QEMU processes."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import quoteattr

import libvirt
import pytest

from tests.libvirt.daemon import LOGIN, Daemon, operator, tiny
from tests.libvirt.watching import domain, is_in, state, watched
from tui.host import HostError
from tui.host.libvirt import connection
from tui.host.libvirt.source import GuestsSource
from tui.model import Guests, HostDev

HOSTDEV = """
<hostdev mode='subsystem' type='pci' managed='no'>
  <source><address domain='0x0000' bus='0xff' slot='0x1f' function='0x7'/></source>
</hostdev>"""


@pytest.fixture
def source(libvirtd: Daemon) -> Iterator[GuestsSource]:
    source = GuestsSource(libvirtd.uri)
    yield source
    source.close()


def test_a_life_from_start_to_end_is_seen_at_once(
    libvirtd: Daemon, virsh: libvirt.virConnect
) -> None:
    vm = virsh.defineXML(tiny("vm"))
    delays = {}
    with watched(libvirtd.uri) as watch:  # no interval: only events cause readings
        watch.until(is_in("vm", "shut off"))
        for act, expected in (
            (vm.create, "running"),
            (vm.suspend, "paused"),
            (vm.resume, "running"),
            (vm.destroy, "shut off"),
        ):
            act()
            returned = time.monotonic()
            _, at = watch.until(is_in("vm", expected))
            delays[act.__name__] = at - returned
    print("seconds from virsh's return to the reading:", delays)


PANIC = bytes.fromhex("ba0505 b001 ee f4 ebfd")
"""Writes to the port of QEMU's panic device and halts (QEMU: docs/specs/pvpanic.rst)."""


def test_a_crashed_guest_that_libvirt_keeps_has_its_devices(
    libvirtd: Daemon, virsh: libvirt.virConnect
) -> None:
    disk = libvirtd.folder / "panics.img"
    disk.write_bytes(PANIC.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    disk.chmod(0o644)
    devices = f"""
<disk type='file'><driver name='qemu' type='raw'/><source file='{disk}'/>
  <target dev='vda' bus='virtio'/><readonly/></disk>
<panic model='isa'/>"""
    vm = virsh.defineXML(tiny("vm", devices, "<on_crash>preserve</on_crash>"))
    with watched(libvirtd.uri) as watch:
        vm.create()
        guests, _ = watch.until(is_in("vm", "crashed"))
        kept = domain(guests, "vm")
        assert vm.isActive()
        assert kept is not None
        assert (kept.active, kept.off) == (True, False)
        vm.destroy()
        guests, _ = watch.until(is_in("vm", "shut off"))
        ended = domain(guests, "vm")
        assert ended is not None
        assert ended.off


def test_a_running_transient_domain(source: GuestsSource, virsh: libvirt.virConnect) -> None:
    called = datetime.now(UTC)
    vm = virsh.createXML(tiny("passing"))
    source.read()
    time.sleep(0.5)  # a rate needs two samples
    passing = domain(source.read(), "passing")
    assert passing is not None
    assert passing.uuid == vm.UUIDString()
    assert (passing.state, passing.persistent, passing.problem) == ("running", False, None)
    assert (passing.vcpus, passing.memory_mib, passing.memory_used_mib) == (1, 64, None)
    assert passing.cpu_pct is not None
    assert 0 <= passing.cpu_pct <= 100
    assert passing.disk_read_bps is None
    assert passing.agent is False
    assert passing.started_at is not None
    # The kernel counts ticks since boot, and the time of boot is known to the second.
    rounding = timedelta(seconds=2)
    assert called - rounding <= passing.started_at <= datetime.now(UTC) + rounding

    vm.suspend()
    paused = domain(source.read(), "passing")
    assert paused is not None
    assert (paused.state, paused.started_at) == ("paused", passing.started_at)
    vm.destroy()
    assert domain(source.read(), "passing") is None


def test_hostdevs_are_known_before_a_start(source: GuestsSource, virsh: libvirt.virConnect) -> None:
    virsh.defineXML(tiny("vm", HOSTDEV))
    vm = domain(source.read(), "vm")
    assert vm is not None
    assert (vm.state, vm.persistent) == ("shut off", True)
    assert vm.hostdevs == (HostDev("0000:ff:1f.7", managed=False),)
    assert (vm.cpu_pct, vm.started_at) == (None, None)


NVME = """
<source type='pci' managed='no' namespace='1'>
  <address domain='0x0000' bus='0xfe' slot='0x1f' function='0x7'/>
</source>"""

MDEV = """
<hostdev mode='subsystem' type='mdev' model='vfio-pci'>
  <source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source>
</hostdev>"""

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


@pytest.mark.parametrize(
    ("devices", "found"),
    [
        (f"<disk type='nvme' device='disk'>{NVME}<target dev='vda' bus='virtio'/></disk>",
         (HostDev("0000:fe:1f.7", managed=False, by="disk"),)),
        ("<disk type='file' device='disk'><driver type='qcow2'/><source file='/a'/>"
         f"<backingStore type='nvme'><format type='raw'/>{NVME}</backingStore>"
         "<target dev='vda' bus='virtio'/></disk>",
         (HostDev("0000:fe:1f.7", managed=False, by="disk"),)),
        (MDEV, ()),
    ],
)  # fmt: skip
def test_what_libvirt_has_of_other_elements(
    devices: str, found: tuple[HostDev, ...], source: GuestsSource, virsh: libvirt.virConnect
) -> None:
    """An mdev that does not exist yet has no parent."""
    virsh.defineXML(tiny("vm", devices))
    vm = domain(source.read(), "vm")
    assert vm is not None
    assert (vm.hostdevs, vm.problem) == (found, None)


@pytest.mark.parametrize("prefix", ["qemu", "q"])
@pytest.mark.parametrize(
    "words",
    [
        ["-device", "vfio-pci,host=fe:1f.7"], ["--device", "vfio-pci,host=0000:fe:1f.7,id=a"],
        ["-device=vfio-pci,host=FE:1F.7"], ["-device vfio-pci,host=fe:1f.7"],
        ["-device", '{"driver": "vfio-pci", "host": "0000:fe:1f.7"}'],
        ["-device", "vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:fe:1f.7"],
    ],
)  # fmt: skip
def test_what_libvirt_has_of_arguments_for_qemu(
    words: list[str], prefix: str, source: GuestsSource, virsh: libvirt.virConnect
) -> None:
    """libvirt stores them unchanged, whether or not QEMU accepts them."""
    args = "".join(f"<{prefix}:arg value={quoteattr(word)}/>" for word in words)
    line = f"<{prefix}:commandline xmlns:{prefix}='{QEMU}'>{args}</{prefix}:commandline>"
    virsh.defineXML(tiny("vm").replace("</domain>", f"{line}</domain>"))
    vm = domain(source.read(), "vm")
    assert vm is not None
    assert vm.hostdevs == (HostDev("0000:fe:1f.7", managed=False, by="command line"),)


def test_a_change_without_an_event_is_read_in_the_end(
    source: GuestsSource, virsh: libvirt.virConnect
) -> None:
    vm = virsh.defineXML(tiny("vm"))
    virsh.defineXML(tiny("other"))
    source.read()
    vm.attachDeviceFlags(HOSTDEV, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    readings = [domain(source.read(), "vm") for _ in range(2)]
    assert [bool(reading and reading.hostdevs) for reading in readings][-1] is True


def test_a_connection_for_reading_only(libvirtd: Daemon, virsh: libvirt.virConnect) -> None:
    virsh.defineXML(tiny("vm", HOSTDEV))
    source = GuestsSource(libvirtd.uri, readonly=True)
    guests = source.read()
    source.close()
    vm = domain(guests, "vm")
    assert guests.readonly is True
    assert vm is not None
    assert vm.addresses == ("0000:ff:1f.7",)


def test_a_daemon_that_is_restarted_comes_back_by_itself(libvirtd: Daemon) -> None:
    with operator(libvirtd.uri) as before:
        before.defineXML(tiny("vm"))
    with watched(libvirtd.uri) as told, watched(libvirtd.uri, interval=0.1) as asking:
        for watch in (told, asking):
            watch.until(is_in("vm", "shut off"))
        libvirtd.stop()
        assert "libvirtd is not running" in told.until_unavailable()
        asking.until_unavailable()
        libvirtd.start()
        asking.until(is_in("vm", "shut off"))
        with operator(libvirtd.uri) as after:  # events arrive on the second connection, too
            after.lookupByName("vm").undefine()
            asking.until(lambda guests: state(guests, "vm") is None)


def test_a_daemon_that_hangs_is_given_up(libvirtd: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "KEEPALIVE_S", 1)
    monkeypatch.setattr(connection, "KEEPALIVE_COUNT", 1)
    source = GuestsSource(libvirtd.uri)
    source.read()
    with libvirtd.frozen(), pytest.raises(HostError, match="was lost"):
        source.read()
    assert source.read().domains == ()
    source.close()


def test_a_daemon_that_asks_for_a_login(libvirtd: Daemon) -> None:
    source = GuestsSource(libvirtd.uri)
    libvirtd.stop()
    libvirtd.start(LOGIN)
    try:
        with pytest.raises(HostError, match=r"is denied: join the group"):
            source.read()
    finally:
        libvirtd.stop()
        libvirtd.start()
    assert source.read().domains == ()
    source.close()


def test_a_socket_of_somebody_else(libvirtd: Daemon) -> None:
    """Permissions do not stop root, so one thread changes its file system user id.

    The thread ends afterwards.
    """
    source = GuestsSource(libvirtd.uri)

    def read() -> Guests:
        if os.geteuid() == 0:
            ctypes.CDLL(None).setfsuid(54321)
        return source.read()

    mode = libvirtd.socket.stat().st_mode
    libvirtd.socket.chmod(0)
    try:
        with (
            ThreadPoolExecutor(1) as another_user,
            pytest.raises(HostError, match=r"is denied: .*Permission denied"),
        ):
            another_user.submit(read).result()
    finally:
        libvirtd.socket.chmod(mode)
    assert source.read().domains == ()
    source.close()


def test_a_socket_where_nobody_listens(libvirtd: Daemon) -> None:
    deaf = libvirtd.folder / "deaf"
    with socket.socket(socket.AF_UNIX) as unheard:
        unheard.bind(str(deaf))
    source = GuestsSource(f"qemu:///session?socket={deaf}")
    with pytest.raises(HostError, match=r"not running.*systemctl start libvirtd"):
        source.read()
    source.close()


def test_libvirt_takes_the_room_for_bars_as_an_argument_only(
    source: GuestsSource, virsh: libvirt.virConnect
) -> None:
    """OVMF's option cannot be set through <sysinfo type='fwcfg'>: its prefix is reserved."""
    entry = "<entry name='opt/ovmf/X-PciMmio64Mb'>65536</entry>"
    before = "<vcpu>1</vcpu>"
    with pytest.raises(libvirt.libvirtError, match="reserved"):
        virsh.defineXML(
            tiny("a").replace(before, f"{before}<sysinfo type='fwcfg'>{entry}</sysinfo>")
        )
    root = "<controller type='pci' index='0' model='pcie-root'>"
    hole = f"{root}<pcihole64 unit='GiB'>64</pcihole64></controller>"
    words = ("-fw_cfg", "name=opt/ovmf/X-PciMmio64Mb,string=65536")
    args = "".join(f"<q:arg value='{word}'/>" for word in words)
    line = f"<q:commandline xmlns:q='{QEMU}'>{args}</q:commandline>"
    q35 = tiny("vm", hole).replace("machine='pc'", "machine='q35'")
    virsh.defineXML(q35.replace("</domain>", f"{line}</domain>"))
    vm = domain(source.read(), "vm")
    assert vm is not None
    assert vm.setup is not None
    assert (vm.setup.hole64_mib, vm.setup.mmio64_mib) == (65536, 65536)
