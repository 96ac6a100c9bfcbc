"""Devices that are plugged in again faster than they can be attached."""

from __future__ import annotations

import queue
import threading

from msgspec.structs import replace

from tests.unit.made import guests, idle, two_cards
from tests.unit.rules.usb_made import lent_as, usb
from tests.unit.watch.rig import PATIENCE, Source
from tui.host import Host, HostError
from tui.model import HostFacts, NvmlReading, UsbHostDev, Vitals
from tui.rules.roles import Choice
from tui.rules.usb_lendings import Lending, Replugged
from tui.watch.usb import Attached, Attacher

PAD, DISK = usb("1-3", 7, "045e:02ea"), usb("1-4", 9, "0781:5581")


def replugged(element: UsbHostDev, number: int) -> Replugged:
    assert element.mark is not None
    device = PAD if element.vendor == PAD.vendor else DISK
    lending = Lending("uuid-win11", "win11", element, element.mark)
    return Replugged(lending, replace(device, number=number))


def test_of_a_device_that_comes_and_goes_only_the_last_one_waits() -> None:
    """A guest can reset a device that it was lent as often as it likes."""
    began, free = threading.Semaphore(0), threading.Event()

    def reopened() -> Host:
        began.release()
        free.wait()
        raise HostError("libvirt does not answer")

    host = Host(
        Source(HostFacts("tower", "6.12.30")), Source(two_cards("vfio-pci")),
        Source(Vitals(idle(two_cards("vfio-pci")))), Source(NvmlReading("580.95", ())),
        Source(guests()), reopen=reopened,
    )  # fmt: skip
    done: queue.SimpleQueue[Attached] = queue.SimpleQueue()
    attacher = Attacher(host, Choice(), done.put)
    attacher.attach(replugged(lent_as(PAD), 8))
    assert began.acquire(timeout=PATIENCE)
    for number in range(10, 100):
        attacher.attach(replugged(lent_as(PAD), number))
    attacher.attach(replugged(lent_as(DISK), 100))
    attacher.attach(replugged(lent_as(PAD), 101))
    free.set()
    tried = [done.get(timeout=PATIENCE).again.device.number for _ in range(3)]
    assert tried == [8, 101, 100]
