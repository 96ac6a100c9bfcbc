"""nvidia-smi on this machine: what it says of each card, by our names for the metrics.

Fields: ``nvidia-smi --help-query-gpu``. Numbers keep the units of ``tui.model.Metrics``.
"""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tui.host.nvml.reply import throttle_words

SECONDS = 30.0
"""The time limit of one call: without persistence mode it may have to start every card."""

FIELDS = {
    "util_pct": "utilization.gpu", "mem_util_pct": "utilization.memory",
    "mem_used_mib": "memory.used", "mem_total_mib": "memory.total",
    "temp_c": "temperature.gpu", "fan_pct": "fan.speed",
    "power_w": "power.draw", "power_limit_w": "enforced.power.limit",
    "clock_mhz": "clocks.gr", "mem_clock_mhz": "clocks.mem",
    "pcie_gen": "pcie.link.gen.current", "pcie_gen_max": "pcie.link.gen.max",
    "pcie_width": "pcie.link.width.current", "pcie_width_max": "pcie.link.width.max",
    "enc_pct": "utilization.encoder", "dec_pct": "utilization.decoder",
    "throttle": "clocks_event_reasons.active",
}  # fmt: skip
"""The field of each metric. The temperature at which a card slows down is in the XML only."""

OLDER = {"clocks_event_reasons.active": "clocks_throttle_reasons.active"}

_UNKNOWN = re.compile(r'Field "([A-Za-z_.]+)" is not a valid field to query')
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_BUS_ID = re.compile(r"[0-9A-Fa-f]{4}([0-9A-Fa-f]{4}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])")

Value = float | tuple[str, ...] | None
Values = Mapping[str, Value]


class SmiError(Exception):
    """nvidia-smi does not run, or its output is not in the known format."""


@dataclass(frozen=True)
class Used:
    """A process on a card: its pid, ``C``, ``G`` or ``C+G``, and its MiB."""

    pid: int
    kind: str
    memory_mib: float | None


@dataclass(frozen=True)
class Details:
    """What only the XML has. ``mig`` and ``persistence`` are nvidia-smi's own words."""

    name: str = ""
    mig: str = ""
    persistence: str = ""
    slowdown_c: float | None = None
    processes: tuple[Used, ...] = field(default=())


class Smi:
    """Calls the program ``path`` with the environment ``environment``."""

    def __init__(
        self, path: str = "nvidia-smi", environment: Mapping[str, str] | None = None
    ) -> None:
        self._path = path
        self._environment = environment
        self.fields = dict(FIELDS)

    def query(self) -> dict[str, Values]:
        """What it says of each card, by address. A field that this version does not know is queried
        under its older name, or not again."""
        while True:
            words = ",".join(("pci.bus_id", *self.fields.values()))
            output, failed = self._run(f"--query-gpu={words}", "--format=csv,noheader,nounits")
            unknown = _UNKNOWN.search(output)
            if unknown is None:
                break
            self._without(unknown[1])
        rows = parse_rows(output, list(self.fields))
        if failed and not rows:
            raise SmiError(f"nvidia-smi failed: {_first_line(output)}")
        return rows

    def _without(self, unknown: str) -> None:
        metric = next((name for name, each in self.fields.items() if each == unknown), None)
        if metric is None:
            raise SmiError(f"nvidia-smi does not know its own field {unknown}")
        if unknown in OLDER:
            self.fields[metric] = OLDER[unknown]
        else:
            del self.fields[metric]

    def details(self) -> dict[str, Details]:
        """What the XML says of each card, by address."""
        output, _ = self._run("-q", "-x")
        return parse_details(output)

    def _run(self, *arguments: str) -> tuple[str, bool]:
        try:
            done = subprocess.run(
                [self._path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=SECONDS, env=self._environment, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise SmiError("nvidia-smi is not installed") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SmiError(f"nvidia-smi does not run: {error}") from error
        return done.stdout.decode(errors="replace"), done.returncode != 0


def installed(path: str) -> bool:
    """Whether a program can be run by this name."""
    import shutil

    return shutil.which(path) is not None or Path(path).is_file()


def parse_rows(output: str, metrics: Sequence[str]) -> dict[str, Values]:
    """The values of each card from rows that begin with its bus id; other lines are skipped."""
    found: dict[str, Values] = {}
    for row in output.splitlines():
        first, *rest = (part.strip() for part in row.split(","))
        address = _address(first)
        if address is not None and len(rest) == len(metrics):
            found[address] = {
                name: _value(name, text) for name, text in zip(metrics, rest, strict=True)
            }
    return found


def parse_details(output: str) -> dict[str, Details]:
    """The cards of ``nvidia-smi -q -x``. Raises ``SmiError``."""
    try:
        log = ET.fromstring(output[output.index("<") :])
    except (ValueError, ET.ParseError) as error:
        raise SmiError(f"nvidia-smi -q -x gives no XML: {_first_line(output)}") from error
    found = {}
    for gpu in log.iter("gpu"):
        address = _address(gpu.get("id", ""))
        if address is not None:
            found[address] = Details(
                gpu.findtext("product_name", ""),
                gpu.findtext("mig_mode/current_mig", ""),
                gpu.findtext("persistence_mode", ""),
                number(gpu.findtext("temperature/gpu_temp_slow_threshold", "")),
                tuple(_used(each) for each in gpu.iter("process_info")),
            )
    return found


def _used(info: ET.Element) -> Used:
    pid = number(info.findtext("pid", ""))
    return Used(int(pid or 0), info.findtext("type", ""), number(info.findtext("used_memory", "")))


def _address(bus_id: str) -> str | None:
    """``0000:01:00.0`` for ``00000000:01:00.0``."""
    found = _BUS_ID.fullmatch(bus_id)
    return found[1].lower() if found else None


def _value(name: str, text: str) -> Value:
    if name == "throttle":
        return throttle_words(int(text, 16)) if text.lower().startswith("0x") else None
    return number(text)


def number(text: str) -> float | None:
    """The number at the beginning; ``None`` for ``[N/A]`` and the like."""
    found = _NUMBER.match(text.strip())
    return float(found[0]) if found else None


def _first_line(output: str) -> str:
    return next((line.strip() for line in output.splitlines() if line.strip()), "no output")[:200]
