"""The USB devices of a host, and the guests that have some of them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tui.model.devices import Attachment


class UsbDevice(Struct, frozen=True):
    """A device on a USB bus (kernel: Documentation/ABI/testing/sysfs-bus-usb).

    ``port`` is the kernel's name, bus and ports, such as ``1-3.2``. ``number`` is its number on the
    bus, which changes at each replug. ``vendor`` and ``product`` are four lower case hex digits.
    ``name`` is for display. ``serial`` is escaped, so that two that differ never look alike.
    ``ready``: its configuration is chosen, so its interfaces exist. ``controller`` is the PCI
    function that it is behind. ``keyboard``: it is primarily a keyboard, and not a mouse that also
    sends keys. ``taken``: a program has one of its interfaces, through usbfs. ``unreadable`` names
    what could not be read of its uses. ``functions`` are the classes of its interfaces, each once
    and in order, of input devices with the protocol: ``0301`` is a keyboard, ``08`` a disk.
    ``away``: it is unplugged, and known from its lending alone. Its ``port`` is made up of its bus,
    0 (which is no port) and its last number.
    """

    port: str
    number: int
    vendor: str
    product: str
    name: str
    serial: str | None = None
    hub: bool = False
    ready: bool = True
    controller: str | None = None
    attached: tuple[Attachment, ...] = ()
    keyboard: bool = False
    taken: bool = False
    unreadable: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    away: bool = False

    @property
    def bus(self) -> int:
        return int(self.port.partition("-")[0])

    @property
    def id(self) -> str:
        return f"{self.vendor}:{self.product}"

    @property
    def node(self) -> str:
        """The device node through which programs have it."""
        return f"/dev/bus/usb/{self.bus:03}/{self.number:03}"

    @property
    def text(self) -> str:
        """The device in a sentence."""
        where = "unplugged" if self.away else f"at port {self.port}"
        return f"{self.name} ({self.id}) {where}"


class UsbReading(Struct, frozen=True):
    """All USB devices except root hubs, by port. ``builtin_keyboard``: the host has a keyboard that
    is not on USB, as notebooks have."""

    devices: tuple[UsbDevice, ...]
    builtin_keyboard: bool = False


class UsbMark(Struct, frozen=True):
    """What a running domain's element says of a device that was lent with vfiotop, so that whoever
    reads it can attach the device again after a replug.

    ``who`` is a digest of what tells the device from others, and ``functions`` are those that it
    was lent with. ``accepted`` are the ids of the checks whose question the user answered.
    """

    who: str
    functions: tuple[str, ...] = ()
    accepted: frozenset[str] = frozenset()


class UsbHostDev(Struct, frozen=True):
    """A USB device as a domain names it: by its ids, by bus and number, or by both. ``mark`` is
    ours, if it was lent with vfiotop."""

    vendor: str | None = None
    product: str | None = None
    bus: int | None = None
    number: int | None = None
    mark: UsbMark | None = None

    @classmethod
    def of(cls, device: UsbDevice, mark: UsbMark | None = None) -> UsbHostDev:
        """The device by its ids and its present number."""
        return cls(device.vendor, device.product, device.bus, device.number, mark)

    def means(self, device: UsbDevice) -> bool:
        """Whether all that it names matches the device; false if it names nothing."""
        pairs = (
            (self.vendor, device.vendor), (self.product, device.product),
            (self.bus, device.bus), (self.number, device.number),
        )  # fmt: skip
        named = [(mine, other) for mine, other in pairs if mine is not None]
        return bool(named) and all(mine == other for mine, other in named)


class UsbRule(Struct, frozen=True):
    """What tells a device from others for as long as it is lent, replugged or not. ``None`` is any
    value; the device's number is left out, because it changes."""

    vendor: str | None = None
    product: str | None = None
    serial: str | None = None
    port: str | None = None

    def matches(self, device: UsbDevice) -> bool:
        pairs = (
            (self.vendor, device.vendor), (self.product, device.product),
            (self.serial, device.serial), (self.port, device.port),
        )  # fmt: skip
        return all(mine is None or mine == other for mine, other in pairs)


UsbState = Literal["free", "in use", "kept", "lent", "taken", "away"]
"""``in use``: the host would miss it, so lending it takes a question of its own. ``kept``: it is
never lent. ``taken``: a program that is not a domain of this libvirt has it. ``away``: it is lent,
and unplugged."""


class Usb(Struct, frozen=True):
    """A device with what is known about who has it now. ``why`` is a clause. ``guest`` is the name
    of the domain that has it, for display only; ``guest_uuid`` identifies the domain."""

    device: UsbDevice
    state: UsbState
    why: str
    guest: str | None = None
    guest_uuid: str | None = None


UsbAction = Literal["lend", "return"]
