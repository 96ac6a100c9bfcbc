"""What the kernel's log says about our cards, their ports, the IOMMU and devices on vfio."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import (
    AMD_GRAPHICS,
    Gpu,
    HostView,
    KernelLog,
    KernelMessage,
    PciFunction,
    is_vfio_driver,
    slot_of,
)
from tui.rules import kernel_log
from tui.rules.change import Change, never_read
from tui.rules.kernel_messages import BY_ID, Topic
from tui.rules.xids import UNKNOWN, XIDS

LOG = "kernel log"
IOMMU = "IOMMU"


def changes(before: HostView, after: HostView) -> Iterator[Change]:
    """The messages that are new in ``after``, newest first; how many lines were lost; and, once,
    that none can be read."""
    was, now = before.kernel_log, after.kernel_log
    if never_read("kernel", before) and not never_read("kernel", after):
        yield from _unreadable(after)
    if was is None or now is None:
        return
    yield from _lost(was, now)
    last = max((message.number for message in was.messages), default=-1)
    for message in reversed(now.messages):
        if message.number > last:
            yield from _said(message, before, after)


def _unreadable(view: HostView) -> Iterator[Change]:
    why = view.problem("kernel")
    if why is not None:
        yield Change(LOG, why, "note", by="host", fix=kernel_log.fix(why))


def _lost(was: KernelLog, now: KernelLog) -> Iterator[Change]:
    count = now.lost - was.lost
    if count > 0:
        lines = "line was" if count == 1 else "lines were"
        yield Change(LOG, f"{count} {lines} overwritten unread", "note", by="host")


def _said(message: KernelMessage, before: HostView, after: HostView) -> Iterator[Change]:
    """The message as an event of each card it concerns. A card that it took from the bus may be
    gone already."""
    topic = BY_ID[message.topic]
    if message.address is None:
        yield _change(IOMMU, topic, message)
        return
    for view in (after, before):
        found = list(_subjects(message, topic, view))
        if found:
            yield from found
            return


def _subjects(message: KernelMessage, topic: Topic, view: HostView) -> Iterator[Change]:
    function = _function(message.address or "", view)
    if function is None:
        return
    ours = {each.address for gpu in view.gpus for each in gpu.functions}
    if function.address in ours or is_vfio_driver(function.driver):
        yield _change(function.address, topic, message, function)
        return
    for gpu in _below(function, view):
        yield _change(gpu.address, topic, message, gpu.function, function.address)


def _function(named: str, view: HostView) -> PciFunction | None:
    """The function that a line names: in full, without the function number, which means the GPU,
    or without the domain. One that fits several functions of the host is none."""
    if "." not in named:
        fits = [gpu.function for gpu in view.gpus if slot_of(gpu.address) == named]
    elif named.count(":") == 1:
        fits = [f for a, f in view.functions.items() if a.partition(":")[2] == named]
    else:
        return view.functions.get(named)
    return fits[0] if len(fits) == 1 else None


def _below(port: PciFunction, view: HostView) -> Iterator[Gpu]:
    """The GPUs below a bridge."""
    return (gpu for gpu in view.gpus if port.address in gpu.function.ports)


def _change(
    subject: str,
    topic: Topic,
    message: KernelMessage,
    card: PciFunction | None = None,
    port: str | None = None,
) -> Change:
    text, kind, fix = topic.text.format(detail=message.detail), topic.kind, topic.fix
    if topic.id == "xid":
        xid = XIDS.get(int(message.detail), UNKNOWN)
        text, kind, fix = f"{text}: {xid.text}", xid.kind, xid.fix
    if topic.amd_fix is not None and card is not None and card.vendor == AMD_GRAPHICS:
        fix = topic.amd_fix
    where = f" (port {port.removeprefix('0000:')})" if port is not None else ""
    return Change(subject, text + where, kind, by="kernel", fix=fix)
