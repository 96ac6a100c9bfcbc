"""The commands and edits that fix a check, exact if the host is known well enough."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tui.model import Boot, InitramfsMaker, KernelOption, ModuleRule, Readiness
from tui.rules.kernel_settings import VFIO, Setting, without

_GRUB = {
    "debian": "update-grub", "proxmox": "update-grub",
    "suse": "grub2-mkconfig -o /boot/grub2/grub.cfg",
}  # fmt: skip
"""The command that regenerates GRUB's menu (grub-mkconfig(8)), by distribution."""

_IMAGES = {
    "arch": "mkinitcpio -P", "endeavouros": "reinstall-kernels",
    "proxmox": "proxmox-boot-tool refresh", "suse": "sdbootutil update-all-entries",
    "debian": "kernel-install add $(uname -r) /boot/vmlinuz-$(uname -r)",
}  # fmt: skip
"""The command that applies /etc/kernel/cmdline, by distribution. Others use kernel-install(8) for
all kernels; it looks below /usr/lib/modules, where Debian has none."""


_LIBVIRT = {
    "debian": "apt install libvirt-daemon-system qemu-system-x86",
    "pop": "apt install libvirt-daemon-system qemu-system-x86",
    "fedora": "dnf install libvirt-daemon-kvm qemu-kvm",
    "ostree": "rpm-ostree install libvirt-daemon-kvm qemu-kvm",
    "arch": "pacman -S libvirt qemu-desktop", "endeavouros": "pacman -S libvirt qemu-desktop",
    "suse": "zypper install -t pattern kvm_server",
}  # fmt: skip
"""The command that installs libvirt with its driver for QEMU, by distribution."""


def kernel_option(option: str, boot: Boot) -> str:
    """How to boot the kernel with an ``option``."""
    return change_options(boot, add=(option,))


def change_options(
    boot: Boot, add: Sequence[str] = (), drop: Sequence[str] = (), places: Sequence[str] = ()
) -> str:
    """How to boot the kernel with the options ``add`` and without ``drop``. ``places`` says
    where the options in ``drop`` are set."""
    command = _command(boot, add, drop)
    if command is not None:
        return f"run `{command}` and reboot"
    place, tool = _place(boot)
    there = " and ".join(dict.fromkeys(places)) or place
    if boot.distribution == "nixos":
        place = there = "boot.kernelParams"
        add, drop = [f'"{word}"' for word in add], [f'"{word}"' for word in drop]
    edits = []
    if drop:
        edits.append(f"remove {' and '.join(drop)} from {there}")
    if add:
        edits.append(f"add {' and '.join(add)} to {place}")
    return f"{', '.join(edits)}{_then(tool)}"


def apply_written(boot: Boot, option: KernelOption) -> str:
    """How to apply an option that is already in one of the boot loader's files."""
    command = _command(boot, (option.text,), ())
    if command is not None and "/loader/entries/" not in option.file:
        return f"run `{command}` and reboot"
    tool = None if "/loader/entries/" in option.file else _place(boot)[1]
    return _then(tool).removeprefix(", ").removeprefix(" and ")


def change_options_on(
    readiness: Readiness,
    drop: Sequence[KernelOption],
    written: Sequence[KernelOption],
    add: Sequence[str] = (),
) -> str:
    """How to remove the options in ``drop`` from the command line. ``written`` are those of them in
    the boot loader's own files; options that no file has only need the files to be applied. If the
    host has a command for it, the file does not matter."""
    boot, settings = readiness.boot, readiness.settings
    texts = list(dict.fromkeys(option.text for option in drop))
    by_command = _command(boot, add, texts) is not None
    unclear = any(
        "$" in option.text for option in settings.written
    )  # a shell variable, not expanded
    if by_command or written or unclear or not settings.files:
        return change_options(boot, add, texts, [option.place for option in written])
    files = " and ".join(settings.files[:2]) + (" and others" if settings.files[2:] else "")
    lacks = f"{files} {'does' if len(settings.files) == 1 else 'do'} not have"
    if add:
        return f"{change_options(boot, add)}; {lacks} {' and '.join(texts)}"
    follow = _then(_place(boot)[1]).removeprefix(", ").removeprefix(" and ")
    return (
        f"remove {' and '.join(texts)} from the kernel command line: {lacks} "
        f"{'it' if len(texts) == 1 else 'them'}, so {follow}"
    )


def remove_settings(found: Sequence[Setting], readiness: Readiness) -> str:
    """How to remove settings that keep vfio-pci from being loaded. Other modules in their lists
    stay."""
    edits = [
        f"remove `{rule.text}` from {rule.place}" for rule in found if isinstance(rule, ModuleRule)
    ]
    options = [option for option in found if isinstance(option, KernelOption)]
    if options:
        texts = {option.text for option in options}
        written = [option for option in readiness.settings.written if option.text in texts]
        rest = [without(option, VFIO) for option in options]
        add = list(dict.fromkeys(text for text in rest if text))
        edits.append(change_options_on(readiness, options, written, add))
    return "; ".join(edits)


def _then(tool: str | None) -> str:
    return " and reboot" if tool is None else f", run `{tool}` and reboot"


def _command(boot: Boot, add: Sequence[str], drop: Sequence[str]) -> str | None:
    """The command that changes and applies the options, if the host has one."""
    if boot.distribution == "ostree":
        words = [f"--append-if-missing={word}" for word in add]
        words += [f"--delete-if-present={word}" for word in drop]
        return shlex.join(["rpm-ostree", "kargs", *words])
    if (boot.loader, boot.distribution) == ("grub", "fedora"):
        words = [f"--args={' '.join(add)}"] if add else []
        words += [f"--remove-args={' '.join(drop)}"] if drop else []
        return shlex.join(["grubby", "--update-kernel=ALL", *words])
    if (boot.loader, boot.distribution) == ("systemd-boot", "pop"):
        words = [word for each in drop for word in ("-d", each)]
        words += [word for each in add for word in ("-a", each)]
        return shlex.join(["kernelstub", *words])
    return None


def _place(boot: Boot) -> tuple[str, str | None]:
    """Where an option is written, and the command that applies it."""
    if boot.distribution == "nixos":
        return "boot.kernelParams", "nixos-rebuild boot"
    find = {
        "grub": _grub, "systemd-boot": _systemd_boot, "limine": _limine, "refind": _refind,
    }.get(boot.loader or "", _general)  # fmt: skip
    return find(boot)


def _general(_: Boot) -> tuple[str, str | None]:
    return "the kernel command line in the boot loader's settings", None


def _grub(boot: Boot) -> tuple[str, str | None]:
    if boot.file == "/etc/kernel/cmdline":
        return _cmdline(boot)
    tool = _GRUB.get(boot.distribution or "", "grub-mkconfig -o /boot/grub/grub.cfg")
    return f"GRUB_CMDLINE_LINUX_DEFAULT in {boot.file or '/etc/default/grub'}", tool


def _systemd_boot(boot: Boot) -> tuple[str, str | None]:
    if boot.file == "/etc/sdboot-manage.conf":
        return f"LINUX_OPTIONS in {boot.file}", "sdboot-manage gen"
    if boot.file == "/etc/kernel/cmdline":
        return _cmdline(boot)
    where = boot.file or "loader/entries on the EFI partition"
    return f"the options line of the entry in {where}", None


def _cmdline(boot: Boot) -> tuple[str, str | None]:
    tool = _IMAGES.get(boot.distribution or "", "kernel-install add-all")
    return boot.file or "/etc/kernel/cmdline", tool


def _limine(boot: Boot) -> tuple[str, str | None]:
    if boot.file == "/etc/default/limine":
        return f"KERNEL_CMDLINE[default] in {boot.file}", "limine-update"
    where = boot.file or "limine.conf on the EFI partition"
    return f"the cmdline line of the entry in {where}", None


def _refind(boot: Boot) -> tuple[str, str | None]:
    return f"the options in quotes in {boot.file or '/boot/refind_linux.conf'}", None


_REBUILD: dict[InitramfsMaker, str] = {
    "mkinitcpio": "mkinitcpio -P", "dracut": "dracut --force --regenerate-all",
    "initramfs-tools": "update-initramfs -u -k all",
}  # fmt: skip


def rebuild_initramfs(readiness: Readiness) -> str:
    """How to give the initramfs the changed settings. On image-based variants it is built with the
    image."""
    made = readiness.settings.initramfs
    if made is None or readiness.boot.distribution == "ostree":
        return "rebuild the initramfs"
    return f"rebuild the initramfs: `{_REBUILD[made.maker]}`"


def install_libvirt(boot: Boot) -> str:
    """How to install libvirt and QEMU."""
    if boot.distribution == "nixos":
        return "set virtualisation.libvirtd.enable = true and run `nixos-rebuild switch`"
    command = _LIBVIRT.get(boot.distribution or "")
    packages = "install the packages with libvirtd (or virtqemud) and QEMU"
    return f"install it: `{command}`" if command else packages


def module_at_boot(name: str, boot: Boot) -> str:
    """How to load a module now and at each boot: modules-load.d(5), which NixOS generates."""
    if boot.distribution == "nixos":
        return f'add "{name}" to boot.kernelModules and run `nixos-rebuild switch`'
    word, file = shlex.quote(name), shlex.quote(f"/etc/modules-load.d/{name}.conf")
    return f"`modprobe {word}`, and for each boot: `echo {word} > {file}`"
