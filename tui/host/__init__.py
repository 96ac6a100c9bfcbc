"""Everything that touches the machine, behind the protocols of this module.

A host is a set of sources. Each is read by one thread of its own, may block
there, and raises ``HostError`` with a sentence for the user when it cannot be
read. Sources that hear of changes wake their thread through ``watch``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NoReturn, Protocol, TypeVar

from tui.host.calls import CallLog
from tui.model import (
    CLOCK,
    AgentReading,
    Demand,
    DeviceUses,
    DomainState,
    DrmReading,
    GuestAction,
    Guests,
    Holders,
    HostFacts,
    Inventory,
    NvmlReading,
    Readiness,
    Reading,
    SourceName,
    Swap,
    Vitals,
)
from tui.model.errors import VfiotopError
from tui.model.requests import SwapRequest

Wake = Callable[[], None]
"""Called from any thread, at any time, any number of times; returns at once."""

T_co = TypeVar("T_co", covariant=True)


class HostError(VfiotopError):
    """A reading that could not be taken: what happened, why, what to do, in a sentence."""


class NothingToRead(HostError):
    """There is no reading, and nothing is wrong: no such card, or all of them sleep."""


class Unsettled(HostError):
    """A deed that ended half way, or of which it is not known yet whether it was done: the
    sentence says which. ``state`` is the one that its guest was left in, ``None`` where that
    is not known."""

    def __init__(self, sentence: str, state: DomainState | None = None) -> None:
        super().__init__(sentence)
        self.state = state


class Source(Protocol[T_co]):
    """One thing that can be read again and again."""

    def read(self) -> T_co:
        """Take one reading. May block. Raises ``HostError``."""
        ...

    def watch(self, wake: Wake) -> None:
        """Begin to call ``wake`` whenever a reading may have changed. Returns at once."""
        ...

    def close(self) -> None:
        """Let go of everything that is held. Never raises, may be called twice."""
        ...


class Inspector(Protocol):
    """Looks closer at a host, for a swap and not while sampling. May block."""

    def holders(self, addresses: Collection[str]) -> Holders:
        """Who holds the functions at ``addresses``. Raises ``HostError``."""
        ...

    def readiness(self, gpus: Collection[str]) -> Readiness:
        """What is there for a swap of one of the ``gpus``. Raises ``HostError``."""
        ...


class NoInspector:
    """Inspects nothing, on hosts of which there is only what their sources tell."""

    def holders(self, addresses: Collection[str]) -> Holders:
        raise HostError("only on the host itself can be seen who holds a card")

    def readiness(self, gpus: Collection[str]) -> Readiness:
        return Readiness(root=False, vfio_pci=None, with_vfs=None)


class Mover(Protocol):
    """Has cards moved by a process of its own, which then writes the journal."""

    @property
    def unavailable_reason(self) -> str | None:
        """Why nothing can be moved at all, in a sentence."""
        ...

    @property
    def needs_terminal(self) -> bool:
        """Whether ``begin`` may ask for a password, for which it needs the terminal."""
        ...

    def begin(self, request: SwapRequest) -> str:
        """Begin what is asked for: the id of the swap. Blocks until that has begun. Raises
        ``tui.model.errors.Refused``, and ``Unsettled`` where that is not known."""
        ...


class NoMover:
    """Moves nothing, on hosts that are only looked at."""

    unavailable_reason = "this host is only looked at: no card is moved"
    needs_terminal = False

    def begin(self, request: SwapRequest) -> str:
        raise HostError(self.unavailable_reason)


Forbids = Callable[[Guests], str | None]
"""A rule over all domains: why none of the kind may be started, or ``None``."""


class GuestControl(Protocol):
    """Does to domains what the user asks for. Every method may block as long as libvirt
    does, and raises ``HostError`` where it was not done, and ``Unsettled`` where it was half
    done or that is not known. Domains are named by UUID; ``name`` is the raw one that the user
    was shown, and a domain that is called otherwise is left alone."""

    @property
    def unavailable_reason(self) -> str | None:
        """Why nothing can be done at all, in a sentence."""
        ...

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        """Do it, or for what only the guest can do, ask it: the reading tells the rest. A
        domain that is off already has been stopped."""
        ...

    def start(self, uuid: str, forbids: Forbids, name: str | None = None) -> None:
        """Start a domain that ``forbids`` nothing speaks against: asked right before with no
        swap under way, and again before the guest's first instruction."""
        ...

    def definition(self, uuid: str) -> str:
        """The definition that it has after its next start, secrets included."""
        ...

    def define(self, uuid: str, before: str, after: str) -> None:
        """Give it the definition ``after``, where it still has the one ``before``."""
        ...


class ReadOnlyControl:
    """Does nothing to domains, on hosts that are only looked at."""

    unavailable_reason = "this host is only looked at: no guest is started or stopped"

    def act(self, action: GuestAction, uuid: str, name: str | None = None) -> None:
        raise HostError(self.unavailable_reason)

    def start(self, uuid: str, forbids: Forbids, name: str | None = None) -> None:
        raise HostError(self.unavailable_reason)

    def definition(self, uuid: str) -> str:
        raise HostError(self.unavailable_reason)

    def define(self, uuid: str, before: str, after: str) -> None:
        raise HostError(self.unavailable_reason)


class EmptySource:
    """A source of what a host has none of; ``sentence`` says so."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def read(self) -> NoReturn:
        raise NothingToRead(self._sentence)

    def watch(self, wake: Wake) -> None:
        """There is nothing to hear of."""

    def close(self) -> None:
        """Nothing is held."""


def _no_swaps() -> Source[Swap]:
    return EmptySource("no card is moved on this host")


def _no_drm() -> Source[DrmReading]:
    return EmptySource("no card is on amdgpu, i915 or xe")


def _no_agent() -> Source[AgentReading]:
    return EmptySource("no guest is asked on this host")


def _no_uses(addresses: Collection[str]) -> DeviceUses:
    return DeviceUses()


HostKind = Literal["real", "captured", "simulated"]


@dataclass(frozen=True)
class Host:
    """The sources of one host: ``kind`` says which one.

    ``banner`` is shown on every screen when the host is not the real one; ``now`` is
    the clock its readings are stamped with; ``again`` opens the same host once more, for a
    reading beside this one. ``attend`` tells its sources what is looked at, and returns at
    once; ``calls`` is how often it asked others. ``uses`` looks what hangs on some of its
    functions, for a plan and not while sampling; it may block, and never raises.
    """

    facts: Source[HostFacts]
    pci: Source[Inventory]
    vitals: Source[Vitals]
    nvml: Source[NvmlReading]
    guests: Source[Guests]
    drm: Source[DrmReading] = field(default_factory=_no_drm)
    agent: Source[AgentReading] = field(default_factory=_no_agent)
    swap: Source[Swap] = field(default_factory=_no_swaps)
    kind: HostKind = "real"
    banner: str | None = None
    readonly: bool = False
    inspector: Inspector = field(default_factory=NoInspector)
    mover: Mover = field(default_factory=NoMover)
    control: GuestControl = field(default_factory=ReadOnlyControl)
    reopen: Callable[[], Host] | None = None
    uses: Callable[[Collection[str]], DeviceUses] = _no_uses
    set_demand: Callable[[Demand], None] = lambda _: None
    calls: CallLog = field(default_factory=CallLog)
    now: Callable[[], datetime] = CLOCK.now

    def as_readonly(self) -> Host:
        """The same host, on which no action can be taken."""
        again = self.reopen
        return replace(
            self, readonly=True, mover=NoMover(), control=ReadOnlyControl(),
            reopen=None if again is None else lambda: again().as_readonly(),
        )  # fmt: skip

    def sources(self) -> Iterator[tuple[SourceName, Source[Reading]]]:
        yield "facts", self.facts
        yield "pci", self.pci
        yield "vitals", self.vitals
        yield "nvml", self.nvml
        yield "drm", self.drm
        yield "guests", self.guests
        yield "agent", self.agent
        yield "swap", self.swap

    def close(self, patience: float = 1.0) -> None:
        """Close every source, each on a thread of its own: one that hangs is waited for
        no longer than ``patience`` seconds, and then left to the end of the process."""
        threads = [
            threading.Thread(target=source.close, name=f"close-{name}", daemon=True)
            for name, source in self.sources()
        ]
        with suppress(RuntimeError):  # no thread may start: they are left to that end, too
            for thread in threads:
                thread.start()
        deadline = time.monotonic() + patience
        for thread in threads:
            if thread.ident is None:
                break
            thread.join(max(0.0, deadline - time.monotonic()))
