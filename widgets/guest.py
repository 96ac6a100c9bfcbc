"""What the guest's panel shows, as one value, and the words for its state."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import ClassVar

from msgspec import field
from msgspec.structs import replace

from tui.model import (
    Check,
    Domain,
    DomainState,
    Extremes,
    Gpu,
    Guest,
    GuestCpus,
    GuestDevice,
    PciFunction,
    Wait,
)
from widgets.as_shown import AsShown
from widgets.figures import ago, uptime
from widgets.footer import Hint
from widgets.glyphs import RICH, Glyphs
from widgets.graph import CELL_S, Mark, Series
from widgets.lines import Line, Span, Tone, line

STATES: dict[DomainState, tuple[str, str, Tone]] = {
    "running": ("running", "on_host", "guest"),
    "blocked": ("running", "on_host", "guest"),
    "paused": ("paused", "warned", "warn"),
    "in shutdown": ("shutting down", "moving", "warn"),
    "shut off": ("shut off", "free", "label"),
    "crashed": ("crashed", "failed", "bad"),
    "pmsuspended": ("suspended", "free", "warn"),
    "unknown": ("state unknown", "unknown", "warn"),
}
"""Each state of a domain as a word, the name of its sign, and its tone."""

UNRESPONSIVE: tuple[DomainState, ...] = ("paused", "pmsuspended", "crashed")
"""States in which a guest cannot be asked to shut down."""


class GuestState(AsShown, frozen=True, eq=False):
    """The guests of a host as of ``at``, the allowed one first, and what else the panel needs.

    ``gpu`` is the guest GPU, ``devices`` are the verdicts on the guest's host devices,
    ``functions`` all PCI functions by address, ``checks`` those that run all the time. ``series``
    is the guest's CPU load in percent. ``problem`` is why libvirt cannot be read; ``guests`` may
    then be the last ones known, ``silent_s`` seconds old. ``hung``: libvirt does not answer at all.
    ``ended_at`` is when the guest last ran, if that was seen. ``wait`` has the past waits of the
    vCPU that waited most, in milliseconds per second, ``vcpu_waits`` those of each vCPU, and
    ``worst_wait`` is the worst of the last minute. ``extremes`` and ``wait_extremes`` are those of
    the two series when full-screen. ``keys`` act on the guest; ``roles_key`` chooses it.
    """

    UNSEEN: ClassVar[frozenset[str]] = frozenset({"at", "gpu", "functions", "silent_s"})

    guests: tuple[Guest, ...]
    at: datetime
    gpu: Gpu | None = None
    devices: tuple[GuestDevice, ...] = ()
    functions: Mapping[str, PciFunction] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    series: Series = ()
    marks: tuple[Mark, ...] = ()
    problem: str | None = None
    silent_s: float | None = None
    hung: bool = False
    ended_at: datetime | None = None
    keys: tuple[Hint, ...] = ()
    roles_key: str = "w"
    wait: Series = ()
    extremes: Extremes | None = None
    wait_extremes: Extremes | None = None
    vcpu_waits: tuple[Series, ...] = ()
    worst_wait: Wait | None = None

    @property
    def shown(self) -> tuple[object, ...]:
        gpu = self.gpu
        card = gpu and (gpu.functions, gpu.owner, gpu.viability, gpu.taken_by, gpu.may_be_taken)
        return self.up, self.silent, self.last_ran, card

    def without_others(self) -> GuestState:
        """The same with only the allowed guest."""
        allowed = tuple(guest for guest in self.guests if guest.allowed)
        return replace(self, guests=allowed)

    @property
    def allowed(self) -> Guest | None:
        return next((guest for guest in self.guests if guest.allowed), None)

    @property
    def domain(self) -> Domain | None:
        """The domain that may have the card."""
        return self.allowed.domain if self.allowed else None

    @property
    def cpus(self) -> GuestCpus | None:
        """Its vCPUs, while it runs and libvirt reports them."""
        return self.allowed.cpus if self.allowed else None

    @property
    def others(self) -> tuple[Domain, ...]:
        """The other domains."""
        return tuple(guest.domain for guest in self.guests if not guest.allowed)

    @property
    def up(self) -> str:
        """How long the guest has run: ``2 h 00 min``; empty if it does not run."""
        domain = self.domain
        if domain is None or not domain.active or domain.started_at is None:
            return ""
        return uptime(domain.started_at, self.at)

    @property
    def silent(self) -> str:
        """How long libvirt has been silent, in whole cells of the graph; empty if it answers."""
        if self.problem is None or self.silent_s is None:
            return ""
        seconds = self.silent_s
        return ago(seconds // CELL_S * CELL_S if CELL_S <= seconds < 60 else seconds)

    @property
    def stale(self) -> bool:
        """Whether the guests are the last ones known."""
        return self.problem is not None and bool(self.guests)

    @property
    def last_ran(self) -> str:
        """``last ran 3 h ago``; empty if that is not known."""
        domain = self.domain
        if domain is None or domain.active or self.ended_at is None:
            return ""
        minutes = (self.at - self.ended_at).total_seconds() // 60
        return f"last ran {ago(minutes * 60)} ago" if minutes >= 1 else "ran until just now"


def is_off(domain: Domain) -> bool:
    """Whether the panel shows what a start needs, and not how the guest runs."""
    return not domain.active


def short_uptime(up: str) -> str:
    """``2 h 00`` for ``2 h 00 min``."""
    return up.removesuffix(" min") if " h " in up else up


def state_span(domain: Domain, glyphs: Glyphs = RICH) -> Span:
    """``● running``"""
    word, sign, tone = STATES[domain.state]
    return Span(f"{getattr(glyphs, sign)} {word}", tone)


def agent_line(domain: Domain, glyphs: Glyphs = RICH) -> Line:
    """Whether the guest agent answers: ``agent ✓``. Empty if the guest does not run."""
    if not domain.active:
        return ()
    if domain.agent is None:
        return line(Span("no agent", "label"))
    sign = Span(glyphs.passed, "good") if domain.agent else Span(glyphs.warned, "warn")
    return line(Span("agent ", "label"), sign)


def guest_keys(domain: Domain | None, cannot: Collection[str] | None = None) -> tuple[Hint, ...]:
    """The keys that act on the guest, with what each does now. ``cannot`` are the actions that
    would do nothing now; by default they follow from the guest's state."""
    state = domain.state if domain is not None else None
    active = domain is not None and domain.active
    if cannot is None:
        cannot = ("start",) if active else ("stop", "pause", "reboot")
    stop = "force off" if state in UNRESPONSIVE else "stop"
    pause = "resume" if state == "paused" else "pause"
    words = (("s", "start", "start"), ("x", stop, "stop"), ("p", pause, "pause"),
             ("r", "reboot", "reboot"))  # fmt: skip
    return tuple(
        Hint(key, word, f"app.{action}", enabled=action not in cannot)
        for key, word, action in words
    )
