"""Every message that one part of the application posts to another."""

from __future__ import annotations

from textual.message import Message

from tui.model import Sample


class CaughtUp(Message):
    """The terminal has drawn everything sent, and a frame was withheld until then."""


class Sampled(Message):
    """A source was read. Posted from a sampler's thread."""

    def __init__(self, sample: Sample) -> None:
        super().__init__()
        self.sample = sample


class Recalled(Message):
    """A part of the watch's history was read. Posted from the thread that reads it."""
