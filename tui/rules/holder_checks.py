"""Whether anything holds a card, and how to stop it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from msgspec.structs import replace

from tui.model import (
    Check,
    Gpu,
    Holder,
    Holders,
    NvidiaModule,
    Unavailable,
    UninspectedProcess,
    listed,
)
from tui.rules.driver_gates import never_recovers

ID = "holders"

LEAVES = "it exits when the swap begins"

NAMED = 4
"""The most holders that one sentence names."""

_DESKTOPS = frozenset({
    "Hyprland", "Xorg", "Xwayland", "cosmic-comp", "gamescope", "gdm3", "gnome-shell",
    "kwin_wayland", "kwin_x11", "labwc", "lightdm", "mutter", "niri", "river", "sddm", "sway",
    "wayfire", "weston",
})  # fmt: skip
"""Display servers and managers. All are shorter than 15 characters, where the kernel cuts."""

_SOUND = frozenset({"pipewire", "wireplumber", "pulseaudio"})
"""Sound servers that a socket unit would start again."""


def check(
    address: str,
    moves: Sequence[str],
    reading: Holders | Unavailable,
    module: NvidiaModule | None = None,
    guest: str | None = None,
) -> Check:
    """holders: nothing keeps the functions ``moves`` of the GPU at ``address``. ``guest`` is the
    guest that has the card, which is not a fault."""
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
        return _shared_nodes(address, shared, module)
    return _free(address, tuple(holder for holder in found if holder.ours))


def why_incomplete(reading: Holders) -> tuple[str, str | None] | None:
    """Why there may be more holders than these, and what to do about that; ``None`` if there
    cannot be any."""
    if reading.complete:
        return None
    odd = [process for process in reading.examples if process.why is not None]
    others = tuple(process for process in reading.examples if process.why is None)
    count = reading.uninspected - len(odd)
    whys = [reading.unlisted_reason] if reading.unlisted_reason else []
    fixes = [reading.fix] if reading.unlisted_reason else []
    if odd:
        silent = [f"{each.name} ({each.pid}) could not be inspected: it {each.why}" for each in odd]
        whys.append(listed(silent, NAMED))
        pids = listed([str(process.pid) for process in odd], NAMED)
        fixes.append(f"end {pids}, or what it waits for")
    if count > 0:
        plural = "processes" if count > 1 else "process"
        whys.append(f"{count} {plural} of other users could not be inspected{_such_as(others)}")
        fixes.append(reading.fix or "run this as root")
    return "; ".join(whys), "; ".join(dict.fromkeys(fix for fix in fixes if fix)) or None


def _such_as(others: tuple[UninspectedProcess, ...]) -> str:
    known = [f"{process.name} ({process.pid})" for process in others]
    return f", such as {', '.join(known[:NAMED])}" if known else ""


def with_processes(reading: Holders, gpu: Gpu) -> Holders:
    """The holders, with the processes that only the card's driver lists. It lists them even to
    users who may not inspect other users' processes."""
    known = {holder.pid for holder in reading.holders}
    processes = gpu.reading.processes if gpu.reading is not None else None
    more = tuple(
        Holder(gpu.address, process.pid, process.name, f"{process.what}, listed by the driver")
        for process in processes or ()
        if process.pid is not None and process.pid not in known
    )
    return replace(reading, holders=reading.holders + more)


def how_to_stop(holder: Holder) -> str:
    """How to end the holder's hold, as a command or a short sentence."""
    return _without_closing(holder) or f"close {holder.name}, or run `kill {holder.pid}`"


def _fixes(found: Sequence[Holder]) -> str:
    """How to end the holds, for as many as one sentence names. Plain processes are closed
    together."""
    closed = {holder.pid: holder.name for holder in found if _without_closing(holder) is None}
    names, pids = list(dict.fromkeys(closed.values())), [str(pid) for pid in closed]
    together = f"close {listed(names, NAMED)}, or run `kill {' '.join(pids[:NAMED])}`"
    fixes = [*dict.fromkeys(_without_closing(holder) or together for holder in found)]
    more = len(fixes) - NAMED
    return "; ".join(fixes[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def _without_closing(holder: Holder) -> str | None:
    """How to end it other than by closing the process; ``None`` if there is no other way."""
    if holder.ours:
        return LEAVES
    if holder.pid is None:
        return f"unload {holder.name}"
    if holder.name in _DESKTOPS:
        return "log out of the desktop, or move it to the other card"
    unit = shlex.quote(holder.unit) if holder.unit else None
    if holder.name in _SOUND and holder.of_user and unit:
        socket = shlex.quote(f"{holder.name}.socket")
        return f"`systemctl --user stop {socket} {unit}`"
    if unit and unit.endswith(".service"):
        return f"`systemctl {'--user ' if holder.of_user else ''}stop {unit}`"
    return None


def _shared_nodes(address: str, shared: tuple[Holder, ...], module: NvidiaModule | None) -> Check:
    """The check for holders of nodes that all cards on the driver share."""
    why = f"may be in use by {describe_holders(shared)}, through nodes shared by all NVIDIA cards"
    fixes = _fixes(shared)
    verdict = never_recovers(module)
    if verdict is None:
        return Check(ID, address, "unknown", why, fixes)
    return Check(ID, address, "fail" if verdict else "warn", why, fixes)


def _free(address: str, readers: tuple[Holder, ...]) -> Check:
    if not readers:
        return Check(ID, address, "pass", "no process uses it")
    who = listed(list(dict.fromkeys(describe_reader(holder) for holder in readers)), NAMED)
    return Check(ID, address, "pass", f"only {who} has it open, and exits when a swap begins")


def describe_reader(holder: Holder) -> str:
    """A process of ours that reads the card, in words."""
    return f"vfiotop's own reader {holder.pid} of {holder.user or 'an unknown user'}"


def readers_still_there(readers: Sequence[Holder]) -> str:
    """The message about readers of ours that did not exit in time."""
    who = listed(list(dict.fromkeys(describe_reader(holder) for holder in readers)), NAMED)
    pids = " ".join(dict.fromkeys(str(holder.pid) for holder in readers))
    return f"{who} has not released the card: quit its vfiotop, or end it with `kill -9 {pids}`"


def describe_holders(found: tuple[Holder, ...]) -> str:
    """The processes, each once, with what they have open."""
    held: dict[tuple[int | None, str], list[str]] = {}
    for holder in found:
        held.setdefault((holder.pid, holder.name), []).append(holder.what)
    words = [
        f"{name} ({', '.join([*([str(pid)] if pid is not None else []), *what[:2]])})"
        for (pid, name), what in held.items()
    ]
    return listed(words, NAMED)
