"""USB devices and a real libvirtd: its refusals, and that no definition changes.

The machine may have no USB bus: lending a real device is tested in the lab.
"""

from __future__ import annotations

import libvirt
import msgspec
import pytest

from tests.libvirt.daemon import Daemon, tiny
from tests.libvirt.proxy import proxied
from tests.libvirt.test_lost_answers import SHORT
from tui.host import HostError
from tui.host.libvirt.control import LibvirtControl
from tui.host.libvirt.source import GuestsSource
from tui.host.libvirt.usb import hostdev_xml
from tui.model import UsbHostDev, UsbMark
from tui.rules.usb import ASKED

ABSENT = UsbHostDev("dead", "beef", 250, 120)
MARK = UsbMark("0123456789abcdef", tuple(f"{n:04x}" for n in range(32)), frozenset(ASKED))
"""A mark as long as any: a configuration has at most 32 interfaces (USB 2.0, 9.6.5)."""

ATTACH, DETACH = 160, 161
"""REMOTE_PROC_DOMAIN_ATTACH_DEVICE_FLAGS and _DETACH_DEVICE_FLAGS."""


@pytest.fixture
def vm(virsh: libvirt.virConnect) -> libvirt.virDomain:
    """A running guest with a USB controller."""
    made = virsh.defineXML(tiny("vm").replace("model='none'", "model='qemu-xhci'"))
    made.create()
    return made


def test_libvirt_refuses_a_device_that_is_not_there_and_no_definition_changes(
    libvirtd: Daemon, vm: libvirt.virDomain
) -> None:
    control = LibvirtControl(libvirtd.uri)
    before = [vm.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)]
    with pytest.raises(HostError, match="libvirt could not lend a USB device to “vm”") as error:
        control.lend_usb(vm.UUIDString(), ABSENT, (), lambda: None, "vm")
    print(error.value)
    control.return_usb(vm.UUIDString(), ABSENT, "vm")
    assert [vm.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)] == before


def test_a_guest_that_is_off_or_has_another_name_gets_nothing(
    libvirtd: Daemon, vm: libvirt.virDomain
) -> None:
    control = LibvirtControl(libvirtd.uri)
    with pytest.raises(HostError, match="is now called “vm”"):
        control.lend_usb(vm.UUIDString(), ABSENT, (), lambda: None, "win11")
    vm.destroy()
    with pytest.raises(HostError, match="not running"):
        control.lend_usb(vm.UUIDString(), ABSENT, (), lambda: None, "vm")


def test_a_lost_reply_is_looked_up(libvirtd: Daemon, vm: libvirt.virDomain) -> None:
    with proxied(libvirtd.socket) as proxy:
        control = LibvirtControl(proxy.uri, timeouts=SHORT)
        proxy.lose(ATTACH, "close")
        with pytest.raises(HostError, match="was not attached to “vm”: libvirt's reply was lost"):
            control.lend_usb(vm.UUIDString(), ABSENT, (), lambda: None, "vm")
        proxy.lose(DETACH, "close")
        control.return_usb(vm.UUIDString(), ABSENT, "vm")


def test_libvirt_keeps_our_mark_and_refuses_a_device_for_no_other_reason(
    libvirtd: Daemon, virsh: libvirt.virConnect
) -> None:
    """A stopped guest shows what libvirt stores: it attaches only what exists to a running one."""
    marked = msgspec.structs.replace(ABSENT, mark=MARK)
    xml = tiny("marked", hostdev_xml(marked)).replace("model='none'", "model='qemu-xhci'")
    virsh.defineXML(xml)
    source = GuestsSource(libvirtd.uri)
    (domain,) = source.read().domains
    source.close()
    assert domain.usb == (marked,)
    vm = virsh.createXML(tiny("vm").replace("model='none'", "model='qemu-xhci'"))
    control = LibvirtControl(libvirtd.uri)
    with pytest.raises(HostError, match=r"[Dd]id not find|'/sys/bus/usb/devices'"):
        control.lend_usb(vm.UUIDString(), marked, (), lambda: None, "vm")
