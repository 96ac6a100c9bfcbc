"""The NVML calls that read one device, and which errors they give.

Imports little, because the process that holds NVML loads it (``tui.host.nvml.child``).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pynvml

PROCESS_LIMIT = 256
"""Processes named in one answer, over all cards."""

UTILIZATION_WINDOW_US = 2_000_000
"""Microseconds back from now for which the samples of process utilisation are requested."""

UNSUPPORTED = frozenset(
    {
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
        pynvml.NVML_ERROR_DEPRECATED,
    }
)
CARD_IS_DOWN = frozenset({pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED})
NVML_IS_DOWN = frozenset({pynvml.NVML_ERROR_UNINITIALIZED, pynvml.NVML_ERROR_DRIVER_NOT_LOADED})

Values = dict[str, object]
"""Part of the answer for one card: numbers in NVML's own units, by our names."""

DeviceCall = Callable[[object], Values]
"""Takes the handle of a device. Raises ``pynvml.NVMLError``."""

Alternatives = tuple[DeviceCall, ...]
"""Calls for the same values, the best first: an older driver's library has only the last."""


def _number(name: str, function: str, *arguments: int) -> DeviceCall:
    """Return the call of a pynvml function that gives one number."""
    return lambda handle: {name: getattr(pynvml, function)(handle, *arguments)}


def _utilization(handle: object) -> Values:
    rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
    return {"util": rates.gpu, "mem_util": rates.memory}


def _memory(version: int | None) -> DeviceCall:
    # From version 2 on, memory that the driver reserves for itself does not count as used.
    def call(handle: object) -> Values:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle, version)
        return {"mem_used": memory.used, "mem_total": memory.total}

    return call


def _codec(name: str, function: str) -> DeviceCall:
    return lambda handle: {name: getattr(pynvml, function)(handle)[0]}


def _processes(kind: str, function: str) -> DeviceCall:
    def call(handle: object) -> Values:
        if function.endswith("_v3") and _has_longer_entries():
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        found = getattr(pynvml, function)(handle)
        return {kind: [(process.pid, process.usedGpuMemory) for process in found]}

    return call


def _has_longer_entries() -> bool:
    """Whether this is an R530 driver, whose process entries have one more field than pynvml reads.

    Those drivers have nvmlDeviceGetConfComputeMemSizeInfo and do not have
    nvmlDeviceGetRunningProcessDetailList.
    """
    return hasattr(pynvml.nvmlLib, "nvmlDeviceGetConfComputeMemSizeInfo") and not hasattr(
        pynvml.nvmlLib, "nvmlDeviceGetRunningProcessDetailList"
    )


def process_loads(handle: object) -> list[tuple[int, int]]:
    """Return the recent load of each process as (pid, percent).

    Source: nvmlDeviceGetProcessUtilization. An idle process may have no sample. An error here
    says nothing about the card, unless the card is down.
    """
    since = time.time_ns() // 1000 - UTILIZATION_WINDOW_US
    try:
        samples = pynvml.nvmlDeviceGetProcessUtilization(handle, since)
    except pynvml.NVMLError as error:
        if error.value in CARD_IS_DOWN or error.value in NVML_IS_DOWN:
            raise
        return []
    latest = {sample.pid: sample.smUtil for sample in sorted(samples, key=_time_stamp)}
    return list(latest.items())[:PROCESS_LIMIT]


def _time_stamp(sample: object) -> int:
    return int(sample.timeStamp)  # type: ignore[attr-defined]  # c_nvmlProcessUtilizationSample_t


def _name(handle: object) -> Values:
    return {"name": decoded(lambda: pynvml.nvmlDeviceGetName(handle))}


def decoded(call: Callable[[], str]) -> str:
    """Return what ``call`` returns, even if pynvml cannot decode the library's bytes."""
    try:
        return call()
    except UnicodeDecodeError as error:
        return error.object.decode(errors="replace")


FIXED: tuple[Alternatives, ...] = (
    (_name,),
    (_number("gen_max", "nvmlDeviceGetMaxPcieLinkGeneration"),),
    (_number("width_max", "nvmlDeviceGetMaxPcieLinkWidth"),),
    (
        _number(
            "temp_limit",
            "nvmlDeviceGetTemperatureThreshold",
            pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN,
        ),
    ),
)
"""Like ``CHANGING``, for values that stay the same while the card is there."""

CHANGING: tuple[Alternatives, ...] = (
    (_utilization,),
    (_memory(pynvml.nvmlMemory_v2), _memory(None)),
    (
        _number("temp", "nvmlDeviceGetTemperatureV", pynvml.NVML_TEMPERATURE_GPU),
        _number("temp", "nvmlDeviceGetTemperature", pynvml.NVML_TEMPERATURE_GPU),
    ),
    (_number("fan", "nvmlDeviceGetFanSpeed"),),
    (_number("power", "nvmlDeviceGetPowerUsage"),),
    (_number("power_limit", "nvmlDeviceGetEnforcedPowerLimit"),),
    (_number("clock", "nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_GRAPHICS),),
    (_number("mem_clock", "nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_MEM),),
    (_number("gen", "nvmlDeviceGetCurrPcieLinkGeneration"),),
    (_number("width", "nvmlDeviceGetCurrPcieLinkWidth"),),
    (_codec("enc", "nvmlDeviceGetEncoderUtilization"),),
    (_codec("dec", "nvmlDeviceGetDecoderUtilization"),),
    (
        _number("throttle", "nvmlDeviceGetCurrentClocksEventReasons"),
        _number("throttle", "nvmlDeviceGetCurrentClocksThrottleReasons"),
    ),
    (
        _processes("graphics", "nvmlDeviceGetGraphicsRunningProcesses_v3"),
        _processes("graphics", "nvmlDeviceGetGraphicsRunningProcesses_v2"),
    ),
    (
        _processes("compute", "nvmlDeviceGetComputeRunningProcesses_v3"),
        _processes("compute", "nvmlDeviceGetComputeRunningProcesses_v2"),
    ),
)
"""The calls for each metric.

PCIe throughput is left out: its call takes 20 ms or more to measure.
"""
