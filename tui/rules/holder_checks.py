"""Whether a card is free to leave, and how to stop who holds it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from tui.model import Check, Gpu, Holder, Holders, NvidiaModule, Unavailable, UninspectedProcess
from tui.rules.driver_gates import never_recovers

ID = "holders"

LEAVES = "it leaves by itself when the swap begins"

NAMED = 4
"""Holders that one sentence names."""

_DESKTOPS = frozenset({
    "Hyprland", "Xorg", "Xwayland", "cosmic-comp", "gamescope", "gdm3", "gnome-shell",
    "kwin_wayland", "kwin_x11", "labwc", "lightdm", "mutter", "niri", "river", "sddm", "sway",
    "wayfire", "weston",
})  # fmt: skip
"""Display servers and managers. The kernel cuts names at 15 characters; these are shorter."""

_SOUND = frozenset({"pipewire", "wireplumber", "pulseaudio"})
"""What a socket unit would start again."""


def check(
    address: str,
    moves: Sequence[str],
    reading: Holders | Unavailable,
    module: NvidiaModule | None = None,
    guest: str | None = None,
) -> Check:
    """Whether nothing keeps the functions ``moves`` of the GPU at ``address``. The ``guest``
    that has the card may have it."""
    if guest is not None:
        return Check(ID, address, "pass", f"in use by its guest {guest}")
    if isinstance(reading, Unavailable):
        return Check(ID, address, "unknown", reading.reason)
    found = reading.of(moves)
    own = tuple(holder for holder in found if not holder.shared and not holder.ours)
    if own:
        return Check(ID, address, "fail", f"in use by {describe_holders(own)}", _fixes(own))
    unclear = why_incomplete(reading)
    if unclear is not None:
        return Check(ID, address, "unknown", *unclear)
    shared = tuple(holder for holder in found if holder.shared and not holder.ours)
    if shared:
        return _of_all_cards(address, shared, module)
    return _free(address, tuple(holder for holder in found if holder.ours))


def why_incomplete(reading: Holders) -> tuple[str, str | None] | None:
    """Why there may be other holders, and what to do about that; ``None`` where there can be
    none."""
    if reading.complete:
        return None
    odd = [process for process in reading.examples if process.why is not None]
    others = tuple(process for process in reading.examples if process.why is None)
    count = reading.uninspected - len(odd)
    whys = [reading.unlisted_reason] if reading.unlisted_reason else []
    fixes = [reading.fix] if reading.unlisted_reason else []
    if odd:
        told = [f"{each.name} ({each.pid}) could not be looked into: it {each.why}" for each in odd]
        whys.append(_first(told))
        fixes.append(f"end {_first([str(process.pid) for process in odd])}, or what it waits for")
    if count > 0:
        plural = "processes" if count > 1 else "process"
        whys.append(f"{count} {plural} of other users could not be looked into{_who(others)}")
        fixes.append(reading.fix or "run this as root")
    return "; ".join(whys), "; ".join(dict.fromkeys(fix for fix in fixes if fix)) or None


def _who(others: tuple[UninspectedProcess, ...]) -> str:
    known = [f"{process.name} ({process.pid})" for process in others]
    return f", such as {', '.join(known[:NAMED])}" if known else ""


def _first(words: list[str]) -> str:
    """As many of these as one sentence names."""
    more = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {more} more" if more > 0 else "")


def with_processes(reading: Holders, gpu: Gpu) -> Holders:
    """The holders with those processes that only the card's driver tells of: it lists who
    draws or computes, also to users who may not look into others' processes."""
    known = {holder.pid for holder in reading.holders}
    listed = gpu.reading.processes if gpu.reading is not None else None
    more = tuple(
        Holder(gpu.address, process.pid, process.name, f"{process.what}, by the driver's list")
        for process in listed or ()
        if process.pid is not None and process.pid not in known
    )
    return replace(reading, holders=reading.holders + more)


def how_to_stop(holder: Holder) -> str:
    """What ends the holder's hold, as a command or a short sentence."""
    return _by_its_unit(holder) or f"close {holder.name}, or kill {holder.pid}"


def _fixes(found: Sequence[Holder]) -> str:
    """What ends the holds of as many as one sentence names; those that are closed together."""
    closed = {holder.pid: holder.name for holder in found if _by_its_unit(holder) is None}
    describe_holders, pids = dict.fromkeys(closed.values()), [str(pid) for pid in closed]
    together = f"close {_first([*describe_holders])}, or kill {' '.join(pids[:NAMED])}"
    fixes = [*dict.fromkeys(_by_its_unit(holder) or together for holder in found)]
    more = len(fixes) - NAMED
    return "; ".join(fixes[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def _by_its_unit(holder: Holder) -> str | None:
    """What ends it without closing the process by hand; ``None`` where nothing else does."""
    if holder.ours:
        return LEAVES
    if holder.pid is None:
        return f"unload {holder.name}"
    if holder.name in _DESKTOPS:
        return "log out of the desktop, or move it to the other card"
    unit = shlex.quote(holder.unit) if holder.unit else None
    if holder.name in _SOUND and holder.of_user and unit:
        socket = shlex.quote(f"{holder.name}.socket")
        return f"systemctl --user stop {socket} {unit}"
    if unit and unit.endswith(".service"):
        return f"systemctl {'--user ' if holder.of_user else ''}stop {unit}"
    return None


def _of_all_cards(address: str, shared: tuple[Holder, ...], module: NvidiaModule | None) -> Check:
    """What these have belongs to all cards on the driver: it may be this one that they use."""
    why = f"may be in use by {describe_holders(shared)}, through nodes of all NVIDIA cards"
    fixes = _fixes(shared)
    verdict = never_recovers(module)
    if verdict is None:
        return Check(ID, address, "unknown", why, fixes)
    return Check(ID, address, "fail" if verdict else "warn", why, fixes)


def _free(address: str, readers: tuple[Holder, ...]) -> Check:
    if not readers:
        return Check(ID, address, "pass", "no process uses it")
    who = _first(list(dict.fromkeys(describe_reader(holder) for holder in readers)))
    return Check(ID, address, "pass", f"only {who} has it open, and leaves when a swap begins")


def describe_reader(holder: Holder) -> str:
    """A process of ours that reads the card, in words."""
    return f"vfiotop's own reader {holder.pid} of {holder.user or 'somebody'}"


def readers_still_there(readers: Sequence[Holder]) -> str:
    """What to say of readers of ours that did not leave in time."""
    who = _first(list(dict.fromkeys(describe_reader(holder) for holder in readers)))
    pids = " ".join(dict.fromkeys(str(holder.pid) for holder in readers))
    return f"{who} has not let go of the card: quit its vfiotop, or end it with kill -9 {pids}"


def describe_holders(found: tuple[Holder, ...]) -> str:
    """The processes, each once, with what they have."""
    held: dict[tuple[int | None, str], list[str]] = {}
    for holder in found:
        held.setdefault((holder.pid, holder.name), []).append(holder.what)
    words = [
        f"{name} ({', '.join([*([str(pid)] if pid is not None else []), *what[:2]])})"
        for (pid, name), what in held.items()
    ]
    return _first(words)
