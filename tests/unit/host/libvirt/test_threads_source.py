"""Where the threads of a guest run, from a /proc of plain files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.host.libvirt.test_qemu_process import ONE, TWO, qemu
from tui.host import NothingToRead
from tui.host.libvirt.qemu_process import processes
from tui.host.libvirt.qemu_threads import THREADS_LIMIT, kind_of, read_threads
from tui.host.libvirt.threads_source import SEARCH_AGAIN_S, ThreadsSource
from tui.host.proc.process import Process
from tui.host.real import real_host
from tui.model import Demand, GuestThreads, HostCpu, QemuThread, ThreadKind

SECOND = os.sysconf("SC_CLK_TCK")
"""Clock ticks."""


class Proc:
    """A /proc with QEMU processes, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 100.0
        self.source = ThreadsSource(folder, lambda: self.now)
        self.busy(0, 0)

    def process(self, pid: int, uuid: str, start: int = 7) -> None:
        folder = self.folder / str(pid)
        (folder / "task").mkdir(parents=True)
        (folder / "cmdline").write_bytes("".join(f"{word}\0" for word in qemu(uuid)).encode())
        self._stat(folder, pid, "qemu-system-x86", 0, 0, start)

    def thread(self, pid: int, thread: int, name: str, cpu: int, ticks: float) -> None:
        folder = self.folder / str(pid) / "task" / str(thread)
        folder.mkdir(exist_ok=True)
        self._stat(folder, thread, name, cpu, int(ticks), 7)

    def busy(self, *ticks: float) -> None:
        """The ticks that each CPU was busy, of those that have passed."""
        passed = int(self.now * SECOND)
        lines = [
            f"cpu{n} {int(each)} 0 0 {passed - int(each)} 0 0 0 0 0 0"
            for n, each in enumerate(ticks)
        ]
        (self.folder / "stat").write_text("\n".join(["cpu 0 0 0 0 0 0 0 0 0 0", *lines, "intr 5"]))

    @staticmethod
    def _stat(folder: Path, pid: int, name: str, cpu: int, ticks: int, start: int) -> None:
        head = f"{pid} ({name}) S " + "0 " * 10
        between = "0 " * 4 + f"1 0 {start} " + "0 " * 16
        (folder / "stat").write_text(f"{head}{ticks} 0 {between}{cpu} 0\n")

    def read(self) -> GuestThreads:
        return self.source.read()


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    """One guest with a main thread, a vCPU and an IO thread."""
    made = Proc(tmp_path)
    made.process(10, ONE)
    made.thread(10, 10, "qemu-system-x86", 0, 0)
    made.thread(10, 11, "CPU 0/KVM", 1, 0)
    made.thread(10, 12, "IO iothread1", 0, 0)
    made.source.set_demand(Demand(threads_of=ONE))
    return made


def test_places_loads_and_the_cpus_meanwhile(proc: Proc) -> None:
    first = proc.read()
    assert first.threads == (
        QemuThread("emulator", 0), QemuThread("vcpu", 1, 0), QemuThread("io", 0),
    )  # fmt: skip
    assert first.cpus == (HostCpu(0), HostCpu(1))
    proc.now += 2
    proc.thread(10, 11, "CPU 0/KVM", 0, SECOND)
    proc.busy(1.5 * SECOND, 0)
    assert proc.read() == GuestThreads(
        ONE,
        (QemuThread("emulator", 0, None, 0.0), QemuThread("vcpu", 0, 0, 50.0),
         QemuThread("io", 0, None, 0.0)),
        (HostCpu(0, 75.0, 0.0), HostCpu(1, 0.0, 0.0)),
    )  # fmt: skip


def test_two_readings_at_once_are_one(proc: Proc) -> None:
    first = proc.read()
    proc.now += 0.1
    proc.thread(10, 11, "CPU 0/KVM", 0, SECOND)
    assert proc.read() is first


def test_no_guest_is_read_without_demand(tmp_path: Path) -> None:
    with pytest.raises(NothingToRead, match="not running"):
        Proc(tmp_path).read()


def test_another_guest_begins_anew_and_wakes(proc: Proc) -> None:
    woken: list[bool] = []
    proc.source.watch(lambda: woken.append(True))
    proc.read()
    proc.process(20, TWO)
    proc.thread(20, 21, "CPU 0/KVM", 1, 5)
    proc.source.set_demand(Demand(threads_of=TWO))
    proc.source.set_demand(Demand(threads_of=TWO, shown=False))
    assert woken == [True]
    found = proc.read()
    assert (found.uuid, found.threads) == (TWO, (QemuThread("vcpu", 1, 0),))


def test_a_guest_that_starts_again_is_found_again(proc: Proc) -> None:
    proc.read()
    proc.now += 1
    for entry in ("stat", "cmdline"):
        (proc.folder / "10" / entry).unlink()
    proc.process(30, ONE, start=9)
    proc.thread(30, 31, "CPU 0/KVM", 0, 500)
    assert proc.read().threads == (QemuThread("vcpu", 0, 0),)


def test_the_pid_of_a_guest_may_be_another_process_by_now(proc: Proc) -> None:
    proc.read()
    proc.now += 1
    (proc.folder / "10" / "cmdline").write_bytes(b"bash\0")
    Proc._stat(proc.folder / "10", 10, "bash", 0, 0, start=8)
    with pytest.raises(NothingToRead, match="cannot be seen"):
        proc.read()


def test_a_process_that_claims_the_uuid_before_the_guest_runs_is_not_kept(proc: Proc) -> None:
    """It was alone when it was found; then QEMU came, in the cgroup that libvirt gives it."""
    proc.read()
    proc.process(20, ONE, start=9)
    proc.thread(20, 21, "CPU 0/KVM", 1, 0)
    (proc.folder / "20" / "cgroup").write_text("0::/machine.slice/machine-qemu.scope\n")
    proc.now += SEARCH_AGAIN_S
    assert proc.read().threads == (QemuThread("vcpu", 1, 0),)


def test_a_process_is_searched_for_twice_in_its_run(
    proc: Proc, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[Path] = []

    def counted(folder: Path) -> dict[str, Process]:
        searches.append(folder)
        return processes(folder)

    monkeypatch.setattr("tui.host.libvirt.threads_source.processes", counted)
    for _ in range(5):
        proc.read()
        proc.now += SEARCH_AGAIN_S
    assert len(searches) == 2


def test_a_process_that_is_hidden_is_searched_for_seldom(
    proc: Proc, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[Path] = []

    def none(folder: Path) -> dict[str, object]:
        searches.append(folder)
        return {}

    monkeypatch.setattr("tui.host.libvirt.threads_source.processes", none)
    for _ in range(3):
        with pytest.raises(NothingToRead, match="cannot be seen"):
            proc.read()
        proc.now += 1
    assert len(searches) == 1
    proc.now += SEARCH_AGAIN_S
    with pytest.raises(NothingToRead, match="cannot be seen"):
        proc.read()
    assert len(searches) == 2


def test_threads_that_cannot_be_listed(proc: Proc) -> None:
    (proc.folder / "10" / "task").rename(proc.folder / "gone")
    with pytest.raises(NothingToRead, match="threads cannot be read"):
        proc.read()


def test_a_thread_that_ends_meanwhile_is_left_out(proc: Proc) -> None:
    (proc.folder / "10" / "task" / "12" / "stat").write_text("12 (IO iothread1) S 1")
    assert {thread.kind for thread in proc.read().threads} == {"emulator", "vcpu"}


def test_the_number_of_threads_is_bounded(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    proc.process(10, ONE)
    for thread in range(100, 105 + THREADS_LIMIT):
        proc.thread(10, thread, "worker", 0, 0)
    assert len(read_threads(str(tmp_path), 10)) == THREADS_LIMIT


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"CPU 0/KVM", ("vcpu", 0)), (b"CPU 63/TCG", ("vcpu", 63)), (b"ALL CPUs/TCG", None),
        (b"CPU x/KVM", None), (b"CPU 99999/KVM", None), (b"CPU 1/KVM)", None),
        (b"IO iothread1", ("io", None)), (b"IO mon_iothread", None), (b"worker", None),
        (b"vnc_worker", None), (b"", None),
    ],
)  # fmt: skip
def test_what_a_thread_does(name: bytes, kind: tuple[ThreadKind, int | None] | None) -> None:
    assert kind_of(name) == (kind or ("emulator", None))


@pytest.mark.parametrize("uri", ["qemu+ssh://nas/system", "lxc:///", "test:///default"])
def test_only_guests_of_qemu_on_this_machine_have_threads_here(uri: str) -> None:
    host = real_host(uri)
    host.set_demand(Demand(threads_of=ONE))
    with pytest.raises(NothingToRead, match="only for QEMU guests on this machine"):
        host.threads.read()


def test_guests_of_another_machine_have_neither_the_memory_nor_the_files_of_this_one() -> None:
    host = real_host("qemu+ssh://nas/system")
    with pytest.raises(NothingToRead, match="libvirt on nas over ssh, not on this machine"):
        host.memory.read()
    assert host.files(["/usr/share/vgabios/none.rom"]) == {}
    here = real_host("qemu:///session")
    assert here.files(["/none.rom"])["/none.rom"].kind == "missing"
