"""What a person does to mend a check, to the letter where the host is known well enough."""

from __future__ import annotations

import shlex

from tui.model import Boot, Readiness

_GRUB = {
    "debian": "update-grub", "proxmox": "update-grub",
    "suse": "grub2-mkconfig -o /boot/grub2/grub.cfg",
}  # fmt: skip
"""What makes GRUB's menu anew (grub-mkconfig(8)); where no other is known, the plain tool."""

_IMAGES = {
    "arch": "mkinitcpio -P", "endeavouros": "reinstall-kernels",
    "proxmox": "proxmox-boot-tool refresh", "suse": "sdbootutil update-all-entries",
    "debian": "kernel-install add $(uname -r) /boot/vmlinuz-$(uname -r)",
}  # fmt: skip
"""What takes over /etc/kernel/cmdline; else kernel-install(8) for all kernels, which it finds
where Debian has none: below /usr/lib/modules."""


def kernel_option(option: str, boot: Boot) -> str:
    """How the kernel gets an ``option`` at its next start."""
    if boot.distribution == "nixos":
        return f'add "{option}" to boot.kernelParams, run `nixos-rebuild boot` and reboot'
    if boot.distribution == "ostree":
        return f"run `rpm-ostree kargs {shlex.quote(f'--append-if-missing={option}')}` and reboot"
    how = {
        "grub": _grub, "systemd-boot": _systemd_boot, "limine": _limine, "refind": _refind,
    }.get(boot.loader or "", _general)  # fmt: skip
    return how(option, boot)


def _general(option: str, _: Boot) -> str:
    return f"add {option} to the kernel's command line in the boot loader's settings and reboot"


def _grub(option: str, boot: Boot) -> str:
    if boot.distribution == "fedora":
        return f"run `grubby --update-kernel=ALL {shlex.quote(f'--args={option}')}` and reboot"
    if boot.file == "/etc/kernel/cmdline":
        return _cmdline(option, boot)
    tool = _GRUB.get(boot.distribution or "", "grub-mkconfig -o /boot/grub/grub.cfg")
    file = boot.file or "/etc/default/grub"
    return f"add {option} to GRUB_CMDLINE_LINUX_DEFAULT in {file}, run `{tool}` and reboot"


def _systemd_boot(option: str, boot: Boot) -> str:
    if boot.distribution == "pop":
        return f"run `kernelstub -a {shlex.quote(option)}` and reboot"
    if boot.file == "/etc/sdboot-manage.conf":
        return f"add {option} to LINUX_OPTIONS in {boot.file}, run `sdboot-manage gen` and reboot"
    if boot.file == "/etc/kernel/cmdline":
        return _cmdline(option, boot)
    where = boot.file or "loader/entries on the EFI partition"
    return f"add {option} to the options line of the entry in {where} and reboot"


def _cmdline(option: str, boot: Boot) -> str:
    tool = _IMAGES.get(boot.distribution or "", "kernel-install add-all")
    return f"add {option} to {boot.file}, run `{tool}` and reboot"


def _limine(option: str, boot: Boot) -> str:
    if boot.file == "/etc/default/limine":
        variable = "KERNEL_CMDLINE[default]"
        return f"add {option} to {variable} in {boot.file}, run `limine-update` and reboot"
    where = boot.file or "limine.conf on the EFI partition"
    return f"add {option} to the cmdline line of the entry in {where} and reboot"


def _refind(option: str, boot: Boot) -> str:
    file = boot.file or "/boot/refind_linux.conf"
    return f"add {option} to the options in quotes in {file} and reboot"


def iommu(readiness: Readiness) -> str:
    """How the IOMMU is turned on: Intel's needs the option unless the kernel was built to do
    without, AMD's is on where the firmware has it (kernel-parameters.txt)."""
    if readiness.cpu == "amd":
        return "turn on the IOMMU (AMD-Vi) in the firmware; the kernel then uses it by itself"
    option = kernel_option("intel_iommu=on", readiness.boot)
    if readiness.cpu == "intel":
        return f"turn on VT-d in the firmware; then {option}"
    return f"turn on VT-d or AMD-Vi in the firmware; on Intel then {option}"


def module_at_boot(name: str, boot: Boot) -> str:
    """How a module is loaded now and at each start: modules-load.d(5), which NixOS writes."""
    if boot.distribution == "nixos":
        return f'add "{name}" to boot.kernelModules and run `nixos-rebuild switch`'
    word, file = shlex.quote(name), shlex.quote(f"/etc/modules-load.d/{name}.conf")
    return f"`modprobe {word}`, and at each start: `echo {word} > {file}`"
