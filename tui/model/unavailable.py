"""The value that stands for a reading that could not be taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A reading that could not be taken, with a sentence for the user.

    ``expected``: nothing is wrong, there is just nothing to read. ``since``: when the source
    stopped answering; it does not take part in comparison.
    """

    reason: str
    expected: bool = False
    since: datetime | None = field(default=None, compare=False)


NOT_READ_YET = Unavailable("not read yet")
