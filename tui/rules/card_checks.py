"""The state that a card is in: whether it may be moved, is whole, and answers.

``status`` shows these facts of every GPU; here they are judged, for the doctor and for plans.
"""

from __future__ import annotations

import shlex

from tui.model import Check, Gpu, HostView, PciFunction, driver_side
from tui.rules import r465
from tui.rules.isolation import ON_BOARD, detach, reattach
from tui.rules.viability import on_different_sides

SOUND = "0403"
"""The class of a card's sound, by its first digits."""

MOVABLE, HALF_BOUND, ANSWERS = "swap.movable", "swap.half-bound", "gpu.answers"

SLEEP_FAILED = "its runtime power management failed: it may be asleep, so it is left alone"
"""What power/runtime_status says of a card with ``error``."""


def movable(gpu: Gpu) -> Check:
    """swap.movable: the kernel is not busy with the card."""
    address = gpu.address
    if gpu.owner.kind in ("stuck", "moving"):
        return Check(MOVABLE, address, "fail", gpu.no_reading or f"the card is {gpu.owner.kind}",
                     _when_busy(gpu))  # fmt: skip
    if gpu.owner.kind == "unknown":
        return Check(MOVABLE, address, "unknown", "the driver of the card cannot be read")
    dark = [f.address for f in gpu.companions if "driver" in f.unreadable]
    if dark:
        return Check(MOVABLE, address, "unknown", f"the driver of {dark[0]} cannot be read")
    return Check(MOVABLE, address, "pass", f"on {gpu.function.driver or 'no driver'} now")


def _when_busy(gpu: Gpu) -> str:
    if gpu.owner.kind == "moving":
        return "wait until the kernel is done with it"
    return ("end what uses the card (`vfiotop status --json` lists its holders); where that does "
            "not free it, only a reboot does")  # fmt: skip


def half_bound(gpu: Gpu, view: HostView) -> Check:
    """swap.half-bound: all functions of a card are on one side. One that is on both is of use to
    neither: its guest cannot start, and the host cannot use it. Its sound in another group does
    not move with it, and nothing fails without it; but whoever has the card wants it too."""
    swap, functions = view.swap, (gpu.function, *gpu.companions)
    if swap is not None and swap.interrupted and gpu.address in swap.moves:
        return Check(
            HALF_BOUND, gpu.address, "fail",
            f"its {swap.direction} was interrupted{_sides(gpu) if gpu.half_bound else ''}",
            "`vfiotop recover --finish` or `vfiotop recover --undo`",
        )  # fmt: skip
    if gpu.owner.kind == "moving":
        return Check(HALF_BOUND, gpu.address, "pass", "it is being moved")
    if gpu.half_bound:
        return Check(
            HALF_BOUND, gpu.address, "warn", f"half bound{_sides(gpu)}", _one_side(gpu, view)
        )
    sound = _sound_elsewhere(gpu, view)
    each = (*functions, *((sound,) if sound else ()))
    dark = [f.address for f in each if "driver" in f.unreadable]
    if dark:
        return Check(HALF_BOUND, gpu.address, "unknown", f"the driver of {dark[0]} cannot be read")
    if sound is not None and on_different_sides(gpu.function, (*gpu.companions, sound)):
        return _left_behind(gpu, sound, view)
    return Check(HALF_BOUND, gpu.address, "pass", "all its functions are on the same side")


def _sides(gpu: Gpu) -> str:
    """Which function is where."""
    return f": {', '.join(_where(f) for f in (gpu.function, *gpu.companions))}"


def _where(function: PciFunction) -> str:
    if "driver" in function.unreadable:
        return f"{function.address} on a driver that cannot be read"
    return f"{function.address} on {function.driver or 'no driver'}"


def _one_side(gpu: Gpu, view: HostView) -> str:
    """What brings it together. A card that no guest may have goes nowhere but home."""
    word = shlex.quote(gpu.address)
    home = f"`vfiotop unbind {word}` gives it back to the host"
    if gpu.owner.kind == "stuck":
        return _when_busy(gpu)
    if _goes_home_only(gpu, view):
        return home
    first = ""
    if gpu.owner.guest is not None:
        first = f"shut down {gpu.owner.guest} first; then "
    return f"{first}`vfiotop bind {word}` finishes it, {home}"


def _goes_home_only(gpu: Gpu, view: HostView) -> bool:
    """Whether no guest may have it, so that a bind is refused."""
    never = (r465.not_shared(gpu), r465.two_gpus(gpu, view), r465.family(gpu))
    return any(check.verdict == "fail" for check in never)


def _sound_elsewhere(gpu: Gpu, view: HostView) -> PciFunction | None:
    """The sound of a discrete card that is in another group than the card. A slot with functions
    of another maker is a part of a processor: that has the host's own sound, too."""
    own = gpu.function
    slot = [f for group in view.groups for f in group.functions if f.slot == own.slot]
    if own.address.split(":")[1] == ON_BOARD or any(f.vendor != own.vendor for f in slot):
        return None
    mine = {own.address, *(f.address for f in gpu.companions)}
    return next(
        (f for f in slot if f.class_code.startswith(SOUND) and f.address not in mine
         and "iommu_group" not in f.unreadable), None,
    )  # fmt: skip


def _left_behind(gpu: Gpu, sound: PciFunction, view: HostView) -> Check:
    """Its sound in another group is not where the card is."""
    takers = [guest.domain for guest in view.guests if sound.address in guest.domain.functions]
    user = next((domain for domain in takers if domain.active), None)
    if user is not None:
        return Check(HALF_BOUND, gpu.address, "pass", f"“{user.name}” runs with its sound")
    by_libvirt = next(
        (d for d in takers for dev in d.hostdevs if dev.address == sound.address and dev.managed),
        None,
    )
    if driver_side(gpu.function.driver) == "vfio" and by_libvirt is not None:
        why = f"its sound, {sound.address}, is moved by the start of “{by_libvirt.name}”"
        return Check(HALF_BOUND, gpu.address, "pass", why)
    why = (f"its sound is in another IOMMU group, and does not move with it: {_where(gpu.function)}"
           f", {_where(sound)}")  # fmt: skip
    return Check(HALF_BOUND, gpu.address, "warn", why, _bring(gpu, sound, view, named=bool(takers)))


def _bring(gpu: Gpu, sound: PciFunction, view: HostView, *, named: bool) -> str:
    """What brings both together: the sound to where the card is, or a card that is nowhere to
    where its sound is."""
    card = shlex.quote(gpu.address)
    whose = driver_side(gpu.function.driver)
    if whose == "vfio":
        more = "" if named else ", and a <hostdev> with it gives it to the guest"
        return f"{detach(sound.address)} once nothing plays through it{more}"
    if whose != "host" and driver_side(sound.driver) == "host":
        return f"`vfiotop unbind {card}` gives the card back to the host"
    if whose != "host" and not _goes_home_only(gpu, view):
        return f"`vfiotop bind {card}` takes the card to where its sound is"
    if driver_side(sound.driver) == "vfio":
        return f"{reattach(sound.address)} gives it back to the host"
    word, driver = shlex.quote(sound.address), shlex.quote(sound.driver or "")
    return (f"`echo {word} > /sys/bus/pci/drivers/{driver}/unbind`, then `echo {word} > "
            "/sys/bus/pci/drivers_probe`, gives it back to the host")  # fmt: skip


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
