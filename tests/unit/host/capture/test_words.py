"""Boot files and modprobe.d after redaction: the same options, on the same lines."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.host.capture.test_redact import host_with
from tui.host.capture.collect import record
from tui.host.capture.known import OPTIONS
from tui.host.capture.memory import MemoryTree
from tui.host.capture.redact import redacted
from tui.host.capture.standins import StandIns
from tui.host.capture.words import boot_text, modprobe_text, shell_text
from tui.host.readiness.boot import boot
from tui.host.readiness.boot_files import left_open
from tui.host.readiness.source import readiness
from tui.model import KernelSettings

GRUB = {"proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz ro\n"}
LOADER = {"boot/loader/loader.conf": "default x.conf\n"}
FILES = {
    "grub": GRUB
    | {
        "etc/default/grub": "GRUB_DEFAULT=0\n# mine\nGRUB_CMDLINE_LINUX=''\n"
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on \\\n  iommu=pt"  # comment "\n'
        "export GRUB_CMDLINE_LINUX+=' amd_iommu=off'\n",
    },
    "grub with a variable": GRUB
    | {
        "etc/default/grub": 'MY="pci=noaer"\nB="iommu=off x=y"\n'
        'GRUB_CMDLINE_LINUX="$MY ${B} $GRUB_CMDLINE_LINUX intremap=off"\n',
        "etc/default/grub.d/x.cfg": "GRUB_CMDLINE_LINUX=$GRUB_CMDLINE_LINUX' nointremap'\n",
    },
    "systemd-boot": LOADER
    | {
        "boot/loader/entries/a.conf": "title   A B\nlinux /vmlinuz\n\noptions\troot=LABEL=x rw "
        "intel_iommu=off\noptions iommu=pt\n",
        "etc/kernel/cmdline": "quiet amd_iommu=on\n# no\n",
    },
    "NixOS": LOADER
    | {
        "etc/os-release": "ID=nixos\n",
        "boot/loader/loader.conf": "timeout 5\ndefault nixos-generation-7.conf\n",
        "boot/loader/entries/nixos-generation-7.conf": "options iommu=off\n",
        "boot/loader/entries/nixos-generation-8.conf": "options iommu=pt\n",
    },
    "CachyOS": LOADER | {"etc/sdboot-manage.conf": 'LINUX_OPTIONS="zswap.enabled=0 iommu=off"\n'},
    "Limine": {
        "etc/default/limine": 'KERNEL_CMDLINE[default]+="quiet iommu=off"\n',
        "boot/limine.conf": "/Arch\n    protocol: linux\n    cmdline: root=/dev/sda2 iommu=pt\n",
    },
    "rEFInd": {
        "boot/refind_linux.conf": '"Boot with standard options"  "ro root=UUID=1 iommu=off"\n'
        '"Boot to \\"single\\" mode" "ro single"\n',
    },
    "modprobe": {
        "etc/modprobe.d/v.conf": "options  vfio-pci ids=10de:2482,10de:228b \\\n  disable_vga=1\n"
        "install vfio_pci /bin/true; exit 0 # never\ninstall a modprobe b\nblacklist vfio-pci\n"
        "# comment \\\nblacklist nouveau\nalias x y\noptions \\\nnvidia-drm modeset=1\n"
        "install vfio /sbin/modprobe --ignore-install vfio && echo done\n",
    },
}  # fmt: skip


def settings_of(nodes: dict[str, object]) -> KernelSettings:
    return readiness([], MemoryTree(nodes, "h")).settings  # type: ignore[arg-type]


EFI = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"


@pytest.mark.parametrize("says", ["GRUB 2.12", "systemd-boot 255.4-1-arch", "Limine 8", "Anna 1"])
@pytest.mark.parametrize("name", sorted(FILES))
def test_the_loader_stays(name: str, says: str) -> None:
    nodes = {**record(host_with(FILES[name])).nodes, EFI: b"\6\0\0\0" + says.encode("utf-16-le")}
    found = record(MemoryTree(nodes, "host"))
    told = redacted(found, StandIns())
    assert boot(MemoryTree(told.nodes, "told")) == boot(MemoryTree(found.nodes, "found"))


@pytest.mark.parametrize("name", sorted(FILES))
def test_what_is_known_stays_on_its_line(name: str) -> None:
    found = record(host_with(FILES[name]))
    told = redacted(found, StandIns())
    before, after = settings_of(dict(found.nodes)), settings_of(dict(told.nodes))
    assert before.files == after.files
    assert _options(before) == _options(after)
    assert [(r.directive, r.module, r.line) for r in before.modules] == [
        (r.directive, r.module, r.line) for r in after.modules
    ]
    if name == "modprobe":
        assert [r.text for r in after.modules] == [
            "options vfio-pci ids=10de:2482,10de:228b \\x20\\x20disable_vga=1",
            "install vfio_pci /bin/true; exit 0 # word-1",
            "install a modprobe word-2", "blacklist vfio-pci", "options nvidia-drm modeset=1",
            "install vfio /sbin/modprobe --ignore-install vfio && word-3 word-4",
        ]  # fmt: skip
    else:
        assert _options(before)


def _options(found: KernelSettings) -> list[tuple[str, str | None, str, int | None]]:
    return [
        (o.name, o.value, o.file, o.line) for o in found.written if o.name in OPTIONS | {"quiet"}
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("quiet", "quiet"),
        ("iommu=pt hunter2", "iommu=pt word-1"),
        ("hunter2=on", "option-1=redacted"),
        ("root=/dev/nvme0n1p2", "root=/dev/nvme0n1p2"),
        ("root=/dev/mapper/vg-anna", "root=/dev/mapper/volume-1"),
        ("root=PARTUUID=8c5e7d21-3a44-4f0b-9b6e-d2f1a07c9e35",
         "root=PARTUUID=00000000-0000-4000-8000-000000000001"),
        ("root=LABEL=anna", "root=LABEL=label-1"),
        ("root=ZFS=tank/anna", "root=path-1"),
        ("cryptdevice=/dev/sda2:annas:allow-discards", "cryptdevice=/dev/sda2:redacted"),
        ("vfio-pci.ids=10de:2482 kvm.ignore_msrs=1", "vfio-pci.ids=10de:2482 kvm.ignore_msrs=1"),
        ("nvidia.NVreg_Path=/home1/anna", "nvidia.NVreg_Path=value-1"),
        ("nvidia.secret_key=abc", "nvidia.secret_key=value-1"),
        ("BOOT_IMAGE=(hd0,gpt2)/anna/vmlinuz-6", "BOOT_IMAGE=(word-1)word-2"),
        (r"initrd=\anna\initrd", r"initrd=\word-1\initrd"),
        ("initrd=/anna", "initrd=/vmlinuz"),
        ("ip=10.0.0.7::10.0.0.1", "option-1=redacted"),
        ("console=ttyS0,115200n8", "console=ttyS0,115200n8"),
    ],
)  # fmt: skip
def test_words_of_a_command_line(text: str, shown: str) -> None:
    assert boot_text(text, StandIns()) == shown


def test_comments_go_and_lines_stay() -> None:
    assert boot_text("# anna\n  # anna\nro", StandIns()) == "#\n#\nro"
    assert shell_text("# anna\nro # anna", StandIns()) == "#\nro # word-1"
    assert modprobe_text("# anna\nsoftdep anna pre: b\nblacklist b", StandIns()) == (
        "#\n#\nblacklist b"
    )
    softdep = "softdep nvidia pre: vfio-pci anna post: snd-hda-intel"
    assert modprobe_text(softdep, StandIns()) == softdep.replace("anna", "word-1")


PIECES = st.sampled_from(
    ["'", '"', "\\", "#", " ", "\n", "\\\n", "iommu=pt", "anna", "$X", "X=", "GRUB_CMDLINE_LINUX=",
     "GRUB_CMDLINE_LINUX+=", "export ", "quiet", "${Y}", ";"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=24).map("".join))
def test_quotes_and_lines_of_shell_stay(text: str) -> None:
    assert _open_ends(shell_text(text, StandIns())) == _open_ends(text)


def _open_ends(text: str) -> list[str]:
    within, found = "", []
    for line in text.split("\n"):
        within = left_open(line, within)
        found.append(within)
    return found


@given(st.lists(PIECES, max_size=24).map("".join))
@example("\\\nGRUB_CMDLINE_LINUX+=iommu=pt")
@example(" \\\n\\\nGRUB_CMDLINE_LINUX+=iommu=pt")
@example("export \\\nGRUB_CMDLINE_LINUX=iommu=pt")
@example("GRUB_CMDLINE_LINUX='iommu=pt'anna")
@example("export\\\nGRUB_CMDLINE_LINUX=iommu=pt")
@example("\\\nexport \\\nGRUB_CMDLINE_LINUX=iommu=pt")
def test_known_options_of_shell_stay(text: str) -> None:
    files = GRUB | {"etc/default/grub": text}
    found = record(host_with(files))
    told = redacted(found, StandIns())
    before, after = settings_of(dict(found.nodes)), settings_of(dict(told.nodes))
    assert _whole(before) == _whole(after)


def _whole(found: KernelSettings) -> list[tuple[str, str | None, str, int | None]]:
    """The options whose value is not joined by a quote to a word that is removed."""
    return [each for each in _options(found) if each[1] in (None, "pt")]
