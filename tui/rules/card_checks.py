"""The state of a card: whether it can be moved, is on one side, and answers.

``status`` shows these facts for every GPU. These checks judge them, for the doctor and for plans.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tui.model import AUDIO_CLASS, VFIO_PCI, Check, Gpu, HostView, PciFunction, bus_of, driver_side
from tui.rules import r465
from tui.rules.isolation import ON_BOARD, detach, reattach
from tui.rules.viability import on_different_sides

CHOOSE_CARD = "press w to choose the guest's card, or set guest_gpu in the configuration"

MOVABLE, HALF_BOUND, ANSWERS = "swap.movable", "swap.half-bound", "gpu.answers"

NO_CARD_LEFT = "no card is left for a guest: the only one drives the host's display"

BACK_ON_BUS = ("power the host off and on; if that happens often, check power, riser and slot, and "
               "the kernel log for Xid 79")  # fmt: skip
"""How to recover a card that has fallen off the bus."""

SLEEP_FAILED = "runtime power management failed; the card may be asleep, so it is not read"
"""What power/runtime_status ``error`` means for a card."""


def movable(gpu: Gpu) -> Check:
    """swap.movable: the kernel is not busy with the card."""
    address = gpu.address
    if gpu.owner.kind in ("stuck", "moving"):
        return Check(MOVABLE, address, "fail", gpu.no_reading or f"the card is {gpu.owner.kind}",
                     _when_busy(gpu))  # fmt: skip
    if gpu.owner.kind == "unknown":
        return Check(MOVABLE, address, "unknown", "the card's driver cannot be read")
    unreadable = [f.address for f in gpu.companions if "driver" in f.unreadable]
    if unreadable:
        return Check(MOVABLE, address, "unknown", f"the driver of {unreadable[0]} cannot be read")
    return Check(MOVABLE, address, "pass", f"on {gpu.function.driver or 'no driver'} now")


def _when_busy(gpu: Gpu) -> str:
    if gpu.owner.kind == "moving":
        return "wait until the kernel has finished"
    return ("end what uses the card (`vfiotop status --json` lists its holders); if that does "
            "not free it, reboot")  # fmt: skip


def half_bound(gpu: Gpu, view: HostView) -> Check:
    """swap.half-bound: all functions of a card are on one side. Neither side can use a card that
    is on both: its guest cannot start, and the host cannot use it. An audio function in another
    group does not move with the card. Nothing fails without it, but whoever has the card wants it
    too."""
    swap, functions = view.swap, (gpu.function, *gpu.companions)
    if swap is not None and swap.interrupted and gpu.address in swap.moves:
        return Check(
            HALF_BOUND, gpu.address, "fail",
            f"the {swap.direction} of the card was interrupted"
            f"{_sides(gpu) if gpu.half_bound else ''}",
            "`vfiotop recover --finish` or `vfiotop recover --undo`",
        )  # fmt: skip
    if gpu.owner.kind == "moving":
        return Check(HALF_BOUND, gpu.address, "pass", "the card is being moved")
    if gpu.half_bound:
        return Check(
            HALF_BOUND, gpu.address, "warn", f"half bound{_sides(gpu)}", _one_side_fix(gpu, view)
        )
    sound = _audio_in_other_group(gpu, view)
    each = (*functions, *((sound,) if sound else ()))
    unreadable = [f.address for f in each if "driver" in f.unreadable]
    if unreadable:
        return Check(
            HALF_BOUND, gpu.address, "unknown", f"the driver of {unreadable[0]} cannot be read"
        )
    if sound is not None and on_different_sides(gpu.function, (*gpu.companions, sound)):
        return _audio_apart(gpu, sound, view)
    return Check(HALF_BOUND, gpu.address, "pass", _which_side(functions))


def _which_side(functions: Sequence[PciFunction]) -> str:
    """The side that all functions of a card are on."""
    drivers = {f.driver for f in functions}
    if drivers <= {None}:
        return "no function of the card is on a driver"
    sides = {driver_side(driver) for driver in drivers}
    where = "drivers of neither side"
    if "host" in sides:
        where = "host drivers"
    elif "vfio" in sides:
        where = "vfio-pci" if drivers <= {VFIO_PCI, None} else "VFIO drivers"
    return f"all functions of the card are on {where}{' or on none' if None in drivers else ''}"


def _sides(gpu: Gpu) -> str:
    """The driver of each function."""
    return f": {', '.join(_where(f) for f in (gpu.function, *gpu.companions))}"


def _where(function: PciFunction) -> str:
    if "driver" in function.unreadable:
        return f"{function.address} on a driver that cannot be read"
    return f"{function.address} on {function.driver or 'no driver'}"


def _one_side_fix(gpu: Gpu, view: HostView) -> str:
    """How to bring all functions to one side. A card that no guest may have can only return to
    the host."""
    word = shlex.quote(gpu.address)
    home = f"`vfiotop unbind {word}` returns it to the host"
    if gpu.owner.kind == "stuck":
        return _when_busy(gpu)
    if _only_for_host(gpu, view):
        return home
    first = ""
    if gpu.owner.guest is not None:
        first = f"shut down {gpu.owner.guest} first; then "
    return f"{first}`vfiotop bind {word}` completes the bind, {home}"


def _only_for_host(gpu: Gpu, view: HostView) -> bool:
    """Whether no guest may have the card, so that a bind is refused."""
    never = (r465.not_shared(gpu, view), r465.two_gpus(gpu, view), r465.family(gpu))
    return any(check.verdict == "fail" for check in never)


def _audio_in_other_group(gpu: Gpu, view: HostView) -> PciFunction | None:
    """The audio function of a discrete card, if it is in another group than the card. A slot with
    functions of another vendor is a part of a processor, and its audio is the host's."""
    own = gpu.function
    slot = [f for group in view.groups for f in group.functions if f.slot == own.slot]
    if bus_of(own.address) == ON_BOARD or any(f.vendor != own.vendor for f in slot):
        return None
    mine = {own.address, *(f.address for f in gpu.companions)}
    return next(
        (f for f in slot if f.class_code.startswith(AUDIO_CLASS) and f.address not in mine
         and "iommu_group" not in f.unreadable), None,
    )  # fmt: skip


def _audio_apart(gpu: Gpu, sound: PciFunction, view: HostView) -> Check:
    """The check for an audio function that is not on the card's side."""
    takers = [guest.domain for guest in view.guests if sound.address in guest.domain.functions]
    user = next((domain for domain in takers if domain.active), None)
    if user is not None:
        return Check(
            HALF_BOUND,
            gpu.address,
            "pass",
            f"“{user.name}” is running with the card's audio function",
        )
    by_libvirt = next(
        (d for d in takers for dev in d.hostdevs if dev.address == sound.address and dev.managed),
        None,
    )
    if driver_side(gpu.function.driver) == "vfio" and by_libvirt is not None:
        why = f"starting “{by_libvirt.name}” moves the card's audio function {sound.address}"
        return Check(HALF_BOUND, gpu.address, "pass", why)
    why = ("the card's audio function is in another IOMMU group and does not move with it: "
           f"{_where(gpu.function)}, {_where(sound)}")  # fmt: skip
    return Check(
        HALF_BOUND, gpu.address, "warn", why, _audio_fix(gpu, sound, view, named=bool(takers))
    )


def _audio_fix(gpu: Gpu, sound: PciFunction, view: HostView, *, named: bool) -> str:
    """How to bring both to one side: the audio function to the card's, or a card that is on
    neither side to that of its audio function."""
    card = shlex.quote(gpu.address)
    whose = driver_side(gpu.function.driver)
    if whose == "vfio":
        more = "" if named else "; a <hostdev> for it gives it to the guest"
        return f"{detach(sound.address)} once nothing plays through it{more}"
    if whose != "host" and driver_side(sound.driver) == "host":
        return f"`vfiotop unbind {card}` returns the card to the host"
    if whose != "host" and not _only_for_host(gpu, view):
        return f"`vfiotop bind {card}` moves the card to VFIO, where its audio function is"
    if driver_side(sound.driver) == "vfio":
        return f"{reattach(sound.address)} returns it to the host"
    word, driver = shlex.quote(sound.address), shlex.quote(sound.driver or "")
    return (f"`echo {word} > /sys/bus/pci/drivers/{driver}/unbind`, then `echo {word} > "
            "/sys/bus/pci/drivers_probe`, returns it to the host")  # fmt: skip


def answers(gpu: Gpu) -> Check:
    """gpu.answers: the card has not fallen off the bus, and its sysfs entry is not left over from
    one that has."""
    reading = gpu.reading
    if reading is not None and reading.lost is not None:
        return Check(ANSWERS, gpu.address, "fail", reading.lost, BACK_ON_BUS)
    unreadable = [name for name in ("vendor", "device", "class") if name in gpu.function.unreadable]
    if unreadable:
        return Check(ANSWERS, gpu.address, "unknown", f"the card's {unreadable[0]} cannot be read")
    if not r465.responds(gpu):
        return Check(ANSWERS, gpu.address, "fail", "no device responds at its address",
                     f"`echo 1 > /sys/bus/pci/devices/{gpu.address}/remove`, then "
                     "`echo 1 > /sys/bus/pci/rescan`; if that fails, reboot")  # fmt: skip
    if reading is not None and reading.failed is not None:
        return Check(ANSWERS, gpu.address, "unknown", reading.failed)
    return _power_fault(gpu) or Check(
        ANSWERS, gpu.address, "pass", "no sign that it has fallen off the bus"
    )


def _power_fault(gpu: Gpu) -> Check | None:
    state = gpu.vitals.power_state if gpu.vitals else None
    if state in ("error", "unknown"):
        return Check(ANSWERS, gpu.address, "warn", f"the card's power state is “{state}”",
                     "check the kernel log for “Unable to change power state”; "
                     "a reboot recovers it")  # fmt: skip
    if gpu.vitals is not None and gpu.vitals.runtime_status == "error":
        return Check(ANSWERS, gpu.address, "warn", SLEEP_FAILED,
                     "check the kernel log for the error of its driver; "
                     "a reboot recovers it")  # fmt: skip
    return None


def free_for_guest(view: HostView) -> list[Gpu]:
    """The GPUs that do not drive the host's display, as far as that is known."""
    return [gpu for gpu in view.gpus if r465.not_shared(gpu, view).verdict != "fail"]


def chosen(view: HostView) -> Check:
    """guest.gpu: the guest has a card. Used while it is not known which one."""
    check, free = "guest.gpu", free_for_guest(view)
    fix = CHOOSE_CARD if free else None
    if view.absent_card is not None:
        now = f"; the GPUs now are {' '.join(gpu.address for gpu in free)}" if free else ""
        why = f"the guest's card was at {view.absent_card}, where no GPU is now{now}"
        return Check(check, view.absent_card, "fail", why, fix or BACK_ON_BUS)
    if not free:
        return Check(check, None, "fail", NO_CARD_LEFT)
    return Check(check, None, "unknown", "cannot tell which card is for the guest", fix)
