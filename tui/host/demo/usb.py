"""The simulated host's USB devices: a keyboard, a mouse, a stick, a pad that is replugged."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from tui.host.demo.traces import Cycle, States
from tui.model import Attachment, UsbDevice

IN, OUT = "in", "out"

PLUGGED_IN = Cycle.always(IN)


class DemoUsb(Struct, frozen=True):
    """A device, and when it is plugged in: ``plugged`` has the states ``IN`` and ``OUT``."""

    device: UsbDevice
    plugged: States = field(default_factory=lambda: PLUGGED_IN)

    def reading(self, at: float) -> UsbDevice | None:
        """The device; it gets a new number each time that it is plugged in."""
        if self.plugged.state(at) != IN:
            return None
        number = 1 + (self.device.number - 1 + int(self.plugged.began(at))) % 127
        return replace(self.device, number=number)


def _input(port: str, what: str) -> tuple[Attachment, ...]:
    return (Attachment("keyboard" if what == "a keyboard" else "input", port, f"is {what}"),)


def desktop(controller: str, pad: States = PLUGGED_IN) -> tuple[DemoUsb, ...]:
    """The devices of a desk on the USB controller at the address ``controller``.

    ``pad`` is when the game controller is plugged in.
    """

    def device(port: str, number: int, id: str, name: str, **facts: object) -> UsbDevice:
        vendor, _, product = id.partition(":")
        made = UsbDevice(port, number, vendor, product, name, controller=controller)
        return replace(made, **facts)

    stick = Attachment("disk", "sda1", "is mounted at /media/backup", in_use=True)
    devices = (
        device("1-1", 2, "046d:c31c", "Logitech USB Keyboard",
               attached=_input("1-1", "a keyboard"), keyboard=True),
        device("1-2", 3, "046d:c08b", "Logitech G502 HERO Gaming Mouse", serial="0F7C3C6E3233",
               attached=_input("1-2", "a mouse")),
        device("1-4", 4, "2109:2813", "VIA Labs USB2.0 Hub", hub=True),
        device("1-4.1", 5, "0781:5581", "SanDisk Ultra", serial="4C530001230814115362",
               attached=(stick,)),
        device("1-4.2", 6, "0bda:8153", "Realtek USB 10/100/1000 LAN", serial="001000001",
               attached=(Attachment("network", "enp4s0u4u2", "has no link"),)),
    )  # fmt: skip
    game = device("1-3", 7, "045e:02ea", "Microsoft Controller", serial="3032363030313434",
                  attached=_input("1-3", "an input device"))  # fmt: skip
    plugged = (*(DemoUsb(each) for each in devices), DemoUsb(game, pad))
    return tuple(sorted(plugged, key=lambda each: each.device.port))
