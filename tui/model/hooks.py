"""What libvirt's hooks do that bears on passthrough."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

HookAct = Literal["moves", "pages"]
"""A hook ``moves`` a device to another driver, or allocates huge ``pages``."""


class HookLine(Struct, frozen=True):
    """A line of a hook, or of a script that hooks call, that does something of interest. ``text``
    and ``file`` are safe to draw."""

    act: HookAct
    text: str
    file: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.file}, line {self.line}"


class Hooks(Struct, frozen=True):
    """The lines of all hooks. ``files`` are the hooks that were read, ``unreadable`` files and
    folders that could not be. ``known``: they were looked for, and a capture has libvirt's
    configuration."""

    lines: tuple[HookLine, ...] = ()
    unreadable: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    known: bool = False

    def first(self, act: HookAct) -> HookLine | None:
        return next((line for line in self.lines if line.act == act), None)
