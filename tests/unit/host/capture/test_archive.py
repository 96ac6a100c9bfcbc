"""Archives: what was packed comes back, and nothing else gets in."""

from __future__ import annotations

import errno
import gzip
import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.touched import Fifo
from tests.unit.captured import CARD, tower
from tui.host import HostError
from tui.host.capture import archive
from tui.host.capture.archive import FOLDER, BadArchive, is_storable, pack, size_of, unpack
from tui.host.capture.collect import record
from tui.host.capture.memory import Link, MemoryTree, Node
from tui.host.captured import captured_host
from tui.host.confined import Confined

Members = Callable[[tarfile.TarFile], None]


def packed(*members: tuple[str, bytes, str, int], zipped: bool = True) -> bytes:
    """An archive of (name, type, link or content, size)."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, text, size in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, text if kind in b"12" else ""
            data = b"" if kind in b"125" else text.encode()
            member.size = size if size >= 0 else len(data)
            tar.addfile(member, io.BytesIO(data.ljust(member.size, b"\0")))
    return gzip.compress(plain.getvalue()) if zipped else plain.getvalue()


def file(name: str, text: str = "x") -> tuple[str, bytes, str, int]:
    return name, tarfile.REGTYPE, text, -1


def link(name: str, target: str) -> tuple[str, bytes, str, int]:
    return name, tarfile.SYMTYPE, target, 0


PARTS = st.text("abcé-_. ", min_size=1, max_size=8).filter(lambda t: t.strip(". ") == t.strip())
TREES = st.dictionaries(
    st.lists(PARTS, min_size=1, max_size=4).map("/".join).filter(is_storable),
    st.binary(max_size=40) | st.none(),
    max_size=12,
)


@examples(60)
@given(TREES)
def test_what_is_packed_comes_back(nodes: dict[str, Node]) -> None:
    below = {p for path in nodes for p in nodes if p.startswith(f"{path}/") and nodes[path]}
    nodes = {path: node for path, node in nodes.items() if path not in below}
    nodes = {p: n for p, n in nodes.items() if n is None or not any(
        q.startswith(f"{p}/") for q in nodes)}  # fmt: skip
    if nodes:
        assert unpack(pack(nodes)) == {f"{FOLDER}/{path}": node for path, node in nodes.items()}


@examples(60)
@given(TREES)
def test_the_size_of_an_archive_is_known_before(nodes: dict[str, Node]) -> None:
    nodes |= {"l" * 300: Link("../é/" * 40), "é" * 90: b"x" * 700}
    plain = gzip.decompress(pack(nodes))
    assert len(plain) <= sum(size_of(path, node) for path, node in nodes.items()) + (20 << 9)


def test_the_same_host_gives_the_same_bytes() -> None:
    nodes: dict[str, Node] = {"b": b"1", "a/l": Link("../b"), "c": None}
    assert pack(nodes) == pack(dict(reversed(nodes.items())))


@pytest.mark.parametrize("zipped", [True, False])
def test_as_tar_packs_a_folder(zipped: bool) -> None:
    members = [
        ("./", tarfile.DIRTYPE, "", 0), ("./sys", tarfile.DIRTYPE, "", 0),
        ("./sys", tarfile.DIRTYPE, "", 0), file("./sys/a", "text"), link("./sys/l", "../sys/a"),
        file("x" * 150, "long"),
    ]  # fmt: skip
    assert unpack(packed(*members, zipped=zipped)) == {
        "sys": None, "sys/a": b"text", "sys/l": Link("../sys/a"), "x" * 150: b"long",
    }  # fmt: skip


# --- what is refused -----------------------------------------------------------------

HOSTILE = {
    "an absolute name": ([file("/etc/passwd")], "leads out"),
    "a name that leads out": ([file("sys/../../etc/passwd")], "leads out"),
    "two dots": ([file("..")], "leads out"),
    "no name": ([file(".")], "without a name"),
    "an absolute link": ([link("sys/a", "/etc/passwd")], "leads out"),
    "a link that leads out": ([link("sys/a", "../../etc/passwd")], "leads out"),
    "a link that leads out and back": ([link("a", "../host/b")], "leads out"),
    "a link to nothing": ([link("a", "")], "not a path"),
    "a link with an escape": ([link("a", "b\x1b[2J")], "not a path"),
    "a hard link": ([file("a"), ("b", tarfile.LNKTYPE, "a", 0)], "neither a folder"),
    "a device": ([("a", tarfile.CHRTYPE, "", 0)], "neither a folder"),
    "a disk": ([("a", tarfile.BLKTYPE, "", 0)], "neither a folder"),
    "a FIFO": ([("a", tarfile.FIFOTYPE, "", 0)], "neither a folder"),
    "a contiguous file": ([("a", tarfile.CONTTYPE, "", 0)], "neither a folder"),
    "a sparse file": ([("a", tarfile.GNUTYPE_SPARSE, "", 0)], "neither a folder"),
    "a name twice": ([file("a"), file("a")], "twice"),
    "a name twice, once with a dot": ([file("a"), file("./a")], "twice"),
    "a folder and a file": ([("a", tarfile.DIRTYPE, "", 0), file("a")], "twice"),
    "a file in a file": ([file("a"), file("a/b")], "both a folder"),
    "a file in a link": ([link("a", "b"), file("a/c"), ("b", tarfile.DIRTYPE, "", 0)],
                         "both a folder"),
    "an escape in a name": ([file("a\x1b[2Jb")], "non-printable"),
    "a newline in a name": ([file("a\nb")], "non-printable"),
    "a bidi override in a name": ([file("a\u202eb")], "non-printable"),
    "a name that is no text": ([file("a\udcffb")], "non-printable"),
    "a long name": ([file("a" * 2000)], "too long"),
    "a deep name": ([file("/".join("a" * 100))], "too long"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_member_makes_the_archive_unusable(name: str) -> None:
    members, says = HOSTILE[name]
    with pytest.raises(BadArchive, match=says) as caught:
        unpack(packed(file("sys/first"), *members))
    assert str(caught.value).isprintable()


DAMAGED = (
        b"", b"\0" * 10240, b"PK\x03\x04", b"\x1f\x8b", gzip.compress(b""), gzip.compress(b"tar"),
        packed(file("a"))[:-30], packed(file("a")) + b"more",
        packed(file("a")) + packed(file("b")), packed(file("a", "text" * 999), zipped=False)[:700],
    )  # fmt: skip


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_archive_is_unusable(data: bytes) -> None:
    with pytest.raises(BadArchive):
        unpack(data)


def test_a_bomb_does_not_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SIZE_LIMIT", 1 << 20)
    bomb = packed(("a", tarfile.REGTYPE, "", 8 << 20))
    assert len(bomb) < 1 << 16
    for data in (bomb, gzip.decompress(bomb)):
        with pytest.raises(BadArchive, match="unpacks to more than 1 MiB"):
            unpack(data)


def test_the_number_of_members_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MEMBERS_LIMIT", 3)
    with pytest.raises(BadArchive, match="more than 3 members"):
        unpack(packed(*(file(f"f{n}") for n in range(4))))


def test_a_size_that_leads_backwards_ends() -> None:
    """A negative size in base 256 (CVE-2025-8194)."""
    plain = bytearray(packed(file("a"), file("b"), zipped=False))
    plain[124:136] = b"\xff" * 10 + b"\xfc\x00"
    header = bytes(plain[:148]) + b" " * 8 + bytes(plain[156:512])
    plain[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(BadArchive):
        unpack(bytes(plain))


@examples(150)
@given(st.data())
def test_any_damage_is_an_error_or_harmless(data: st.DataObject) -> None:
    plain = bytearray(packed(file("sys/a"), link("sys/b", "a"), zipped=False))
    for _ in range(data.draw(st.integers(1, 4))):
        plain[data.draw(st.integers(0, 2100))] = data.draw(st.integers(0, 255))
    try:
        nodes = unpack(bytes(plain))
    except BadArchive:
        return
    for path, node in nodes.items():
        assert not path.startswith("/") and ".." not in path.split("/")
        assert node is None or isinstance(node, bytes | Link)


# --- a tree in memory ------------------------------------------------------------


def test_a_tree_in_memory_reads_like_a_directory(tmp_path: Path) -> None:
    root = tower(tmp_path / "host", {"etc/a/b": "text", "domains/x.xml": "<x/>"})
    (root / "etc/l").symlink_to("/etc/a")
    (root / "etc/loop").symlink_to("loop")
    (root / "etc/up").symlink_to("../../../etc/a/b")
    plain = io.BytesIO()
    nodes: dict[str, Node] = {}
    for place in sorted(root.rglob("*")):
        name = place.relative_to(root).as_posix()
        nodes[name] = (
            Link(str(place.readlink())) if place.is_symlink()
            else None if place.is_dir() else place.read_bytes()
        )  # fmt: skip
    assert not plain.getvalue()
    there, here = MemoryTree(nodes, "host"), Confined(str(root))
    probes = [
        "", "etc", "etc/l/b", "etc/l/../a/b", "etc/up", "etc/loop", "etc/none", "etc/a/b/c", "..",
        "sys/bus/pci/devices", f"sys/bus/pci/devices/{CARD}/vendor", f"sys/bus/pci/devices/{CARD}",
        "etc/a/b/..", "/".join("a" * 80),
    ]  # fmt: skip
    for probe in probes:
        for ask in (_read, _names, _target, _kind):
            assert ask(there, probe) == ask(here, probe), (ask, probe)
    assert _names(there / "etc", "a") == ["b"]
    with pytest.raises(OSError, match="more than 3 bytes"):
        there.read("etc/a/b", 3)
    with pytest.raises(OSError, match="more than 1 entries"):
        there.names("etc", 1)


def _asked(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0)


def _read(tree: MemoryTree | Confined, path: str) -> object:
    return _asked(lambda: tree.read(path))


def _names(tree: object, path: str) -> object:
    return _asked(lambda: sorted(tree.names(path)))  # type: ignore[attr-defined]


def _target(tree: MemoryTree | Confined, path: str) -> object:
    return _asked(lambda: tree.target(path))


def _kind(tree: MemoryTree | Confined, path: str) -> object:
    return _asked(lambda: stat.S_IFMT(tree.mode(path)))


# --- as --root ----------------------------------------------------------------------


def test_an_archive_is_a_captured_host(tmp_path: Path) -> None:
    root = tower(tmp_path / "host")
    place = tmp_path / "bug 7.tar.gz"
    place.write_bytes(pack(record(Confined(str(root))).nodes))
    host = captured_host(str(place))
    assert host.banner == f"Captured host: bug 7.tar.gz/{FOLDER}"
    assert host.pci.read() == captured_host(str(root)).pci.read()


def test_nothing_is_unpacked(tmp_path: Path) -> None:
    place = tmp_path / "host.tar.gz"
    place.write_bytes(pack(record(Confined(str(tower(tmp_path / "host")))).nodes))
    before = sorted(tmp_path.iterdir())
    captured_host(str(place)).pci.read()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_archive_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    place = tmp_path / "host.tar.gz"
    place.write_bytes(packed(*HOSTILE[name][0]))
    with pytest.raises(HostError, match="nor a usable archive: ") as caught:
        captured_host(str(place))
    assert str(caught.value).isprintable()


def test_a_large_file_and_a_fifo_are_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.tar.gz"
    with large.open("wb") as made:
        made.truncate(archive.PACKED_LIMIT + 1)
    with pytest.raises(HostError, match="larger than 32768 KiB"):
        captured_host(str(large))
    trap = Fifo(tmp_path / "fifo")
    with pytest.raises(HostError, match="is not a directory"):
        captured_host(str(trap.place))
