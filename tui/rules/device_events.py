"""PCI functions that appeared, disappeared, or changed their driver."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tui.model import EventKind, Gpu, HostView, PciFunction
from tui.rules.change import Change


class FunctionChange(NamedTuple):
    """A change of one function. Functions that changed in the same way have equal outcomes."""

    function: PciFunction
    text: str
    outcome: str
    kind: EventKind = "note"


def changes(before: HostView, after: HostView) -> Iterator[Change]:
    """The changes between two views that both rest on a reading of PCI."""
    old, new = before.functions, after.functions
    moved = [
        FunctionChange(
            now,
            f"{_driver(was)} → {_driver(now)}",
            _driver(now),
            "change" if now.driver else "warn",
        )
        for now in new.values()
        if (was := old.get(now.address)) is not None
        and was is not now
        and _driver(was) != _driver(now)
    ]
    gone = [
        FunctionChange(f, f"gone: {f.name}", "gone", "warn") for a, f in old.items() if a not in new
    ]
    came = [
        FunctionChange(f, f"appeared: {f.name}", "came") for a, f in new.items() if a not in old
    ]
    yield from _folded(gone, before.gpus)
    yield from _folded([*came, *moved], after.gpus)


def _driver(function: PciFunction) -> str:
    if "driver" in function.unreadable:
        return "unreadable driver"
    return function.driver or "no driver"


def _folded(found: list[FunctionChange], gpus: tuple[Gpu, ...]) -> Iterator[Change]:
    """One change per function. Companions with the same outcome as their GPU are only counted
    in the GPU's change."""
    if not found:
        return
    by_address = {change.function.address: change for change in found}
    gpu_of = {f.address: gpu.address for gpu in gpus for f in gpu.companions if not f.is_gpu}
    followers: Counter[str] = Counter()
    heads: list[FunctionChange] = []
    for change in found:
        head = by_address.get(gpu_of.get(change.function.address, ""))
        if head is not None and head.outcome == change.outcome:
            followers[head.function.address] += 1
        else:
            heads.append(change)
    for change in heads:
        count = followers[change.function.address]
        along = f", with {count} companion{'s' if count > 1 else ''}" if count else ""
        yield Change(change.function.address, change.text + along, change.kind)
