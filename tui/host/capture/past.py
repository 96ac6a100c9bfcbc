"""The history of the watch in a capture: the entries of its files, with stand-ins in them.

Measured values stay. Redacted are the UUIDs of domains and boots, and the words of events, which
are free text: names of guests and of USB devices, paths, and whatever a message quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Sized

from msgspec.structs import replace

from tui.host.capture.standins import StandIns
from tui.host.capture.words import without_secrets
from tui.host.history.entry import Block, Entry, StoredEvent, StoredSwap, encoded
from tui.host.history.folder import DISK, MEMORY, ON_DISK, segment_name
from tui.host.history.frames import MAGIC, framed
from tui.host.history.reader import stored
from tui.host.history.recording import FOLDER, entries_in
from tui.host.run_folder import RunFolder
from tui.host.tree import Tree
from tui.model import SYSTEM_URI, listed
from tui.model.address import is_address
from tui.model.bounded import TEXT_LIMIT

LIMIT = 4 << 20
"""Bytes of all entries together: four times what a day takes. Beyond it, the newest stay."""

_PORT = re.compile(r"[0-9]+-[0-9]+(?:\.[0-9]+)*")
_NAMED = re.compile(r"\b(?:in use by|released by|renamed from) (.+)|“([^”]+)”")
"""Matches the name of a guest in a text; the guest may be gone by now."""

_OTHER = r"/(?!(?:sys|proc|etc|usr)/|run/(?!media/|user/)|dev/(?:vfio|nvidia|dri|kvm))"
_PLACE = re.compile(
    r"[A-Za-z+]+://[^\s'\"“”`)]*(?<![.,:;])"
    rf"|(?<=['\"“]){_OTHER}[^'\"”]+|(?<![\w./]){_OTHER}[^\s,;:'\"“”`)]+"
)
"""URIs, and paths that are not the same on every system."""

_CUT = "…"


def history(source: Tree) -> list[Entry]:
    """Return the entries of the history of a host, the oldest first; none if it has none.
    Raises ``OSError`` and ``HostError``."""
    if not source.is_copied:
        return stored(RunFolder(DISK), RunFolder(MEMORY))
    try:
        return entries_in(source / FOLDER)
    except FileNotFoundError:
        return []


def newest(entries: Sequence[Entry]) -> list[Entry]:
    """Return the newest entries within ``LIMIT``, the oldest first."""
    found, left = list[Entry](), LIMIT
    for entry in reversed(entries):
        left -= len(framed(encoded(entry)))
        if left < 0:
            break
        found.append(entry)
    return found[::-1]


def told(entries: Sequence[Entry]) -> str:
    """Say how much of a history is in a capture."""
    readings = sum(len(block.owners) for entry in entries for block in entry.blocks)
    events = {event for entry in entries for event in entry.events}
    swaps = {swap.id for entry in entries for swap in entry.swaps}
    found = ("readings" if readings else "", _count(events, "event"), _count(swaps, "swap"))
    return listed([each for each in found if each]) or "nothing of the last 24 hours"


def _count(things: Sized, word: str) -> str:
    number = len(things)
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""


def files(entries: Sequence[Entry]) -> dict[str, bytes]:
    """Return the files of a capture with these entries."""
    parts = [bytearray(MAGIC)]
    for frame in map(framed, map(encoded, entries)):
        if len(parts[-1]) + len(frame) > ON_DISK.segment_limit:
            parts.append(bytearray(MAGIC))
        parts[-1] += frame
    return {f"{FOLDER}/{segment_name(number)}": bytes(part) for number, part in enumerate(parts, 1)}


def without_secrets_in(entries: Iterable[Entry], stand_ins: StandIns) -> list[Entry]:
    """Return the entries without passwords and secrets."""

    def change(text: str) -> str:
        return without_secrets(text, stand_ins)[:TEXT_LIMIT]

    return [
        replace(
            entry,
            events=tuple(
                replace(each, text=change(each.text), fix=each.fix and change(each.fix))
                for each in entry.events
            ),
        )
        for entry in entries
    ]


def redacted(entries: Sequence[Entry], stand_ins: StandIns) -> list[Entry]:
    """Return the entries with stand-ins for what identifies the host. ``stand_ins`` knows the names
    in the rest of the capture."""
    events = [event for entry in entries for event in entry.events]
    for subject in dict.fromkeys(event.subject for event in events):
        _subject(subject, stand_ins)
    for text in dict.fromkeys(event.text for event in events):
        for found in _NAMED.finditer(text):
            stand_ins.guest((found[1] or found[2]).strip("“”"))
    words = _Words(stand_ins)
    return [
        Entry(
            stand_ins.uuid(entry.boot_id), entry.booted_at, entry.at_s,
            tuple(_block(each, stand_ins) for each in entry.blocks),
            tuple(words.event(each) for each in entry.events),
            tuple(_swap(each, stand_ins) for each in entry.swaps),
        )
        for entry in entries
    ]  # fmt: skip


def _block(block: Block, stand_ins: StandIns) -> Block:
    return Block(
        block.step_s,
        {o if is_address(o) else stand_ins.uuid(o): series for o, series in block.owners.items()},
    )


def _swap(swap: StoredSwap, stand_ins: StandIns) -> StoredSwap:
    return replace(swap, id=stand_ins.text(swap.id)[:TEXT_LIMIT])


def _subject(subject: str, stand_ins: StandIns) -> str:
    """Return the subject of an event: an address, a port, a word of ours, or a guest's name."""
    if is_address(subject) or _PORT.fullmatch(subject):
        return subject
    return stand_ins.guest(_whole(subject))


def _whole(text: str) -> str:
    """Return a text without its last word if it was cut off: that may be half a name."""
    if not text.endswith(_CUT):
        return text
    return f"{text.rpartition(' ')[0]} {_CUT}".lstrip()


class _Words:
    """Redacts events by the names that have stand-ins."""

    def __init__(self, stand_ins: StandIns) -> None:
        self._stand_ins = stand_ins
        self._known = stand_ins.given("guest names", "USB names", "serial numbers")
        names = sorted(filter(None, self._known), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, names))) if names else None

    def event(self, event: StoredEvent) -> StoredEvent:
        text = self._of_usb if _PORT.fullmatch(event.subject) else self._text
        return replace(
            event,
            subject=_subject(event.subject, self._stand_ins),
            text=text(event.text)[:TEXT_LIMIT],
            fix=None if event.fix is None else self._text(event.fix)[:TEXT_LIMIT],
        )

    def _text(self, text: str) -> str:
        text = without_secrets(_whole(text), self._stand_ins)
        if self._pattern is not None:
            text = self._pattern.sub(lambda found: self._known[found[0]], text)
        return self._stand_ins.text(_PLACE.sub(self._place, text))

    def _place(self, found: re.Match[str]) -> str:
        kept = found[0] == SYSTEM_URI
        return found[0] if kept else self._stand_ins.of("paths", found[0])

    def _of_usb(self, text: str) -> str:
        """Redact what happened to a USB device (tui.rules.usb_events): it names the device, and
        perhaps a guest. Any other text is removed entirely."""
        head = next((h for h in ("plugged in: ", "unplugged: ") if text.startswith(h)), "")
        rest = text.removeprefix(head)
        for joint in (", lent to ", " lent to ", " returned by "):
            device, found, guest = rest.rpartition(joint)
            if found:
                whose = self._text(self._stand_ins.guest(_whole(guest)))
                return f"{head}{self._device(device)}{joint}{whose}"
        return head + self._device(rest)

    def _device(self, name: str) -> str:
        return self._stand_ins.of("USB names", name)
