"""Whether a GPU without boot_vga drives the host's display, by the pictures on its connectors.

The kernel looks for the boot display among VGA controllers only. A host may boot on graphics of
another class, and then gives boot_vga to a VGA card that shows nothing (kernel:
drivers/pci/vgaarb.c). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from tui.model import (
    OTHER_DISPLAY,
    Check,
    Gpu,
    HostView,
    PciFunction,
    is_host_driver,
    is_vfio_driver,
)

ID = "host.not-shared"

VGA = "0300"
"""PCI class of the GPUs that have boot_vga."""

NO_SCREENS = "0302"
"""PCI class of the GPUs that have none."""

ANOTHER_CARD = "choose another card for the guest, or another primary display in the firmware"


def by_connectors(gpu: Gpu, functions: Iterable[PciFunction], view: HostView) -> Check | None:
    """The verdict on a card with these functions; ``None`` if none of them may have a screen
    without boot_vga. A picture that only this card shows is the host's display; if another card
    shows one too, or may, either can be it."""
    functions = tuple(functions)
    others = [other for other in view.gpus if other.address not in gpu.viability.moves]
    # Old Radeons and Intel graphics have a second function, and boot with the first, a VGA one.
    shown_by_another = any(f.class_code.startswith(VGA) for f in functions) or any(
        other.function.picture for other in others
    )
    lit = next(
        (f for f in functions if _may_have_screen(f, shown_by_another=shown_by_another)), None
    )
    if lit is None:
        return None
    what = "the card" if lit is gpu.function else f"{lit.address}, which moves with it,"
    if lit.picture is None:
        why = f"cannot tell whether {what} drives the host's display: its connectors are not known"
        return Check(ID, gpu.address, "unknown", why)
    if all(_is_dark(other.function) for other in others):
        why = f"{what} drives the host's display: no other card shows a picture"
        return Check(ID, gpu.address, "fail", why, ANOTHER_CARD)
    why = f"{what} shows a picture, which may be the host's display"
    return Check(ID, gpu.address, "unknown", why, "connect the host's screen to another card")


def _is_dark(function: PciFunction) -> bool:
    """Whether another GPU shows no picture of the host: none is seen, and it has no screens or is
    bound for a guest."""
    if function.picture is None:
        return function.class_code.startswith(NO_SCREENS) or is_vfio_driver(function.driver)
    return not function.picture


def _may_have_screen(function: PciFunction, *, shown_by_another: bool) -> bool:
    """Whether the host may show a picture through a function that has no boot_vga. Without a
    driver it may still show the firmware's, unless that is ``shown_by_another``."""
    if not function.class_code.startswith(OTHER_DISPLAY) or function.picture is False:
        return False
    if function.driver is None:
        return "driver" in function.unreadable or not shown_by_another
    return is_host_driver(function.driver)
