"""The machines of the lab: which cards sit where, as options of QEMU.

A card is an emulated display with an audio function. The audio function has a codec, so its
driver creates a sound device. ``lab_cards.ko`` gives both the ids of a model. Bus numbers
follow the order of the root ports: the first slot is 01:00, the second 02:00.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

BLACKLIST = ("bochs", "snd_hda_intel", "nouveau")
"""Drivers that must not bind a card before it has NVIDIA's ids; nouveau never may."""


@dataclass(frozen=True)
class Topology:
    """A machine: its devices, and the models of its cards by slot."""

    name: str
    text: str
    devices: tuple[str, ...]
    models: tuple[str, ...]
    iommu: bool = True
    systemd: bool = False
    """Whether systemd is PID 1, with libvirtd and logind as its units."""

    @property
    def qemu(self) -> tuple[str, ...]:
        """QEMU's options. caching-mode lets VFIO work with the emulated IOMMU; the machine
        ends by rebooting."""
        iommu = ("-device intel-iommu,caching-mode=on",) if self.iommu else ()
        base = ("-machine q35,kernel-irqchip=off", "-no-reboot", "-audiodev none,id=silence")
        return (*base, *iommu, *self.devices)

    @property
    def kernel(self) -> tuple[str, ...]:
        """The kernel's command line."""
        iommu = ("intel_iommu=on", "iommu=on") if self.iommu else ("intel_iommu=off",)
        return (*iommu, "log_buf_len=4M", f"modprobe.blacklist={','.join(BLACKLIST)}")


class Card(Protocol):
    """The devices of a card in a slot of a bus."""

    def __call__(self, bus: str, slot: int = 0) -> tuple[str, ...]: ...


def card(bus: str, slot: int = 0) -> tuple[str, ...]:
    """Display and audio, both marked multifunction, as on real cards."""
    sound = f"{bus}-sound"
    return (
        f"-device bochs-display,bus={bus},addr={slot:x}.0,multifunction=on",
        f"-device ich9-intel-hda,id={sound},bus={bus},addr={slot:x}.1,multifunction=on",
        f"-device hda-output,bus={sound}.0,audiodev=silence",
    )


def usb_c_card(bus: str, slot: int = 0) -> tuple[str, ...]:
    """A card with a USB-C port: also a USB and a UCSI function."""
    return (
        *card(bus, slot),
        f"-device qemu-xhci,bus={bus},addr={slot:x}.2,multifunction=on",
        f"-device pci-testdev,bus={bus},addr={slot:x}.3,multifunction=on",
    )


def port(name: str, number: int, *options: str) -> str:
    """A root port, a slot of the board."""
    return ",".join((f"-device pcie-root-port,id={name},chassis={number},slot={number}", *options))


def slots(*cards: Card) -> tuple[str, ...]:
    """A root port for each card."""
    devices: list[str] = []
    for number, make in enumerate(cards, start=1):
        name = f"slot{number}"
        devices += [port(name, number), *make(name)]
    return tuple(devices)


def _without_acs() -> tuple[str, ...]:
    """Three ports of one slot that do not isolate the devices behind them, as on many boards."""
    return (
        port("slot1", 1, "addr=10.0", "multifunction=on", "disable-acs=on"),
        port("slot2", 2, "addr=10.1", "multifunction=on", "disable-acs=on"),
        port("slot3", 3, "addr=10.2", "multifunction=on", "disable-acs=on"),
        *card("slot1"),
        *card("slot2"),
        "-netdev user,id=net,restrict=on",
        "-device e1000e,bus=slot3,netdev=net",
    )


USB = (
    "-device qemu-xhci,id=usb",
    "-device usb-kbd,bus=usb.0",
    "-device usb-mouse,bus=usb.0",
    "-drive if=none,id=stick,driver=null-co,size=64M,read-zeroes=on,snapshot=on",
    "-device usb-storage,bus=usb.0,drive=stick",
)
"""The host's own USB controller. What is written to the stick lasts as long as the machine."""

TOPOLOGIES = {
    topology.name: topology
    for topology in (
        Topology("two-slots", "two GeForce cards, a group each", slots(card, card),
                 ("rtx3060", "rtx4090")),
        Topology("two-slots-2", "two-slots once more, so that its tests take half the time",
                 slots(card, card), ("rtx3060", "rtx4090")),
        Topology("systemd", "two GeForce cards, and systemd as PID 1", slots(card, card),
                 ("rtx3060", "rtx4090"), systemd=True),
        Topology("bad-acs", "both cards and a network card in one group", _without_acs(),
                 ("rtx3060", "rtx4090")),
        Topology("usb-c", "the second card has four functions; the host has USB devices",
                 (*slots(card, usb_c_card), *USB),
                 ("rtx3060", "rtx2080")),
        Topology("no-iommu", "two cards and no IOMMU", slots(card, card),
                 ("rtx3060", "rtx4090"), iommu=False),
        Topology("one-gpu", "a single card", slots(card), ("rtx4090",)),
        Topology("eight-gpus", "eight professional cards", slots(*[card] * 8), ("a4000",)),
    )
}  # fmt: skip
