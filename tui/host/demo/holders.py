"""The holders of the simulated cards, as a scan of /proc would find them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from msgspec import Struct

from tui.host.demo.cards import DemoCard, Program
from tui.host.demo.machine import Machine
from tui.host.demo.scenarios import DESKTOP_PROGRAMS
from tui.model import Holder, Holders, PciFunction

SOUND_PID, OURS_PID = 1702, 8211

_NODES = {"nvidia": "/dev/nvidia", "amdgpu": "/dev/dri/card", "i915": "/dev/dri/card"}
"""The device nodes of a driver's cards, without their numbers."""


class _Launch(Struct, frozen=True):
    """How a program was started: the user, the command line, the systemd unit."""

    command: str
    unit: str | None = None
    of_user: bool = False
    user: str = "gamer"


_LAUNCHES = {
    "Xorg": _Launch("/usr/lib/xorg/Xorg vt2 -keeptty -noreset", "session-2.scope"),
    "gnome-shell": _Launch("/usr/bin/gnome-shell", "org.gnome.Shell@x11.service", of_user=True),
    "firefox": _Launch("/usr/lib/firefox/firefox", "app-gnome-firefox-4417.scope", of_user=True),
    "looking-glass-client": _Launch("looking-glass-client -F", "session-2.scope"),
    "obs": _Launch("/usr/bin/obs --startstreaming", "app-gnome-obs-7718.scope", of_user=True),
    "blender": _Launch("blender --background city.blend --render-anim", "session-2.scope"),
    "python3": _Launch("/usr/bin/python3 train.py --resume", "training.service", user="lab"),
}


def holders(machine: Machine, at: float, addresses: Collection[str]) -> Holders:
    """The holders of those ``addresses`` that are bound to host drivers."""
    functions = {f.address: f for f in machine.functions}
    numbers: dict[str, int] = defaultdict(int)
    found: list[Holder] = []
    for card in sorted(machine.cards, key=lambda card: card.address):
        function = functions[card.address]
        prefix = _NODES.get(function.driver or "")
        if prefix is None or card.state(at) in ("lost", "gone"):
            continue
        node = f"{prefix}{numbers[prefix]}"
        numbers[prefix] += 1
        running = [p for p in _programs(card, function) if p.runs.state(at) == "up"]
        found += [_holder(card, program, node) for program in running]
        if function.boot_vga:
            found += _desktop_holders(card, functions, node)
    found = [holder for holder in found if holder.address in addresses]
    return Holders(tuple(sorted(found, key=lambda h: (h.address, h.pid or 0, h.what))))


def _programs(card: DemoCard, function: PciFunction) -> tuple[Program, ...]:
    """The programs on a card; a boot VGA without a list of its own shows the desktop."""
    return card.programs or (DESKTOP_PROGRAMS if function.boot_vga else ())


def _holder(card: DemoCard, program: Program, node: str) -> Holder:
    launch = _LAUNCHES.get(program.name, _Launch(program.name))
    return Holder(
        card.address, program.pid, program.name, node, launch.user, launch.command, launch.unit,
        launch.of_user,
    )  # fmt: skip


def _desktop_holders(
    card: DemoCard, functions: dict[str, PciFunction], node: str
) -> Iterator[Holder]:
    """The sound server on the card's audio function, and our own NVML child, which does not
    open cards reserved for a guest."""
    for function in functions.values():
        if function.slot == functions[card.address].slot and function.driver == "snd_hda_intel":
            yield Holder(
                function.address, SOUND_PID, "pipewire", "/dev/snd/controlC1", "gamer",
                "/usr/bin/pipewire", "pipewire.service", of_user=True,
            )  # fmt: skip
    if functions[card.address].driver == "nvidia":
        yield Holder(card.address, OURS_PID, "python3", node, "root", ours=True)
