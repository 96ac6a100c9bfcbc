"""How this host is booted, seen in the files that boot loaders and distributions have. Nothing
is run, and what an ordinary user may not look at is not there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tui.host.sysfs import read_file
from tui.model import Boot, BootLoader

FAMILIES = ("debian", "fedora", "arch", "suse")
"""Distributions that others are like."""

OF_THEIR_OWN = {"nixos": "nixos", "pop": "pop", "opensuse": "suse", "ubuntu": "debian",
                "rhel": "fedora", "centos": "fedora"}  # fmt: skip

_LINE = re.compile(r"""^(ID|ID_LIKE)=["']?([a-z0-9 ._-]{1,80})["']?$""", re.MULTILINE)

_PLACES: tuple[tuple[BootLoader, str, str], ...] = (
    ("systemd-boot", "boot/loader/loader.conf", "/boot/loader/entries"),
    ("systemd-boot", "efi/loader/loader.conf", "/efi/loader/entries"),
    ("systemd-boot", "boot/efi/loader/loader.conf", "/boot/efi/loader/entries"),
    ("limine", "etc/default/limine", "/etc/default/limine"),
    ("limine", "boot/limine.conf", "/boot/limine.conf"),
    ("limine", "boot/limine/limine.conf", "/boot/limine/limine.conf"),
    ("refind", "boot/refind_linux.conf", "/boot/refind_linux.conf"),
    ("grub", "etc/default/grub", "/etc/default/grub"),
    ("systemd-boot", "etc/kernel/cmdline", "/etc/kernel/cmdline"),
)
"""A loader, the file that shows it, and what is edited. Fedora has entries in /boot/loader for
GRUB, and no loader.conf; the package of GRUB may be there beside another loader."""

_CMDLINE = "etc/kernel/cmdline"
"""kernel-install(8) and tools for unified kernel images take the options from it."""


def boot(root: Path = Path("/")) -> Boot:
    """The boot loader, the distribution's family and the file with the kernel's options."""
    distribution = _distribution(root)
    for loader, shown_by, file in _PLACES:
        if _exists(root / shown_by):
            if loader == "systemd-boot" and _exists(root / _CMDLINE):
                file = f"/{_CMDLINE}"  # noqa: PLW2901
            return Boot(loader, distribution, file)
    return Boot(None, distribution)


def _distribution(root: Path) -> str | None:
    if _exists(root / "usr/sbin/proxmox-boot-tool"):
        return "proxmox"
    return next(_families(root), None)


def _families(root: Path) -> Iterator[str]:
    """os-release(5): the name of the distribution, then those that it is like."""
    for place in ("etc/os-release", "usr/lib/os-release"):
        try:
            text = (read_file(str(root / place)) or b"").decode("ascii", "replace")
        except OSError:
            continue
        told = dict(_LINE.findall(text))
        for word in f"{told.get('ID', '')} {told.get('ID_LIKE', '')}".split():
            name = word.partition("-")[0]
            if name in FAMILIES or name in OF_THEIR_OWN:
                yield OF_THEIR_OWN.get(name, name)


def _exists(path: Path) -> bool:
    return os.access(path, os.F_OK)
