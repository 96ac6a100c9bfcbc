"""Plans the steps of a swap: exact writes, in the order that is the easiest to undo.

Kernel: Documentation/ABI/testing/sysfs-bus-pci (driver_override, unbind, drivers_probe).
``new_id`` is never used: with two identical cards it would take both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from tui.model import (
    NVIDIA,
    VFIO_PCI,
    Direction,
    Gpu,
    PciFunction,
    PowerControl,
    Step,
    is_host_driver,
    is_vfio_driver,
)

DEVICES = "/sys/bus/pci/devices"
DRIVERS = "/sys/bus/pci/drivers"
PROBE = "/sys/bus/pci/drivers_probe"

OVERRIDE_S, PROBE_S, HOST_PROBE_S, NODE_S, LOAD_S, NVML_S = 5.0, 15.0, 60.0, 5.0, 30.0, 20.0
POWER_S = 10.0
"""Seconds that a step may take; the probe of a host driver may initialise the card."""

UNBIND_S = {"03": 60.0, "0403": 10.0}
"""Seconds that an unbind may take, by the prefix of the function's class."""

OTHER_UNBIND_S = 300.0
"""Other classes: USB and UCSI functions may take minutes."""

CLEAR = "\n"
"""The value that clears driver_override."""


NO_POWER: Mapping[str, PowerControl] = {}


def steps(
    gpu: Gpu, direction: Direction, home_power: Mapping[str, PowerControl] = NO_POWER
) -> tuple[Step, ...]:
    """Return the steps that move ``gpu`` and its companions from where they are now.

    Functions that are already there need none. An unbind restores ``home_power``.
    """
    return tuple(_bind(gpu) if direction == "bind" else _unbind(gpu, home_power))


def power(address: str, control: PowerControl) -> Step:
    """Return the step that writes power/control: ``auto`` allows runtime suspend."""
    return Step("power", control, POWER_S, address, power_path(address))


def power_path(address: str) -> str:
    """power/control of a function (kernel: Documentation/ABI/testing/sysfs-devices-power)."""
    return f"{DEVICES}/{address}/power/control"


def unbind_path(driver: str) -> str:
    """The unbind file of one driver; a function on another driver by now stays there."""
    return f"{DRIVERS}/{driver}/unbind"


def with_host_drivers(
    steps: tuple[Step, ...], drivers: Mapping[str, str | None]
) -> tuple[Step, ...]:
    """Return the steps of an unbind with the expected host ``drivers``, if they are known.

    A function must end up on that driver, or may stay without one if it had none.
    """
    return tuple(
        replace(step, driver=drivers[step.address], may_be_free=drivers[step.address] is None)
        if step.kind == "probe" and step.address is not None and step.address in drivers
        else step
        for step in steps
    )


def _bind(gpu: Gpu) -> Iterator[Step]:
    """Move the companions first and the GPU last: the step that may hang comes after all others.

    A function on a variant of vfio-pci stays there, because its guest may rely on that.
    """
    yield Step("load", VFIO_PCI, LOAD_S)
    for function in (*gpu.companions, gpu.function):
        if not is_vfio_driver(function.driver):
            yield from _move(function, VFIO_PCI, VFIO_PCI, PROBE_S)
    group = gpu.function.iommu_group
    yield Step("node", "there", NODE_S, path=f"/dev/vfio/{group}")


def _unbind(gpu: Gpu, home_power: Mapping[str, PowerControl]) -> Iterator[Step]:
    """Move the GPU first: without it, a guest can no longer start.

    Before that, load the host's drivers as at boot: for a card on vfio-pci since boot they may
    not be loaded. A function without a driver may be left from an interrupted swap, and is probed
    as well; a companion may have had no driver on the host. A stub driver has to release its
    function, too. vfio-pci leaves power/control at "on", so a card that used to sleep when idle
    would stay awake without the last steps.
    """
    everything = (gpu.function, *gpu.companions)
    away = [f for f in everything if not is_host_driver(f.driver)]
    if away:
        yield Step("drivers", " ".join(f.modalias for f in away), LOAD_S)
    for function in everything:
        if function in away:
            free = function is not gpu.function
            yield from _move(function, CLEAR, None, HOST_PROBE_S, may_be_free=free)
        else:  # a leftover override would take the function away at the next boot
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
