"""The files of a host: what every tree returns, and that nothing leads out of a confined one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.touched import Fifo, Terminal, Trap, spring
from tui.host.confined import (
    DEPTH_LIMIT,
    LINKS_LIMIT,
    Confined,
    Resolver,
    resolve,
    resolve_by_openat2,
    resolve_by_walking,
)
from tui.host.tree import MACHINE, PlainTree, Tree, exists, is_gone

Make = Callable[[Path], Tree]


def _kernel_has_it() -> bool:
    root = os.open("/", os.O_PATH)
    try:
        os.close(resolve_by_openat2(root, ".", True))
    except OSError:
        return False
    finally:
        os.close(root)
    return True


KERNEL = pytest.param(
    resolve_by_openat2,
    marks=pytest.mark.skipif(not _kernel_has_it(), reason="no openat2"),
    id="openat2",
)
WALK = pytest.param(resolve_by_walking, id="walk")


def _plain(place: Path) -> Tree:
    return PlainTree(place)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The directory that is read; what is next to it is outside."""
    (tmp_path / "outside/below").mkdir(parents=True)
    (tmp_path / "outside/secret").write_text("secret")
    (tmp_path / "outside/below/secret").write_text("secret")
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture(params=[_plain, KERNEL, WALK])
def tree(request: pytest.FixtureRequest, here: Path) -> Tree:
    return PlainTree(here) if request.param is _plain else Confined(str(here), request.param)


@pytest.fixture(params=[KERNEL, WALK])
def resolver(request: pytest.FixtureRequest) -> Resolver:
    found: Resolver = request.param
    return found


@pytest.fixture
def confined(resolver: Resolver, here: Path) -> Confined:
    return Confined(str(here), resolver)


@pytest.fixture
def fifo(here: Path) -> Iterator[Fifo]:
    trap = Fifo(here / "fifo")
    yield trap
    trap.close()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    trap = Terminal()
    yield trap
    trap.close()


def is_open() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


# --- every tree ---------------------------------------------------------------


def test_a_file_is_read_to_its_limit(tree: Tree, here: Path) -> None:
    (here / "file").write_bytes(b"x" * 10)
    (here / "empty").touch()
    assert tree.read("file") == tree.read("file", 10) == b"x" * 10
    assert tree.read("empty") == b""
    with pytest.raises(OSError, match="more than 9 bytes"):
        tree.read("file", 9)


def test_a_huge_file_is_not_read_to_its_end(tree: Tree, here: Path) -> None:
    with (here / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="more than 65536 bytes"):
        tree.read("huge")


def test_the_kernels_own_sysfs_is_no_copy(here: Path) -> None:
    assert Confined(str(here)).is_copied
    assert not MACHINE.is_copied
    if Path("/sys/kernel").exists():
        assert not Confined("/").is_copied


def test_what_is_not_there_is_none(tree: Tree, here: Path) -> None:
    (here / "file").touch()
    (here / "dangling").symlink_to("gone/away")
    for name in ("gone", "gone/away", "file/below", "dangling"):
        assert tree.read(name) is None
        assert is_gone(tree, name)
        assert not exists(tree, name)
        with pytest.raises(OSError, match=r".") as caught:
            tree.names(name)
        assert caught.value.errno in (errno.ENOENT, errno.ENOTDIR)


def test_a_directory_beneath(tree: Tree, here: Path) -> None:
    (here / "a/b").mkdir(parents=True)
    (here / "a/b/file").write_text("text")
    below = tree / "a" / "b"
    assert below.read("file") == (tree / "a").read("b/file") == tree.read("a/b/file") == b"text"
    assert below.read("../b/./file") == tree.read("a//b/file") == b"text"
    assert sorted(tree.names()) == tree.names("") == ["a"]
    assert below.names() == (tree / "a").names("b") == ["file"]
    assert (stat.S_ISDIR(below.mode()), stat.S_ISREG(below.mode("file"))) == (True, True)
    assert str(below) == f"{here}/a/b"
    assert exists(tree, "a")
    assert not is_gone(below)
    assert not below.is_machine


def test_what_is_not_a_file_is_not_read(
    tree: Tree, here: Path, fifo: Fifo, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "directory").mkdir()
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
        monkeypatch.chdir(here)  # its name may be 107 bytes long
        listening.bind("socket")
    for name in ("directory", "fifo", "socket"):
        with pytest.raises(OSError, match=r"not a regular file|No such device"):
            tree.read(name)
        assert exists(tree, name)


def test_names_are_listed_to_their_limit(tree: Tree, here: Path) -> None:
    for n in range(10):
        (here / str(n)).touch()
    assert sorted(tree.names(limit=10)) == [str(n) for n in range(10)]
    with pytest.raises(OSError, match="more than 9 entries"):
        tree.names(limit=9)
    with pytest.raises(NotADirectoryError):
        tree.names("3")


@pytest.mark.parametrize("name", [b"\xff\xfe", b"new\nline", b"\x1b[2J", b"\xed\xa0\x80", b" "])
def test_a_name_of_any_bytes(tree: Tree, here: Path, name: bytes) -> None:
    Path(os.fsdecode(bytes(here) + b"/" + name)).write_text("text")
    (found,) = tree.names()
    assert os.fsencode(found) == name
    assert tree.read(found) == b"text"


def test_where_a_link_points(tree: Tree, here: Path) -> None:
    (here / "driver").symlink_to("../../../bus/pci/drivers/vfio-pci")
    (here / "absolute").symlink_to("/sys/bus")
    (here / "file").touch()
    (here / "there").symlink_to("directory")
    (here / "directory").mkdir()
    (here / "directory/below").symlink_to("x")
    assert tree.target("driver") == "../../../bus/pci/drivers/vfio-pci"
    assert tree.target("absolute") == "/sys/bus"
    assert tree.target("there/below") == "x"
    with pytest.raises(OSError, match=r".") as caught:
        tree.target("file")
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(FileNotFoundError):
        tree.target("gone")


def test_a_loop_of_links_ends(tree: Tree, here: Path) -> None:
    (here / "a").symlink_to("b")
    (here / "b").symlink_to("a")
    (here / "self").symlink_to("self/self/self")
    for name in ("a", "self", "a/below"):
        with pytest.raises(OSError, match="Too many levels"):
            tree.read(name)
        assert not exists(tree, name)
        assert not is_gone(tree, name)


def test_a_path_that_is_too_long(tree: Tree, here: Path) -> None:
    for name in ("a" * 300, "a/" * 3000 + "a"):
        try:
            assert tree.read(name) is None
        except OSError as error:
            assert error.errno == errno.ENAMETOOLONG


def test_nothing_stays_open(tree: Tree, here: Path, fifo: Fifo) -> None:
    (here / "a/b").mkdir(parents=True)
    (here / "a/file").write_text("text")
    (here / "link").symlink_to("/a/b/../file")
    (here / "loop").symlink_to("loop")
    before = is_open()
    for name in ("a/file", "link", "loop", "fifo", "a", "gone", "a/gone/..", "a/b/../../a/file"):
        for call in (tree.read, tree.names, tree.target, tree.mode):
            with contextlib.suppress(OSError):
                call(name)
    assert is_open() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look at everything")
def test_what_may_not_be_looked_at_is_not_gone(tree: Tree, here: Path) -> None:
    (here / "closed").mkdir()
    (here / "closed/file").touch()
    (here / "file").touch()
    (here / "closed").chmod(0)
    (here / "file").chmod(0)
    for name in ("closed/file", "file"):
        with pytest.raises(PermissionError):
            tree.read(name)
        assert not is_gone(tree, name)
    assert not exists(tree, "closed/file")
    (here / "closed").chmod(0o700)


def test_a_file_that_somebody_has_a_lease_on_holds_up_nobody(tree: Tree, here: Path) -> None:
    """Opening it would wait as long as the lease holder likes, up to 45 seconds."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with (here / "leased").open("wb") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        try:
            with pytest.raises(BlockingIOError):
                tree.read("leased")
        finally:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            signal.signal(signal.SIGIO, before)


# --- the machine --------------------------------------------------------------


def test_the_machine() -> None:
    assert MACHINE.is_machine
    assert PlainTree("/").is_machine
    assert not (MACHINE / "proc").is_machine
    assert (str(MACHINE), str(MACHINE / "proc")) == ("/", "/proc")
    assert (MACHINE / "proc").read("self/comm") == Path("/proc/self/comm").read_bytes()
    assert "self" in (MACHINE / "proc").names()


def test_the_root_as_somebody_elses(resolver: Resolver) -> None:
    root = Confined("/", resolver)
    assert (str(root), root.label, root.is_machine) == ("/", "/", False)
    assert root.read("proc/sys/kernel/ostype") == b"Linux\n"


# --- a confined tree is not left ----------------------------------------------


LEAVING = (
    "../outside/secret",
    "../../../../../../../../../../{outside}/secret",
    "{outside}/secret",
    "a/../../outside/secret",
    "a/b/../../../outside/below/../secret",
    "dir/secret",
    "up/outside/secret",
    "chain",
)


@pytest.mark.parametrize("to", LEAVING)
def test_no_path_and_no_link_leads_out(confined: Confined, here: Path, to: str) -> None:
    outside = str(here.parent / "outside")
    (here / "a/b").mkdir(parents=True)
    (here / "dir").symlink_to("../outside")
    (here / "up").symlink_to("..")
    (here / "chain").symlink_to("chain2")
    (here / "chain2").symlink_to(f"{outside}/secret")
    to = to.format(outside=outside)
    (here / "link").symlink_to(to)
    for name in (to, "link"):
        assert confined.read(name) is None
        assert is_gone(confined, name)
    (here / "to").symlink_to(to.rpartition("/")[0] or "chain")
    for name in (to.rpartition("/")[0] or to, "to"):
        with contextlib.suppress(OSError):
            assert "secret" not in confined.names(name)


def test_a_link_means_the_root_of_what_is_read(confined: Confined, here: Path) -> None:
    """An absolute link starts at that root; one that climbs too high stops there."""
    (here / "sys/devices/card").mkdir(parents=True)
    (here / "sys/devices/card/vendor").write_text("0x10de")
    (here / "sys/bus").mkdir()
    (here / "sys/bus/absolute").symlink_to("/sys/devices/card")
    (here / "sys/bus/relative").symlink_to("../devices/card")
    (here / "sys/bus/climbs").symlink_to("../../../../../../../sys/devices/card")
    (here / "sys/bus/slash").symlink_to("/sys/devices/card/")
    for name in ("absolute", "relative", "climbs", "slash"):
        assert confined.read(f"sys/bus/{name}/vendor") == b"0x10de"
        assert (confined / "sys/bus" / name).names() == ["vendor"]
    assert confined.read("../../sys/devices/card/vendor") == b"0x10de"
    assert confined.read("/sys/devices/card/vendor") == b"0x10de"


def test_as_many_links_as_the_kernel_follows(confined: Confined, here: Path) -> None:
    (here / "0").write_text("text")
    for n in range(LINKS_LIMIT + 1):
        (here / str(n + 1)).symlink_to(str(n))
    assert confined.read(str(LINKS_LIMIT)) == b"text"
    with pytest.raises(OSError, match="Too many levels"):
        confined.read(str(LINKS_LIMIT + 1))


def test_a_walk_goes_only_so_deep(here: Path) -> None:
    place, parts = here, ["d"] * (DEPTH_LIMIT + 1)
    for part in parts:
        place /= part
        place.mkdir()
    before = is_open()
    walked = Confined(str(here), resolve_by_walking)
    assert walked.names("/".join(parts[:DEPTH_LIMIT])) == ["d"]
    with pytest.raises(OSError, match="more than 64 directories deep"):
        walked.names("/".join(parts))
    del walked
    assert is_open() == before


@pytest.mark.parametrize("name", ["self/exe", "self/root/etc/passwd", "self/cwd/secret",
                                  "thread-self/root/etc/passwd", "self/fd/{0}"])  # fmt: skip
def test_magic_links_lead_nowhere(
    here: Path, resolver: Resolver, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(here.parent / "outside")
    proc = Confined("/proc", resolver)
    with (here.parent / "outside/secret").open() as file, contextlib.suppress(OSError):
        assert proc.read(name.format(file.fileno()), 1 << 30) is None


def test_a_name_with_a_nul(confined: Confined, here: Path) -> None:
    (here / "file").write_text("text")
    with pytest.raises(OSError, match="NUL"):
        confined.read("file\0.xml")


def test_a_place_that_is_replaced_is_still_the_one(confined: Confined, here: Path) -> None:
    (here / "file").write_text("text")
    here.rename(here.parent / "moved")
    here.symlink_to("outside")
    assert confined.read("file") == b"text"
    assert confined.read("secret") is None


def test_a_place_is_a_directory(tmp_path: Path, fifo: Fifo, terminal: Terminal) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", fifo.place, terminal.place, Path("/dev/null")):
        with pytest.raises(NotADirectoryError):
            Confined(str(place))
    assert not fifo.touched()
    assert not terminal.touched()


def test_a_kernel_or_a_sandbox_without_the_call(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "file").write_text("text")
    for code in (errno.ENOSYS, errno.EPERM, errno.EAGAIN):

        def refused(*_: object, code: int = code) -> int:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("tui.host.confined.resolve_by_openat2", refused)
        tree = Confined(str(here), resolve)
        assert tree.read("file") == b"text"
        assert tree.read("../outside/secret") is None


# --- nothing but files is opened ----------------------------------------------


def traps(here: Path, fifo: Fifo, terminal: Terminal) -> list[tuple[str, Trap]]:
    """Names beneath ``here``, and what they lead to."""
    (here / "link").symlink_to("fifo")
    (here / "absolute").symlink_to("/fifo")
    (here / "terminal").symlink_to(terminal.place)
    climb = "../" * 30
    (here / "relative").symlink_to(f"{climb}{str(terminal.place)[1:]}")
    (here / "dev").symlink_to("/dev/pts")
    return [
        ("fifo", fifo), ("link", fifo), ("absolute", fifo), ("../fifo", fifo),
        ("terminal", terminal), ("relative", terminal), (f"dev/{terminal.place.name}", terminal),
        (f"{climb}{str(terminal.place)[1:]}", terminal),
    ]  # fmt: skip


def test_no_device_and_no_fifo_is_opened(
    confined: Confined, here: Path, fifo: Fifo, terminal: Terminal
) -> None:
    for name, trap in traps(here, fifo, terminal):
        for call in (confined.read, confined.names, confined.target, confined.mode):
            with contextlib.suppress(OSError):
                assert not isinstance(call(name), bytes)
            assert not trap.touched(), (name, call)
    for trap in (fifo, terminal):
        spring(trap)
        assert trap.touched()  # otherwise the assertions above prove nothing


def test_a_device_beneath_is_not_opened(resolver: Resolver, terminal: Terminal) -> None:
    """The node itself, not a link to it: /dev/pts is read as if it came from somebody else."""
    pts = Confined("/dev/pts", resolver)
    with pytest.raises(OSError, match="not a regular file"):
        pts.read(terminal.place.name)
    with pytest.raises(NotADirectoryError):
        pts.names(terminal.place.name)
    assert stat.S_ISCHR(pts.mode(terminal.place.name))
    assert not terminal.touched()


# --- while somebody changes it ------------------------------------------------

ROUNDS = 300


class Swapping:
    """A thread that replaces ``place`` by one thing after another, until the block ends."""

    def __init__(self, place: Path, *made: Callable[[Path], None]) -> None:
        self._place, self._made = place, made
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._swap)
        self.rounds = 0

    def _swap(self) -> None:
        for n, make in enumerate(itertools.cycle(self._made)):
            new = self._place.with_name(f"new{n}")
            make(new)
            with contextlib.suppress(OSError):  # no file takes the place of a directory
                new.replace(self._place)
                self.rounds += 1
            if not new.parent.exists() or self._left.is_set():
                return

    def __enter__(self) -> Swapping:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()


def _text(place: Path) -> None:
    place.write_text("text")


def test_a_file_that_becomes_a_link_or_a_fifo(
    confined: Confined, here: Path, fifo: Fifo, terminal: Terminal
) -> None:
    (here / "d").mkdir()
    place = here / "d/vendor"
    place.write_text("text")
    swapping = Swapping(
        place,
        lambda new: new.symlink_to("../../outside/secret"),
        lambda new: new.symlink_to(here.parent / "outside/secret"),
        lambda new: new.symlink_to(terminal.place),
        lambda new: new.hardlink_to(fifo.place),
        _text,
    )
    seen: set[bytes | None] = set()
    reads = 0
    with swapping:
        while reads < ROUNDS or swapping.rounds < ROUNDS:
            reads += 1
            try:
                seen.add(confined.read("d/vendor"))
            except OSError as error:
                assert error.errno in (errno.EINVAL, errno.EAGAIN)

    assert seen <= {b"text", None}
    assert not fifo.touched()
    assert not terminal.touched()


def test_a_directory_that_becomes_a_link(confined: Confined, here: Path) -> None:
    (here / "a").symlink_to("real")
    (here / "real").mkdir()
    (here / "real/secret").write_text("text")
    swapping = Swapping(
        here / "a",
        lambda new: new.symlink_to("../outside"),
        lambda new: new.symlink_to("real"),
        lambda new: new.symlink_to(here.parent / "outside/below"),
    )
    seen: set[bytes | None] = set()
    reads = 0
    with swapping:
        while reads < ROUNDS or swapping.rounds < ROUNDS:
            reads += 1
            with contextlib.suppress(BlockingIOError):  # of ``..``, see resolve
                seen.add(confined.read("a/secret"))
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                assert confined.names("a") == ["secret"]
    assert seen <= {b"text", None}


def test_a_directory_that_is_moved_out_meanwhile(confined: Confined, here: Path) -> None:
    """``..`` of a directory that was moved next to the secret must not lead there."""
    (here / "x/deep").mkdir(parents=True)
    (here / "x/secret").write_text("text")
    outside = here.parent / "outside/below/moved"
    left = threading.Event()
    rounds = 0

    def move() -> None:
        nonlocal rounds
        while not left.is_set():
            (here / "x/deep").rename(outside)
            outside.rename(here / "x/deep")
            rounds += 1

    mover = threading.Thread(target=move)
    mover.start()
    seen: set[bytes | None] = set()
    reads = 0
    try:
        while reads < ROUNDS or rounds < ROUNDS:
            reads += 1
            with contextlib.suppress(BlockingIOError):
                seen.add(confined.read("x/deep/../secret"))
                seen.add(confined.read("x/deep/../../outside/secret"))
    finally:
        left.set()
        mover.join()
    assert seen <= {b"text", None}


# --- both ways agree ----------------------------------------------------------

parts = st.sampled_from(["a", "b", "l", "m", "..", ".", "", "file", "gone"])
paths = st.lists(parts, min_size=1, max_size=6).map("/".join)


@pytest.mark.skipif(not _kernel_has_it(), reason="no openat2")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths, paths, paths)
def test_the_walk_finds_what_the_kernel_finds(
    tmp_path_factory: pytest.TempPathFactory, path: str, to: str, other: str
) -> None:
    here = tmp_path_factory.mktemp("here")
    (here / "a/b").mkdir(parents=True)
    (here / "a/file").write_text("a")
    (here / "file").write_text("top")
    for place, target in (("l", to), ("a/m", other), ("a/b/l", other)):
        if target:
            (here / place).symlink_to(target)
    root = os.open(here, os.O_PATH)
    try:
        for follow in (True, False):
            assert _found(resolve_by_walking, root, path, follow) == _found(
                resolve_by_openat2, root, path, follow
            )
    finally:
        os.close(root)


def _found(resolver: Resolver, root: int, path: str, follow: bool) -> tuple[int, int] | int | None:
    try:
        place = resolver(root, path or ".", follow)
    except OSError as error:
        return error.errno
    try:
        return os.fstat(place).st_dev, os.fstat(place).st_ino
    finally:
        os.close(place)
