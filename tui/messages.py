"""Every message that crosses from one part of the application to another."""

from __future__ import annotations

from textual.message import Message

from tui.model import Sample


class CaughtUp(Message):
    """The terminal has drawn all that was sent, and something was withheld for that."""


class Sampled(Message):
    """A source was read. Posted from a sampler's thread."""

    def __init__(self, sample: Sample) -> None:
        super().__init__()
        self.sample = sample
