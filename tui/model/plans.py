"""Plans: what an action would do, and whether it may."""

from __future__ import annotations

import shlex
from typing import Literal

from msgspec import Struct

from tui.model.checks import Check
from tui.model.guests import GuestAction
from tui.model.holders import Holder
from tui.model.swaps import Direction
from tui.model.usb import UsbAction, UsbDevice

StepKind = Literal["load", "drivers", "override", "unbind", "probe", "power", "node", "nvml"]


class Step(Struct, frozen=True):
    """One step of a swap, and its time limit.

    A write puts ``value`` into the file ``path``. ``load`` loads the module ``value``, ``drivers``
    the modules for the modaliases in ``value``. ``node`` waits for the device node ``path``,
    ``nvml`` for NVML to see the card. ``driver`` is the driver that the function at ``address``
    must be on afterwards, if that is known; with ``may_be_free`` it may also be on none.
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
        """The step as an exact shell command, or what it waits for."""
        if self.kind == "load":
            return f"modprobe {shlex.quote(self.value)}"
        if self.kind == "drivers":
            return f"modprobe -abq {shlex.join(self.value.split())}"
        if self.kind == "node":
            return f"wait for {self.path}"
        if self.kind == "nvml":
            return f"wait until NVML lists {self.address}"
        value, path = self.value.rstrip("\n"), shlex.quote(self.path or "")
        return f"echo {shlex.quote(value)} > {path}" if value else f"echo > {path}"


class Checked:
    """Something that its ``checks`` allow or forbid."""

    __slots__ = ()
    checks: tuple[Check, ...]

    @property
    def refusals(self) -> tuple[Check, ...]:
        """The checks that forbid it."""
        return tuple(check for check in self.checks if check.verdict == "fail")

    @property
    def doubts(self) -> tuple[Check, ...]:
        """The checks that could not be made. Continuing is a risk that the user must accept."""
        return tuple(check for check in self.checks if check.verdict == "unknown")


class Plan(Checked, Struct, frozen=True):
    """What a swap of the GPU at ``address`` would do, with its checks and with the holders of the
    functions that move."""

    direction: Direction
    address: str
    moves: tuple[str, ...]
    steps: tuple[Step, ...]
    checks: tuple[Check, ...] = ()
    holders: tuple[Holder, ...] = ()

    @property
    def unbinds(self) -> tuple[str, ...]:
        """The functions that are unbound from a driver. A holder of one of these is in the way."""
        return tuple(step.address for step in self.steps if step.kind == "unbind" and step.address)

    @property
    def texts(self) -> tuple[str, ...]:
        """The steps in words."""
        return tuple(step.text for step in self.steps)

    @property
    def identity(self) -> tuple[str, ...]:
        """A tuple that differs between plans: what moves, and the exact steps."""
        return (self.direction, self.address, *self.moves, *self.texts)


class GuestPlan(Checked, Struct, frozen=True):
    """What an ``action`` would do to a domain. ``name`` is for display, ``raw_name`` is libvirt's,
    ``shell_word`` names it in a command. ``swap`` is the bind that must come before a start,
    ``None`` if the card is on vfio-pci already. ``cards`` are the GPUs that the domain names.
    ``steps`` are the steps after the swap, in words."""

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
        """A tuple that differs between plans; the swap before it has its own."""
        return (self.action, self.raw_name, self.uuid, *self.steps)

    @property
    def holders(self) -> tuple[Holder, ...]:
        """The holders of the functions that must move first."""
        return self.swap.holders if self.swap else ()


class UsbPlan(Checked, Struct, frozen=True):
    """What lending a USB device to a guest, or taking it back, would do. ``name``, ``raw_name`` and
    ``uuid`` are the guest's, as in ``GuestPlan``. ``texts`` are the steps in words. ``asked`` are
    the ids of the checks that take a question of their own unless they pass."""

    action: UsbAction
    device: UsbDevice
    name: str
    raw_name: str
    uuid: str
    texts: tuple[str, ...]
    asked: tuple[str, ...]
    checks: tuple[Check, ...] = ()

    @property
    def doubts(self) -> tuple[Check, ...]:
        """The checks that could not be made, and those that say what the host would miss."""
        return tuple(
            check
            for check in self.checks
            if check.verdict == "unknown" or (check.verdict == "warn" and check.id in self.asked)
        )

    @property
    def identity(self) -> tuple[str, ...]:
        """A tuple that differs between plans."""
        return (self.action, self.raw_name, self.uuid, *self.texts)

    @property
    def holders(self) -> tuple[Holder, ...]:
        """None: nobody keeps a USB device from being unbound from its driver."""
        return ()
