"""What version of the nvidia driver a card leaves safely, and what does not let it go.

The gates come from the history of NVIDIA's open-gpu-kernel-modules: nv-pci.c and
nvidia-drm-drv.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tui.model import Check, Gpu, NvidiaModule, Readiness
from tui.rules.modeset_fix import without_modeset

ID = "nvidia.release"

MODESET_RELEASES = (580, 105, 8)
"""From here on nvidia_drm lets go of a card that leaves; before, with modeset, never."""

NEVER_RECOVERS = (595,)
"""From here on a removal that found the card in use never ends, whoever leaves."""

RESERVED = (
    "not read while the host has it: from driver 595 on, a card that is read when somebody "
    "else takes it away is lost until the next boot"
)
"""Why the guest's card is not read with such a driver."""

_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){1,2}")


def version_number(version: str | None) -> tuple[int, ...] | None:
    """A driver's version as numbers: ``580.105.08`` is (580, 105, 8)."""
    if version is None or not _VERSION.fullmatch(version):
        return None
    return tuple(int(part) for part in version.split("."))


def never_recovers(module: NvidiaModule | None) -> bool | None:
    """Whether a hang could not end but by a reboot; ``None`` where the version is unknown."""
    found = version_number(module.version) if module else None
    return None if found is None else found >= NEVER_RECOVERS


def may_hold_card(module: NvidiaModule | None) -> bool:
    """Whether the driver may hold a card though no process does: nvidia_drm's modeset."""
    version = version_number(module.version) if module else None
    if module is None or module.modeset is False:
        return False
    return version is None or version < MODESET_RELEASES


def check(gpu: Gpu, readiness: Readiness, gpus: Iterable[Gpu]) -> Check:
    """Whether the driver lets go of ``gpu``, one of ``gpus``."""
    module = readiness.nvidia
    if "driver" in gpu.function.unreadable:
        return Check(ID, gpu.address, "unknown", "the driver of the card cannot be read")
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
            f"driver {module.version}: should anything use the card as it leaves, only a reboot "
            "frees it again",
            "stop what uses the card first, and leave the machine alone until it is done",
        )  # fmt: skip
    return Check(ID, gpu.address, "pass", f"driver {module.version} lets go of a card")


_WITHOUT_VERSION = {
    False: ("the nvidia driver does not tell its version (/proc/driver/nvidia/version)",
            "reload the driver, or update it"),
    True: ("the capture has no version of the nvidia driver (proc/driver/nvidia/version)",
           "capture that file as well"),
}  # fmt: skip


def _modeset(gpu: Gpu, module: NvidiaModule, readiness: Readiness, gpus: Iterable[Gpu]) -> Check:
    if module.modeset is None:
        who = "the capture does not have" if readiness.captured else "only root may read"
        look = "capture it as root" if readiness.captured else "run this as root"
        return Check(
            ID, gpu.address, "unknown",
            f"driver {module.version} lets go of a card only without nvidia_drm modeset, which "
            f"{who}", f"{look}: /sys/module/nvidia_drm/parameters/modeset",
        )  # fmt: skip
    needed = any(g.function.driver == "nvidia" and g.address != gpu.address for g in gpus)
    return Check(
        ID, gpu.address, "fail",
        f"nvidia_drm modeset holds the card: driver {module.version} lets go of it from "
        "580.105.08 on",
        f"update the driver, or {without_modeset(readiness, needed=needed)}",
    )  # fmt: skip
