"""The hosts to measure on: a usual one and a very large one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from tests.bench.places import CONFIG, CONTROL, DOMAINS, PLAIN, UDEV, WATCH, root
from tests.hosts_layout import bind, lay_out
from tests.hosts_layout import hosts as captured
from tui.host.pci.names import PciIds
from tui.host.tree import MACHINE
from tui.theme import ANSI_DARK

USUAL = "19-x570-1080ti-gt710"

FIRST_BUS = 0x10

RUNNING, SHUT_OFF = 1, 5
"""libvirt's virDomainState."""


@dataclass(frozen=True)
class Layout:
    """A host's PCI functions and its domains, of which the first ``running`` run."""

    pci: dict[str, Any]
    domains: int
    running: int

    @property
    def gpus(self) -> tuple[str, ...]:
        return tuple(f["addr"] for f in self._functions() if f["class"].startswith("03"))

    @property
    def size(self) -> str:
        functions = len(list(self._functions()))
        return (
            f"{len(self.gpus)} GPUs, {functions} PCI devices, {len(self.pci['groups'])} groups, "
            f"{self.domains} domains"
        )

    def write_udev(self, folder: Path) -> None:
        """Write what udev's hardware database says of each function, as udevd does."""
        ids = PciIds([MACHINE])
        folder.mkdir(parents=True)
        for each in self._functions():
            name, vendor = ids.names(each["vendor"], each["device"])
            (folder / f"+pci:{each['addr']}").write_text(
                f"I:1000000\nE:ID_PCI_CLASS_FROM_DATABASE={each['class']}\n"
                f"E:ID_VENDOR_FROM_DATABASE={vendor or 'Unknown vendor'}\n"
                f"E:ID_MODEL_FROM_DATABASE={name or 'Unknown device'}\nG:seat\nQ:seat\nV:1\n"
            )

    def _functions(self) -> Iterator[dict[str, Any]]:
        for group in self.pci["groups"].values():
            yield from group


def usual() -> Layout:
    """Two GPUs and four domains."""
    return Layout(captured()[USUAL], domains=4, running=2)


def large() -> Layout:
    """8 GPUs, 256 PCI functions, 96 groups, and 100 domains, 25 of them running."""
    groups = {str(number): list(_slot(number, gpu=number < 8)) for number in range(64)}
    groups |= {str(number): [_bridge(number)] for number in range(64, 96)}
    spare = 256 - sum(len(functions) for functions in groups.values())
    for number in range(spare):
        group = 8 + number % 56
        disk = _function(FIRST_BUS + group, 2 + number // 56, "0108", "144d", "a80a")
        groups[str(group)].append(disk)
    return Layout({"groups": groups, "boot_vga": "0000:10:00.0"}, domains=100, running=25)


def _slot(number: int, gpu: bool) -> Iterator[dict[str, Any]]:
    """A card with its audio, or a network card with two ports."""
    bus = FIRST_BUS + number
    if gpu:
        yield _function(bus, 0, "0300", "10de", "2684", "AD102 [GeForce RTX 4090]")
        yield _function(bus, 1, "0403", "10de", "22ba", "AD102 High Definition Audio Controller")
    else:
        yield _function(bus, 0, "0200", "8086", "1521", "I350 Gigabit Network Connection")
        yield _function(bus, 1, "0200", "8086", "1521", "I350 Gigabit Network Connection")


def _bridge(number: int) -> dict[str, Any]:
    return _function(0, number - 64, "0604", "1022", "1483", slot=True)


def _function(
    bus: int, number: int, kind: str, vendor: str, device: str, name: str = "", slot: bool = False
) -> dict[str, Any]:
    place = f"{number:02x}.0" if slot else f"00.{number}"
    return {
        "addr": f"0000:{bus:02x}:{place}", "class": kind, "vendor": vendor, "device": device,
        "name": name, "driver": "unknown",
    }  # fmt: skip


def lay_out_all(layout: Layout, folder: Path) -> None:
    """Write the host to ``folder``, with all GPUs on ``nvidia``, so they have readings, and a
    chosen guest, so it is on the screen."""
    sys = lay_out(layout.pci, root(folder)) / "sys"
    for address in layout.gpus:
        bind(sys, (sys / "bus/pci/devices" / address).resolve(), "nvidia")
    layout.write_udev(root(folder) / UDEV)
    (folder / CONTROL).touch()
    (folder / DOMAINS).write_text(_domains(layout))
    usual = f'guest = "guest-00"\nguest_gpu = "{layout.gpus[-1]}"\n'
    (folder / CONFIG).write_text(usual)
    (folder / PLAIN).write_text(f'{usual}theme = "{ANSI_DARK}"\n')
    (folder / WATCH).write_text(f"{usual}[watch]\nhistory = true\n")


def _domains(layout: Layout) -> str:
    """The XML of a host for libvirt's test driver."""
    made = (
        _domain(f"guest-{number:02}", RUNNING if number < layout.running else SHUT_OFF)
        for number in range(layout.domains)
    )
    return f"<node>\n{''.join(made)}</node>\n"


def _domain(name: str, state: int) -> str:
    return f"""\
<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
  <name>{name}</name>
  <uuid>{uuid5(NAMESPACE_DNS, name)}</uuid>
  <memory unit='GiB'>16</memory>
  <vcpu>8</vcpu>
  <os><type>hvm</type></os>
  <test:runstate>{state}</test:runstate>
</domain>
"""
