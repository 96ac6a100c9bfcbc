"""The DRM clients of the cards, read again and again.

Scanning all processes costs too much for every second. It is done every ``SCAN_INTERVAL`` seconds
and when the set of readable cards changes; each tick reads the clients found last. So a client
counts from its second sample on, at most that long after it was opened.

Only files of cards that are awake are read: xe wakes a card to report on its clients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from tui.host.drm import fdinfo
from tui.host.drm.fdinfo import Client, LoadMeter
from tui.host.drm.files import FilesByProcess, OpenFile, find_open_files
from tui.host.drm.usage import CardUse, ClientUse, card_use
from tui.host.sysfs import read_file
from tui.host.tree import Tree
from tui.host.untrusted import clean

SCAN_INTERVAL = 10.0
"""Seconds from one scan of all processes to the next."""

FDINFO_LIMIT = 16 * 1024
"""Bytes of a file of fdinfo; a client of xe has about 2 KiB."""

ClientKey = tuple[str, int]
"""Identifies a client: the address of its card, its id."""


class _Closed(Exception):
    """The file is no longer open, or its number now belongs to another file."""


class _Known(Struct):
    """A client that is being read: the file it is read through, and the name of its process."""

    file: OpenFile
    meter: LoadMeter
    name: str = ""


class Clients:
    """The clients found below ``proc``. ``clock`` gives monotonic seconds."""

    def __init__(self, proc: Path, clock: Callable[[], float]) -> None:
        self._proc = proc
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Start over, as when no card is read."""
        self._found_at = float("-inf")
        self._found_for: frozenset[str] = frozenset()
        self._found: FilesByProcess | None = None
        self._known: dict[ClientKey, _Known] = {}
        self._unreported: dict[OpenFile, str] = {}

    def read(self, cards: Mapping[str, Tree]) -> dict[str, CardUse]:
        """Return how the cards are used. ``cards`` are the directories by address; all must be
        awake."""
        now = self._clock()
        if self._found_for != cards.keys() or not 0 <= now - self._found_at < SCAN_INTERVAL:
            self._find(cards)
            self._found_at, self._found_for = now, frozenset(cards)
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
        unreported = {
            file.pid: name for file, name in self._unreported.items() if file.address == address
        }
        return card_use(clients, unreported, self._found.unseen, self._found.hidden)

    def _find(self, cards: Mapping[str, Tree]) -> None:
        """Find all clients, each once.

        A client that is open in several processes belongs to the youngest: session managers open
        cards on behalf of the programs that they start.
        """
        self._found = find_open_files(self._proc, cards)
        before, self._known, self._unreported = self._known, {}, {}
        for file in self._found.files if self._found else ():
            try:
                client = self._sample(file)
            except _Closed:
                continue
            if client is None:
                self._unreported[file] = self._name(file.pid)
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
        """Read a client's file.

        ``None`` if it cannot be read, or its client cannot be told from others. Raises
        ``_Closed``.
        """
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
        """Read /proc/<pid>/comm (proc_pid_comm(5))."""
        try:
            data = read_file(f"{self._proc}/{pid}/comm", 256) or b""
        except OSError:
            data = b""
        return clean(data.decode("utf-8", "replace")) or f"process {pid}"
