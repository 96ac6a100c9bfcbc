"""The watch, as ``vfiotop status`` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from tui.model import CLOCK, Watch


def words(watch: Watch) -> Iterator[str]:
    """What the watch does, and the return that it has announced."""
    if not watch.running:
        ended = "ended" if watch.failed else "stopped"
        yield f"{ended}: nothing returns the card automatically now"
        return
    yield ", ".join(watch.deeds)
    pending = watch.pending
    if pending is not None:
        at = CLOCK.time_of_day(pending.due_at)
        yield f"{pending.address} returns to the host at {at}: {pending.guest} has ended"
        if pending.reason is not None:
            yield f"refused before: {pending.reason}"


def as_json(watch: Watch, taken_at: datetime) -> dict[str, Any]:
    """The watch as JSON values. ``due_in_s`` of a return is 0 once it is due."""
    pending = watch.pending
    return {
        "running": watch.running,
        "stopped": watch.stopped,
        "acts": watch.acts,
        "policy": asdict(watch.policy),
        "file": watch.file,
        "pending": None if pending is None else {
            "id": pending.id,
            "address": pending.address,
            "guest": pending.guest,
            "due_in_s": round(pending.left_s(taken_at), 3),
            "reason": pending.reason,
        },
        "stays_awake": watch.stays_awake,
        "events": [asdict(event) | {"at": event.at.isoformat()} for event in watch.events],
    }  # fmt: skip
