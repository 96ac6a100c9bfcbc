"""Validates the answers of NVML's process.

Each number must be within what a card can have, else it is ``None``; each string is made safe to
draw. An answer in any other shape than ``tui.host.nvml.child`` gives is an error.
"""

from __future__ import annotations

import json

from msgspec.structs import replace

from tui.host import HostError
from tui.host.untrusted import clean
from tui.model import CardReading, GpuProcess, Metrics, NvmlReading
from tui.model.address import is_address
from tui.model.plausible import plausible, plausible_metrics

REPLY_LIMIT = 256 * 1024
"""Bytes of the longest answer that is accepted."""

MIB = 1024 * 1024
NO_PERMISSION, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND, VERSION_MISMATCH = 4, 9, 12, 18
NOT_FOUND, INSUFFICIENT_POWER, IRQ_ISSUE, GPU_IS_LOST, RESET_REQUIRED = 6, 8, 11, 15, 16
"""Errors of NVML (nvmlReturn_t)."""

_THROTTLE = {
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hw slowdown",
    0x10: "sync boost",
    0x20: "thermal",
    0x40: "hw thermal",
    0x80: "power brake",
    0x100: "display clocks",
    0x200: "board limit",
    0x400: "reliability",
}
"""nvmlClocksEventReasons. 0x1, an idle card, limits nothing."""
_IDLE = 0x1

_NOT_AVAILABLE = frozenset({(1 << 32) - 1, (1 << 64) - 1})
"""What NVML gives for a value that is not available: all ones, of 32 or 64 bits
(NVML_VALUE_NOT_AVAILABLE)."""

_FAILURES = {
    LIBRARY_NOT_FOUND: "the NVIDIA driver's library libnvidia-ml.so.1 is missing; install the "
    "package that has it (Debian libnvidia-ml1, Ubuntu libnvidia-compute-<version>, Fedora "
    "xorg-x11-drv-nvidia-cuda-libs, Arch nvidia-utils)",
    VERSION_MISMATCH: "the NVIDIA library and the loaded kernel module have different versions, "
    "as after an update; reboot, or unload and reload the nvidia modules",
    DRIVER_NOT_LOADED: "NVML finds no loaded NVIDIA driver; load the nvidia module, and check "
    "the kernel log",
    NO_PERMISSION: "no permission to open /dev/nvidiactl; run vfiotop as a user who has it",
}
_CARD_FAILURES = {
    NO_PERMISSION: "no permission to open this card; run vfiotop as a user who has it",
    NOT_FOUND: "NVML does not list this card",
    INSUFFICIENT_POWER: "the card gets too little power; check its external power cables",
    IRQ_ISSUE: "the card's interrupts do not arrive; check the kernel log",
    GPU_IS_LOST: "the card is lost: it has fallen off the bus or does not answer. Check the "
    "kernel log; a reboot may be needed",
    RESET_REQUIRED: "the card must be reset before it can be used again; reboot",
}


class Malformed(HostError):
    """An answer of a shape that NVML's process never gives."""

    def __init__(self, what: str) -> None:
        super().__init__(f"NVML's process sent an invalid answer ({what})")


class NvmlFailed(HostError):
    """NVML as a whole failed, with its own error code (nvmlReturn_t)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(_FAILURES.get(code, f"NVML failed: {clean(text)} (error {code})"))
        self.code = code


def parse_reply(line: bytes) -> tuple[NvmlReading, int]:
    """Parse one answer of ``tui.host.nvml.child``; the cards are ordered by address.

    Returns the reading, and how many NVML calls it took. Raises ``NvmlFailed`` if the answer is
    an error of NVML, ``Malformed`` if it is not an answer.
    """
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Malformed("no JSON") from error
    if not isinstance(reply, dict):
        raise Malformed("no object")
    if (failure := _failure(reply.get("error"))) is not None:
        raise NvmlFailed(*failure)
    cards = reply.get("cards")
    if not isinstance(cards, list):
        raise Malformed("no cards")
    read = sorted((_card(card) for card in cards), key=lambda card: card.address)
    asked = _number(reply.get("asked"), 1 << 20) or 0
    return NvmlReading(_string(reply.get("driver")), tuple(read)), asked


def _card(card: object) -> CardReading:
    if not isinstance(card, dict):
        raise Malformed("no card")
    address = card.get("address")
    if not isinstance(address, str) or not is_address(address):
        raise Malformed("no PCI address")
    failure = _failure(card.get("failure"))
    lost = failure is not None and failure[0] == GPU_IS_LOST
    why = _why_unread(*failure) if failure else None
    return CardReading(
        address=address,
        source="nvml",
        metrics=Metrics() if failure else _metrics(card),
        name=_string(card.get("name")),
        processes=None if failure else _processes(card),
        lost=why if lost else None,
        failed=None if lost else why,
    )


def _why_unread(code: int, text: str) -> str:
    return _CARD_FAILURES.get(code, f"NVML cannot read this card: {clean(text)}")


def _metrics(card: dict[str, object]) -> Metrics:
    def number(key: str, unit: int = 1) -> float | None:
        value = _available(card.get(key))
        return value if unit == 1 else _scaled(value, unit)

    reasons = _number(card.get("throttle"), (1 << 64) - 1)
    return plausible_metrics(
        util_pct=number("util"),
        mem_util_pct=number("mem_util"),
        mem_used_mib=number("mem_used", MIB),
        mem_total_mib=number("mem_total", MIB),
        temp_c=number("temp"),
        temp_limit_c=number("temp_limit"),
        fan_pct=number("fan"),
        power_w=number("power", 1000),
        power_limit_w=number("power_limit", 1000),
        clock_mhz=number("clock"),
        mem_clock_mhz=number("mem_clock"),
        pcie_gen=number("gen"),
        pcie_gen_max=number("gen_max"),
        pcie_width=number("width"),
        pcie_width_max=number("width_max"),
        enc_pct=number("enc"),
        dec_pct=number("dec"),
        throttle=None if reasons is None else throttle_words(reasons),
    )


def throttle_words(reasons: int) -> tuple[str, ...] | None:
    """Return what throttles a card, from the bits of nvmlClocksEventReasons.

    Empty if nothing does, ``None`` if NVML does not report it.
    """
    if reasons in _NOT_AVAILABLE:
        return None
    words = tuple(word for bit, word in _THROTTLE.items() if reasons & bit)
    unknown = reasons & ~sum(_THROTTLE) & ~_IDLE
    return (*words, "other") if unknown else words


def _processes(card: dict[str, object]) -> tuple[GpuProcess, ...] | None:
    """Return the processes by pid; one that does graphics and compute is listed once.

    Some drivers report impossible pids: those processes are only counted.
    """
    lists = [(kind, card.get(kind)) for kind in ("graphics", "compute")]
    if all(found is None for _, found in lists):
        return None
    loads = _loads(card.get("loads"))
    merged: dict[int, GpuProcess] = {}
    more = _number(card.get("unnamed"), 1 << 31) or 0
    for kind, found in lists:
        for process in _process_list(found, kind):
            pid = process.pid
            if pid is None:
                more += 1
                continue
            other = merged.get(pid)
            merged[pid] = _both(other, process) if other else process
    named = tuple(replace(merged[pid], util_pct=loads.get(pid)) for pid in sorted(merged))
    rest = f"and {more} more" if named else f"{more} not named"
    return (*named, GpuProcess(None, rest, "not listed")) if more else named


def _loads(found: object) -> dict[int, int]:
    """Return the load of each process that has a plausible one."""
    if not isinstance(found, list):
        return {}
    pairs = (entry for entry in found if isinstance(entry, list) and len(entry) == 2)
    return {
        pid: load for pid, load in pairs
        if type(pid) is int and _number(load, 100) is not None
    }  # fmt: skip


def _process_list(found: object, kind: str) -> list[GpuProcess]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise Malformed("no process list")
    return [_process(entry, kind) for entry in found]


def _process(entry: object, kind: str) -> GpuProcess:
    if not isinstance(entry, list) or len(entry) != 3:
        raise Malformed("no process")
    if type(entry[0]) is not int:
        raise Malformed("no process id")
    pid = _number(entry[0], (1 << 31) - 1, low=1)
    size = plausible("mem_used_mib", _scaled(_available(entry[1]), MIB))
    return GpuProcess(pid, _string(entry[2]) or f"process {pid}", kind, size)


def _both(one: GpuProcess, other: GpuProcess) -> GpuProcess:
    """Merge two entries of one process: each of NVML's lists reports all of its memory."""
    sizes = [size for size in (one.memory_mib, other.memory_mib) if size is not None]
    kinds = one.what if one.what == other.what else f"{one.what}, {other.what}"
    return GpuProcess(one.pid, one.name, kinds, max(sizes, default=None))


def _failure(value: object) -> tuple[int, str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise Malformed("no error code")
    code, text = value
    if type(code) is not int or not isinstance(text, str):
        raise Malformed("no error code")
    return code, text


def _number(value: object, high: int, low: int = 0) -> int | None:
    """Return ``value`` if it is a whole number from ``low`` to ``high``."""
    return value if type(value) is int and low <= value <= high else None


def _available(value: object) -> int | None:
    """Return ``value`` if it is a whole number of 64 bits and not NVML's sentinel."""
    number = _number(value, (1 << 64) - 1)
    return None if number in _NOT_AVAILABLE else number


def _scaled(value: int | None, unit: int) -> float | None:
    return None if value is None else value / unit


def _string(value: object) -> str | None:
    return (clean(value) or None) if isinstance(value, str) else None
