"""What a host has set up that bears on a card: framebuffers, sleep, resets, hooks, managers.

Only files that exist while the host runs are read, and none that would wake a sleeping
device: d3cold_allowed is a flag in memory (kernel: drivers/pci/pci-sysfs.c, d3cold_allowed_show).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from tui.host import sysfs
from tui.host.hooks import hooks
from tui.host.readiness.modules import is_loaded
from tui.host.sysfs import Attributes
from tui.host.tree import Tree, exists, text_of
from tui.host.untrusted import visible
from tui.model import Framebuffer, HostSetup, Manager
from tui.model.address import is_address

IOMEM_LIMIT = 1 << 20
"""Bytes of /proc/iomem; a workstation has about ten thousand."""

FRAMEBUFFERS = frozenset({
    "BOOTFB", "efifb", "vesafb", "simplefb", "simpledrm", "simple-framebuffer", "efi-framebuffer",
})  # fmt: skip
"""Names of the firmware's framebuffer in /proc/iomem (kernel: drivers/firmware/sysfb_simplefb.c,
drivers/video/fbdev/efifb.c, drivers/gpu/drm/sysfb)."""

DEEPEST = 10
"""The indentation of the fifth level, and of all below it."""

_LINE = re.compile(r"( *)([0-9a-f]+)-([0-9a-f]+) : (.{1,80})")
_DRIVERCTL = "etc/driverctl.d"
_DRIVERCTL_FILE = re.compile(r"pci-([0-9a-f:.]{12,13})")
_DRIVER = re.compile(r"[A-Za-z0-9_-]{1,40}")
_ENVYCONTROL = tuple(
    f"{folder}/50-remove-nvidia.rules"
    for folder in ("etc/udev/rules.d", "lib/udev/rules.d", "usr/lib/udev/rules.d")
)
_SUPERGFX = "etc/supergfxd.conf"

FILES_LIMIT = 64
"""Files of driverctl that are read."""


def host_setup(root: Tree, gpus: Iterable[str]) -> HostSetup:
    """Return what the host has set up."""
    allowed = {
        address: value
        for address in gpus
        if (value := _flag(root, f"sys/bus/pci/devices/{address}", "d3cold_allowed")) is not None
    }
    return HostSetup(
        framebuffers=framebuffers(text_of(root, "proc/iomem", IOMEM_LIMIT)),
        d3cold_allowed=allowed,
        no_idle_d3={"Y": True, "1": True, "N": False, "0": False}.get(
            text_of(root, "sys/module/vfio_pci/parameters/disable_idle_d3").strip()
        ),
        vendor_reset=is_loaded(root, "vendor_reset"),
        hooks=hooks(root),
        managers=tuple(_managers(root)),
    )


def _flag(root: Tree, directory: str, name: str) -> bool | None:
    return Attributes(root / directory).read(name, sysfs.flag)


def framebuffers(iomem: str) -> tuple[Framebuffer, ...] | None:
    """Parse /proc/iomem: each line is indented below the memory that it is a part of.

    Ordinary users get zeros for addresses, and the same lines. Lines more than five levels deep
    have the fifth level's indentation (kernel: kernel/resource.c, r_show).
    """
    if not iomem.strip():
        return None
    found: list[Framebuffer] = []
    above: list[tuple[int, str]] = []
    for line in iomem.split("\n"):
        matched = _LINE.fullmatch(line)
        if matched is None:
            continue
        depth, name = len(matched[1]), matched[4]
        if name in FRAMEBUFFERS:
            inside = [
                each for at, each in above
                if is_address(each) and (at < depth or at == depth == DEEPEST)
            ]  # fmt: skip
            found.append(Framebuffer(visible(name), inside[-1] if inside else None))
        above = [(at, each) for at, each in above if at < depth]
        above.append((depth, name))
    return tuple(found)


def _managers(root: Tree) -> Iterator[Manager]:
    """Yield other programs that are set up to move cards."""
    if _moves_by_supergfx(text_of(root, _SUPERGFX)):
        yield Manager("supergfxd", f"/{_SUPERGFX}", "may bind the card to vfio-pci and back")
    for name in _ENVYCONTROL:
        if exists(root, name):
            yield Manager("envycontrol", f"/{name}", "removes NVIDIA cards from the bus")
    try:
        names = sorted(root.names(_DRIVERCTL))[:FILES_LIMIT]
    except OSError:
        return
    for name in names:
        found = _DRIVERCTL_FILE.fullmatch(name)
        driver = text_of(root, f"{_DRIVERCTL}/{name}").strip()
        if found is not None and is_address(found[1]) and _DRIVER.fullmatch(driver):
            yield Manager(
                "driverctl", f"/{_DRIVERCTL}/{name}", f"binds it to {driver} at each boot", found[1]
            )


def _moves_by_supergfx(text: str) -> bool:
    """Whether supergfxd may use VFIO (supergfxctl: GfxConfig, a JSON object)."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("vfio_enable") is True
