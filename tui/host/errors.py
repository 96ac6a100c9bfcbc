"""What goes wrong with a host, as errors with a sentence for the user."""

from __future__ import annotations

from tui.model import DomainState
from tui.model.errors import VfiotopError


class HostError(VfiotopError):
    """A reading that failed: what happened, why, and what to do, in a sentence."""


class NothingToRead(HostError):
    """There is no reading, and nothing is wrong: no such card, or all cards are asleep."""


class NothingYet(NothingToRead):
    """There is nothing to read before an event wakes the source."""


class Unsettled(HostError):
    """An action that ended half way, or whose outcome is not known yet; the sentence says which.

    ``state`` is the state in which the guest was left, ``None`` if that is not known.
    """

    def __init__(self, sentence: str, state: DomainState | None = None) -> None:
        super().__init__(sentence)
        self.state = state
