"""Recordings as bug reports have them: a captured tower whose watch has kept a history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from tests.unit.captured import CARD, HOST_CARD, SOUND, domain, tower
from tests.unit.host.history.made import store
from tui.host.capture.bundle import capture
from tui.host.confined import Confined
from tui.host.history.entry import Block, Entry, StoredEvent, StoredSwap, block
from tui.model.past import MINUTES, SECONDS, TENS, Bucket, Buckets, SeriesKey, Tier

BOOT_ID = "5a0d3f6e-1111-4222-8333-444455556666"
BOOTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTES_LONG = 30
"""How long the watch has run; that is all of this boot."""

END_S = MINUTES_LONG * 60.0
GUEST = "8c5e7d21-3a44-4f0b-9b6e-d2f1a07c9e35"
GUEST_NAME = "win11"

SERIES = {
    SeriesKey(HOST_CARD, "load"): 37.0, SeriesKey(HOST_CARD, "temp"): 54.0,
    SeriesKey(CARD, "load"): 91.0, SeriesKey(CARD, "vram"): 9216.0,
    SeriesKey(GUEST, "cpu"): 63.0, SeriesKey(GUEST, "wait"): 3.0, SeriesKey(GUEST, "wait.2"): 3.0,
}  # fmt: skip
"""The value of each series at the end. A minute earlier it is one less, and so on down to zero."""

EVENTS = (
    StoredEvent(600.0, GUEST_NAME, "started", "done"),
    StoredEvent(1500.0, CARD, "NVRM: Xid 79, the card has fallen off the bus", "failed", "kernel"),
)
SWAP = StoredSwap("0123456789abcdef0123456789abcdef", "bind", CARD, "done", 300.0, 312.0)


def _value(end: float, at_s: int) -> float:
    return max(0.0, end - (int(END_S) - 1 - at_s) // 60)


def _buckets(tier: Tier, since_s: int, until_s: int) -> Buckets:
    steps = range(since_s // tier.step_s, until_s // tier.step_s)
    found: Buckets = {}
    for key, end in SERIES.items():
        values = {step: _value(end, step * tier.step_s) for step in steps}
        found[key] = {step: Bucket(tier.step_s, each, each) for step, each in values.items()}
    return found


def entries(events: Sequence[StoredEvent] = EVENTS) -> list[Entry]:
    """The entries of all minutes, and the last ten minutes by the second, as in a capture."""
    booted = BOOTED.timestamp()
    found = []
    for minute in range(MINUTES_LONG):
        since, until = minute * 60, minute * 60 + 60
        blocks = tuple(block(tier.step_s, _buckets(tier, since, until)) for tier in (TENS, MINUTES))
        told = tuple(event for event in events if since <= event.at_s < until)
        swaps = (SWAP,) if since <= SWAP.ended_s < until else ()
        found.append(Entry(BOOT_ID, booted, until + 1.0, blocks, told, swaps))
    seconds = block(SECONDS.step_s, _buckets(SECONDS, int(END_S) - 600, int(END_S)))
    return [*found, Entry(BOOT_ID, booted, END_S + 1, (seconds,))]


def without(entry: Entry, *owners: str) -> Entry:
    """The entry without the series of these owners."""
    blocks = tuple(
        Block(each.step_s, {o: series for o, series in each.owners.items() if o not in owners})
        for each in entry.blocks
    )
    return replace(entry, blocks=blocks)


def host(place: Path, *, driver: str = "vfio-pci") -> Path:
    """The tower, whose guest has the card and reports it."""
    channel = (
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' "
        "state='connected'/></channel>"
    )
    xml = domain(GUEST_NAME, GUEST, " id='3'", CARD, SOUND)
    return tower(
        place, {"domains/win11.xml": xml.replace("</devices>", f"{channel}</devices>")},
        driver=driver,
    )  # fmt: skip


def keep(folder: Path, found: Sequence[Entry]) -> Path:
    """Write the files of a history."""
    kept = store(folder)
    for entry in found:
        kept.write(entry)
    kept.close()
    return folder


def recorded(place: Path, events: Sequence[StoredEvent] = EVENTS) -> Path:
    """The tower's capture, as a folder."""
    root = host(place)
    keep(root / "history", entries(events))
    return root


def bug_report(place: Path, events: Sequence[StoredEvent] = EVENTS) -> Path:
    """The same as an archive, with stand-ins."""
    archive = place.with_name(f"{place.name}.tar.gz")
    archive.write_bytes(capture(Confined(str(recorded(place, events))), "").archive)
    return archive
