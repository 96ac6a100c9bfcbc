"""The doctor's check of an nvidia driver that modeset keeps on a card."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.made import card, inventory, snapshot
from tui.model import NvidiaModule, Readiness
from tui.rules import driver_gates
from tui.rules.view import assess

CARD = "0000:02:00.0"
READY = Readiness(root=True, vfio_pci=True)


def said(module: NvidiaModule, *, host: str = "nvidia", captured: bool = False) -> tuple[str, str]:
    """Reason and fix for the guest's card, next to a card of the host on the driver ``host``."""
    pci = inventory(*card("01:00", 1, host, boot_vga=True), *card("02:00", 2, boot_vga=False))
    gpus = assess(snapshot(pci)).gpus
    (gpu,) = [gpu for gpu in gpus if gpu.address == CARD]
    check = driver_gates.check(gpu, replace(READY, nvidia=module, captured=captured), gpus)
    assert check.verdict == ("fail" if module.modeset else "unknown")
    return check.why, check.fix or ""


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("nvidia", "set `options nvidia_drm modeset=0` in /etc/modprobe.d and reboot, since the "
                   "host GPU needs nvidia_drm"),
        ("amdgpu", "stop the display and run `modprobe -r nvidia_drm`"),
    ],
)  # fmt: skip
def test_a_module_that_a_card_of_the_host_needs_is_not_unloaded(host: str, words: str) -> None:
    why, how = said(NvidiaModule("535.1.01", modeset=True), host=host)
    assert "nvidia_drm modeset holds the card" in why
    assert how == f"update the driver, or {words}"


@pytest.mark.parametrize(
    ("captured", "who", "what"),
    [(False, "only root can check that", "run this as root"),
     (True, "the capture does not show that", "capture it as root")],
)  # fmt: skip
def test_whether_modeset_is_on_only_root_can_read(*, captured: bool, who: str, what: str) -> None:
    why, how = said(NvidiaModule("535.1.01", modeset=None), captured=captured)
    assert why.endswith(f"if nvidia_drm modeset is off, and {who}")
    assert how == f"{what}: /sys/module/nvidia_drm/parameters/modeset"
