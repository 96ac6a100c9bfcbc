"""Whether a /proc shows every process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tui.host.proc import visibility
from tui.host.proc.mounts import Mount
from tui.host.proc.stat import Stat
from tui.host.proc.visibility import check_proc, is_kernel_thread

PROC = b"22 1 0:21 / /proc rw - proc proc rw"


def judged(*lines: bytes) -> str | None:
    """The verdict on the first of these mounts, with the others next to it."""
    here = [Mount(line) for line in lines]
    found = visibility._hidden_reason("/proc", here[0], here)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (b"rw,hidepid=1", "hidepid=1"), (b"rw,hidepid=2", "hidepid=2"),
        (b"rw,gid=4,hidepid=invisible", "hidepid=invisible"),
        (b"rw,hidepid=ptraceable", "hidepid=ptraceable"), (b"rw,hidepid=4", "hidepid=4"),
        (b"rw,subset=pid", "subset=pid"),
    ],
)  # fmt: skip
def test_options_that_hide(monkeypatch: pytest.MonkeyPatch, options: bytes, words: str) -> None:
    monkeypatch.setattr(visibility, "may_see_all", lambda: False)
    assert words in (judged(PROC.removesuffix(b"rw") + options) or "")


def test_whoever_may_look_into_all_sees_all_despite_hidepid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(visibility, "may_see_all", lambda: True)
    assert "hidepid" not in (judged(PROC.removesuffix(b"rw") + b"rw,hidepid=2") or "")


@pytest.mark.parametrize(
    "other",
    [b"40 22 8:1 /x /proc/4711 rw - ext4 a rw", b"40 22 0:9 / /proc/4711/fd rw - tmpfs a rw"],
)
def test_a_process_that_is_covered(other: bytes) -> None:
    assert "mounted over processes" in (judged(PROC, other) or "")


def test_a_part_of_proc() -> None:
    assert "mounted over processes" in (judged(PROC.replace(b" / /proc", b" /1 /proc")) or "")


def test_what_else_is_mounted_there_hides_nobody() -> None:
    there = judged(PROC, b"40 22 0:9 / /proc/kcore rw - tmpfs a rw")
    assert there is None or "container" in there


def test_a_made_one(tmp_path: Path) -> None:
    real, blind = check_proc(str(tmp_path))
    assert not real
    assert blind is not None
    assert "is not the kernel's" in blind[0]
    assert not check_proc(str(tmp_path / "none"))[0]


def test_this_one() -> None:
    assert check_proc("/proc")[0]


def test_a_stat(tmp_path: Path) -> None:
    fields = ["R", *"1" * 5, str(0x00200040), *"0" * 10, "7", "0", "4242", "0"]
    (tmp_path / "stat").write_text(f"9 (a) b (c)) {' '.join(fields)}\n")
    stat = Stat(str(tmp_path))
    assert (stat.name, stat.is_kernel_thread, stat.is_zombie) == (b"a) b (c)", True, False)
    assert (stat.threads, stat.start) == (7, 4242)
    own = Stat(f"/proc/{os.getpid()}")
    assert (own.is_kernel_thread, own.is_zombie, own.start > 0) == (False, False, True)


@pytest.mark.parametrize("text", ["", "9 (a", "9 (a) R", "9 (a) R 1 1 1 0 -1 x"])
def test_a_stat_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "stat").write_text(text)
    assert not is_kernel_thread(str(tmp_path))
    assert not is_kernel_thread(str(tmp_path / "none"))
