"""Which versions of the nvidia driver release a card, and which do not.

Source: the history of nv-pci.c and nvidia-drm-drv.c in NVIDIA's open-gpu-kernel-modules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tui.model import Check, Gpu, NvidiaModule, Readiness
from tui.rules.modeset_fix import without_modeset

ID = "nvidia.release"

MODESET_RELEASES = (580, 105, 8)
"""Since this version nvidia_drm releases a card that is unbound. Older ones with modeset never
do."""

NEVER_RECOVERS = (595,)
"""Since this version a removal that finds the card in use never ends, even if its user exits."""

RESERVED = (
    "not read while the host has it: with driver 595 or newer, a card that is being read when it "
    "is unbound is lost until the next boot"
)
"""Why the guest's card is not read with a driver of ``NEVER_RECOVERS``."""

DRIVER_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){1,2}")
"""A version of NVIDIA's driver, such as 580.95.05."""


def version_number(version: str | None) -> tuple[int, ...] | None:
    """A driver's version as numbers: (580, 105, 8) for ``580.105.08``."""
    if version is None or not DRIVER_VERSION.fullmatch(version):
        return None
    return tuple(int(part) for part in version.split("."))


def never_recovers(module: NvidiaModule | None) -> bool | None:
    """Whether only a reboot ends a hung removal; ``None`` if the version is unknown."""
    found = version_number(module.version) if module else None
    return None if found is None else found >= NEVER_RECOVERS


def may_hold_card(module: NvidiaModule | None) -> bool:
    """Whether the driver may hold a card that no process uses, because of nvidia_drm's modeset."""
    version = version_number(module.version) if module else None
    if module is None or module.modeset is False:
        return False
    return version is None or version < MODESET_RELEASES


def check(gpu: Gpu, readiness: Readiness, gpus: Iterable[Gpu]) -> Check:
    """nvidia.release: whether the driver releases ``gpu``, one of ``gpus``."""
    module = readiness.nvidia
    if "driver" in gpu.function.unreadable:
        return Check(ID, gpu.address, "unknown", "the card's driver cannot be read")
    if gpu.function.driver != "nvidia":
        return Check(ID, gpu.address, "pass", "the card is not on the nvidia driver")
    version = version_number(module.version) if module else None
    if module is None or version is None:
        return Check(ID, gpu.address, "unknown", *_WITHOUT_VERSION[readiness.captured])
    if version < MODESET_RELEASES and module.modeset is not False:
        return _modeset(gpu, module, readiness, gpus)
    if version >= NEVER_RECOVERS:
        return Check(
            ID, gpu.address, "warn",
            f"driver {module.version}: if anything is using the card when it is unbound, only a "
            "reboot recovers it",
            "stop everything that uses the card, and start nothing until the swap is done",
        )  # fmt: skip
    return Check(ID, gpu.address, "pass", f"driver {module.version} releases cards cleanly")


_WITHOUT_VERSION = {
    False: ("the nvidia driver does not report its version (/proc/driver/nvidia/version)",
            "reload the driver, or update it"),
    True: ("the capture has no version of the nvidia driver (proc/driver/nvidia/version)",
           "capture that file as well"),
}  # fmt: skip


def _modeset(gpu: Gpu, module: NvidiaModule, readiness: Readiness, gpus: Iterable[Gpu]) -> Check:
    if module.modeset is None:
        who = "the capture does not show that" if readiness.captured else "only root can check that"
        read = "capture it as root" if readiness.captured else "run this as root"
        return Check(
            ID, gpu.address, "unknown",
            f"driver {module.version} releases cards only if nvidia_drm modeset is off, and {who}",
            f"{read}: /sys/module/nvidia_drm/parameters/modeset",
        )  # fmt: skip
    needed = any(g.function.driver == "nvidia" and g.address != gpu.address for g in gpus)
    return Check(
        ID, gpu.address, "fail",
        f"nvidia_drm modeset holds the card with driver {module.version}; 580.105.08 and newer "
        "release it",
        f"update the driver, or {without_modeset(readiness, needed=needed)}",
    )  # fmt: skip
