"""What is plugged into a card: the host must not need it when the card leaves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.made import USB, VGA, card, function, inventory, snapshot
from tui.model import Attachment, Check, DeviceUse, DeviceUses, Gpu, HostView
from tui.rules import attached_checks
from tui.rules.roles import Choice
from tui.rules.view import assess

CARD, PORT, BOARD = "0000:02:00.0", "0000:02:00.2", "0000:00:14.0"

DISK = Attachment("disk", "sda1", "is mounted at /home", in_use=True)
IDLE = Attachment("disk", "sda", "is not in use")
WIRED = Attachment("network", "enx0", "has an address", in_use=True)
KEYBOARD = Attachment("keyboard", "3-1", "is a keyboard")
MOUSE = Attachment("input", "3-2", "is a mouse")


def host(port: str | None = "xhci_hcd", kind: str = USB) -> tuple[Gpu, HostView]:
    """A card at 02:00 whose third function is on a driver, and a USB controller of the board."""
    facts: dict[str, Any] = {"iommu_group": 2, "name": "USB"}
    functions = (
        *card("02:00", 2, boot_vga=False), function("02:00.2", kind, driver=port, **facts),
        function("00:14.0", USB, driver="xhci_hcd", iommu_group=3, name="USB"),
        function("00:02.0", VGA, vendor="8086", driver="i915", iommu_group=4, boot_vga=True),
    )  # fmt: skip
    view = assess(snapshot(inventory(*functions)), Choice(CARD))
    gpu = view.gpu(CARD)
    assert gpu is not None
    return gpu, view


def found(
    *attached: Attachment, board: tuple[Attachment, ...] = (), unreadable: tuple[str, ...] = (),
    builtin: bool = False,
) -> Check:  # fmt: skip
    uses = DeviceUses(
        (DeviceUse(PORT, attached, unreadable), DeviceUse(BOARD, board)), builtin_keyboard=builtin
    )
    check = attached_checks.check(*host(), uses)
    assert check is not None
    assert (check.id, check.subject) == ("gpu.attached", CARD)
    return check


@pytest.mark.parametrize("attached", [(), (IDLE,), (MOUSE,), (IDLE, MOUSE)])
def test_what_the_host_does_not_use_may_leave(attached: tuple[Attachment, ...]) -> None:
    check = found(*attached)
    assert (check.verdict, check.why) == (
        "pass", "the host uses nothing that is plugged into the card"
    )  # fmt: skip


@pytest.mark.parametrize("used", [DISK, WIRED])
@pytest.mark.parametrize("unreadable", [(), ("the mounts",)])
def test_what_the_host_uses_keeps_the_card(used: Attachment, unreadable: tuple[str, ...]) -> None:
    check = found(IDLE, used, KEYBOARD, unreadable=unreadable)
    assert (check.verdict, check.why) == (
        "fail", f"the host uses what is plugged into the card: {used.text}"
    )  # fmt: skip
    assert check.fix is not None


def test_what_cannot_be_read_is_a_doubt() -> None:
    check = found(IDLE, KEYBOARD, unreadable=("what sda is for",))
    assert (check.verdict, check.why) == ("unknown", f"cannot tell what sda is for ({PORT})")
    unread = attached_checks.check(*host(), DeviceUses())
    assert unread is not None
    assert (unread.verdict, unread.why) == (
        "unknown", f"cannot tell what is attached to it ({PORT})"
    )  # fmt: skip


def test_the_last_keyboard_is_a_warning() -> None:
    check = found(KEYBOARD)
    assert (check.verdict, check.why) == (
        "warn", "the keyboard 3-1 is plugged into the card, and no other one was found"
    )  # fmt: skip
    assert found(KEYBOARD, board=(MOUSE,)).verdict == "warn"
    assert found(KEYBOARD, board=(KEYBOARD,)).verdict == "pass"
    assert found(KEYBOARD, builtin=True).verdict == "pass"


@pytest.mark.parametrize("driver", [None, "vfio-pci", "pci-stub"])
def test_a_controller_that_the_host_does_not_have_has_nothing_of_it(driver: str | None) -> None:
    gpu, view = host(driver)
    assert attached_checks.check(gpu, view, DeviceUses()) is None
    assert attached_checks.functions_to_inspect(gpu, view) == ()


@pytest.mark.parametrize(
    ("kind", "asked"),
    [(USB, (PORT, BOARD)), ("010802", (PORT,)), ("020000", (PORT,)), ("0c8000", ()),
     ("040300", ())],
)  # fmt: skip
def test_what_is_read_for_it(kind: str, asked: tuple[str, ...]) -> None:
    assert attached_checks.functions_to_inspect(*host(kind=kind)) == asked
