"""The modules that the initramfs loads first, from the files of what makes it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.unit.host.capture.test_redact import host_with
from tui.host.capture.collect import record
from tui.host.capture.memory import MemoryTree
from tui.host.capture.redact import redacted
from tui.host.capture.standins import StandIns
from tui.host.readiness.initramfs import PROGRAMS, initramfs
from tui.host.tree import FILE_LIMIT, PlainTree
from tui.model import Initramfs, InitramfsMaker

Files = dict[str, str]


def host(root: Path, maker: InitramfsMaker, files: Files) -> Path:
    for name, text in ({PROGRAMS[maker]: ""} | files).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def loads(found: Initramfs | None) -> list[tuple[str, str, int]] | None:
    """The modules, with their parameters and lines."""
    return None if found is None else [(r.module, r.arguments, r.line) for r in found.modules]


def read(root: Path, maker: InitramfsMaker, files: Files) -> Initramfs | None:
    return initramfs(PlainTree(host(root, maker, files)))


@pytest.mark.parametrize(
    ("text", "found", "modprobe"),
    [
        ("MODULES=()\nHOOKS=(base udev)\n", [], False),
        ("# MODULES=(x)\nMODULES=(vfio_pci vfio-iommu-type1 # first\n  nvidia?)\nHOOKS=(modconf)\n",
         [("vfio_pci", 2), ("vfio_iommu_type1", 2), ("nvidia", 3)], True),
        ('  MODULES="amdgpu"\nMODULES+=(vfio)\nFILES=(/etc/modprobe.d/vfio.conf)\n',
         [("amdgpu", 1), ("vfio", 2)], True),
        ("MODULES=(a)\nMODULES='b c'\nHOOKS=modconf\n", [("b", 2), ("c", 2)], True),
        ("OLD_MODULES=($x)\nCOMPRESSION=$y\n", [], False),
        ("MODULES=(a $(b))\n", None, None), ("[ x ] && MODULES=(a)\n", None, None),
        ("export MODULES=(a)\n", None, None), ("MODULES=(a); HOOKS=(b)\n", None, None),
        ('MODULES="a\nb"\n', None, None), ("HOOKS=(`a`)\n", None, None),
        ("MODULES=(a\n", None, None), ("MODULES=(a)\nif x; then MODULES+=(b); fi\n", None, None),
    ],
)  # fmt: skip
def test_mkinitcpio(
    tmp_path: Path, text: str, found: list[tuple[str, int]] | None, modprobe: bool | None
) -> None:
    made = read(tmp_path, "mkinitcpio", {"etc/mkinitcpio.conf": text})
    assert loads(made) == (None if found is None else [(name, "", line) for name, line in found])
    assert (None if made is None else made.modprobe) == modprobe


def test_parts_come_after_the_file_in_the_order_of_their_names(tmp_path: Path) -> None:
    made = read(tmp_path, "mkinitcpio", {
        "etc/mkinitcpio.conf": "MODULES=(a)\n", "etc/mkinitcpio.conf.d/x.bak": "MODULES=$x",
        "etc/mkinitcpio.conf.d/2.conf": "MODULES+=(c)\n",
        "etc/mkinitcpio.conf.d/1.conf": "MODULES+=(b)\n",
    })  # fmt: skip
    assert loads(made) == [("a", "", 1), ("b", "", 1), ("c", "", 1)]
    assert made is not None
    assert made.modules[1].place == "/etc/mkinitcpio.conf.d/1.conf, line 1"


def test_dracut(tmp_path: Path) -> None:
    made = read(tmp_path, "dracut", {
        "etc/dracut.conf": "hostonly=yes\n",
        "usr/lib/dracut/dracut.conf.d/10.conf": 'force_drivers+=" nvidia "\n',
        "usr/lib/dracut/dracut.conf.d/20.conf": 'force_drivers+=" nouveau "\n',
        "etc/dracut.conf.d/20.conf": 'add_drivers+=" vfio "\nforce_drivers+=" vfio_pci vfio "\n',
    })  # fmt: skip
    assert loads(made) == [("nvidia", "", 1), ("vfio_pci", "", 2), ("vfio", "", 2)]


def test_initramfs_tools(tmp_path: Path) -> None:
    made = read(tmp_path, "initramfs-tools", {
        "etc/initramfs-tools/modules": "# a\n\nvfio-pci ids=10de:2684,10de:22ba # b\nvfio\n",
        "usr/share/initramfs-tools/modules.d/x": "raid1\n",
    })  # fmt: skip
    assert loads(made) == [
        ("raid1", "", 1), ("vfio_pci", "ids=10de:2684,10de:22ba", 3), ("vfio", "", 4),
    ]  # fmt: skip
    assert made is not None
    assert made.modules[1].text == "vfio-pci ids=10de:2684,10de:22ba"


def test_without_one_program_that_makes_it_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/mkinitcpio.conf").write_text("MODULES=(vfio_pci)\n")
    assert initramfs(PlainTree(tmp_path)) is None
    host(tmp_path, "mkinitcpio", {})
    assert initramfs(PlainTree(tmp_path)) is not None
    host(tmp_path, "dracut", {})
    assert initramfs(PlainTree(tmp_path)) is None


HOSTILE = {
    "open lists": "MODULES=(\n" * (FILE_LIMIT // 10), "lists": "MODULES=(a)\n" * 5000,
    "words": f"MODULES=({'a ' * 30_000})\n", "comments": "#" * FILE_LIMIT, "bytes": "\0\xff" * 999,
    "control": "MODULES=(\x1b[2J a\u202eb)\n", "long": f"MODULES=({'a' * 60_000})\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_cost_little_and_tell_nothing(tmp_path: Path, name: str) -> None:
    began = time.process_time()
    made = read(tmp_path, "mkinitcpio", {"etc/mkinitcpio.conf": HOSTILE[name]})
    tools = host(tmp_path / "b", "initramfs-tools", {"etc/initramfs-tools/modules": HOSTILE[name]})
    listed = initramfs(PlainTree(tools))
    print(f"{name}: {time.process_time() - began:.3f} s of CPU")
    for found in (made, listed):
        for rule in found.modules if found is not None else ():
            assert rule.text.isprintable()
            assert len(rule.text) <= 1024


CAPTURED: dict[str, tuple[InitramfsMaker, Files]] = {
    "mkinitcpio": ("mkinitcpio", {
        "etc/mkinitcpio.conf": "# Annegret's\n\n  MODULES=(nvidia # x\n vfio-pci?)\nX=$(annegret)\n"
        'HOOKS="base annegret modconf"\nFILES=(/etc/modprobe.d/a.conf /srv/annegret/key)\n',
        "etc/mkinitcpio.conf.d/a.conf": "MODULES+=(b)\n",
    }),
    "unclear": ("mkinitcpio", {"etc/mkinitcpio.conf": "HOOKS=(a)\nMODULES=($(annegret) a)\n"}),
    "unclear at the end": ("mkinitcpio", {"etc/mkinitcpio.conf": "HOOKS=(a) # b\n\nx MODULES=("}),
    "dracut": ("dracut", {
        "etc/dracut.conf.d/v.conf": 'a="annegret"\nforce_drivers+=" vfio_pci "\n',
    }),
    "initramfs-tools": ("initramfs-tools", {
        "etc/initramfs-tools/modules": "# annegret\nvfio_pci ids=10de:2684 x=1\n\nvfio #\n",
        "usr/share/initramfs-tools/modules.d/x": "raid1\n",
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", CAPTURED)
def test_a_redacted_capture_has_the_same_modules_on_the_same_lines(
    name: str,
) -> None:
    maker, files = CAPTURED[name]
    root = host_with({PROGRAMS[maker]: "", **files})
    there = initramfs(root)
    told = redacted(record(root), StandIns())
    again = initramfs(MemoryTree(told.nodes, "capture"))
    assert loads(again) == loads(there)
    assert (there is None) == name.startswith("unclear")
    if again is not None and there is not None:
        assert (again.maker, again.modprobe) == (there.maker, there.modprobe)
    text = b"".join(node for node in told.nodes.values() if isinstance(node, bytes)).lower()
    assert b"annegret" not in text
