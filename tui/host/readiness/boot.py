"""How this host boots, from the files of boot loaders and distributions.

Nothing is run. A file that an ordinary user may not access counts as missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from tui.host.tree import MACHINE, Tree, exists, text_of
from tui.model import Boot, BootLoader

FAMILIES = ("debian", "fedora", "arch", "suse")
"""Distributions that others derive from."""

FAMILY_OF = {"nixos": "nixos", "pop": "pop", "endeavouros": "endeavouros",
                "opensuse": "suse", "ubuntu": "debian", "rhel": "fedora",
                "centos": "fedora"}  # fmt: skip

_LINE = re.compile(r"""^(ID|ID_LIKE)=["']?([a-z0-9 ._-]{1,80})["']?$""", re.MULTILINE)

_PLACES: tuple[tuple[BootLoader, str, str], ...] = (
    ("systemd-boot", "boot/loader/loader.conf", "/boot/loader/entries"),
    ("systemd-boot", "efi/loader/loader.conf", "/efi/loader/entries"),
    ("systemd-boot", "boot/efi/loader/loader.conf", "/boot/efi/loader/entries"),
    ("limine", "etc/default/limine", "/etc/default/limine"),
    ("limine", "boot/limine.conf", "/boot/limine.conf"),
    ("limine", "boot/limine/limine.conf", "/boot/limine/limine.conf"),
    ("limine", "boot/EFI/limine/limine.conf", "/boot/EFI/limine/limine.conf"),
    ("refind", "boot/refind_linux.conf", "/boot/refind_linux.conf"),
    ("grub", "etc/default/grub", "/etc/default/grub"),
    ("systemd-boot", "etc/kernel/cmdline", "/etc/kernel/cmdline"),
)
"""A loader, the file that reveals it, and the file to edit. Fedora has entries in /boot/loader for
GRUB, and no loader.conf there. The GRUB package may be installed next to another loader."""

_SDBOOT_MANAGE = "/etc/sdboot-manage.conf"
"""CachyOS and Manjaro write systemd-boot's entries from it, whatever else is installed."""

_CMDLINE = "/etc/kernel/cmdline"
"""kernel-install(8) and tools for unified kernel images take the options from it."""

_LOADER_INFO = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
"""What booted this host (systemd.io/BOOT_LOADER_INTERFACE): a name, a space, a version."""

_LOADER_INFO_LIMIT = 4096
"""Bytes of it that are read; a name and a version take about a hundred."""

_NAMES: dict[str, BootLoader] = {"systemd-boot": "systemd-boot", "GRUB": "grub", "Limine": "limine"}


def boot(root: Tree = MACHINE) -> Boot:
    """Return the boot loader, the distribution's family and the file with the kernel's options.

    What the firmware says about the loader counts first, then the running command line, then the
    files that packages left.
    """
    distribution, named = _distribution(root), _named(root)
    possible = (named,) if named is not None else _possible(root)
    for loader, shown_by, file in _PLACES:
        if loader in possible and exists(root, shown_by):
            return Boot(loader, distribution, _source(root, loader, distribution) or file)
    return Boot(named, distribution)


def _named(root: Tree) -> BootLoader | None:
    """Return the loader that the EFI variable names: four bytes of attributes, then UTF-16.

    Older GRUB and rEFInd set no name; with a kernel that the firmware starts directly, the name is
    another loader's. Source: kernel, Documentation/filesystems/efivarfs.rst.
    """
    try:
        data = root.read(_LOADER_INFO, _LOADER_INFO_LIMIT) or b""
    except OSError:
        return None
    return _NAMES.get(data[4:].decode("utf-16-le", "replace").partition(" ")[0])


def _possible(root: Tree) -> tuple[BootLoader, ...]:
    """Return the loaders that may have written the running command line.

    GRUB puts the kernel's file first. The other loaders have the firmware start the kernel, which
    then gets the initrd as a path on the EFI partition (kernel:
    Documentation/admin-guide/efi-stub.rst).
    """
    running = text_of(root, "proc/cmdline").split()
    if any(word.startswith("BOOT_IMAGE=") for word in running):
        return ("grub",)
    if any(word.startswith("initrd=\\") for word in running):
        return ("systemd-boot", "refind")
    return get_args(BootLoader)


def _source(root: Tree, loader: BootLoader, distribution: str | None) -> str | None:
    """Return the file that the loader's own files are generated from.

    openSUSE generates entries from /etc/kernel/cmdline for GRUB too (sdbootutil); Fedora has that
    file next to a GRUB that does not read it.
    """
    if loader == "systemd-boot" and exists(root, _SDBOOT_MANAGE[1:]):
        return _SDBOOT_MANAGE
    takes_it = loader == "systemd-boot" or (loader, distribution) == ("grub", "suse")
    return _CMDLINE if takes_it and exists(root, _CMDLINE[1:]) else None


def _distribution(root: Tree) -> str | None:
    if exists(root, "usr/sbin/proxmox-boot-tool"):
        return "proxmox"
    family = next(_families(root), None)
    # Fedora's image-based variants, such as Silverblue and Bazzite, store options with the image.
    image = family == "fedora" and exists(root, "run/ostree-booted")
    return "ostree" if image else family


def _families(root: Tree) -> Iterator[str]:
    """Yield the distribution's name, then those that it derives from (os-release(5))."""
    for place in ("etc/os-release", "usr/lib/os-release"):
        fields = dict(_LINE.findall(text_of(root, place)))
        for word in f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".split():
            name = word.partition("-")[0]
            if name in FAMILIES or name in FAMILY_OF:
                yield FAMILY_OF.get(name, name)
