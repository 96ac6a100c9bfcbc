"""Everything that touches the machine, behind the protocols of this module.

A host is a set of sources. One thread reads each source and may block there. ``read`` raises
``HostError``, a sentence for the user, when there is no reading. A source that gets events wakes
its thread through ``watch``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal, NoReturn, Protocol, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from tui.host.calls import CallLog
from tui.host.control import Forbids, GuestControl, Objection, ReadOnlyControl
from tui.host.errors import HostError, NothingToRead, NothingYet, Unsettled
from tui.host.tree import Tree
from tui.model import (
    CLOCK,
    AgentReading,
    Demand,
    DeviceUses,
    DrmReading,
    FileFacts,
    Guests,
    GuestThreads,
    Holders,
    HostFacts,
    HostMemory,
    Inventory,
    KernelLog,
    NvmlReading,
    Readiness,
    Reading,
    SourceName,
    Swap,
    UsbReading,
    Vitals,
    Watch,
)
from tui.model.past import PastReadings
from tui.model.requests import SwapRequest

__all__ = [
    "CardKeeper", "EmptySource", "Forbids", "GuestControl", "Host", "HostError", "HostKind",
    "Inspector", "Mover", "NoInspector", "NoKeeper", "NoMover", "NothingToRead", "NothingYet",
    "Objection", "ReadOnlyControl", "Source", "Unsettled", "Wake", "WatchHistory",
]  # fmt: skip

Wake = Callable[[], None]
"""Callable from any thread, at any time and any number of times; returns at once."""

T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Something that can be read again and again."""

    def read(self) -> T_co:
        """Take one reading. May block. Raises ``HostError``."""
        ...

    def watch(self, wake: Wake) -> None:
        """Start to call ``wake`` whenever a reading may have changed. Returns at once."""
        ...

    def close(self) -> None:
        """Release everything. Never raises; may be called twice."""
        ...


class Inspector(Protocol):
    """A closer check of a host, for a swap and never while sampling. May block."""

    def holders(self, addresses: Collection[str]) -> Holders:
        """Find who holds the functions at ``addresses``. Raises ``HostError``."""
        ...

    def readiness(self, gpus: Collection[str]) -> Readiness:
        """Find out what the host offers for a swap of one of the ``gpus``. Raises ``HostError``."""
        ...


class NoInspector:
    """For hosts that have sources and nothing else to inspect."""

    def holders(self, addresses: Collection[str]) -> Holders:
        raise HostError("cannot tell who holds a card: run this on the host itself")

    def readiness(self, gpus: Collection[str]) -> Readiness:
        return Readiness(root=False, vfio_pci=None, with_vfs=None)


class Mover(Protocol):
    """Moves cards in a process of its own, which writes the journal."""

    @property
    def unavailable_reason(self) -> str | None:
        """Why no card can be moved at all, in a sentence; else ``None``."""
        ...

    @property
    def needs_terminal(self) -> bool:
        """Whether ``begin`` may ask for a password, and needs the terminal for it."""
        ...

    def begin(self, request: SwapRequest) -> str:
        """Start the requested swap and return its id. Blocks until the swap has begun.

        Raises ``tui.model.errors.Refused``, and ``Unsettled`` if it is not known whether it
        began.
        """
        ...


class NoMover:
    """Moves nothing, for hosts that are read-only."""

    unavailable_reason = "this host is read-only: cards cannot be moved"
    needs_terminal = False

    def begin(self, request: SwapRequest) -> str:
        raise HostError(self.unavailable_reason)


class CardKeeper(Protocol):
    """Cancels a return that the watch has announced."""

    @property
    def unavailable_reason(self) -> str | None:
        """Why nothing can be cancelled, in a sentence; else ``None``."""
        ...

    def keep(self, pending: str) -> None:
        """Ask the watch to cancel the return with that id and keep the card. May block. Raises
        ``HostError``."""
        ...


class NoKeeper:
    """Cancels nothing, for hosts that are read-only."""

    unavailable_reason = "this host is read-only"

    def keep(self, pending: str) -> None:
        raise HostError(self.unavailable_reason)


class WatchHistory(Protocol):
    """The readings that a watch has kept. Each method may block, is called on one thread, and
    returns ``None`` if no watch keeps any."""

    def newest(self) -> PastReadings | None:
        """Return the last few minutes, quickly."""
        ...

    def everything(self) -> PastReadings | None:
        """Return the last 24 hours, as of now."""
        ...


class EmptySource:
    """A source of something that the host does not have; ``sentence`` says so."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def read(self) -> NoReturn:
        raise NothingYet(self._sentence)

    def watch(self, wake: Wake) -> None:
        """There are no events."""

    def close(self) -> None:
        """This source holds nothing."""


def _none(sentence: str) -> Any:
    """A field whose default source has nothing to read; ``sentence`` says why."""
    return field(default_factory=lambda: EmptySource(sentence))


def _no_uses(addresses: Collection[str]) -> DeviceUses:
    return DeviceUses()


HostKind = Literal["real", "captured", "simulated"]


class Host(Struct, frozen=True):
    """The sources of one host, and what can be done to it.

    ``banner`` is on every screen when the host is not the real one. ``now`` is the clock that
    stamps the readings. ``reopen`` opens the same host again, for readings alongside this one's.
    ``set_demand`` tells the sources what is on screen and which cards are reserved; it returns at
    once. ``calls`` counts the calls to NVML, libvirt and the guest agent. ``uses`` finds what the
    host uses the given functions for, for a plan and never while sampling; it may block, and never
    raises. ``files`` finds out about files that definitions name, again only for checks.
    ``root`` has the host's files, if they exist. ``history`` is that of the watch, ``None`` if
    this host cannot have one.
    """

    facts: Source[HostFacts]
    pci: Source[Inventory]
    vitals: Source[Vitals]
    nvml: Source[NvmlReading]
    guests: Source[Guests]
    drm: Source[DrmReading] = _none("no card is on amdgpu, i915 or xe")
    threads: Source[GuestThreads] = _none("not read here")
    agent: Source[AgentReading] = _none("guests are not read on this host")
    usb: Source[UsbReading] = _none("USB devices are not read on this host")
    swap: Source[Swap] = _none("no swaps on this host")
    kernel: Source[KernelLog] = _none("no kernel log here")
    memory: Source[HostMemory] = _none("the memory of this host is not known")
    watch: Source[Watch] = _none("no watch on this host")
    kind: HostKind = "real"
    banner: str | None = None
    readonly: bool = False
    inspector: Inspector = field(default_factory=NoInspector)
    mover: Mover = field(default_factory=NoMover)
    control: GuestControl = field(default_factory=ReadOnlyControl)
    keeper: CardKeeper = field(default_factory=NoKeeper)
    reopen: Callable[[], Host] | None = None
    uses: Callable[[Collection[str]], DeviceUses] = lambda _: DeviceUses()
    set_demand: Callable[[Demand], None] = lambda _: None
    files: Callable[[Collection[str]], Mapping[str, FileFacts]] = lambda _: {}
    calls: CallLog = field(default_factory=CallLog)
    root: Tree | None = None
    history: WatchHistory | None = None
    now: Callable[[], datetime] = CLOCK.now

    def opened_again(self) -> Host:
        """Return the same host for readings alongside this one's, or this one if it cannot be
        opened again."""
        return self.reopen() if self.reopen is not None else self

    def as_readonly(self) -> Host:
        """Return the same host, on which no action is possible."""
        reopen = self.reopen
        return replace(
            self, readonly=True, mover=NoMover(), control=ReadOnlyControl(), keeper=NoKeeper(),
            reopen=None if reopen is None else lambda: reopen().as_readonly(),
        )  # fmt: skip

    def sources(self) -> Iterator[tuple[SourceName, Source[Reading]]]:
        yield "facts", self.facts
        yield "pci", self.pci
        yield "vitals", self.vitals
        yield "nvml", self.nvml
        yield "drm", self.drm
        yield "guests", self.guests
        yield "threads", self.threads
        yield "agent", self.agent
        yield "swap", self.swap
        yield "usb", self.usb
        yield "kernel", self.kernel
        yield "memory", self.memory
        yield "watch", self.watch

    def close(self, timeout: float = 1.0) -> None:
        """Close every source, each in a thread of its own.

        A source that hangs is abandoned after ``timeout`` seconds, until the process ends.
        """
        threads = [
            threading.Thread(target=source.close, name=f"close-{name}", daemon=True)
            for name, source in self.sources()
        ]
        with suppress(RuntimeError):  # no thread can start: abandon them all
            for thread in threads:
                thread.start()
        deadline = time.monotonic() + timeout
        for thread in threads:
            if thread.ident is None:
                break
            thread.join(max(0.0, deadline - time.monotonic()))
