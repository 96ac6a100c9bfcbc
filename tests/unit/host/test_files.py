"""Files that definitions name: looked at before they are opened, and never blocking."""

from __future__ import annotations

import mmap
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.touched import Fifo
from tui.host.files import file_facts, rom_image
from tui.model import RomImage


def image(vendor: int = 0x10DE, device: int = 0x2684, at: int = 0x1C0) -> bytes:
    head = bytearray(1024)
    head[0:2] = b"\x55\xaa"
    head[0x18:0x1A] = at.to_bytes(2, "little")
    head[at : at + 4] = b"PCIR"
    head[at + 4 : at + 8] = vendor.to_bytes(2, "little") + device.to_bytes(2, "little")
    return bytes(head)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (image(), RomImage(True, False, "10de", "2684")),
        (image(0x1002, 0x67DF), RomImage(True, False, "1002", "67df")),
        (b"NVGI" + image(), RomImage(False, header=True)),
        (b"\x55\xaa" + b"\0" * 100, RomImage(True)), (image()[:0x1C6], RomImage(True)),
        (b"\x55\xaa", RomImage(True)), (b"", RomImage(False)), (b"MZ", RomImage(False)),
        (image()[:0x18] + b"\xff\xff", RomImage(True)),
    ],
)  # fmt: skip
def test_the_head_of_a_rom(head: bytes, found: RomImage) -> None:
    assert rom_image(head) == found


def test_a_file_and_its_folders(tmp_path: Path) -> None:
    rom = tmp_path / "card.rom"
    rom.write_bytes(image())
    rom.chmod(0o640)
    found = file_facts([str(rom), str(tmp_path / "none"), "relative.rom", "/a\0b"])
    facts = found[str(rom)]
    assert (facts.kind, facts.size, facts.mode) == ("file", 1024, 0o640)
    assert facts.rom == RomImage(True, False, "10de", "2684")
    assert facts.owner and facts.group
    assert found[str(tmp_path / "none")].kind == "missing"
    assert {found[name].kind for name in ("relative.rom", "/a\0b")} == {"unknown"}


def test_a_folder_that_not_all_may_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "card.rom").write_bytes(image())
    (closed / "card.rom").chmod(0o644)
    closed.chmod(0o700)
    facts = file_facts([str(closed / "card.rom")])[str(closed / "card.rom")]
    assert (facts.kind, facts.open_path) == ("file", False)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    with closing(Fifo(tmp_path / "fifo")) as fifo:
        _look_at_odd_ones(tmp_path)
        assert not fifo.touched()


def _look_at_odd_ones(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    found = file_facts([str(tmp_path / "fifo"), str(tmp_path / "folder"), "/dev/null"])
    assert [facts.kind for facts in found.values()] == ["other", "other", "device"]
    assert all(facts.rom is None for facts in found.values())


def test_files_of_the_kernel_are_not_read(tmp_path: Path) -> None:
    """Reading a sleeping card's config wakes it, and /proc/kmsg is read only once."""
    link = tmp_path / "card.rom"
    link.symlink_to("/proc/version")
    found = file_facts(["/proc/version", "/proc/../proc/version", str(link)])
    assert [(facts.kind, facts.rom) for facts in found.values()] == [("file", None)] * 3


def test_a_process_that_maps_another_file_is_not_named() -> None:
    with (
        tempfile.NamedTemporaryFile(dir="/dev/shm") as file,
        Path(f"{file.name}-2").open("w+b") as other,
    ):
        Path(other.name).unlink()
        other.truncate(4096)
        with mmap.mmap(other.fileno(), 4096):
            assert file_facts([file.name])[file.name].mapped_by == ()


def test_a_process_that_maps_shared_memory_is_named() -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.truncate(4096)
        with mmap.mmap(file.fileno(), 4096):
            facts = file_facts([file.name])[file.name]
        assert facts.mapped_by is not None
        assert len(facts.mapped_by) == 1
        assert file_facts([file.name])[file.name].mapped_by == ()
