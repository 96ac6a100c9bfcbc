"""Malicious archives, given to the real program as --root."""

from __future__ import annotations

import gzip
import io
import os
import resource
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.thorough import every_third, thorough

CARD = "sys/bus/pci/devices/0000:01:00.0"

MEMORY = 3 << 28
"""Bytes of address space that the program gets: less than any of the bombs would take."""


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def file(name: str, data: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    made = member(name)
    made.size = len(data)
    return made, data


def zeros(gib: int) -> bytes:
    """A member of ``gib`` GiB of zeros, in a few megabytes."""
    made = member("zeros")
    made.size = gib << 30
    block = gzip.compress(b"\0" * (1 << 20))
    return gzip.compress(made.tobuf(tarfile.GNU_FORMAT)) + block * (gib << 10)


def one_stream(gib: int) -> bytes:
    """The same as one stream of gzip."""
    made = member("zeros")
    made.size = gib << 30
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as zipped:
        zipped.write(made.tobuf(tarfile.GNU_FORMAT))
        for _ in range(gib << 4):
            zipped.write(b"\0" * (1 << 26))
    return packed.getvalue()


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "a file outside": lambda outside: archive(file(f"../{outside.name}/made")),
    "an absolute file": lambda outside: archive(file(f"{outside}/made")),
    "a file through a link": lambda outside: archive(
        (member("l", tarfile.SYMTYPE, str(outside)), b""), file("l/made")
    ),
    "a link out": lambda outside: archive((member(CARD, tarfile.SYMTYPE, str(outside)), b"")),
    "a hard link out": lambda outside: archive(
        (member(f"{CARD}/vendor", tarfile.LNKTYPE, f"{outside}/secret"), b"")
    ),
    "a device": lambda _: archive((member(f"{CARD}/vendor", tarfile.CHRTYPE), b"")),
    "a FIFO": lambda _: archive((member(f"{CARD}/vendor", tarfile.FIFOTYPE), b"")),
    "twice": lambda _: archive(file(f"{CARD}/vendor"), file(f"{CARD}/vendor")),
    "an escape": lambda _: archive(file(f"{CARD}/\x1b]0;x\x07")),
    "a bomb": lambda _: one_stream(1),
    "a bomb of many streams": lambda _: zeros(1),
    "many members": lambda _: archive(*(file(f"f{n}", b"") for n in range(66_000))),
    "noise": lambda _: gzip.compress(os.urandom(1 << 16)),
}


SLOW = ("a bomb", "many members")  # tests/unit/host/capture has the bounds


@pytest.mark.parametrize("name", [*every_third(sorted(HOSTILE.keys() - SLOW)), *thorough(*SLOW)])
def test_a_hostile_archive_is_refused_and_touches_nothing(tmp_path: Path, name: str) -> None:
    outside, home = tmp_path / "outside", tmp_path / "home"
    for folder in (outside, home, tmp_path / "tmp"):
        folder.mkdir()
    (outside / "secret").write_text("Gurkensalat")
    place = tmp_path / "bug.tar.gz"
    place.write_bytes(HOSTILE[name](outside))
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-B", "-m", "tui", "doctor", "--root", str(place)],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "HOME": str(home), "TMPDIR": str(tmp_path / "tmp")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "nor a usable archive" in done.stderr
    assert done.stderr.strip().isprintable()
    assert "Gurkensalat" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
