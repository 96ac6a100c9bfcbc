"""What a person does to mend a check, to the letter where the host is known well enough."""

from __future__ import annotations

from tui.model import Boot, Readiness

_GRUB = {
    "debian": "update-grub", "proxmox": "update-grub",
    "suse": "grub2-mkconfig -o /boot/grub2/grub.cfg",
}  # fmt: skip
"""What makes GRUB's menu anew (grub-mkconfig(8)); where no other is known, the plain tool."""

_IMAGES = {"arch": "mkinitcpio -P", "proxmox": "proxmox-boot-tool refresh"}
"""What takes over /etc/kernel/cmdline; else kernel-install(8) for the kernel that runs."""

_INSTALL = "kernel-install add $(uname -r) /boot/vmlinuz-$(uname -r)"


def kernel_option(option: str, boot: Boot) -> str:
    """How the kernel gets an ``option`` at its next start."""
    if boot.distribution == "nixos":
        return f'add "{option}" to boot.kernelParams, run `nixos-rebuild boot` and reboot'
    if boot.loader == "grub":
        return _grub(option, boot)
    if boot.loader == "systemd-boot":
        return _systemd_boot(option, boot)
    if boot.loader == "limine":
        return _limine(option, boot)
    if boot.loader == "refind":
        return f"add {option} to the options in quotes in {boot.file} and reboot"
    return f"add {option} to the kernel's command line in the boot loader's settings and reboot"


def _grub(option: str, boot: Boot) -> str:
    if boot.distribution == "fedora":
        return f"run `grubby --update-kernel=ALL --args={option}` and reboot"
    tool = _GRUB.get(boot.distribution or "", "grub-mkconfig -o /boot/grub/grub.cfg")
    return f"add {option} to GRUB_CMDLINE_LINUX_DEFAULT in {boot.file}, run `{tool}` and reboot"


def _systemd_boot(option: str, boot: Boot) -> str:
    if boot.distribution == "pop":
        return f"run `kernelstub -a {option}` and reboot"
    if boot.file == "/etc/kernel/cmdline":
        tool = _IMAGES.get(boot.distribution or "", _INSTALL)
        return f"add {option} to {boot.file}, run `{tool}` and reboot"
    return f"add {option} to the options line of the entry in {boot.file} and reboot"


def _limine(option: str, boot: Boot) -> str:
    if boot.file == "/etc/default/limine":
        return f"add {option} to KERNEL_CMDLINE in {boot.file}, run `limine-update` and reboot"
    return f"add {option} to the cmdline line of the entry in {boot.file} and reboot"


def iommu(readiness: Readiness) -> str:
    """How the IOMMU is turned on: Intel's needs the option unless the kernel was built to do
    without, AMD's is on where the firmware has it (kernel-parameters.txt)."""
    if readiness.cpu == "amd":
        return "turn on the IOMMU (AMD-Vi) in the firmware; the kernel then uses it by itself"
    option = kernel_option("intel_iommu=on", readiness.boot)
    if readiness.cpu == "intel":
        return f"turn on VT-d in the firmware; then {option}"
    return f"turn on VT-d or AMD-Vi in the firmware; on Intel then {option}"


def module_at_boot(name: str) -> str:
    """modules-load.d(5)."""
    return f"`modprobe {name}`, and at each start: echo {name} > /etc/modules-load.d/{name}.conf"
