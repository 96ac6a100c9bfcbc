"""The state that a card is in: whether it may be moved, is whole, and answers.

``status`` shows these facts of every GPU; here they are judged, for the doctor and for plans.
"""

from __future__ import annotations

import shlex

from tui.model import Check, Gpu, HostView
from tui.rules import passthrough

MOVABLE, HALF_BOUND, ANSWERS = "swap.movable", "swap.half-bound", "gpu.answers"

SLEEP_FAILED = "its runtime power management failed: it may be asleep, so it is left alone"
"""What power/runtime_status says of a card with ``error``."""


def movable(gpu: Gpu) -> Check:
    """swap.movable: the kernel is not busy with the card."""
    address = gpu.address
    if gpu.owner in ("stuck", "moving"):
        return Check(MOVABLE, address, "fail", gpu.no_reading or f"the card is {gpu.owner}",
                     _when_busy(gpu))  # fmt: skip
    if gpu.owner == "unknown":
        return Check(MOVABLE, address, "unknown", "the driver of the card cannot be read")
    dark = [f.address for f in gpu.companions if "driver" in f.unreadable]
    if dark:
        return Check(MOVABLE, address, "unknown", f"the driver of {dark[0]} cannot be read")
    return Check(MOVABLE, address, "pass", f"on {gpu.function.driver or 'no driver'} now")


def _when_busy(gpu: Gpu) -> str:
    if gpu.owner == "moving":
        return "wait until the kernel is done with it"
    return ("end what uses the card (`vfiotop status --json` lists its holders); where that does "
            "not free it, only a reboot does")  # fmt: skip


def half_bound(gpu: Gpu, view: HostView) -> Check:
    """swap.half-bound: all functions of a card are on one side. One that is on both is of use to
    neither: its guest cannot start, and the host cannot use it."""
    swap, functions = view.swap, (gpu.function, *gpu.companions)
    if swap is not None and swap.interrupted and gpu.address in swap.moves:
        return Check(
            HALF_BOUND, gpu.address, "fail",
            f"its {swap.direction} was interrupted{_sides(gpu) if gpu.half_bound else ''}",
            "`vfiotop recover --finish` or `vfiotop recover --undo`",
        )  # fmt: skip
    dark = [f.address for f in functions if "driver" in f.unreadable]
    if dark:
        return Check(HALF_BOUND, gpu.address, "unknown", f"the driver of {dark[0]} cannot be read")
    if gpu.half_bound:
        return Check(HALF_BOUND, gpu.address, "warn", f"half bound{_sides(gpu)}", _one_side(gpu))
    if gpu.owner == "moving":
        return Check(HALF_BOUND, gpu.address, "pass", "it is being moved")
    return Check(HALF_BOUND, gpu.address, "pass", "all its functions are on the same side")


def _sides(gpu: Gpu) -> str:
    """Which function is where."""
    each = ", ".join(
        f"{f.address} on {f.driver or 'no driver'}" for f in (gpu.function, *gpu.companions)
    )
    return f": {each}"


def _one_side(gpu: Gpu) -> str:
    """What brings it together. A card that drives the display goes nowhere but home."""
    word = shlex.quote(gpu.address)
    home = f"`vfiotop unbind {word}` gives it back to the host"
    if passthrough.not_shared(gpu).verdict == "fail":
        return home
    first = ""
    if gpu.owner.startswith("guest:"):
        first = f"shut down {gpu.owner.removeprefix('guest:')} first; then "
    return f"{first}`vfiotop bind {word}` finishes it, {home}"


def answers(gpu: Gpu) -> Check:
    """gpu.answers: the card has not fallen off the bus, as far as its driver tells, and its
    place is not a leftover of one that has."""
    reading = gpu.reading
    if reading is not None and reading.lost is not None:
        return Check(ANSWERS, gpu.address, "fail", reading.lost,
                     "shut the host down and start it again; if that happens often, look at power, "
                     "riser and slot, and at the kernel log (Xid 79)")  # fmt: skip
    dark = [name for name in ("vendor", "device", "class") if name in gpu.function.unreadable]
    if dark:
        return Check(ANSWERS, gpu.address, "unknown", f"its {dark[0]} cannot be read")
    if gpu.function.vendor == gpu.function.device == "ffff":
        return Check(ANSWERS, gpu.address, "fail", "nothing answers at its address any more",
                     f"`echo 1 > /sys/bus/pci/devices/{gpu.address}/remove`, then "
                     "`echo 1 > /sys/bus/pci/rescan`; else a reboot")  # fmt: skip
    state = gpu.vitals.power_state if gpu.vitals else None
    if state in ("error", "unknown"):
        return Check(ANSWERS, gpu.address, "warn", f"its power state is “{state}”",
                     "look at the kernel log for “Unable to change power state”; "
                     "a reboot frees it")  # fmt: skip
    if gpu.vitals is not None and gpu.vitals.runtime_status == "error":
        return Check(ANSWERS, gpu.address, "warn", SLEEP_FAILED,
                     "look at the kernel log for what its driver could not do; "
                     "a reboot frees it")  # fmt: skip
    return Check(ANSWERS, gpu.address, "pass", "nothing shows that it has left the bus")


def chosen(view: HostView) -> Check | None:
    """guest.gpu: the card that was chosen for the guest is there; ``None`` where it is, or where
    none was chosen."""
    if view.absent_card is None:
        return None
    others = " ".join(gpu.address for gpu in view.gpus if not gpu.function.boot_vga)
    now = f"; the GPUs now are {others}" if others else ""
    return Check("guest.gpu", view.absent_card, "fail",
                 f"the guest's card was at {view.absent_card}, where no GPU is any more{now}",
                 "choose it again with w, or set guest_gpu in the configuration")  # fmt: skip
