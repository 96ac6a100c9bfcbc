"""What a swap does, step by step: exact writes, in the order that is the easiest to undo.

Kernel: Documentation/ABI/testing/sysfs-bus-pci (driver_override, unbind, drivers_probe).
``new_id`` is never used: with two identical cards it takes both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tui.model import (
    Direction,
    Gpu,
    PciFunction,
    PowerControl,
    Step,
    is_host_driver,
    is_vfio_driver,
)

VFIO = "vfio-pci"
"""The driver that a bind gives a function to; others are VFIO's too (``is_vfio_driver``)."""

NVIDIA = "10de"

DEVICES = "/sys/bus/pci/devices"
DRIVERS = "/sys/bus/pci/drivers"
PROBE = "/sys/bus/pci/drivers_probe"

OVERRIDE_S, PROBE_S, HOST_PROBE_S, NODE_S, LOAD_S, NVML_S = 5.0, 15.0, 60.0, 5.0, 30.0, 20.0
POWER_S = 10.0
"""Seconds that a step may take; a driver of the host may start its card in its probe."""

UNBIND_S = {"03": 60.0, "0403": 10.0}
"""Seconds for an unbind by the class of the function, its longest known prefix first."""

OTHER_UNBIND_S = 300.0
"""USB and UCSI functions may take minutes."""

CLEAR = "\n"
"""What empties driver_override."""


NO_POWER: Mapping[str, PowerControl] = {}


def steps(
    gpu: Gpu, direction: Direction, home_power: Mapping[str, PowerControl] = NO_POWER
) -> tuple[Step, ...]:
    """The steps that move ``gpu`` and its companions from where they are now. Functions
    that are there already have none. ``home_power`` is what an unbind restores."""
    return tuple(_bind(gpu) if direction == "bind" else _unbind(gpu, home_power))


def power(address: str, control: PowerControl) -> Step:
    """The write that lets a function be suspended, or not."""
    return Step("power", control, POWER_S, address, power_path(address))


def power_path(address: str) -> str:
    """kernel: Documentation/ABI/testing/sysfs-devices-power."""
    return f"{DEVICES}/{address}/power/control"


def unbind_path(driver: str) -> str:
    """Where a function is unbound from one driver, and from no other that it may be on now."""
    return f"{DRIVERS}/{driver}/unbind"


def with_host_drivers(
    steps: tuple[Step, ...], drivers: Mapping[str, str | None]
) -> tuple[Step, ...]:
    """The steps of an unbind, with the drivers that a function had on the host where they
    are known: it has to be on that one again, and on none where it had none."""
    return tuple(
        replace(step, driver=drivers[step.address], may_be_free=drivers[step.address] is None)
        if step.kind == "probe" and step.address is not None and step.address in drivers
        else step
        for step in steps
    )


def _bind(gpu: Gpu) -> Iterator[Step]:
    """Companions first and the GPU last: what may hang comes when all else has gone well. A
    function that a variant of vfio-pci has stays there: its guest may rely on that one."""
    yield Step("load", VFIO, LOAD_S)
    for function in (*gpu.companions, gpu.function):
        if not is_vfio_driver(function.driver):
            yield from _move(function, VFIO, VFIO, PROBE_S)
    group = gpu.function.iommu_group
    yield Step("node", "there", NODE_S, path=f"/dev/vfio/{group}")


def _unbind(gpu: Gpu, home_power: Mapping[str, PowerControl]) -> Iterator[Step]:
    """The host's drivers are loaded as they are at boot, unless they are: a card that was
    on vfio-pci since then may have none. Then the GPU first: a guest cannot start any more
    once it is gone. What has no driver may be half way, and is probed as well; a companion
    may have had none on the host. A stub gives up what it has, too. vfio-pci leaves
    power/control on "on", so that a card which slept when idle would not any more."""
    everything = (gpu.function, *gpu.companions)
    away = [f for f in everything if not is_host_driver(f.driver)]
    if away:
        yield Step("drivers", " ".join(f.modalias for f in away), LOAD_S)
    for function in everything:
        if function in away:
            free = function is not gpu.function
            yield from _move(function, CLEAR, None, HOST_PROBE_S, may_be_free=free)
        else:  # an override that was left behind would take it away at the next start
            path = f"{DEVICES}/{function.address}/driver_override"
            yield Step("override", CLEAR, OVERRIDE_S, function.address, path)
    for function in everything:
        if function.address in home_power:
            yield power(function.address, home_power[function.address])
    if gpu.function in away and gpu.function.vendor == NVIDIA:
        yield Step("nvml", "there", NVML_S, gpu.address)


def _move(
    function: PciFunction,
    override: str,
    driver: str | None,
    probe_s: float,
    *,
    may_be_free: bool = False,
) -> Iterator[Step]:
    address = function.address
    folder = f"{DEVICES}/{address}"
    yield Step("override", override, OVERRIDE_S, address, f"{folder}/driver_override")
    if function.driver is not None:
        limit = _unbind_s(function)
        yield Step("unbind", address, limit, address, unbind_path(function.driver))
    yield Step("probe", address, probe_s, address, PROBE, driver, may_be_free)


def _unbind_s(function: PciFunction) -> float:
    code = function.class_code
    return next((s for prefix, s in UNBIND_S.items() if code.startswith(prefix)), OTHER_UNBIND_S)
