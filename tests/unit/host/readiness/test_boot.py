"""How a host boots, from the files that it has, and the fixes that depend on it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.host.readiness.boot import FAMILIES, FAMILY_OF, boot
from tui.host.readiness.source import readiness
from tui.host.tree import PlainTree
from tui.model import Boot, BootLoader, Readiness
from tui.rules.fixes import kernel_option
from tui.rules.iommu_fix import iommu

OPTION = "intel_iommu=on"


def host(root: Path, os_release: str, *files: str) -> Path:
    for name, text in (("etc/os-release", os_release), *((file, "") for file in files)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


HOSTS: tuple[tuple[str, tuple[str, ...], BootLoader | None, str | None, str], ...] = (
    ("ID=debian\n", ("etc/default/grub",), "grub", "debian",
     "add intel_iommu=on to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, run `update-grub` "
     "and reboot"),
    ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", ("etc/default/grub",), "grub", "debian",
     "`update-grub`"),
    ("ID=fedora\n", ("etc/default/grub", "boot/loader/entries/x.conf"), "grub", "fedora",
     "run `grubby --update-kernel=ALL --args=intel_iommu=on` and reboot"),
    ("ID=nobara\nID_LIKE=fedora\n", ("etc/default/grub",), "grub", "fedora", "grubby"),
    ("ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n", ("etc/default/grub",), "grub",
     "suse", "`grub2-mkconfig -o /boot/grub2/grub.cfg`"),
    ("ID=arch\n", ("etc/default/grub",), "grub", "arch",
     "`grub-mkconfig -o /boot/grub/grub.cfg`"),
    ("ID=arch\n", ("boot/loader/loader.conf",), "systemd-boot", "arch",
     "to the options line of the entry in /boot/loader/entries"),
    ("ID=arch\n", ("efi/loader/loader.conf", "etc/kernel/cmdline"), "systemd-boot", "arch",
     "to /etc/kernel/cmdline, run `mkinitcpio -P`"),
    ("ID=cachyos\nID_LIKE=arch\n", ("etc/default/limine", "boot/limine.conf"), "limine", "arch",
     "to KERNEL_CMDLINE[default] in /etc/default/limine, run `limine-update`"),
    ("ID=void\n", ("boot/limine.conf",), "limine", None,
     "to the cmdline line of the entry in /boot/limine.conf"),
    ("ID=arch\n", ("boot/refind_linux.conf",), "refind", "arch",
     "to the options in quotes in /boot/refind_linux.conf"),
    ("ID=pop\nID_LIKE=\"ubuntu debian\"\n", ("boot/efi/loader/loader.conf",), "systemd-boot",
     "pop", "run `kernelstub -a intel_iommu=on`"),
    ("ID=nixos\n", ("boot/loader/loader.conf",), "systemd-boot", "nixos",
     "boot.kernelParams, run `nixos-rebuild boot`"),
    ("ID=debian\n", ("usr/sbin/proxmox-boot-tool", "etc/kernel/cmdline"), "systemd-boot",
     "proxmox", "to /etc/kernel/cmdline, run `proxmox-boot-tool refresh`"),
    ("ID=debian\n", ("etc/kernel/cmdline",), "systemd-boot", "debian",
     "run `kernel-install add $(uname -r) /boot/vmlinuz-$(uname -r)`"),
    ("ID=fedora\n", ("boot/efi/loader/loader.conf", "etc/kernel/cmdline"), "systemd-boot",
     "fedora", "to /etc/kernel/cmdline, run `kernel-install add-all`"),
    ("ID=fedora\n", ("etc/default/grub", "etc/kernel/cmdline"), "grub", "fedora", "grubby"),
    ("ID=bazzite\nID_LIKE=fedora\n", ("etc/default/grub", "run/ostree-booted"), "grub", "ostree",
     "run `rpm-ostree kargs --append-if-missing=intel_iommu=on` and reboot"),
    ("ID=endless\nID_LIKE=debian\n", ("run/ostree-booted",), None, "debian",
     "in the boot loader's settings"),
    ("ID=endeavouros\nID_LIKE=arch\n", ("efi/loader/loader.conf", "etc/kernel/cmdline"),
     "systemd-boot", "endeavouros", "to /etc/kernel/cmdline, run `reinstall-kernels`"),
    ("ID=endeavouros\nID_LIKE=arch\n", ("etc/default/grub",), "grub", "endeavouros",
     "`grub-mkconfig -o /boot/grub/grub.cfg`"),
    ("ID=cachyos\nID_LIKE=arch\n", ("boot/loader/loader.conf", "etc/sdboot-manage.conf",
     "etc/kernel/cmdline"), "systemd-boot", "arch",
     "to LINUX_OPTIONS in /etc/sdboot-manage.conf, run `sdboot-manage gen`"),
    ("ID=ubuntu\n", ("etc/default/grub", "etc/kernel/cmdline"), "grub", "debian",
     "in /etc/default/grub, run `update-grub`"),
    ("ID=opensuse-tumbleweed\n", ("etc/default/grub", "etc/kernel/cmdline"), "grub", "suse",
     "to /etc/kernel/cmdline, run `sdbootutil update-all-entries`"),
    ("ID=opensuse-tumbleweed\n", ("boot/efi/loader/loader.conf", "etc/kernel/cmdline"),
     "systemd-boot", "suse", "run `sdbootutil update-all-entries`"),
    ("ID=gentoo\n", (), None, None, "in the boot loader's settings"),
)  # fmt: skip


@pytest.mark.parametrize(("release", "files", "loader", "distribution", "words"), HOSTS)
def test_a_boot_loader_and_what_fixes_it(
    tmp_path: Path,
    release: str,
    files: tuple[str, ...],
    loader: BootLoader | None,
    distribution: str | None,
    words: str,
) -> None:
    found = boot(PlainTree(host(tmp_path, release, *files)))
    assert (found.loader, found.distribution) == (loader, distribution)
    assert words in kernel_option(OPTION, found)
    assert OPTION in kernel_option(OPTION, found)


def firmware(root: Path, data: bytes) -> None:
    variable = "LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    (root / "sys/firmware/efi/efivars").mkdir(parents=True, exist_ok=True)
    (root / "sys/firmware/efi/efivars" / variable).write_bytes(data)


BOTH = ("boot/loader/loader.conf", "etc/default/grub", "boot/limine.conf")


@pytest.mark.parametrize(
    ("told", "files", "loader", "file"),
    [
        ("systemd-boot 257.7-1-arch", BOTH, "systemd-boot", "/boot/loader/entries"),
        ("GRUB 2.12", BOTH, "grub", "/etc/default/grub"),
        ("Limine 9.3.1", BOTH, "limine", "/boot/limine.conf"),
        # of an ESP that is not mounted, as Proxmox has it, or that only root may look into
        ("systemd-boot 257", ("etc/default/grub", "etc/kernel/cmdline"), "systemd-boot",
         "/etc/kernel/cmdline"),
        ("systemd-boot 257", ("etc/default/grub",), "systemd-boot", None),
        ("Limine 9.3.1", ("etc/default/grub",), "limine", None),
        ("GRUB 2.12", (), "grub", None),
        # the name of another loader does not say what to edit
        ("Linux EFI stub 7.1", ("etc/default/grub",), "grub", "/etc/default/grub"),
        ("", ("boot/refind_linux.conf",), "refind", "/boot/refind_linux.conf"),
    ],
)  # fmt: skip
def test_the_firmware_knows_what_booted(
    tmp_path: Path, told: str, files: tuple[str, ...], loader: BootLoader, file: str | None
) -> None:
    root = host(tmp_path, "ID=debian\n", *files)
    firmware(root, b"\x06\0\0\0" + f"{told}\0".encode("utf-16-le"))
    assert boot(PlainTree(root)) == Boot(loader, "debian", file)


ESP = "initrd=\\EFI\\proxmox\\6.8.12-4-pve\\initrd.img-6.8.12-4-pve root=ZFS=rpool boot=zfs\n"
IMAGE = "BOOT_IMAGE=/vmlinuz-6.12.0 root=/dev/sda2 ro quiet\n"


@pytest.mark.parametrize(
    ("cmdline", "files", "loader", "file"),
    [
        # Proxmox on ZFS: the ESP is not mounted, and the package of GRUB is there as well
        (ESP, ("etc/default/grub", "etc/kernel/cmdline"), "systemd-boot", "/etc/kernel/cmdline"),
        (ESP, ("etc/default/grub", "boot/refind_linux.conf"), "refind", "/boot/refind_linux.conf"),
        (f"quiet {ESP}", BOTH, "systemd-boot", "/boot/loader/entries"),
        (ESP, ("etc/default/grub",), None, None),
        (IMAGE, BOTH, "grub", "/etc/default/grub"),
        (IMAGE, ("etc/default/grub", "etc/kernel/cmdline"), "grub", "/etc/default/grub"),
        (IMAGE, (), None, None),
        # neither tells anything
        ("root=/dev/sda2 xBOOT_IMAGE=1 initrd=/a\n", BOTH, "systemd-boot",
         "/boot/loader/entries"),
        ("", BOTH, "systemd-boot", "/boot/loader/entries"),
    ],
)  # fmt: skip
def test_the_command_line_shows_what_wrote_it(
    tmp_path: Path, cmdline: str, files: tuple[str, ...], loader: BootLoader | None,
    file: str | None,
) -> None:  # fmt: skip
    root = host(tmp_path, "ID=debian\n", *files)
    (root / "proc").mkdir()
    (root / "proc/cmdline").write_text(cmdline)
    assert boot(PlainTree(root)) == Boot(loader, "debian", file)
    firmware(root, b"\x06\0\0\0" + "Limine 9.3.1\0".encode("utf-16-le"))
    assert boot(PlainTree(root)).loader == "limine"


def test_a_firmware_that_says_too_much_is_not_listened_to(tmp_path: Path) -> None:
    root = host(tmp_path, "ID=debian\n", *BOTH)
    firmware(root, b"\x06\0\0\0" + ("Limine " + "9" * 4096).encode("utf-16-le"))
    assert boot(PlainTree(root)) == Boot("systemd-boot", "debian", "/boot/loader/entries")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_whatever_the_firmware_says(tmp_path: Path, data: bytes) -> None:
    firmware(host(tmp_path, "ID=debian\n", "etc/default/grub"), data)
    assert boot(PlainTree(tmp_path)) == Boot("grub", "debian", "/etc/default/grub")


def test_a_host_that_has_nothing(tmp_path: Path) -> None:
    assert boot(PlainTree(tmp_path)) == Boot()


@pytest.mark.parametrize(
    ("maker", "words", "without"),
    [("vendor_id\t: GenuineIntel", "VT-d in the firmware; then add intel_iommu=on", "AMD"),
     ("vendor_id\t: AuthenticAMD", "AMD-Vi", "intel_iommu"),
     ("CPU implementer\t: 0x41", "IOMMU (SMMU) in the firmware; the kernel then uses it", "ntel"),
     ("CPU implementer\t: 0xc0", "SMMU", "VT-d"),
     ("vendor_id\t: Ours", "on Intel then add", "xyz"),
     ("CPU implementer : of ours", "on Intel then add", "SMMU")],
)  # fmt: skip
def test_an_iommu_is_turned_on_by_the_processors_maker(
    tmp_path: Path, maker: str, words: str, without: str
) -> None:
    root = host(tmp_path, "ID=debian\n", "etc/default/grub")
    (root / "proc").mkdir()
    processor = f"processor\t: 0\n{maker}\nflags\t: {'x ' * 700}\n\n"
    (root / "proc/cpuinfo").write_text(processor * 64)
    fix = iommu(readiness([], PlainTree(root)))
    assert words in fix
    assert without not in fix


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=300), st.text().map(lambda t: f"ID={t}\nID_LIKE={t}".encode())))
def test_whatever_os_release_says(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "etc").mkdir(exist_ok=True)
    (tmp_path / "etc/os-release").write_bytes(text)
    found = boot(PlainTree(tmp_path))
    assert found.distribution in {None, *FAMILIES, *FAMILY_OF.values()}
    assert kernel_option(OPTION, found).isprintable()


def test_what_may_not_be_looked_at_is_not_there(tmp_path: Path) -> None:
    root = host(tmp_path, "ID=debian\n")
    (root / "etc/os-release").unlink()
    os.mkfifo(root / "etc/os-release")  # opening it would hang
    assert boot(PlainTree(root)) == Boot()


def test_a_host_of_which_nothing_is_known() -> None:
    assert "VT-d or AMD-Vi" in iommu(Readiness(root=False, vfio_pci=None))
