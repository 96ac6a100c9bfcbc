"""The scenario with many cards and guests."""

from __future__ import annotations

from tui.host.demo.boards import functions, server
from tui.host.demo.cards import ASLEEP, UP, DemoCard, GpuModel, Program
from tui.host.demo.machine import RUNNING, SHUT_OFF, DemoDomain, Machine
from tui.host.demo.placement import smt
from tui.host.demo.traces import Scenes
from tui.model import HostFacts

RTX_A6000 = GpuModel("RTX A6000", 49140, 24, 300, 1935, 8001, 38, 84, 92)


def crowd(seed: int) -> Machine:
    """8 GPUs, 256 functions in 96 groups, 100 domains: for measuring."""
    gpus = [f"0000:{bus:02x}:00.0" for bus in range(1, 9)]
    audio = [f"0000:{bus:02x}:00.1" for bus in range(1, 9)]
    on_vfio: dict[str, str | None] = dict.fromkeys((*gpus[4:], *audio[4:]), "vfio-pci")
    board = functions(server(), boot_vga=gpus[0], drivers=on_vfio)
    computing = ((60, 0.93), (12, 0.2), (70, 0.97), (8, 0.05), (30, 0.93))
    cards = [
        DemoCard(
            gpu, RTX_A6000, Scenes(computing, seed + n, 0.04),
            programs=(Program(9000 + n, "python3", "compute", 21000 + 900 * n),), seed=seed + n,
            states=UP if n < 5 else ASLEEP,
        )
        for n, gpu in enumerate(gpus)
    ]  # fmt: skip
    domains = [
        DemoDomain(
            f"node-{n:02}", RUNNING if n < 60 else SHUT_OFF, 4, 8192, seed=seed + n,
            hostdevs=(gpus[4], audio[4]) if n == 0 else (),
            load=Scenes(((50, 0.2), (30, 0.7)), seed + n, 0.3),
            disk=Scenes(((65, 0.05), (15, 0.4)), seed + n, 0.3),
        )
        for n in range(100)
    ]  # fmt: skip
    facts = HostFacts("rack", "6.12.48-amd64", cpus=smt(64))
    return Machine(board, tuple(cards), tuple(domains), facts=facts)
