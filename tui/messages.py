"""Every message that one part of the application posts to another."""

from __future__ import annotations

from textual.message import Message


class CaughtUp(Message):
    """The terminal has drawn everything sent, and a frame was withheld until then."""


class Recalled(Message):
    """A part of the watch's history was read. Posted from the thread that reads it."""
