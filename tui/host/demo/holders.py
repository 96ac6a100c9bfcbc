"""Who holds the simulated cards, as a look into all processes would find it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tui.host.demo.cards import DemoCard, Program
from tui.host.demo.machine import Machine
from tui.host.demo.scenarios import DESKTOP_PROGRAMS
from tui.model import Holder, Holders, PciFunction

SOUND_PID, OURS_PID = 1702, 8211

_NODES = {"nvidia": "/dev/nvidia", "amdgpu": "/dev/dri/card", "i915": "/dev/dri/card"}
"""How the nodes of a driver's cards are named, but for their numbers."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """How a program was started: by whom, with which words, in which systemd unit."""

    command: str
    unit: str | None = None
    of_user: bool = False
    user: str = "gamer"


_ORIGINS = {
    "Xorg": _Origin("/usr/lib/xorg/Xorg vt2 -keeptty -noreset", "session-2.scope"),
    "gnome-shell": _Origin("/usr/bin/gnome-shell", "org.gnome.Shell@x11.service", of_user=True),
    "firefox": _Origin("/usr/lib/firefox/firefox", "app-gnome-firefox-4417.scope", of_user=True),
    "looking-glass-client": _Origin("looking-glass-client -F", "session-2.scope"),
    "obs": _Origin("/usr/bin/obs --startstreaming", "app-gnome-obs-7718.scope", of_user=True),
    "blender": _Origin("blender --background city.blend --render-anim", "session-2.scope"),
    "python3": _Origin("/usr/bin/python3 train.py --resume", "training.service", user="lab"),
}


def holders(machine: Machine, at: float, addresses: Collection[str]) -> Holders:
    """Who holds those of the machine's functions that are with the host."""
    functions = {f.address: f for f in machine.functions}
    numbers: dict[str, int] = defaultdict(int)
    found: list[Holder] = []
    for card in sorted(machine.cards, key=lambda card: card.address):
        function = functions[card.address]
        folder = _NODES.get(function.driver or "")
        if folder is None or card.state(at) in ("lost", "gone"):
            continue
        node = f"{folder}{numbers[folder]}"
        numbers[folder] += 1
        running = [p for p in _programs(card, function) if p.runs.state(at) == "up"]
        found += [_program(card, program, node) for program in running]
        if function.boot_vga:
            found += _of_the_desktop(card, functions, node)
    found = [holder for holder in found if holder.address in addresses]
    return Holders(tuple(sorted(found, key=lambda h: (h.address, h.pid or 0, h.what))))


def _programs(card: DemoCard, function: PciFunction) -> tuple[Program, ...]:
    """Graphics of which no list of processes is simulated show the desktop all the same."""
    return card.programs or (DESKTOP_PROGRAMS if function.boot_vga else ())


def _program(card: DemoCard, program: Program, node: str) -> Holder:
    origin = _ORIGINS.get(program.name, _Origin(program.name))
    return Holder(
        card.address, program.pid, program.name, node, origin.user, origin.command, origin.unit,
        origin.of_user,
    )  # fmt: skip


def _of_the_desktop(
    card: DemoCard, functions: dict[str, PciFunction], node: str
) -> Iterator[Holder]:
    """The sound server on the card's audio, and the process that reads NVML for us: it keeps
    off the cards that are for a guest."""
    for function in functions.values():
        if function.slot == functions[card.address].slot and function.driver == "snd_hda_intel":
            yield Holder(
                function.address, SOUND_PID, "pipewire", "/dev/snd/controlC1", "gamer",
                "/usr/bin/pipewire", "pipewire.service", of_user=True,
            )  # fmt: skip
    if functions[card.address].driver == "nvidia":
        yield Holder(card.address, OURS_PID, "python3", node, "root", ours=True)
