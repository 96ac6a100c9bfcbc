"""The bind at boot: when it may begin, and when the boot may go on without it. Pure.

The host comes up whatever happens: each phase has a time limit, and a card that was not bound
stays with the host.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from tui.model import HostView
from tui.watch.policies import NEEDED, News, Outcome, to_bind_at_boot

READ_S = 45.0
"""Seconds that the sources get to answer; libvirt may take a while to start."""

LIMIT_S = 120.0
"""Seconds after which the boot goes on, with the swap under way if it has begun."""

Phase = Literal["reading", "asking", "moving", "done"]

FIX = "`vfiotop plan bind` shows what keeps it; `vfiotop bind` binds it now"


class Boot(NamedTuple):
    """How far the bind at boot has got. ``card`` is the one that it binds."""

    phase: Phase
    card: str | None = None


class BootDecision(NamedTuple):
    """How far it has got, what to report, and the card whose bind is to begin now."""

    boot: Boot
    news: tuple[News, ...] = ()
    bind: str | None = None


def observe(boot: Boot, view: HostView, waited_s: float) -> BootDecision:
    """Decide on a view of the host, ``waited_s`` seconds after the watch was started."""
    if boot.phase == "reading":
        return _read(view, waited_s)
    card = boot.card or "watch"
    if boot.phase in ("asking", "moving") and waited_s >= LIMIT_S:
        text = f"the bind at boot takes longer than {LIMIT_S:.0f} s: the boot goes on without it"
        return BootDecision(Boot("done", boot.card), (News(card, text, "failed"),))
    swap = view.swap
    if boot.phase == "moving" and swap is not None and (not swap.under_way or swap.stuck):
        if swap.state == "done":
            return BootDecision(Boot("done", boot.card))
        why = swap.message or swap.state
        return BootDecision(Boot("done", boot.card), (_failed(card, why),))
    return BootDecision(boot)


def settle(boot: Boot, outcome: Outcome) -> BootDecision:
    """Decide once the bind has begun or was refused; the boot may have gone on meanwhile."""
    card = boot.card or "watch"
    if not outcome.began:
        return BootDecision(Boot("done", boot.card), (_failed(card, outcome.reason),))
    doubt = (News(card, outcome.reason, "failed"),) if outcome.reason else ()
    return BootDecision(Boot("moving", boot.card) if boot.phase == "asking" else boot, doubt)


def _read(view: HostView, waited_s: float) -> BootDecision:
    missing = next((name for name in NEEDED if view.problem(name) is not None), None)
    if missing is not None and waited_s < READ_S:
        return BootDecision(Boot("reading"))
    if missing is not None:
        return BootDecision(
            Boot("done"), (_failed("watch", f"{missing}: {view.problem(missing)}"),)
        )
    if view.guest_gpu is None:
        fix = 'name it in the configuration: guest_gpu = "01:00.0"'
        text = "not bound at boot: no card is chosen for the guest"
        return BootDecision(Boot("done"), (News("watch", text, "failed", fix),))
    card = to_bind_at_boot(view)
    if card is None:
        return BootDecision(Boot("done"))
    return BootDecision(Boot("asking", card), (News(card, "is bound at boot"),), bind=card)


def _failed(subject: str, why: str) -> News:
    return News(subject, f"not bound at boot, so the host keeps it: {why}", "failed", FIX)
