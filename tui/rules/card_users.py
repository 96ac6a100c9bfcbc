"""The users of a card, from its driver's list, the open device nodes, and its owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tui.model import (
    NOT_SEEN,
    VFIO_NODES,
    CardUse,
    CardUser,
    CardUsers,
    Gpu,
    GpuProcess,
    Holder,
    Holders,
    Unavailable,
)
from tui.rules.holder_checks import how_to_stop, why_incomplete

OURS = "vfiotop reads the card and releases it when a swap begins"
MAY_USE = "may use it (through nodes shared by all NVIDIA cards)"

_ORDER: tuple[CardUse, ...] = ("guest", "uses", "may use", "ours")
_COMM = 15
"""The length to which the kernel cuts the name of a process."""


def users(gpu: Gpu, holders: Holders | Unavailable | None) -> CardUsers:
    """The users of the GPU and its companions. ``holders`` is None before they are read."""
    found = holders.of(addresses(gpu)) if isinstance(holders, Holders) else ()
    rows = sorted(_rows(gpu, found), key=lambda u: (_ORDER.index(u.use), u.pid or 0, u.name))
    return CardUsers(tuple(rows), pending=holders is None, doubt=_doubt(holders))


def addresses(gpu: Gpu) -> tuple[str, ...]:
    """The functions of the card that a user may hold."""
    return tuple(function.address for function in (gpu.function, *gpu.companions))


def listed(gpu: Gpu) -> tuple[GpuProcess, ...]:
    """The processes that the card's driver lists."""
    return (gpu.reading.processes or ()) if gpu.reading is not None else ()


def _doubt(holders: Holders | Unavailable | None) -> str | None:
    if isinstance(holders, Unavailable):
        return holders.reason
    found = why_incomplete(holders) if holders is not None else None
    return ": ".join(part for part in found if part) if found is not None else None


def _rows(gpu: Gpu, found: tuple[Holder, ...]) -> Iterator[CardUser]:
    guest = gpu.owner.guest
    if guest is not None and not any(_has_whole_card(holder) for holder in found):
        # libvirt knows who has it even if we may not inspect QEMU.
        yield _guest(guest, None, ("the whole card",))
    processes = listed(gpu)
    for pid in dict.fromkeys([*(h.pid for h in found), *(p.pid for p in processes)]):
        if pid is not None:
            held = tuple(h for h in found if h.pid == pid)
            if guest is not None and any(_has_whole_card(holder) for holder in held):
                yield _guest(guest, held[0], _nodes(held))
            else:
                yield _process(gpu, held, tuple(p for p in processes if p.pid == pid))
    for process in processes:
        # A row of the driver without a pid is not a process that the user can end. Processes that
        # nobody could inspect are reported as a doubt.
        if process.pid is None and process.what != NOT_SEEN:
            yield CardUser(
                None, process.name, (process.what,), memory_mib=process.memory_mib,
                util_pct=process.util_pct,
            )  # fmt: skip
    for name in dict.fromkeys(h.name for h in found if h.pid is None):
        yield _of_the_kernel(tuple(h for h in found if h.pid is None and h.name == name))


def _has_whole_card(holder: Holder) -> bool:
    return VFIO_NODES in holder.what


def _guest(name: str, holder: Holder | None, has: tuple[str, ...]) -> CardUser:
    return CardUser(
        holder.pid if holder else None, f"guest {name}", has, "guest",
        login=holder.user if holder else None, unit=holder.unit if holder else None,
        stop="stop the guest",
    )  # fmt: skip


def _process(gpu: Gpu, held: tuple[Holder, ...], listed_as: tuple[GpuProcess, ...]) -> CardUser:
    """One process. If it uses this card, its nodes shared by all cards add nothing."""
    own = tuple(holder for holder in held if not holder.shared)
    use: CardUse = "uses" if own or listed_as else "may use"
    if any(holder.ours for holder in held):
        use = "ours"
    kinds = tuple(dict.fromkeys(process.what for process in listed_as))
    nodes = _nodes(own) if own or listed_as else _nodes(held)
    who = own[0] if own else held[0] if held else _as_holder(gpu, listed_as[0])
    return CardUser(
        who.pid, _full_name(who), (*kinds, *nodes), use,
        login=who.user,
        memory_mib=_most(process.memory_mib for process in listed_as),
        util_pct=_most(process.util_pct for process in listed_as),
        command=who.command,
        unit=who.unit,
        note={"ours": OURS, "may use": MAY_USE}.get(use),
        stop=None if use == "ours" else how_to_stop(who),
    )  # fmt: skip


def _of_the_kernel(held: tuple[Holder, ...]) -> CardUser:
    shared = all(holder.shared for holder in held)
    return CardUser(
        None, held[0].name, _nodes(held), "may use" if shared else "uses",
        note=MAY_USE if shared else None, stop=how_to_stop(held[0]),
    )  # fmt: skip


def _as_holder(gpu: Gpu, process: GpuProcess) -> Holder:
    return Holder(gpu.address, process.pid, process.name, process.what)


def _nodes(held: tuple[Holder, ...]) -> tuple[str, ...]:
    """The nodes of these holders, each once. A mapping is listed only if its node is not open
    too."""
    names = dict.fromkeys(holder.what for holder in held)
    return tuple(name for name in names if name.removeprefix("maps ") == name
                 or name.removeprefix("maps ") not in names)  # fmt: skip


def _full_name(holder: Holder) -> str:
    """The kernel's name, or the full one from the command line if the kernel cut it."""
    program = (holder.command or "").partition(" ")[0].rpartition("/")[2]
    cut = len(holder.name) == _COMM and program.startswith(holder.name)
    return program if cut else holder.name


def _most(values: Iterable[float | None]) -> float | None:
    """The greatest value: each of the driver's lists counts all of a process."""
    return max((value for value in values if value is not None), default=None)
