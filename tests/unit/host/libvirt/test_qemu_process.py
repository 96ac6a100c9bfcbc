"""Start times of domains, from a /proc of plain files."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tui.host.libvirt.qemu_process import guest_name, start_times

ONE = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
TWO = "8e65f9be-d089-4734-8b06-6da6ae8a5576"
TICKS = os.sysconf("SC_CLK_TCK")


def qemu(uuid: str, name: str = "win11") -> list[str]:
    guest = f"guest={name},debug-threads=on"
    return ["/usr/bin/qemu-system-x86_64", "-name", guest, "-S", "-uuid", uuid, "-display", "none"]


def process(
    proc: Path, pid: int, argv: list[str], age: float = 0.0, comm: str = "qemu-system-x86"
) -> None:
    ticks = int((time.clock_gettime(time.CLOCK_BOOTTIME) - age) * TICKS)
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_bytes("".join(f"{word}\0" for word in argv).encode())
    (folder / "stat").write_text(f"{pid} ({comm}) S {'0 ' * 18}{ticks} 0 0\n")


def age(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def test_every_domain_by_its_uuid(tmp_path: Path) -> None:
    process(tmp_path, 10, qemu(ONE), age=3600)
    process(tmp_path, 11, qemu(TWO, name="a) b (\nc"), age=60, comm="x) S 1 (y")
    process(tmp_path, 12, ["bash", "-c", f"-uuid {ONE}"])
    (tmp_path / "self").mkdir()
    found = start_times(tmp_path)
    assert {uuid: age(moment) for uuid, moment in found.items()} == {
        ONE: pytest.approx(3600, abs=1),
        TWO: pytest.approx(60, abs=1),
    }


def test_two_processes_with_one_uuid_are_not_believed(tmp_path: Path) -> None:
    for pid in (10, 11, 12):
        process(tmp_path, pid, qemu(ONE))
    assert start_times(tmp_path) == {}


@pytest.mark.parametrize(
    ("cgroup", "believed"),
    [
        ("0::/machine.slice/machine-qemu\\x2d1\\x2dwin11.scope/libvirt/emulator\n", True),
        ("4:memory:/machine/qemu-1-win11.libvirt-qemu/emulator\n", True),
        ("0::/user.slice/user-1000.slice/machine.slice/machine-qemu\n", False),
        ("0::/machine.slice/libpod-1.scope\n", False),
        ("", False),
    ],
)
def test_of_several_the_one_that_libvirt_has_put_into_its_cgroup_is_believed(
    tmp_path: Path, cgroup: str, believed: bool
) -> None:
    for pid in (10, 11, 12):
        process(tmp_path, pid, qemu(ONE), age=pid)
    (tmp_path / "11" / "cgroup").write_text(cgroup)
    (tmp_path / "12" / "cgroup").write_text("0::/user.slice/user-1000.slice/session-2.scope\n")
    found = start_times(tmp_path)
    assert list(found) == [ONE] * believed
    assert not believed or age(found[ONE]) == pytest.approx(11, abs=1)


def test_a_command_line_is_read_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may start a process with such a line. This one is so long that a search that starts
    over at each name would not end."""
    size = 4 << 20
    monkeypatch.setattr("tui.host.libvirt.qemu_process.CMDLINE_LIMIT", size)
    process(tmp_path, 10, ["-name", "guest="] * (size // 14) + ["-uuid", ONE])
    assert list(start_times(tmp_path)) == [ONE]


def test_a_process_that_ends_meanwhile_is_left_out(tmp_path: Path) -> None:
    process(tmp_path, 10, qemu(ONE))
    (tmp_path / "10" / "stat").unlink()
    process(tmp_path, 11, qemu(TWO))
    (tmp_path / "11" / "stat").write_text("11 (qemu) S")
    (tmp_path / "12").mkdir()
    assert start_times(tmp_path) == {}


def test_without_proc_no_start_is_known(tmp_path: Path) -> None:
    assert start_times(tmp_path / "proc") == {}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["qemu", "-name", "guest=win11,debug-threads=on"], "win11"),
        (["qemu", "-name", "debug-threads=on,guest=a,,b"], "a,b"),
        (["kvm", "-id", "100", "--name", "vm,debug-threads=on"], "vm"),
        (["qemu", "-name", "debug-threads=on"], None),
        (["qemu", "-name", ""], None),
        (["qemu", "-name"], None),
        ([], None),
    ],
)
def test_the_name_that_qemu_gives_its_guest(words: list[str], name: str | None) -> None:
    assert guest_name(words) == name
