"""NVML itself, and the cards that are read through it.

Imports little, because the process that holds NVML loads it (``tui.host.nvml.child``).
"""

from __future__ import annotations

from collections.abc import Callable

import pynvml

from tui.host.nvml.device_calls import (
    CARD_IS_DOWN,
    CHANGING,
    FIXED,
    NVML_IS_DOWN,
    PROCESS_LIMIT,
    UNSUPPORTED,
    Alternatives,
    Values,
    decoded,
    process_loads,
)

RETRY_UNSUPPORTED = 60
"""Readings to skip before asking a card again for a value that it does not support."""

RETRY_FAILED = 20
"""Readings after which NVML is initialised again, to read a card that failed."""

ExitIfCardLeaves = Callable[[], None]
"""Ends this process when a card is leaving its driver or a swap has begun; else returns."""


class Card:
    """One card: its handle, the values it does not support, and how many calls were made."""

    def __init__(self, address: str, exit_if_card_leaves: ExitIfCardLeaves) -> None:
        self.address = address
        self._exit_if_card_leaves = exit_if_card_leaves
        self.failure: tuple[int, str] | None = None
        self.call_count = 0
        self._handle: object = None
        self._fixed: dict[Alternatives, Values] = {}
        self._working: dict[Alternatives, int] = {}
        self._skip: dict[Alternatives, int] = {}
        self._value_error: pynvml.NVMLError | None = None

    def forget(self) -> None:
        """Drop the handle, which is not valid after nvmlShutdown."""
        self._handle = None
        self.failure = None

    def read(self) -> Values:
        """Read every value that the card gives. Sets ``failure`` if it gives none.

        Raises ``NVMLError`` if NVML as a whole is down.
        """
        self._value_error = None
        values: Values = {}
        try:
            # Do not request a failed handle again until NVML is reinitialised: the driver would
            # try to start the card each time.
            if self._handle is None and self.failure is None:
                self.call_count += 1
                self._exit_if_card_leaves()
                self._handle = pynvml.nvmlDeviceGetHandleByPciBusId(self.address)
                self._exit_if_card_leaves()
            if self._handle is not None:
                values = self._read_device(self._handle)
        except pynvml.NVMLError as error:
            if error.value in NVML_IS_DOWN:
                raise
            self.failure = describe(error)
        for fixed in self._fixed.values():
            values.update(fixed)
        return {"address": self.address, "failure": self.failure, **values}

    def _read_device(self, handle: object) -> Values:
        for calls in FIXED:
            if calls not in self._fixed and (fixed := self._read_all((calls,))):
                self._fixed[calls] = fixed
        values = self._read_all(CHANGING)
        if values.get("graphics") or values.get("compute"):
            self.call_count += 1
            values["loads"] = process_loads(handle)
        error = self._value_error
        self.failure = describe(error) if error is not None and not values else None
        return values

    def _read_all(self, metrics: tuple[Alternatives, ...]) -> Values:
        values: Values = {}
        for calls in metrics:
            skip = self._skip.get(calls, 0)
            if skip:
                self._skip[calls] = skip - 1
            else:
                values.update(self._read_first(calls))
        return values

    def _read_first(self, calls: Alternatives) -> Values:
        """Return what the first supported call gives, and remember which one that is."""
        for index in range(self._working.get(calls, 0), len(calls)):
            self.call_count += 1
            try:
                values = calls[index](self._handle)
            except pynvml.NVMLError as error:
                if error.value in CARD_IS_DOWN or error.value in NVML_IS_DOWN:
                    raise
                if error.value not in UNSUPPORTED:
                    self._value_error = error
                    return {}
            else:
                self._working[calls] = index
                return values
        self._working.pop(calls, None)
        self._skip[calls] = RETRY_UNSUPPORTED
        return {}


class Reader:
    """Initialises NVML and reads the cards at ``addresses``."""

    def __init__(self, addresses: list[str], exit_if_card_leaves: ExitIfCardLeaves) -> None:
        self._cards = [Card(address, exit_if_card_leaves) for address in addresses]
        self._exit_if_card_leaves = exit_if_card_leaves
        self._driver = ""
        self._is_up = False
        self._readings = 0
        self._call_count = 0

    def read(self) -> Values:
        """Read all cards once. Raises ``NVMLError`` if NVML as a whole fails."""
        self._readings += 1
        if self._readings % RETRY_FAILED == 0 and any(card.failure for card in self._cards):
            self._shut_down()
        if not self._is_up:
            self._initialize()
        cards = [card.read() for card in self._cards]
        _name_processes(cards)
        return {"driver": self._driver, "cards": cards, "asked": self._calls_since_last()}

    def _calls_since_last(self) -> int:
        """Return the number of NVML calls since this was last called."""
        calls, self._call_count = self._call_count + sum(c.call_count for c in self._cards), 0
        for card in self._cards:
            card.call_count = 0
        return calls

    def _initialize(self) -> None:
        # Check before a node is opened and again after it: a swap that begins in between may
        # have looked for holders while there was none.
        self._exit_if_card_leaves()
        pynvml.nvmlInitWithFlags(pynvml.NVML_INIT_FLAG_NO_GPUS)
        self._exit_if_card_leaves()
        self._is_up = True
        self._call_count += 2
        self._driver = decoded(pynvml.nvmlSystemGetDriverVersion)

    def _shut_down(self) -> None:
        self._is_up = False
        for card in self._cards:
            card.forget()
        pynvml.nvmlShutdown()


def _name_processes(cards: list[Values]) -> None:
    """Add its name to each (pid, bytes) of the process lists, and bound the lists.

    ``unnamed`` counts the processes over the limit.
    """
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
    """Read /proc/PID/comm (proc_pid_comm(5)); ``None`` if the process has ended."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:  # noqa: PTH123 - pathlib loads slowly
            return file.read(64).decode(errors="replace")
    except OSError:
        return None


def describe(error: pynvml.NVMLError) -> tuple[int, str]:
    """Return NVML's code (nvmlReturn_t) and text of an error."""
    return error.value, decoded(lambda: str(error))
