"""The DRM clients of the cards, read again and again.

To look through all processes costs too much for every second: it is done every ``LOOK_EVERY``
seconds and when other cards can be read, and what was found is read on each tick. So a
client counts from its second sample on, at most that long after it was opened.

Files are read of cards that are awake only: xe wakes a card to tell of its clients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tui.host.drm import fdinfo
from tui.host.drm.fdinfo import Client, LoadMeter
from tui.host.drm.files import OpenFile, OpenFiles, find_open_files
from tui.host.drm.usage import CardUse, ClientUse, card_use
from tui.host.sysfs import read_file
from tui.host.tree import Tree
from tui.host.untrusted import clean

SCAN_INTERVAL = 10.0
"""Seconds from one look through all processes to the next."""

FDINFO_LIMIT = 16 * 1024
"""Bytes of a file of fdinfo; a client of xe has about 2 KiB."""

ClientKey = tuple[str, int]
"""A client: the address of its card, its id."""


class _Closed(Exception):
    """The file is not open any more, or is another one now."""


@dataclass(slots=True)
class _Known:
    """A client that is read: through which file, and the name of its process."""

    file: OpenFile
    meter: LoadMeter
    name: str = ""


class Clients:
    """The clients below ``proc``; ``clock`` gives monotonic seconds."""

    def __init__(self, proc: Path, clock: Callable[[], float]) -> None:
        self._proc = proc
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Begin anew, as when no card is read."""
        self._looked_at = float("-inf")
        self._looked_for: frozenset[str] = frozenset()
        self._found: OpenFiles | None = None
        self._known: dict[ClientKey, _Known] = {}
        self._untold: dict[OpenFile, str] = {}

    def read(self, cards: Mapping[str, Tree]) -> dict[str, CardUse]:
        """The use of the cards, all of them awake, of which ``cards`` gives the directory by
        address."""
        now = self._clock()
        if self._looked_for != cards.keys() or not 0 <= now - self._looked_at < SCAN_INTERVAL:
            self._look(cards)
            self._looked_at, self._looked_for = now, frozenset(cards)
        else:
            self._read_again()
        return {address: self._use(address) for address in cards}

    def _use(self, address: str) -> CardUse:
        if self._found is None or address in self._found.unknown:
            return CardUse()
        clients = [
            ClientUse(known.file.pid, known.name, known.meter.latest, known.meter.loads)
            for (card, _), known in self._known.items()
            if card == address
        ]
        untold = {file.pid: name for file, name in self._untold.items() if file.address == address}
        return card_use(clients, untold, self._found.unseen, self._found.hidden)

    def _look(self, cards: Mapping[str, Tree]) -> None:
        """Find all clients, each once: one that is open in several processes is of the
        youngest, for session managers open cards on behalf of those that they start."""
        self._found = find_open_files(self._proc, cards)
        before, self._known, self._untold = self._known, {}, {}
        for file in self._found.files if self._found else ():
            try:
                client = self._sample(file)
            except _Closed:
                continue
            if client is None:
                self._untold[file] = self._name(file.pid)
                continue
            key = file.address, client.id
            if key not in self._known:
                self._known[key] = before.get(key) or _Known(file, LoadMeter(client))
                self._known[key].meter.read(client)
            self._known[key].file = file
        for known in self._known.values():
            known.name = self._name(known.file.pid)

    def _read_again(self) -> None:
        for key, known in list(self._known.items()):
            try:
                client = self._sample(known.file)
            except _Closed:
                client = None
            if client is None or client.id != key[1]:
                del self._known[key]
            else:
                known.meter.read(client)

    def _sample(self, file: OpenFile) -> Client | None:
        """What a file tells of a client; ``None`` where it cannot be read, or its client
        cannot be told from others. Raises ``_Closed``."""
        try:
            data = read_file(file.path, FDINFO_LIMIT)
        except ProcessLookupError:
            data = None
        except OSError:
            return None
        if data is None:
            raise _Closed
        client = fdinfo.parse(data, self._clock())
        if client is not None and client.address not in (None, file.address):
            raise _Closed
        return client

    def _name(self, pid: int) -> str:
        """/proc/<pid>/comm (proc_pid_comm(5))."""
        try:
            data = read_file(f"{self._proc}/{pid}/comm", 256) or b""
        except OSError:
            data = b""
        return clean(data.decode("utf-8", "replace")) or f"process {pid}"
