"""Boards with several GPUs behind a PCIe switch of their own.

A board has one slot, so changing the slot moves all its GPUs. They have consecutive bus numbers:
they are siblings behind the board's switch, and the buses of the next board's switch come in
between. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from tui.model import PciFunction, bus_of, domain_of

_SEVERAL = frozenset({
    "10de:0293", "10de:0294", "10de:029f",  # GeForce 7900 GX2, 7950 GX2, Quadro FX 4500 X2
    "10de:0604", "10de:0619",  # GeForce 9800 GX2, Quadro FX 4700 X2
    "10de:05e0", "10de:05eb", "10de:1088",  # GeForce GTX 295, GTX 590
    "10de:1188", "10de:1001",  # GeForce GTX 690, TITAN Z
    "10de:0fe6", "10de:0fef", "10de:0ff2", "10de:0ff5",  # GRID K1, K340
    "10de:118a", "10de:118b", "10de:118c", "10de:11b1", "10de:11bf",  # GRID K520, K2
    "10de:118f", "10de:102d",  # Tesla K10, K80
    "10de:13b9", "10de:13bd", "10de:13f2",  # NVS 810, Tesla M10, M60
    "1002:950f", "1002:9441", "1002:9443",  # Radeon HD 3870 X2, HD 4870 X2, HD 4850 X2
    "1002:689c", "1002:671d", "1002:679b", "1002:67b9",  # HD 5970, HD 6990, HD 7990, R9 295X2
    "1002:6864",  # Radeon Pro V340
    "8086:4907", "8086:56c1",  # Server GPU SG-18M, Data Center GPU Flex 140
})  # fmt: skip
"""Ids (vendor:device) that only boards with several GPUs have."""

_SEVERAL_BY_SUBSYSTEM = frozenset({("10de:25b6", "10de:14a9")})
"""The same with the subsystem: an A16 has the ids of an A2."""


def sibling_slots(function: PciFunction, functions: Iterable[PciFunction]) -> frozenset[str]:
    """The slots of the other GPUs on the board of ``function``, which is a GPU or a companion."""
    by_bus = {_place(f): f for f in functions if f.is_gpu}
    own = by_bus.get(_place(function))
    if own is None or not _is_one_of_several(own):
        return frozenset()
    return frozenset(f.slot for step in (-1, 1) for f in _neighbours(own, by_bus, step))


def _neighbours(
    gpu: PciFunction, by_bus: dict[tuple[int, int], PciFunction], step: int
) -> Iterable[PciFunction]:
    """The GPUs of the same model on the next buses, up to the first bus without one."""
    domain, bus = _place(gpu)
    while (found := by_bus.get((domain, bus := bus + step))) and _model(found) == _model(gpu):
        yield found


def _is_one_of_several(gpu: PciFunction) -> bool:
    ids, subsystem = _model(gpu)
    return ids in _SEVERAL or (ids, subsystem) in _SEVERAL_BY_SUBSYSTEM


def _model(gpu: PciFunction) -> tuple[str, str | None]:
    return f"{gpu.vendor}:{gpu.device}", gpu.subsystem


def _place(function: PciFunction) -> tuple[int, int]:
    """The function's domain and bus."""
    return domain_of(function.address), int(bus_of(function.address), 16)
