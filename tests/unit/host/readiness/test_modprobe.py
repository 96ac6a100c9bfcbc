"""modprobe.d as kmod reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.touched import Fifo
from tui.host.confined import Confined
from tui.host.readiness.modprobe import FILES_LIMIT, module_rules, rules
from tui.host.tree import PlainTree


def put(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("blacklist vfio-pci\n", [("blacklist", "vfio_pci", "", 1)]),
        ("# blacklist a\n\n\tblacklist \t b  # why\n", [("blacklist", "b", "# why", 3)]),
        ("install vfio-pci /bin/false", [("install", "vfio_pci", "/bin/false", 1)]),
        ("options nvidia-drm \\\n modeset=1 \\\n fbdev=1\nblacklist c\n",
         [("options", "nvidia_drm", " modeset=1  fbdev=1", 1), ("blacklist", "c", "", 4)]),
        ("blacklist d\\", [("blacklist", "d", "", 1)]),
        ("#a \\\nblacklist e\nblacklist f", [("blacklist", "f", "", 3)]),
        ("alias a b\nsoftdep a pre: b\nblacklist\nBLACKLIST g\n", [("softdep", "a", "pre: b", 2)]),
    ],
)  # fmt: skip
def test_what_files_say(text: str, found: list[tuple[str, str, str, int]]) -> None:
    told = [(r.directive, r.module, r.arguments.strip("\t"), r.line) for r in rules(text, "/f")]
    assert [(d, m, " ".join(r.split()), n) for d, m, r, n in told] == [
        (d, m, " ".join(r.split()), n) for d, m, r, n in found
    ]


@given(st.text(alphabet="abcikloptns -_\t#\\\n=\0\x1b", max_size=200))
def test_any_text_is_rules_that_can_be_drawn(text: str) -> None:
    for rule in rules(text, "/f"):
        assert rule.text.isprintable()
        assert "-" not in rule.module
        assert 1 <= rule.line <= text.count("\n") + 1


@given(st.lists(st.sampled_from(["blacklist a", "# blacklist b", "", "install c x \\", " y"])))
def test_lines_are_counted_as_an_editor_does(lines: list[str]) -> None:
    text = "\n".join(lines)
    for rule in rules(text, "/f"):
        assert lines[rule.line - 1].strip().startswith(rule.directive)


def test_a_file_of_etc_hides_one_of_the_same_name(tmp_path: Path) -> None:
    put(tmp_path, "usr/lib/modprobe.d/vfio.conf", "blacklist vfio-pci\n")
    put(tmp_path, "usr/lib/modprobe.d/a.conf", "blacklist a\n")
    put(tmp_path, "etc/modprobe.d/vfio.conf", "")
    put(tmp_path, "run/modprobe.d/z.conf", "blacklist z\n")
    put(tmp_path, "etc/modprobe.d/notes.txt", "blacklist n\n")
    found = module_rules(PlainTree(tmp_path))
    assert [(rule.module, rule.file) for rule in found] == [
        ("a", "/usr/lib/modprobe.d/a.conf"), ("z", "/run/modprobe.d/z.conf"),
    ]  # fmt: skip


def test_files_of_somebody_else(tmp_path: Path) -> None:
    put(tmp_path, "etc/modprobe.d/big.conf", "blacklist a\n" * 100_000)
    put(tmp_path, "etc/modprobe.d/b\x1b.conf", "blacklist b\n")
    (tmp_path / "etc/modprobe.d/loop.conf").symlink_to("loop.conf")
    fifo = Fifo(tmp_path / "etc/modprobe.d/fifo.conf")
    found = module_rules(Confined(str(tmp_path)))
    assert [(rule.module, rule.place) for rule in found] == [
        ("b", r"/etc/modprobe.d/b\x1b.conf, line 1")
    ]
    assert not fifo.touched()
    fifo.close()
    for n in range(FILES_LIMIT + 10):
        put(tmp_path, f"lib/modprobe.d/{n:04}.conf", f"blacklist m{n}\n")
    assert len(module_rules(Confined(str(tmp_path)))) <= FILES_LIMIT


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/modprobe.d")
    assert module_rules(Confined(str(tmp_path))) == ()
