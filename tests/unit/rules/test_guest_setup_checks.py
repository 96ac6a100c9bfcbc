"""ROM files and room for large BARs."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import card, domain, inventory, snapshot
from tui.model import (
    Bar,
    Domain,
    DomainSetup,
    FileFacts,
    HostDev,
    HostView,
    MemoryPart,
    RomImage,
    SharedMemory,
    Verdict,
)
from tui.rules import guest_setup_checks as checks
from tui.rules.view import assess

CARD, SOUND = "0000:02:00.0", "0000:02:00.1"
ROM = "/usr/share/vgabios/rtx.rom"
GOOD = FileFacts("file", 524288, 0o644, "root", "root", rom=RomImage(True, False, "10de", "2684"))
MIB, GIB = 1 << 20, 1 << 30


def seen(size: int | None = 256 * MIB) -> HostView:
    bars = () if size is None else (Bar(0, 16 * MIB), Bar(1, size, prefetchable=True))
    functions = [replace(f, bars=bars) if f.is_gpu else f for f in card("02:00", 2, "vfio-pci")]
    return assess(snapshot(inventory(*card("01:00", 1, boot_vga=True), *functions)))


def with_rom(*addresses: str, **facts: Any) -> Domain:
    devices = tuple(
        HostDev(a, managed=False, rom=a in addresses, rom_file=ROM if a in addresses else None)
        for a in (CARD, SOUND)
    )
    return replace(domain("win11"), hostdevs=devices, **facts)


@pytest.mark.parametrize(
    ("facts", "verdict", "words"),
    [
        (GOOD, "pass", "there and readable"),
        (FileFacts("missing"), "fail", "does not exist"),
        (FileFacts("unknown"), "unknown", "cannot be looked at"),
        (None, "unknown", "cannot be looked at"),
        (FileFacts("other"), "warn", "no regular file"),
        (replace(GOOD, mode=0o600), "warn", "may not be readable for QEMU's user"),
        (replace(GOOD, open_path=False), "warn", "in a folder that not all may enter"),
        (replace(GOOD, rom=RomImage(False, header=True)), "warn", "NVIDIA's header"),
        (replace(GOOD, rom=RomImage(False)), "warn", "does not begin with 55 AA"),
        (replace(GOOD, rom=RomImage(True)), "pass", "there and readable"),
        (replace(GOOD, rom=None), "pass", "there and readable"),
        (replace(GOOD, rom=RomImage(True, False, "1002", "67df")), "warn", "is for 1002:67df"),
        (replace(GOOD, rom=RomImage(True, False, "10de", "2684")), "pass", "readable"),
        (replace(GOOD, rom=RomImage(True, False, "10de", "1b80")), "warn", "is for 10de:1b80"),
    ],
)
def test_a_rom_file(facts: FileFacts | None, verdict: Verdict, words: str) -> None:
    files = {} if facts is None else {ROM: facts}
    check = checks.rom(with_rom(CARD), seen(), files)
    assert (check.id, check.verdict) == ("guest.rom", verdict)
    assert words in check.why
    assert bool(check.fix) == (verdict in ("warn", "fail"))


def test_a_sound_function_needs_no_rom() -> None:
    check = checks.rom(with_rom(CARD, SOUND), seen(), {ROM: GOOD})
    assert (check.verdict, f"{SOUND} is no GPU" in check.why) == ("warn", True)


def test_a_guest_without_a_rom_file() -> None:
    assert checks.rom(with_rom(), seen(), {}).verdict == "pass"
    odd = replace(with_rom(), problem="a PCI hostdev has no address")
    assert checks.rom(odd, seen(), {}).verdict == "unknown"


def test_which_files_are_looked_at() -> None:
    setup = DomainSetup(shared=(SharedMemory("/dev/shm/looking-glass", 64.0),))
    assert checks.files_to_inspect(replace(with_rom(CARD, SOUND), setup=setup)) == (
        ROM, "/dev/shm/looking-glass",
    )  # fmt: skip
    assert checks.files_to_inspect(replace(with_rom(), setup=None)) == ()


@pytest.mark.parametrize(
    ("size", "firmware", "given", "verdict"),
    [
        (256 * MIB, "uefi", None, "pass"), (32 * GIB, "uefi", None, "pass"),
        (64 * GIB, "uefi", None, "unknown"), (64 * GIB, "uefi", 131072, "pass"),
        (64 * GIB, "uefi", 32768, "warn"), (64 * GIB, "bios", None, "pass"),
        (None, "uefi", None, "unknown"),
    ],
)  # fmt: skip
def test_room_for_large_bars(
    size: int | None, firmware: Any, given: int | None, verdict: Verdict
) -> None:
    setup = DomainSetup((MemoryPart(8192.0),), firmware=firmware, mmio64_mib=given)
    check = checks.mmio_space(replace(with_rom(), setup=setup), seen(size))
    assert (check.id, check.verdict) == ("guest.mmio-space", verdict)
    assert ("X-PciMmio64Mb,string=131072" in (check.fix or "")) == (
        size == 64 * GIB and verdict in ("warn", "unknown")
    )
