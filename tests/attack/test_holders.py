"""Which processes hide from the scan for holders, which ones hold it up, and which are taken for
ours."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.attack.fuse import Silent
from tests.attack.holding import CARD, NOBODY, NODES, PROJECT, SOUND, asked_in, holding
from tests.thorough import thorough
from tui.host import HostError
from tui.host.drm import files as drm_files
from tui.host.journal.file import JOURNAL
from tui.host.nvml.command import DRIVER, PROGRAM, command
from tui.host.proc import scanner
from tui.host.proc.heartbeat import Heartbeat
from tui.host.proc.holders import holders_of_nodes
from tui.host.proc.processes import Scan
from tui.model import Holder, Holders, UninspectedProcess
from tui.rules import holder_checks as rule

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do this")
needs_fuse = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="needs root and /dev/fuse"
)

READER = command(DRIVER, JOURNAL, None, [CARD])


def found_of(pid: int) -> tuple[list[tuple[str, str]], list[UninspectedProcess]]:
    """What the scan says about a process: what it holds, and what is not known about it."""
    seen = holders_of_nodes(NODES)
    held = sorted((each.address, each.what) for each in seen.holders if each.pid == pid)
    return held, [each for each in seen.examples if each.pid == pid]


FULL, ZERO = (CARD, "/dev/dri/card1"), (SOUND, "/dev/snd/controlC1")
ZERO_MAPPED = SOUND, f"maps {ZERO[1]}"


# --- where processes are invisible ------------------------------------------------


@root_only
@pytest.mark.parametrize(
    "option", ["hidepid=1", "hidepid=4", *thorough("hidepid=2", "hidepid=2,gid=54321")]
)
def test_an_ordinary_user_under_hidepid(option: str) -> None:
    mount = f"mount -t proc -o {option} proc /proc"
    seen = asked_in(mount, user=NOBODY)
    assert "is mounted with hidepid=" in seen["unlisted_reason"]
    assert seen["fix"] == "run this as root"
    assert verdict(seen) == "unknown"


@root_only
@pytest.mark.parametrize("option", ["hidepid=2", "hidepid=4"])
def test_root_sees_all_despite_hidepid(option: str) -> None:
    whole = asked_in()
    if whole["unlisted_reason"]:
        pytest.skip(f"not here either: {whole['blind']}")
    assert asked_in(f"mount -t proc -o {option} proc /proc")["unlisted_reason"] is None


@root_only
@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (["mount -t tmpfs none /proc"], "is not the kernel's"),
        (["mkdir -p /tmp/vfiotop-none", "mount --bind /tmp/vfiotop-none /proc",
          "rmdir /tmp/vfiotop-none || true"], "is not the kernel's"),
        (["mount -t proc -o subset=pid proc /proc"], "subset=pid"),
        (["mount -t tmpfs none /proc/1"], "mounted over processes"),
        (["mount --bind /proc/1 /proc"], "is not the kernel's"),
    ],
)  # fmt: skip
def test_what_lies_over_proc(prepare: list[str], words: str) -> None:
    seen = asked_in(*prepare)
    assert words in seen["unlisted_reason"]
    assert verdict(seen) == "unknown"


@root_only
@pytest.mark.parametrize("own_proc", ["--mount-proc", "--propagation=private"])
def test_a_pid_namespace(own_proc: str) -> None:
    seen = asked_in(by=("unshare", "--mount", "--pid", "--fork", own_proc))
    assert "only the processes of this container are visible" in seen["unlisted_reason"]
    assert "on the host itself" in seen["fix"]
    assert verdict(seen) == "unknown"


@root_only
def test_root_without_the_right_to_look() -> None:
    """As in a container: root there may inspect no process with more capabilities."""
    seen = asked_in(by=("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"))
    assert seen["uninspected"] > 0
    assert "on the host itself" in seen["fix"]
    assert verdict(seen) == "unknown"


@root_only
def test_an_ordinary_user_reads_whom_he_cannot_see() -> None:
    with holding("opened", "/dev/full") as pid:
        seen = asked_in(user=NOBODY)
    assert seen["uninspected"] > 1
    assert seen["holders"] == []
    assert {each["why"] for each in seen["examples"]} == {None}
    assert pid not in {each["pid"] for each in seen["holders"]}
    why, fix = rule.why_incomplete(holders(seen)) or ("", "")
    assert "of other users could not be inspected, such as " in why
    assert fix == "run this as root"


def verdict(seen: dict[str, object]) -> str:
    """The verdict of the check if no holder was found."""
    reading = holders(seen)
    return rule.check(
        CARD, [CARD], Holders((), reading.uninspected, reading.examples, reading.unlisted_reason)
    ).verdict


def holders(seen: dict[str, object]) -> Holders:
    values = dict(seen)
    values["holders"] = tuple(Holder(**each) for each in values["holders"])  # type: ignore[attr-defined]
    values["examples"] = tuple(UninspectedProcess(**each) for each in values["examples"])  # type: ignore[attr-defined]
    return Holders(**values)  # type: ignore[arg-type]


# --- who hides the card -----------------------------------------------------------


@root_only
@pytest.mark.parametrize("way", ["thread", "leaderless"])
def test_threads_that_have_what_their_process_has_not(way: str) -> None:
    """A thread with open files of its own, and a process whose first thread has ended."""
    with holding(way) as pid:
        held, doubts = found_of(pid)
    assert FULL in held
    assert doubts == []
    assert (ZERO_MAPPED in held) is (way == "leaderless")


@root_only
@pytest.mark.parametrize("way", ["opened", "mapped"])
@pytest.mark.parametrize("unmounted", [False, True])
@pytest.mark.parametrize("kind", ["tmpfs", "overlay"])
def test_a_node_of_a_container(tmp_path: Path, kind: str, unmounted: bool, way: str) -> None:
    """Its number counts, on any file system, even on one that is no longer mounted anywhere."""
    place = tmp_path / "dev"
    options = ""
    for name in ("dev", "lower", "upper", "work"):
        (tmp_path / name).mkdir()
    if kind == "overlay":
        subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path / "lower"], check=True)
        os.mknod(tmp_path / "lower/x", 0o20666, os.makedev(1, 5))
        options = f"-o lowerdir={tmp_path}/lower"
        options += f":{tmp_path}/upper"
    try:
        mount = subprocess.run(
            ["mount", "-t", kind, *options.split(), "none", place], check=False, capture_output=True
        )
        if mount.returncode:
            pytest.skip(f"no {kind} here")
        try:
            if kind == "tmpfs":
                os.mknod(place / "x", 0o20666, os.makedev(1, 5))
            with holding(way, str(place / "x")) as pid:
                if unmounted:
                    subprocess.run(["umount", "-l", place], check=True)
                held, doubts = found_of(pid)
        finally:
            if os.path.ismount(place):
                subprocess.run(["umount", "-l", place], check=True)
    finally:
        if kind == "overlay":
            subprocess.run(["umount", "-l", tmp_path / "lower"], check=True)
    assert held == [ZERO if way == "opened" else ZERO_MAPPED]
    assert doubts == []


# --- who holds up the scan --------------------------------------------------------


@contextmanager
def silent(folder: Path) -> Iterator[Silent]:
    with Silent(folder) as server:
        yield server


@needs_fuse
@pytest.mark.parametrize("way", ["opened", "mapped"])
@pytest.mark.parametrize("unmounted", [False, True])
def test_a_file_of_a_server_that_is_silent(tmp_path: Path, way: str, unmounted: bool) -> None:
    with silent(tmp_path) as server, holding(way, str(server.file), "/dev/zero") as pid:
        if unmounted:
            server.detach()
        server.silence()
        held, doubts = found_of(pid)
        assert not server.waited_for.is_set()
    assert held == [ZERO if way == "opened" else ZERO_MAPPED]
    assert doubts == []


@needs_fuse
@pytest.mark.parametrize("way", ["opened", "mapped"])
@pytest.mark.parametrize("unmounted", [False, True])
def test_a_silent_file_that_calls_itself_a_node(tmp_path: Path, way: str, unmounted: bool) -> None:
    """It is below the /dev of another mount namespace, as a node would be."""
    place = tmp_path / "dev"
    place.mkdir()
    inside = f'mount --rbind {tmp_path} /mnt && mount --rbind /mnt/dev /dev && exec "$@"'
    with silent(place) as server:
        path = "/dev/file"
        with holding(way, path, by=["unshare", "--mount", "sh", "-c", inside, "-"]) as pid:
            if unmounted:
                server.detach()
            server.silence()
            held, doubts = found_of(pid)
            assert not server.waited_for.is_set()
    assert (held, doubts) == ([], [])


@needs_fuse
@pytest.mark.parametrize("unmounted", [False, True])
def test_the_scan_for_drm_clients_is_not_kept_either(tmp_path: Path, unmounted: bool) -> None:
    """A thread of the program itself looks for these: if it hung, the program could not end."""
    place = tmp_path / "dev"
    place.mkdir()
    inside = f'mount --rbind {tmp_path} /mnt && mount --rbind /mnt/dev /dev && exec "$@"'
    with silent(place) as server:
        by = ["unshare", "--mount", "sh", "-c", inside, "-"]
        with holding("opened", "/dev/file", by=by):
            if unmounted:
                server.detach()
            server.silence()
            assert drm_files.find_open_files(Path("/proc"), {}) is not None
            assert not server.waited_for.is_set()


@needs_fuse
def test_a_process_that_keeps_the_scan_is_named_and_left_out(tmp_path: Path) -> None:
    """Whatever holds it up: here it is the folder of the process's open files."""
    made = made_proc(tmp_path, 7, 8, 9)
    with silent(tmp_path / "proc/8/fd") as server:
        server.silence()
        seen = holders_of_nodes(NODES, tmp_path, silent=2)
        assert server.waited_for.is_set()
        assert [each.pid for each in seen.holders] == [7, 9]
        assert seen.examples == (UninspectedProcess(8, "p8", "does not answer"),)
        before = len(scanner._abandoned)
        again = holders_of_nodes(NODES, tmp_path, silent=2)
        assert again == seen
        assert len(scanner._abandoned) == before <= 1  # no second thread waits for it
    assert made
    wait_until_nobody_is_left()


@needs_fuse
def test_many_that_keep_the_scan_do_not_pile_up(tmp_path: Path) -> None:
    pids = range(1, 13)
    made_proc(tmp_path, *pids)
    with ExitStack() as servers:
        for pid in pids:
            servers.enter_context(silent(tmp_path / f"proc/{pid}/fd")).silence()
        for _ in range(2):
            with pytest.raises(HostError, match=r"do not answer|hang"):
                holders_of_nodes(NODES, tmp_path, silent=0.15)
        assert len(scanner._abandoned) <= scanner.ABANDONED_LIMIT
    wait_until_nobody_is_left()


@needs_fuse
def test_whoever_waits_for_the_scan_can_be_ended(tmp_path: Path) -> None:
    made_proc(tmp_path, 7)
    ask = (
        "import sys; from pathlib import Path; from tests.attack.holding import NODES;"
        "from tui.host.proc.holders import holders_of_nodes; print('begins', flush=True);"
        "holders_of_nodes(NODES, Path(sys.argv[1]), silent=3600)"
    )
    with silent(tmp_path / "proc/7/fd") as server:
        server.silence()
        with subprocess.Popen(
            [sys.executable, "-c", ask, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE
        ) as asking:
            assert server.waited_for.wait(60)
            asking.terminate()
            assert asking.wait(60) == -signal.SIGTERM


def made_proc(root: Path, *pids: int) -> Path:
    """Make processes that have the card open; returns their folder."""
    for pid in pids:
        process = root / f"proc/{pid}"
        (process / "fd").mkdir(parents=True)
        (process / "fd/3").symlink_to("/dev/full")
        (process / "maps").write_text("")
        (process / "stat").write_text(f"{pid} (p{pid}) S 1 1 1 0 -1 4194560 {' 0' * 20}\n")
    return root / "proc"


def wait_until_nobody_is_left() -> None:
    """The servers have ended, so the threads that waited for them end, too."""
    deadline = time.monotonic() + 60
    while scanner._abandoned_positions():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- who has too much -------------------------------------------------------------


@pytest.mark.thorough  # the 50,000 open files stand for it
def test_a_process_with_65_000_mappings_of_a_long_path(tmp_path: Path) -> None:
    """Its /proc/PID/maps has some 250 MB; that of an ordinary process is far smaller."""
    folder = tmp_path
    descriptor = os.open(tmp_path, os.O_RDONLY)
    while len(str(folder)) < 3900:
        name = "d" * min(200, 4000 - len(str(folder)))
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor, folder = inner, folder / name
    os.close(os.open("file", os.O_CREAT | os.O_RDWR, 0o644, dir_fd=descriptor))
    os.truncate(f"/proc/self/fd/{descriptor}/file", 4096)
    os.close(descriptor)
    limit = int(Path("/proc/sys/vm/max_map_count").read_text())
    with holding("mappings", f"{folder}/file", str(min(65_000, limit - 500))) as pid:
        held, doubts = found_of(pid)
    assert held == [ZERO_MAPPED]
    assert doubts == []


def test_a_process_with_50_000_open_files() -> None:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with holding("files", str(min(50_000, allowed - 100))) as pid:
        held, doubts = found_of(pid)
    assert held == [FULL]
    assert doubts == []


def test_more_than_one_process_has_time_for_is_named(tmp_path: Path) -> None:
    made_proc(tmp_path, 7)
    beat = os.memfd_create("beat")
    try:
        scan = Scan(f"{tmp_path}/proc", "/dev", {}, Heartbeat(beat, 0), {})
        scan.inspect(7)
    finally:
        os.close(beat)
    ((pid, name, why),) = scan.named
    assert (pid, name) == (7, b"p7")
    assert "has more open or mapped files than" in why


def test_more_than_all_have_time_for_is_reported(tmp_path: Path) -> None:
    made_proc(tmp_path, 7)
    seen = holders_of_nodes(NODES, tmp_path, seconds=0)
    assert "not all processes could be checked in time" in (seen.unlisted_reason or "")
    assert rule.check(CARD, [CARD], seen).verdict == "unknown"


# --- errors -----------------------------------------------------------------------


def test_every_error_is_a_line(tmp_path: Path) -> None:
    made_proc(tmp_path, 3, 4, 5, 6)
    (tmp_path / "proc/3/maps").unlink()
    (tmp_path / "proc/3/maps").mkdir()  # EISDIR
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    (tmp_path / "proc/4/fd/3").unlink()
    (tmp_path / "proc/4/fd/3").symlink_to(loop)  # ELOOP
    (tmp_path / "proc/4/fdinfo").mkdir()
    here = next(iter(Path("/proc/self/mountinfo").read_text().splitlines()))
    (tmp_path / "proc/4/fdinfo/3").write_text(f"mnt_id:\t{here.split()[0]}\n")
    (tmp_path / "proc/5/fd/3").unlink()
    (tmp_path / "proc/5/fd").rmdir()
    (tmp_path / "proc/5/fd").write_text("")  # ENOTDIR
    (tmp_path / "proc/6/stat").write_bytes(b"\xff\x00(")
    seen = holders_of_nodes(NODES, tmp_path)
    assert [(each.pid, each.why) for each in seen.examples] == [
        (3, "returns an error: Is a directory"),
        (4, "has an open file that returns an error: Too many levels of symbolic links"),
        (5, "returns an error: Not a directory"),
    ]
    assert [each.pid for each in seen.holders] == [3, 6]


@needs_fuse
def test_an_error_of_a_device(tmp_path: Path) -> None:
    """A file that is open on a local file system returns EIO, as on a broken disk."""
    made_proc(tmp_path, 4)
    (tmp_path / "mnt").mkdir()
    with silent(tmp_path / "mnt") as server:
        process = tmp_path / "proc/4"
        (process / "fd/3").unlink()
        (process / "fd/3").symlink_to(server.file)
        (process / "fdinfo").mkdir()
        (process / "fdinfo/3").write_text("mnt_id:\t1\n")
        (process / "mountinfo").write_text("1 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
        server.fail()
        seen = holders_of_nodes(NODES, tmp_path)
    assert [each.why for each in seen.examples] == [
        "has an open file that returns an error: Input/output error"
    ]


def test_a_process_that_does_not_end(tmp_path: Path) -> None:
    """It has no memory any more, but still has open files: a driver may keep it from exiting."""
    made_proc(tmp_path, 7)
    (tmp_path / "proc/7/maps").unlink()
    seen = holders_of_nodes(NODES, tmp_path)
    assert [(each.pid, each.what) for each in seen.holders] == [(7, "/dev/dri/card1")]
    assert [each.why for each in seen.examples] == [
        "is exiting, and keeps its files open until it has exited"
    ]


def test_without_room_for_another_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(HostError, match="cannot be started"):
        holders_of_nodes(NODES)


# --- who is taken for ours --------------------------------------------------------


@contextmanager
def stopped(*words: str, executable: str | None = None) -> Iterator[int]:
    """A process that has the card, stopped by ptrace(2) before it does anything."""
    libc = ctypes.CDLL(None)
    card = os.open("/dev/full", os.O_RDONLY)
    try:
        process = subprocess.Popen(
            words, executable=executable, pass_fds=[card], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: libc.ptrace(0, 0, 0, 0),  # noqa: PLW1509 - PTRACE_TRACEME, no more
        )  # fmt: skip
    finally:
        os.close(card)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def test_our_own_reader() -> None:
    with stopped(*READER) as pid:
        (seen,) = [each for each in holders_of_nodes(NODES).holders if each.pid == pid]
    assert seen.ours
    assert "exits when a swap begins" in rule.check(CARD, [CARD], Holders((seen,))).why


@pytest.mark.parametrize(
    "words",
    [
        ["tail", "-f", str(PROGRAM)],
        ["sleep", "600", str(PROGRAM)],
        [sys.executable, "-c", "input()", *READER[3:]],
        [*READER[:3], "-c", "input()", *READER[3:]],
        [*READER, "more"],
        [*READER[:3], "/tmp/tui/host/nvml/child.py", *READER[4:]],
    ],
    ids=["tail", "sleep", "python -c", "-I -S -c", "more", "elsewhere"],
)
def test_what_looks_like_our_reader(words: list[str]) -> None:
    with stopped(*words) as pid:
        (seen,) = [each for each in holders_of_nodes(NODES).holders if each.pid == pid]
    assert not seen.ours
    assert rule.check(CARD, [CARD], Holders((seen,))).verdict == "fail"


def test_another_program_under_our_readers_words(tmp_path: Path) -> None:
    other = tmp_path / "python"
    shutil.copy(os.path.realpath(sys.executable), other)
    for executable in (str(other), shutil.which("sleep")):
        with stopped(*READER, executable=executable) as pid:
            (seen,) = [each for each in holders_of_nodes(NODES).holders if each.pid == pid]
        assert not seen.ours


def test_a_reader_that_has_nothing_is_in_nobodys_way() -> None:
    with holding("opened", str(PROGRAM)) as pid:
        assert found_of(pid) == ([], [])
        os.kill(pid, 0)
