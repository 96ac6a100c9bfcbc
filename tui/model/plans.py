"""What would be done, and whether it may be."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal

from tui.model.guests import GuestAction
from tui.model.machine import Holder
from tui.model.swaps import Direction
from tui.model.view import Check

StepKind = Literal["load", "drivers", "override", "unbind", "probe", "power", "node", "nvml"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a swap does, and how long that may take.

    A write puts ``value`` into the file ``path``; ``load`` loads the module ``value``,
    ``drivers`` those that the kernel has for the modaliases in it; ``node`` awaits the
    device node ``path``, and ``nvml`` that NVML sees the card. ``driver`` is the one that
    the function at ``address`` must be on afterwards, where that is known before; with
    ``may_be_free`` it may also be on none.
    """

    kind: StepKind
    value: str
    limit_s: float
    address: str | None = None
    path: str | None = None
    driver: str | None = None
    may_be_free: bool = False

    @property
    def text(self) -> str:
        """What is done, to the letter, as a shell would do it."""
        if self.kind == "load":
            return f"modprobe {shlex.quote(self.value)}"
        if self.kind == "drivers":
            return f"modprobe -abq {shlex.join(self.value.split())}"
        if self.kind == "node":
            return f"await {self.path}"
        if self.kind == "nvml":
            return f"await {self.address} in NVML"
        value, path = self.value.rstrip("\n"), shlex.quote(self.path or "")
        return f"echo {shlex.quote(value)} > {path}" if value else f"echo > {path}"


class Checked:
    """Something that may be done or not, by its ``checks``."""

    __slots__ = ()
    checks: tuple[Check, ...]

    @property
    def refusals(self) -> tuple[Check, ...]:
        """The checks that forbid it."""
        return tuple(check for check in self.checks if check.verdict == "fail")

    @property
    def doubts(self) -> tuple[Check, ...]:
        """The checks that could not be made: going on is a risk that has to be named."""
        return tuple(check for check in self.checks if check.verdict == "unknown")


@dataclass(frozen=True, slots=True)
class Plan(Checked):
    """What a swap of the GPU at ``address`` would do, what was checked before, and who
    holds the functions that move."""

    direction: Direction
    address: str
    moves: tuple[str, ...]
    steps: tuple[Step, ...]
    checks: tuple[Check, ...] = ()
    holders: tuple[Holder, ...] = ()

    @property
    def unbinds(self) -> tuple[str, ...]:
        """The functions that leave a driver: whoever holds one of these is in the way."""
        return tuple(step.address for step in self.steps if step.kind == "unbind" and step.address)

    @property
    def texts(self) -> tuple[str, ...]:
        """The steps in words."""
        return tuple(step.text for step in self.steps)

    @property
    def identity(self) -> tuple[str, ...]:
        """Others for every other plan: what moves, and each step to the letter."""
        return (self.direction, self.address, *self.moves, *self.texts)


@dataclass(frozen=True, slots=True)
class GuestPlan(Checked):
    """What an ``action`` would do to a domain: ``name`` is as it is shown, ``raw_name`` as
    libvirt has it, ``word`` what names it in a command. ``swap`` is the bind that has to come
    before a start, where its card is not on vfio-pci yet; ``cards`` are the GPUs that the
    domain names. ``steps`` are those after the swap, in words."""

    action: GuestAction
    name: str
    raw_name: str
    uuid: str
    shell_word: str
    steps: tuple[str, ...]
    cards: tuple[str, ...] = ()
    swap: Plan | None = None
    checks: tuple[Check, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All steps in words."""
        return (*(self.swap.texts if self.swap else ()), *self.steps)

    @property
    def identity(self) -> tuple[str, ...]:
        """Others for every other plan; the swap before it has its own."""
        return (self.action, self.raw_name, self.uuid, *self.steps)

    @property
    def holders(self) -> tuple[Holder, ...]:
        """Who holds what has to move first."""
        return self.swap.holders if self.swap else ()
