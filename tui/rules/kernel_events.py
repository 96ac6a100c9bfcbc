"""What the kernel's log says about our cards, their ports, the IOMMU and devices on vfio."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import (
    SOURCE_NAMES,
    HostView,
    KernelLog,
    KernelMessage,
    PciFunction,
    is_vfio_driver,
    slot_of,
)
from tui.rules import kernel_log
from tui.rules.change import Change, never_read

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
        yield Change(SOURCE_NAMES["kernel"], why, "note", by="host", fix=kernel_log.fix(why))


def _lost(was: KernelLog, now: KernelLog) -> Iterator[Change]:
    count = now.lost - was.lost
    if count > 0:
        lines = "line was" if count == 1 else "lines were"
        yield Change(
            SOURCE_NAMES["kernel"], f"{count} {lines} overwritten unread", "note", by="host"
        )


def _said(message: KernelMessage, before: HostView, after: HostView) -> Iterator[Change]:
    """The message as a change of each card it concerns. A card that it took from the bus may be
    gone already."""
    if message.address is None:
        yield _change(IOMMU, message)
        return
    for view in (after, before):
        found = list(_about(message, message.address, view))
        if found:
            yield from found
            return


def _about(message: KernelMessage, address: str, view: HostView) -> Iterator[Change]:
    function = _function(address, view)
    if function is None:
        return
    ours = {each.address for gpu in view.gpus for each in gpu.functions}
    if function.address in ours or is_vfio_driver(function.driver):
        yield _change(function.address, message, function.vendor)
        return
    for gpu in view.gpus:
        if function.address in gpu.function.ports:
            port = f" (port {function.address.removeprefix('0000:')})"
            yield _change(gpu.address, message, gpu.function.vendor, port)


def _function(named: str, view: HostView) -> PciFunction | None:
    """The function that a line names: in full, without the function number, which means the GPU, or
    without the domain. A name that fits several functions of the host counts as none."""
    if "." not in named:
        fits = [gpu.function for gpu in view.gpus if slot_of(gpu.address) == named]
    elif named.count(":") == 1:
        fits = [f for a, f in view.functions.items() if a.partition(":")[2] == named]
    else:
        return view.functions.get(named)
    return fits[0] if len(fits) == 1 else None


def _change(
    subject: str, message: KernelMessage, vendor: str | None = None, where: str = ""
) -> Change:
    # Imported with the first message: the first frame does not need it.
    from tui.rules.kernel_messages import told  # noqa: PLC0415

    text, kind, fix = told(message, vendor)
    return Change(subject, text + where, kind, by="kernel", fix=fix)
