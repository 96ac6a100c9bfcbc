"""Stands in for nvidia-smi on the stand-in for NVML: ``python smi_stand_in.py PYNVML ...``.

It answers ``--query-gpu`` and ``-q -x`` as nvidia-smi does. In the file that
``VFIOTOP_STANDIN_SMI`` names, a line ``FIELD TEXT`` replaces a value of the library; with ``-`` as
TEXT, the field is unknown to it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(sys.argv[1])

import pynvml as nvml

MIB = 1 << 20

FIELDS: dict[str, Callable[[Any], object]] = {
    "utilization.gpu": lambda card: nvml.nvmlDeviceGetUtilizationRates(card).gpu,
    "utilization.memory": lambda card: nvml.nvmlDeviceGetUtilizationRates(card).memory,
    "memory.used": lambda card: nvml.nvmlDeviceGetMemoryInfo(card, nvml.nvmlMemory_v2).used // MIB,
    "memory.total": lambda card: nvml.nvmlDeviceGetMemoryInfo(card).total // MIB,
    "temperature.gpu": lambda card: nvml.nvmlDeviceGetTemperature(card, 0),
    "fan.speed": nvml.nvmlDeviceGetFanSpeed,
    "power.draw": lambda card: f"{nvml.nvmlDeviceGetPowerUsage(card) / 1000:.2f}",
    "enforced.power.limit": lambda card: f"{nvml.nvmlDeviceGetEnforcedPowerLimit(card) / 1000:.2f}",
    "clocks.gr": lambda card: nvml.nvmlDeviceGetClockInfo(card, nvml.NVML_CLOCK_GRAPHICS),
    "clocks.mem": lambda card: nvml.nvmlDeviceGetClockInfo(card, nvml.NVML_CLOCK_MEM),
    "pcie.link.gen.current": nvml.nvmlDeviceGetCurrPcieLinkGeneration,
    "pcie.link.gen.max": nvml.nvmlDeviceGetMaxPcieLinkGeneration,
    "pcie.link.width.current": nvml.nvmlDeviceGetCurrPcieLinkWidth,
    "pcie.link.width.max": nvml.nvmlDeviceGetMaxPcieLinkWidth,
    "utilization.encoder": lambda card: nvml.nvmlDeviceGetEncoderUtilization(card)[0],
    "utilization.decoder": lambda card: nvml.nvmlDeviceGetDecoderUtilization(card)[0],
    "clocks_event_reasons.active": lambda card: (
        f"0x{nvml.nvmlDeviceGetCurrentClocksEventReasons(card):016x}"
    ),
    "clocks_throttle_reasons.active": lambda card: (
        f"0x{nvml.nvmlDeviceGetCurrentClocksEventReasons(card):016x}"
    ),
}


def value(card: Any, field: str, told: dict[str, str]) -> str:
    if field in told:
        return told[field]
    try:
        return str(FIELDS[field](card))
    except nvml.NVMLError:
        return "[N/A]"


def xml(cards: list[Any], told: dict[str, str]) -> str:
    parts = ['<?xml version="1.0" ?>', "<nvidia_smi_log>"]
    for card in cards:
        parts.append(f'<gpu id="{nvml.nvmlDeviceGetPciInfo(card).busId}">')
        parts.append(f"<product_name>{nvml.nvmlDeviceGetName(card)}</product_name>")
        parts.append(f"<mig_mode><current_mig>{told.get('mig', 'N/A')}</current_mig></mig_mode>")
        limit = nvml.nvmlDeviceGetTemperatureThreshold(
            card, nvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
        )
        parts.append(f"<temperature><gpu_temp_slow_threshold>{limit} C</gpu_temp_slow_threshold>")
        parts.append("</temperature><processes>")
        for kind, call in (
            ("G", nvml.nvmlDeviceGetGraphicsRunningProcesses),
            ("C", nvml.nvmlDeviceGetComputeRunningProcesses),
        ):
            for each in call(card):
                parts.append(
                    f"<process_info><pid>{each.pid}</pid><type>{kind}</type><process_name>x"
                    f"</process_name><used_memory>{each.usedGpuMemory // MIB} MiB</used_memory>"
                    "</process_info>"
                )
        parts.append("</processes></gpu>")
    return "\n".join([*parts, "</nvidia_smi_log>"])


def main() -> int:
    lines = Path(os.environ["VFIOTOP_STANDIN_SMI"]).read_text().splitlines()
    told = dict(line.split(" ", 1) for line in lines)
    nvml.nvmlInit()
    cards = []
    for number in range(nvml.nvmlDeviceGetCount()):
        try:
            cards.append(nvml.nvmlDeviceGetHandleByIndex(number))
        except nvml.NVMLError as error:
            if "-x" not in sys.argv:
                print(f"Unable to determine the device handle for GPU{number}: {error}")
    if "-x" in sys.argv:
        print(xml(cards, told))
        return 0
    query = next(word for word in sys.argv if word.startswith("--query-gpu="))
    fields = query.partition("=")[2].split(",")
    for field in fields:
        if told.get(field) == "-":
            print(f'Field "{field}" is not a valid field to query.\n')
            return 2
    for card in cards:
        bus_id = nvml.nvmlDeviceGetPciInfo(card).busId
        print(", ".join([bus_id, *(value(card, field, told) for field in fields[1:])]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
