"""Cards that got stuck, changed their guest, lost their readings, fell asleep or woke."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import Gpu, HostView, is_awake
from tui.rules import vfio_users
from tui.rules.card_checks import SLEEP_FAILED
from tui.rules.change import Change, all_read


def changes(before: HostView, after: HostView) -> Iterator[Change]:
    """The changes between two views that both rest on a reading of PCI."""
    nvml, guests, vitals = (all_read(name, before, after) for name in ("nvml", "guests", "vitals"))
    for now in after.gpus:
        was = before.gpu(now.address)
        if was is None:
            continue
        if vitals:
            yield from _stuck(was, now)
        if guests:
            yield from _owner(was, now)
        stays = not {was.owner.kind, now.owner.kind} & {"moving", "stuck"}
        if nvml and stays and was.function.driver == now.function.driver:
            yield from _reading(was, now)
        yield from _sleep(was.runtime_status, now)


def _stuck(was: Gpu, now: Gpu) -> Iterator[Change]:
    """A driver removal hangs, or does not hang any more."""
    if now.owner.kind == "stuck" != was.owner.kind:
        yield Change(now.address, now.no_reading or "stuck", "failed", by="host")
    elif was.owner.kind == "stuck" != now.owner.kind:
        yield Change(now.address, "no longer stuck", "done", by="host")


def _owner(was: Gpu, now: Gpu) -> Iterator[Change]:
    """The user of the card changed: a domain, or a process that libvirt does not know. Other
    owners follow from the driver's change. A domain's process may be seen before the domain."""
    if _user(was) == _user(now) or _begins(was, now):
        return
    if _user(was):
        yield Change(now.address, f"released by {_user_name(was)}", "change")
    if _user(now):
        yield Change(now.address, f"in use by {_user_name(now)}", "change")


def _user(gpu: Gpu) -> str | int | None:
    """The UUID of the domain, or the pid of the process, that has a card or a share of it."""
    return gpu.guest_uuid or (gpu.taken_by.pid if gpu.taken_by is not None else None)


def _begins(was: Gpu, now: Gpu) -> bool:
    """Whether the process that had the card is that of the domain which has it now."""
    process = was.taken_by
    return process is not None and now.guest_uuid is not None and process.guest == now.owner.guest


def _user_name(gpu: Gpu) -> str | None:
    """The name of that user. The owner of a shared card is the host, not its user."""
    return vfio_users.display_name(gpu.taken_by) if gpu.taken_by is not None else gpu.owner.guest


def _reading(was: Gpu, now: Gpu) -> Iterator[Change]:
    """NVML cannot read the card any more, or reads it again."""
    fault, before = _fault(now), _fault(was)
    if fault is not None and before is None:
        yield Change(now.address, fault, "failed", by="card")
    elif fault is None and before is not None and now.reading is not None:
        yield Change(now.address, "NVML reads it again", "done", by="card")


def _fault(gpu: Gpu) -> str | None:
    """Why NVML does not read a card that it should read: one that is awake, on the nvidia
    driver, and not left alone."""
    if gpu.function.driver != "nvidia" or not is_awake(gpu.runtime_status) or gpu.left_alone:
        return None
    if gpu.reading is None:
        return gpu.no_reading
    return gpu.reading.problem


def _sleep(before: str | None, now: Gpu) -> Iterator[Change]:
    """The card fell asleep, woke, or failed to. Transitional states are not reported."""
    status = now.runtime_status
    if before is None or before == status:
        return
    if status == "suspended":
        yield Change(now.address, "asleep", "note", by="card")
    elif status == "active" and before in ("suspended", "resuming", "error"):
        yield Change(now.address, "awake", "note", by="card")
    elif status == "error":
        yield Change(now.address, SLEEP_FAILED, "failed", by="card")
