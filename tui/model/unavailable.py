"""The value that stands for a reading that could not be taken."""

from __future__ import annotations

from msgspec import Struct


class Unavailable(Struct, frozen=True):
    """A reading that could not be taken, with a sentence for the user.

    ``expected``: nothing is wrong, there is just nothing to read.
    """

    reason: str
    expected: bool = False


NOT_READ_YET = Unavailable("not read yet")
