"""The simulated host's USB devices, lent and replugged."""

from __future__ import annotations

from msgspec.structs import replace

from tests.demo import HeldClock
from tui.host.demo import host as demo
from tui.host.demo.guests import DemoGuests
from tui.host.demo.host import demo_host
from tui.host.demo.scenarios import SCENARIOS, gaming
from tui.host.demo.traces import Cycle
from tui.host.demo.usb import IN, OUT, desktop
from tui.model import UsbDevice, UsbHostDev


def pads(devices: tuple[UsbDevice, ...]) -> list[UsbDevice]:
    return [each for each in devices if each.port == "1-3"]


def test_every_machine_with_usb_has_its_controller() -> None:
    for name in SCENARIOS:
        machine = SCENARIOS[name].machine(1)
        addresses = {function.address for function in machine.functions}
        assert {each.device.controller for each in machine.usb} <= addresses, name


def test_a_device_is_lent_until_it_is_returned_or_the_guest_starts_again() -> None:
    clock = HeldClock()
    host = demo_host("gaming", clock=clock)
    uuid = next(d.uuid for d in host.guests.read().domains if d.name == "win11")
    (pad,) = pads(host.usb.read().devices)
    other, device = host.reopen, UsbHostDev.of(pad)
    assert other is not None
    host.control.lend_usb(uuid, device, (), lambda: None)
    assert pads(other().usb.read().devices) == [replace(pad, attached=(), taken=True)]
    assert [d.usb for d in other().guests.read().domains if d.uuid == uuid] == [(device,)]
    host.control.return_usb(uuid, device)
    assert pads(host.usb.read().devices) == [pad]
    host.control.lend_usb(uuid, device, (), lambda: None)
    host.control.act("force-off", uuid)
    assert pads(host.usb.read().devices) == [pad]
    host.control.start(uuid, lambda _: None)
    assert pads(host.usb.read().devices) == [pad]


def test_a_replugged_device_has_another_number_and_wakes_its_reader() -> None:
    clock = HeldClock()
    cycle = Cycle((10, IN), (5, OUT), (45, IN))
    machine = replace(gaming(1), usb=desktop("0000:0b:00.3", pad=cycle))
    guests = DemoGuests(machine, clock, clock.now())
    source = demo.DemoSource(clock, guests.usb, machine.next_usb_event, wakes=guests.wakes)
    woken: list[int] = []
    source.watch(lambda: woken.append(len(pads(source.read().devices))))
    (before,) = pads(source.read().devices)
    clock.advance(16)
    (after,) = pads(source.read().devices)
    assert woken == [0, 1]
    assert (before.number, after.serial) == (7, before.serial)
    assert after.number != before.number
