"""What the watch does by itself: from what it sees to what it wants done. Pure.

The watch sees a guest run with the guest GPU, sees it end, waits, and has the card returned. Any
doubt keeps the card where it is: while libvirt or the journal cannot be read nothing is decided,
and a guest that starts, a user, or somebody's swap cancels a return.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from tui.model import EventKind, Gpu, HostView, OwnerKind, SourceName, Swap
from tui.model.watch import Pending, WatchMemory, WatchPolicy

RETRY_S = (10.0, 30.0, 60.0, 300.0)
"""Seconds to the next try after each refusal. After the last one the card stays."""

VAIN_LIMIT, SOON_S, LONG_PAUSE_S = 3, 120.0, 900.0
"""After this many returns in a row, each followed by a start within ``SOON_S`` seconds, the card
waits for at least ``LONG_PAUSE_S``: something starts the guest again, and the card would go back
and forth for ever."""

NEEDED: tuple[SourceName, ...] = ("pci", "guests", "swap")
"""The sources without which nothing is decided."""

STAYS = "stays on vfio-pci"

UNSETTLED: tuple[OwnerKind, ...] = ("unknown", "guest")
"""Owners of a card that no domain has: nobody knows, or a process has it open. For a moment after
libvirt reports the end of a guest, that process is its QEMU."""


class News(NamedTuple):
    """Something to report, about a card or the watch."""

    subject: str
    text: str
    kind: EventKind = "note"
    fix: str | None = None


class Decision(NamedTuple):
    """What the watch knows now, what it reports, and the return to carry out now, if one is due."""

    memory: WatchMemory
    news: tuple[News, ...] = ()
    due: Pending | None = None


class Outcome(NamedTuple):
    """What became of a swap that was asked for: it ``began``, or was refused because of
    ``reason``. One that began and has a ``reason`` may not have begun: nobody knows."""

    began: bool
    reason: str = ""


def observe(memory: WatchMemory, view: HostView, now_s: float, policy: WatchPolicy) -> Decision:
    """Decide on a view of the host, ``now_s`` seconds after boot."""
    gpu = view.guest_gpu
    if memory.acting or gpu is None or not _known(view):
        return Decision(memory)
    if memory.pending is not None:
        return _wait(memory, memory.pending, view, gpu, now_s)
    if gpu.owner.kind == "guest" and gpu.guest_uuid is not None:
        return _counted(memory, _used(memory, view, gpu), view, now_s, policy)
    if memory.user is None:
        return Decision(memory)
    if _may_still_run(memory.user, view) or gpu.owner.kind in UNSETTLED:
        return Decision(memory)
    return _ended(memory, view, gpu, now_s, policy)


def _known(view: HostView) -> bool:
    return all(view.problem(source) is None for source in NEEDED)


def _used(memory: WatchMemory, view: HostView, gpu: Gpu) -> WatchMemory:
    """What the watch knows while a guest has the card."""
    return replace(
        memory, address=gpu.address, user=gpu.guest_uuid, guest=gpu.owner.guest or "",
        swap=_last_swap(view), pending=None,
    )  # fmt: skip


def _counted(
    memory: WatchMemory, used: WatchMemory, view: HostView, now_s: float, policy: WatchPolicy
) -> Decision:
    """Decide while a guest has the card: the last return, if there was one, may have been in vain,
    but not if somebody has bound the card for the guest with vfiotop."""
    if memory.returned_s is None:
        return Decision(used)
    bound = view.swap is not None and view.swap.direction == "bind"
    in_vain = not bound and now_s - memory.returned_s <= SOON_S
    used = replace(used, returned_s=None, in_vain=memory.in_vain + 1 if in_vain else 0)
    if _pause_s(used, policy) <= _pause_s(memory, policy):
        return Decision(used)
    text = (
        f"{used.in_vain} returns in a row were followed by a start within {SOON_S:.0f} s: "
        f"from now on the card waits {LONG_PAUSE_S / 60:.0f} min"
    )
    fix = "set `pause` in [watch] longer than it takes to start the guest again"
    return Decision(used, (News(used.address or "watch", text, "warn", fix),))


def _pause_s(memory: WatchMemory, policy: WatchPolicy) -> float:
    """Seconds from the end of the guest to the return of its card."""
    return max(policy.pause_s, LONG_PAUSE_S) if memory.in_vain >= VAIN_LIMIT else policy.pause_s


def _last_swap(view: HostView) -> str | None:
    return view.swap.id if view.swap is not None else None


def _may_still_run(user: str, view: HostView) -> bool:
    """Whether the guest that had the card may be running, with or without it."""
    return any(
        guest.domain.uuid == user and (guest.domain.active or guest.domain.state == "unknown")
        for guest in view.guests
    )


def _ended(
    memory: WatchMemory, view: HostView, gpu: Gpu, now_s: float, policy: WatchPolicy
) -> Decision:
    """Decide once the guest that had the card has ended. If a swap began since it was last seen, as
    while no watch ran, somebody has put the card where it is."""
    forgotten = replace(memory, user=None)
    waits = gpu.owner.kind == "vfio" and gpu.address == memory.address and not _moving(view)
    if policy.after_stop != "unbind" or not waits or _last_swap(view) != memory.swap:
        return Decision(forgotten)
    pause_s = _pause_s(memory, policy)
    pending = Pending(
        id=_identity(gpu.address, memory.user or "", now_s),
        address=gpu.address,
        guest=memory.guest,
        due_s=now_s + pause_s,
        swap=memory.swap,
    )
    text = f"“{memory.guest}” has ended: the card returns to the host in {pause_s:.0f} s"
    return Decision(replace(forgotten, pending=pending), (News(gpu.address, text),))


def _identity(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def _wait(
    memory: WatchMemory, pending: Pending, view: HostView, gpu: Gpu, now_s: float
) -> Decision:
    """Decide while a return is pending."""
    nothing = replace(memory, pending=None)
    if gpu.owner.kind == "guest" and gpu.guest_uuid is not None and gpu.address == pending.address:
        started = News(gpu.address, f"{STAYS}: “{gpu.owner.guest}” was started")
        return Decision(_used(nothing, view, gpu), (started,))
    for reason, kind, fix in _obstacles(pending, view, gpu):
        news = News(pending.address, f"{STAYS}: {reason}", kind, fix)
        return Decision(nothing, (news,) if reason else ())
    if now_s < pending.due_s or gpu.owner.kind in UNSETTLED:
        return Decision(memory)
    return Decision(replace(memory, acting=True), due=pending)


def _obstacles(
    pending: Pending, view: HostView, gpu: Gpu
) -> Iterator[tuple[str, EventKind, str | None]]:
    """Why a return is not wanted any more, with an empty reason if the card is where it should
    be."""
    swap = view.swap
    if gpu.address != pending.address:
        yield "another card is the guest's now", "note", None
    if swap is not None and swap.interrupted:
        fix = "`vfiotop recover --finish` or `vfiotop recover --undo`"
        yield f"the {swap.direction} of {swap.address} was interrupted", "warn", fix
    if swap is not None and (swap.under_way or swap.id != pending.swap) and not _given_up(swap):
        # Whoever moves the card looks after it, and a screen shows what becomes of it.
        yield "", "note", None
    if gpu.taken_by is not None and gpu.taken_by.guest != pending.guest:
        yield f"process {gpu.taken_by.pid} uses it", "note", None
    if gpu.owner.kind not in ("vfio", *UNSETTLED):
        yield "", "note", None


def _given_up(swap: Swap) -> bool:
    """Whether it is a return that came to nothing: a watch that was killed had asked for it, and a
    runner that cannot tell its caller does not begin."""
    return swap.by == "watch" and swap.state == "undone"


def _moving(view: HostView) -> bool:
    """Whether a swap is under way or waits for the user."""
    return view.swap is not None and not view.swap.ended


def keep(memory: WatchMemory, identity: str) -> Decision:
    """Cancel the return with that id, for a user."""
    pending = memory.pending
    if pending is None or memory.acting or pending.id != identity:
        return Decision(memory)
    news = News(pending.address, f"{STAYS}: a user keeps it there")
    return Decision(replace(memory, pending=None), (news,))


def settle(memory: WatchMemory, outcome: Outcome, now_s: float) -> Decision:
    """Decide once the return that was due has begun or was refused."""
    pending = memory.pending
    if pending is None:
        return Decision(replace(memory, acting=False))
    if outcome.began:
        doubt = (News(pending.address, outcome.reason, "failed"),) if outcome.reason else ()
        return Decision(replace(memory, pending=None, acting=False, returned_s=now_s), doubt)
    if pending.tries >= len(RETRY_S):
        fix = "`vfiotop unbind` when that has ended"
        news = News(pending.address, f"{STAYS}: {outcome.reason}", "failed", fix)
        return Decision(replace(memory, pending=None, acting=False), (news,))
    wait_s = RETRY_S[pending.tries]
    again = replace(pending, tries=pending.tries + 1, due_s=now_s + wait_s, reason=outcome.reason)
    text = f"not returned yet: {outcome.reason}; trying again in {wait_s:.0f} s"
    said = () if outcome.reason == pending.reason else (News(pending.address, text, "warn"),)
    return Decision(replace(memory, pending=again, acting=False), said)


def restarted(memory: WatchMemory, now_s: float, policy: WatchPolicy) -> WatchMemory:
    """What a restarted watch knows. It looks again at what it was carrying out: the journal says
    whether that began. A return is not due before another pause, since nobody saw the countdown
    meanwhile, and not at all if the policy has changed. The count of returns in vain starts again,
    as the user may have set a longer pause."""
    pending = memory.pending if policy.after_stop == "unbind" else None
    if pending is not None:
        pending = replace(pending, due_s=max(pending.due_s, now_s + policy.pause_s))
    return replace(memory, acting=False, pending=pending, returned_s=None, in_vain=0)


def stays_awake(view: HostView, before: bool) -> bool:
    """Whether the host must not sleep, because a guest has a card."""
    if not _known(view):
        return before
    return any(gpu.guest_uuid is not None for gpu in view.gpus)


def to_bind_at_boot(view: HostView) -> str | None:
    """The address of the card to bind while the host boots; ``None`` if there is nothing to do,
    or if somebody has moved a card since boot."""
    gpu = view.guest_gpu
    moved = view.swap is not None
    return None if gpu is None or moved or gpu.owner.kind not in ("host", "none") else gpu.address
