"""The fixes of the doctor: exact if the host is known, and always a sentence."""

from __future__ import annotations

from itertools import product

import pytest

from tests.unit.made import inventory, snapshot
from tui.model import Boot, BootLoader, Readiness
from tui.rules import host_checks
from tui.rules.fixes import kernel_option, module_at_boot
from tui.rules.iommu_fix import iommu
from tui.rules.view import assess

LOADERS: tuple[BootLoader | None, ...] = ("grub", "systemd-boot", "limine", "refind", None)
DISTRIBUTIONS = (
    "debian", "fedora", "arch", "suse", "nixos", "pop", "proxmox", "ostree", "endeavouros",
    "one of tomorrow", None,
)  # fmt: skip
FILES = (
    "/etc/default/grub", "/etc/kernel/cmdline", "/etc/sdboot-manage.conf", "/boot/loader/entries",
    "/etc/default/limine", "/boot/limine.conf", "/boot/refind_linux.conf", None,
)  # fmt: skip


@pytest.mark.parametrize("loader", LOADERS)
def test_every_fix_is_a_whole_sentence(loader: BootLoader | None) -> None:
    for distribution, file in product(DISTRIBUTIONS, FILES):
        fix = kernel_option("intel_iommu=on", Boot(loader, distribution, file))
        assert fix.count("intel_iommu=on") == 1, (distribution, file)
        assert fix.endswith(" and reboot")
        assert fix.isprintable()
        assert "None" not in fix
        assert fix.count("`") in (0, 2)


@pytest.mark.parametrize(
    ("boot", "fix"),
    [
        (Boot("grub", "debian"),
         "add X to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, run `update-grub` and reboot"),
        (Boot("systemd-boot", "arch"),
         "add X to the options line of the entry in loader/entries on the EFI partition "
         "and reboot"),
        (Boot("limine"),
         "add X to the cmdline line of the entry in limine.conf on the EFI partition and reboot"),
        (Boot("systemd-boot", "proxmox", "/etc/kernel/cmdline"),
         "add X to /etc/kernel/cmdline, run `proxmox-boot-tool refresh` and reboot"),
        (Boot(), "add X to the kernel command line in the boot loader's settings and reboot"),
    ],
)  # fmt: skip
def test_what_could_not_be_seen_gets_general_advice(boot: Boot, fix: str) -> None:
    assert kernel_option("X", boot) == fix


def test_a_module_is_there_at_each_start() -> None:
    assert "/etc/modules-load.d/vfio-pci.conf" in module_at_boot("vfio-pci", Boot("grub", "debian"))
    nixos = module_at_boot("vfio-pci", Boot("grub", "nixos"))
    assert nixos == 'add "vfio-pci" to boot.kernelModules and run `nixos-rebuild switch`'


def test_the_checks_say_what_fixes_them() -> None:
    ready = Readiness(root=False, vfio_pci=None, boot=Boot("grub", "nixos"), cpu="intel")
    off = host_checks.iommu(assess(snapshot(inventory())), ready)
    assert (off.verdict, off.fix) == ("fail", iommu(ready))
    assert "boot.kernelParams" in (off.fix or "")
    assert host_checks.vfio(ready).fix == module_at_boot("vfio-pci", ready.boot)
