"""Whether a card is free to leave, and how to stop who holds it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tui.model import Check, Gpu, Holder, Holders, NvidiaModule, Unavailable
from tui.rules.release import never_recovers

ID = "holders"

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
    owner: str = "",
) -> Check:
    """Whether nothing keeps the functions ``moves`` of the GPU at ``address``. A guest that
    is its ``owner`` has it rightly."""
    if owner.startswith("guest:"):
        return Check(ID, address, "pass", f"in use by its guest {owner.removeprefix('guest:')}")
    if isinstance(reading, Unavailable):
        return Check(ID, address, "unknown", reading.reason)
    found = reading.of(moves)
    own = tuple(holder for holder in found if not holder.shared and not holder.ours)
    if own:
        mends = dict.fromkeys(how_to_stop(holder) for holder in own)
        return Check(ID, address, "fail", f"in use by {names(own)}", "; ".join(mends))
    if reading.unseen:
        return Check(
            ID, address, "unknown",
            f"{reading.unseen} processes of other users could not be looked into",
            "run this as root",
        )  # fmt: skip
    shared = tuple(holder for holder in found if holder.shared and not holder.ours)
    return _of_all_cards(address, shared, module) if shared else _free(address)


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
    return Holders(reading.holders + more, reading.unseen)


def how_to_stop(holder: Holder) -> str:
    """What ends the holder's hold, as a command or a short sentence."""
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
    return f"close {holder.name}, or kill {holder.pid}"


def _of_all_cards(address: str, shared: tuple[Holder, ...], module: NvidiaModule | None) -> Check:
    """What these have belongs to all cards on the driver: it may be this one that they use."""
    why = f"may be in use by {names(shared)}, through nodes of all NVIDIA cards"
    mends = "; ".join(dict.fromkeys(how_to_stop(holder) for holder in shared))
    verdict = never_recovers(module)
    if verdict is None:
        return Check(ID, address, "unknown", why, mends)
    return Check(ID, address, "fail" if verdict else "warn", why, mends)


def _free(address: str) -> Check:
    return Check(ID, address, "pass", "no process uses it")


def names(found: tuple[Holder, ...]) -> str:
    """The processes, each once, with what they have."""
    held: dict[tuple[int | None, str], list[str]] = {}
    for holder in found:
        held.setdefault((holder.pid, holder.name), []).append(holder.what)
    words = [
        f"{name} ({', '.join([*([str(pid)] if pid is not None else []), *what[:2]])})"
        for (pid, name), what in held.items()
    ]
    more = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {more} more" if more > 0 else "")
