"""The process that holds NVML, so that nothing else of vfiotop does.

Its exit is what closes ``/dev/nvidia*``, and it may be killed at any time. It loads
pynvml and the smallest of the standard library. ``tui.host.nvml.source`` starts it as

    python -I -S child.py FOLDER-OF-PYNVML FOLDER-OF-DRIVER JOURNAL MARK ADDRESS...

and writes one byte for each reading it wants; the answer is one line of JSON, in
NVML's own units, judged by ``tui.host.nvml.reply``. It touches only the cards named
(NVML initialises a card when its handle is asked for, so that others may sleep). It
ends when its stdin does, and by itself as soon as a card is being unbound, or the JOURNAL of
swaps is another one than its MARK says: a swap waits for it, also where nobody is there to
ask for a reading or to kill it, as when its screen is stopped.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable

if len(sys.argv) > 1:
    sys.path.append(sys.argv[1])

import pynvml

CARD_LEFT = 3
"""The exit status after a card has left the driver, or is about to."""

LOOK = 250
"""Milliseconds between two looks at whether a card leaves."""

ANSWER_LIMIT = 30
"""Seconds after which a reading ends this process, should the parent be gone by then."""

ASK_AGAIN = 60
"""Readings that go by before a card is asked again for what it does not support."""

FIND_AGAIN = 20
"""Readings that go by before NVML is set up afresh to find a lost card again."""

LOADS_OF_US = 2_000_000
"""Microseconds that the loads of processes are of."""

PROCESS_LIMIT = 256
"""Processes that are named in one answer, over all cards."""

UNSUPPORTED = frozenset(
    {
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
        pynvml.NVML_ERROR_DEPRECATED,
    }
)
LOST = frozenset({pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED})
NVML_IS_DOWN = frozenset({pynvml.NVML_ERROR_UNINITIALIZED, pynvml.NVML_ERROR_DRIVER_NOT_LOADED})

Values = dict[str, object]
Call = Callable[[object], Values]


def _one(name: str, function: str, *arguments: int) -> Call:
    """The call of a pynvml function that gives one number."""
    return lambda handle: {name: getattr(pynvml, function)(handle, *arguments)}


def _utilisation(handle: object) -> Values:
    rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
    return {"util": rates.gpu, "mem_util": rates.memory}


def _memory(version: int | None) -> Call:
    # From version 2 on, what the driver reserves for itself is not counted as used.
    def call(handle: object) -> Values:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle, version)
        return {"mem_used": memory.used, "mem_total": memory.total}

    return call


def _codec(name: str, function: str) -> Call:
    return lambda handle: {name: getattr(pynvml, function)(handle)[0]}


def _processes(kind: str, function: str) -> Call:
    def call(handle: object) -> Values:
        if function.endswith("_v3") and _entries_are_longer():
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        found = getattr(pynvml, function)(handle)
        return {kind: [(process.pid, process.usedGpuMemory) for process in found]}

    return call


def _loads(handle: object) -> list[tuple[int, int]]:
    """The load of each process in percent, of late, where the driver tells: (pid, percent).
    Of a process that does nothing there may be no sample. An error here is none of the card's,
    unless it is lost."""
    since = time.time_ns() // 1000 - LOADS_OF_US
    try:
        samples = pynvml.nvmlDeviceGetProcessUtilization(handle, since)
    except pynvml.NVMLError as error:
        if error.value in LOST or error.value in NVML_IS_DOWN:
            raise
        return []
    latest = {sample.pid: sample.smUtil for sample in sorted(samples, key=_taken_at)}
    return list(latest.items())[:PROCESS_LIMIT]


def _taken_at(sample: object) -> int:
    return int(sample.timeStamp)  # type: ignore[attr-defined]  # c_nvmlProcessUtilizationSample_t


def _entries_are_longer() -> bool:
    """Whether this is one of the R530 drivers, whose process entries have one field more
    than pynvml reads. They have the one function, and not the other one."""
    return hasattr(pynvml.nvmlLib, "nvmlDeviceGetConfComputeMemSizeInfo") and not hasattr(
        pynvml.nvmlLib, "nvmlDeviceGetRunningProcessDetailList"
    )


def _name(handle: object) -> Values:
    return {"name": _text(lambda: pynvml.nvmlDeviceGetName(handle))}


def _text(call: Callable[[], str]) -> str:
    """What ``call`` gives, also where pynvml cannot decode the bytes of the library."""
    try:
        return call()
    except UnicodeDecodeError as error:
        return error.object.decode(errors="replace")


FIXED: tuple[tuple[Call, ...], ...] = (
    (_name,),
    (_one("gen_max", "nvmlDeviceGetMaxPcieLinkGeneration"),),
    (_one("width_max", "nvmlDeviceGetMaxPcieLinkWidth"),),
)
"""Like ``CHANGING``, for what is the same as long as the card is there."""

CHANGING: tuple[tuple[Call, ...], ...] = (
    (_utilisation,),
    (_memory(pynvml.nvmlMemory_v2), _memory(None)),
    (
        _one("temp", "nvmlDeviceGetTemperatureV", pynvml.NVML_TEMPERATURE_GPU),
        _one("temp", "nvmlDeviceGetTemperature", pynvml.NVML_TEMPERATURE_GPU),
    ),
    (_one("fan", "nvmlDeviceGetFanSpeed"),),
    (_one("power", "nvmlDeviceGetPowerUsage"),),
    (_one("power_limit", "nvmlDeviceGetEnforcedPowerLimit"),),
    (_one("clock", "nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_GRAPHICS),),
    (_one("mem_clock", "nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_MEM),),
    (_one("gen", "nvmlDeviceGetCurrPcieLinkGeneration"),),
    (_one("width", "nvmlDeviceGetCurrPcieLinkWidth"),),
    (_codec("enc", "nvmlDeviceGetEncoderUtilization"),),
    (_codec("dec", "nvmlDeviceGetDecoderUtilization"),),
    (
        _one("throttle", "nvmlDeviceGetCurrentClocksEventReasons"),
        _one("throttle", "nvmlDeviceGetCurrentClocksThrottleReasons"),
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
"""For each metric its calls, the best first; an older driver's library has only the last.

PCIe throughput is not among them: its call measures for 20 ms and more."""


class Card:
    """A card, its handle, and what it is known not to support. ``asked`` counts the calls;
    ``leave`` ends the process where a card leaves."""

    def __init__(self, address: str, leave: Callable[[], None]) -> None:
        self.address = address
        self._leave = leave
        self.lost: tuple[int, str] | None = None
        self.asked = 0
        self._handle: object = None
        self._kept: dict[tuple[Call, ...], Values] = {}
        self._call: dict[tuple[Call, ...], int] = {}
        self._skip: dict[tuple[Call, ...], int] = {}
        self._failed: pynvml.NVMLError | None = None

    def forget(self) -> None:
        self._handle = None

    def read(self) -> Values:
        """Every value the card gives. Sets ``lost`` where it gives none any more."""
        self._failed = None
        values: Values = {}
        try:
            # The handle of a lost card is not asked for again before NVML is set up
            # afresh: each time the driver would try to start the card.
            if self._handle is None and self.lost is None:
                self.asked += 1
                self._leave()
                self._handle = pynvml.nvmlDeviceGetHandleByPciBusId(self.address)
                self._leave()
            if self._handle is not None:
                self._keep()
                values = self._all(CHANGING)
                if values.get("graphics") or values.get("compute"):
                    self.asked += 1
                    values["loads"] = _loads(self._handle)
                failed = self._failed
                self.lost = _why(failed) if failed is not None and not values else None
        except pynvml.NVMLError as error:
            if error.value in NVML_IS_DOWN:
                raise
            self.lost = _why(error)
        for kept in self._kept.values():
            values.update(kept)
        return {"address": self.address, "lost": self.lost, **values}

    def _keep(self) -> None:
        for calls in FIXED:
            if calls not in self._kept and (values := self._all((calls,))):
                self._kept[calls] = values

    def _all(self, metrics: tuple[tuple[Call, ...], ...]) -> Values:
        values: Values = {}
        for calls in metrics:
            skip = self._skip.get(calls, 0)
            if skip:
                self._skip[calls] = skip - 1
            else:
                values.update(self._first(calls))
        return values

    def _first(self, calls: tuple[Call, ...]) -> Values:
        """What the first supported one of ``calls`` gives, and remembers which that is."""
        for index in range(self._call.get(calls, 0), len(calls)):
            self.asked += 1
            try:
                values = calls[index](self._handle)
            except pynvml.NVMLError as error:
                if error.value in LOST or error.value in NVML_IS_DOWN:
                    raise
                if error.value not in UNSUPPORTED:
                    self._failed = error
                    return {}
            else:
                self._call[calls] = index
                return values
        self._call.pop(calls, None)
        self._skip[calls] = ASK_AGAIN
        return {}


class Reader:
    """NVML, once it is set up, and the cards that are read through it. ``leave`` as above."""

    def __init__(self, addresses: list[str], leave: Callable[[], None]) -> None:
        self._cards = [Card(address, leave) for address in addresses]
        self._leave = leave
        self._driver = ""
        self._up = False
        self._readings = 0
        self._asked = 0

    def read(self) -> Values:
        """One reading of all cards. Raises NVMLError where NVML as a whole fails."""
        self._readings += 1
        if self._readings % FIND_AGAIN == 0 and any(card.lost for card in self._cards):
            self._take_down()
        if not self._up:
            self._set_up()
        cards = [card.read() for card in self._cards]
        _name_processes(cards)
        return {"driver": self._driver, "cards": cards, "asked": self._count()}

    def _count(self) -> int:
        """The calls since it was counted last."""
        asked, self._asked = self._asked + sum(card.asked for card in self._cards), 0
        for card in self._cards:
            card.asked = 0
        return asked

    def _set_up(self) -> None:
        # Once before a node is opened, and once after it: a swap that begins in between
        # may have looked for holders while there was none.
        self._leave()
        pynvml.nvmlInitWithFlags(pynvml.NVML_INIT_FLAG_NO_GPUS)
        self._leave()
        self._up = True
        self._asked += 2
        self._driver = _text(pynvml.nvmlSystemGetDriverVersion)

    def _take_down(self) -> None:
        self._up = False
        for card in self._cards:
            card.forget()
            card.lost = None
        pynvml.nvmlShutdown()


def _name_processes(cards: list[Values]) -> None:
    """Give each (pid, bytes) of the process lists its name, and bound the lists: what
    is over the limit is counted in ``unnamed``."""
    room = PROCESS_LIMIT
    for card in cards:
        unnamed = 0
        for kind in ("graphics", "compute"):
            found = card.get(kind)
            if isinstance(found, list):
                card[kind] = [(pid, size, _process_name(pid)) for pid, size in found[:room]]
                unnamed += max(0, len(found) - room)
                room = max(0, room - len(found))
        card["unnamed"] = unnamed


def _process_name(pid: int) -> str | None:
    """/proc/PID/comm (proc_pid_comm(5)); None where the process has ended."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:  # noqa: PTH123
            return file.read(64).decode(errors="replace")
    except OSError:
        return None


def _why(error: pynvml.NVMLError) -> tuple[int, str]:
    return error.value, _text(lambda: str(error))


def _mark(path: str) -> str:
    """What changes whenever the journal is replaced (``Journal.version``)."""
    try:
        status = os.lstat(path)
    except OSError:
        return "-"
    return f"{status.st_ino}:{status.st_mtime_ns}"


def _leaver(links: list[str], journal: str, mark: str) -> Callable[[], None]:
    """What ends the process where one of the ``links`` to the cards is gone, for the driver's
    remove callback waits for us, or where the journal is another one."""

    def leave() -> None:
        if _mark(journal) != mark or not all(os.path.lexists(link) for link in links):
            os._exit(CARD_LEFT)  # past NVML's own clean-up, which may hang

    return leave


def _asked(leave: Callable[[], None]) -> bool:
    """Wait until a reading is wanted, or it is time to ``leave``; False where stdin has
    ended."""
    poller = select.poll()
    poller.register(0, select.POLLIN)
    while not poller.poll(LOOK):
        leave()
    return bool(os.read(0, 64))


def main() -> None:
    """Answer each byte on stdin with a line, until stdin ends."""
    # A library that prints must not garble the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    folder, journal, mark, addresses = sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
    leave = _leaver([f"{folder}/{address}" for address in addresses], journal, mark)
    reader = Reader(addresses, leave)
    while _asked(leave):
        leave()
        # Nobody can end a reading that hangs once the parent has died, nor an answer that
        # nobody takes; the alarm does.
        signal.alarm(ANSWER_LIMIT)
        try:
            answer = reader.read()
        except pynvml.NVMLError as error:
            answer = {"error": _why(error)}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
        signal.alarm(0)
        if "error" in answer:
            break
    # Past NVML's own clean-up, which may hang: the kernel closes what is open.
    os._exit(0)


if __name__ == "__main__":
    main()
