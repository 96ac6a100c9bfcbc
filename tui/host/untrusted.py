"""Text from outside, made safe to draw: bounded, one line, no control characters."""

from __future__ import annotations

import unicodedata

NAME_LIMIT = 120
"""Characters of a name that are kept; nothing real is longer."""

_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, limit: int = NAME_LIMIT) -> str:
    """``text`` without control, format (bidi overrides too) and unassigned characters,
    white space runs as one blank, at most ``limit`` characters with an ellipsis.

    Escape sequences lose their ESC and are then plain text.
    """
    text = text[: 4 * limit]
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or _drawable(c))
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def _drawable(character: str) -> bool:
    return unicodedata.category(character) not in _DROPPED
