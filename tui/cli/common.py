"""The common options that contradict a command.

They are refused: a user who names a host must not believe that the command shows or changes that
one, and with ``--readonly`` nothing may act.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

_FLAGS = {"demo": "--demo", "root": "--root", "readonly": "--readonly", "connect": "--connect"}
"""The options by their name in the arguments."""

_REFUSED: Mapping[str, tuple[str, frozenset[str]]] = {
    "capture": ("a simulated host has no files to capture", frozenset({"demo"})),
    "replay": ("it shows the host in FILE", frozenset({"demo", "root", "connect"})),
    "watch --keep": (
        "it acts on the watch of this machine",
        frozenset({"demo", "root", "readonly", "connect"}),
    ),
}
"""The options that each command refuses, and why."""

_NONE: tuple[str, frozenset[str]] = ("", frozenset())


def refused(command: str) -> frozenset[str]:
    """The options, by their name in the arguments, that a command never takes."""
    return _REFUSED.get(command, _NONE)[1]


def complaint(arguments: argparse.Namespace) -> str | None:
    """Why one of the given options contradicts the command; ``None`` if none does."""
    command = arguments.command or ""
    if command == "watch" and arguments.keep:
        command = "watch --keep"
    why, names = _REFUSED.get(command, _NONE)
    for name, flag in _FLAGS.items():
        if name in names and getattr(arguments, name) not in (None, False):
            return f"{flag} has no effect on `vfiotop {command}`: {why}; leave it out"
    return None
