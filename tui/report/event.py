"""An event as JSON, for the program that receives each event."""

from __future__ import annotations

from typing import Any

from tui.model import Event

SCHEMA = 1
"""Version of the JSON. Keys may be added; none is renamed or dropped."""


def as_json(event: Event, host: str, dropped: int = 0) -> dict[str, Any]:
    """The event as JSON values. ``dropped`` is how many events before it were not delivered."""
    return {
        "schema": SCHEMA,
        "host": host,
        "at": event.at.isoformat(),
        "subject": event.subject,
        "text": event.text,
        "kind": event.kind,
        "by": event.by,
        "fix": event.fix,
        "dropped": dropped,
    }
