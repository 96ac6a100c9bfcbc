"""What may be copied to the terminal's clipboard (xterm: OSC 52)."""

from __future__ import annotations

COPY_LIMIT = 4096
"""Maximum bytes to copy; some terminals ignore longer sequences."""


def to_copy(text: str) -> str:
    """The part of a text to copy: no control characters, which a shell would act on when the text
    is pasted."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean.encode("utf-8", "replace")[:COPY_LIMIT].decode("utf-8", "ignore")
