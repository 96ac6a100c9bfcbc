"""The kernel's options in the boot loaders' own files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.host.readiness.boot import boot
from tui.host.readiness.boot_files import written_options
from tui.host.tree import PlainTree
from tui.model import BootLoader


def host(root: Path, files: dict[str, str], distribution: str = "debian") -> Path:
    for name, text in ({"etc/os-release": f"ID={distribution}\n"} | files).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def found(root: Path) -> list[tuple[str, str]]:
    options, _ = written_options(PlainTree(root), boot(PlainTree(root)))
    return [(option.text, option.place) for option in options]


GRUB = "/etc/default/grub"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ('GRUB_CMDLINE_LINUX_DEFAULT="quiet amd_iommu=off"\n',
         [("quiet", 1), ("amd_iommu=off", 1)]),
        ("GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT='a' # why\nGRUB_CMDLINE_LINUX=b\n",
         [("b", 3), ("a", 2)]),
        ('#GRUB_CMDLINE_LINUX_DEFAULT="a"\n', []),
        ('GRUB_CMDLINE_LINUX_DEFAULT="a"\nGRUB_CMDLINE_LINUX_DEFAULT="b"\n', [("b", 2)]),
        ('GRUB_CMDLINE_LINUX_DEFAULT="a"\nGRUB_CMDLINE_LINUX_DEFAULT=\n', []),
        ('GRUB_CMDLINE_LINUX_DEFAULT="a"\nGRUB_CMDLINE_LINUX_DEFAULT+=" b"\n',
         [("a", 1), ("b", 2)]),
        ("GRUB_CMDLINE_LINUX=a\\\nb # it's\nGRUB_CMDLINE_LINUX_DEFAULT='x\\'\n",
         [("ab", 1), ("x\\\\", 3)]),
        ('GRUB_CMDLINE_LINUX_DEFAULT="a"\n'
         'export GRUB_CMDLINE_LINUX_DEFAULT="${GRUB_CMDLINE_LINUX_DEFAULT} b"\n',
         [("a", 1), ("b", 2)]),
        ('\n\nGRUB_CMDLINE_LINUX_DEFAULT="a\nb" \nGRUB_CMDLINE_LINUX="c"\n',
         [("c", 5), ("a", 3), ("b", 3)]),
        ("GRUB_CMDLINE_LINUX_DEFAULT=\"a\nGRUB_CMDLINE_LINUX=c\n", []),
        ('IOMMU="amd_iommu=off"\nGRUB_CMDLINE_LINUX_DEFAULT="quiet $IOMMU ${IOMMU} $x b"\n',
         [("quiet", 2), ("amd_iommu=off", 1), ("amd_iommu=off", 1), ("$x", 2), ("b", 2)]),
        ("GRUB_CMDLINE_LINUX=$a\na=b\n", [("$a", 1)]),
        ("\ufeffGRUB_CMDLINE_LINUX_DEFAULT=a\r\n", [("a", 1)]),
        ("x", []),
    ],
)  # fmt: skip
def test_grub(tmp_path: Path, text: str, options: list[tuple[str, int]]) -> None:
    root = host(tmp_path, {"etc/default/grub": text})
    assert found(root) == [(option, f"{GRUB}, line {line}") for option, line in options]


def test_pieces_of_grubs_configuration(tmp_path: Path) -> None:
    root = host(tmp_path, {
        "etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="a"\n',
        "etc/default/grub.d/50-cloud.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="b"\n',
        "etc/default/grub.d/60.cfg": "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT c\"",
        "etc/default/grub.d/notes": "GRUB_CMDLINE_LINUX_DEFAULT=d\n",
    })  # fmt: skip
    assert [option for option, _ in found(root)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("files", "loader", "options"),
    [
        ({"boot/loader/loader.conf": "", "boot/loader/entries/arch.conf":
          "title Arch\n# options no\noptions root=/dev/sda rw\noptions\tiommu=off\n"},
         "systemd-boot",
         [("root=/dev/sda", 3), ("rw", 3), ("iommu=off", 4)]),
        ({"efi/loader/loader.conf": "", "etc/kernel/cmdline": "quiet\niommu=off\n"},
         "systemd-boot", [("quiet", 1), ("iommu=off", 2)]),
        ({"boot/loader/loader.conf": "", "etc/sdboot-manage.conf": 'LINUX_OPTIONS="a b"\n'},
         "systemd-boot", [("a", 1), ("b", 1)]),
        ({"etc/default/limine": '\nKERNEL_CMDLINE[default]+="a"\nKERNEL_CMDLINE[x]+="b"\n'},
         "limine", [("a", 2), ("b", 3)]),
        ({"boot/limine.conf": "/Arch\n    protocol: linux\n    cmdline: a b\n"}, "limine",
         [("a", 3), ("b", 3)]),
        ({"boot/limine.conf": ":Arch\n    KERNEL_CMDLINE=a\n"}, "limine", [("a", 2)]),
        ({"boot/refind_linux.conf": '# "x" "y"\n"Boot normally"  "ro quiet a=b"\n"Only"\n'},
         "refind", [("ro", 2), ("quiet", 2), ("a=b", 2)]),
    ],
)  # fmt: skip
def test_other_loaders(
    tmp_path: Path, files: dict[str, str], loader: BootLoader, options: list[tuple[str, int]]
) -> None:
    root = host(tmp_path, files, "arch")
    assert boot(PlainTree(root)).loader == loader
    assert [(text, int(place.rpartition(" ")[2])) for text, place in found(root)] == options


def test_what_another_loader_left_says_nothing(tmp_path: Path) -> None:
    left = {"boot/loader/loader.conf": "", "etc/default/grub": "GRUB_CMDLINE_LINUX=iommu=off\n"}
    assert found(host(tmp_path, left)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="GRUB_CMDLINE_LINUX=\"'$+{} #\\\n\0ab", max_size=300))
def test_any_text(tmp_path: Path, text: str) -> None:
    root = host(tmp_path, {"etc/default/grub": f"GRUB_CMDLINE_LINUX={text}"})
    options, files = written_options(PlainTree(root), boot(PlainTree(root)))
    assert files == (GRUB,)
    assert all(option.text.isprintable() for option in options)
