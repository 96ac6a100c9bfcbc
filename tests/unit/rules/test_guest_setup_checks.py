"""ROM files and room for large BARs."""

from __future__ import annotations

import math
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
        (FileFacts("unknown"), "unknown", "cannot be inspected"),
        (None, "unknown", "cannot be inspected"),
        (FileFacts("other"), "warn", "not a regular file"),
        (replace(GOOD, mode=0o600), "warn", "QEMU's user may be unable to read"),
        (replace(GOOD, mode=0o640, group="kvm"), "pass", "there and readable"),
        (replace(GOOD, mode=0o600, owner="libvirt-qemu"), "pass", "there and readable"),
        (replace(GOOD, mode=0o640, group="wheel"), "warn", "may be unable to read"),
        (replace(GOOD, open_path=False), "warn", "in a folder that not everybody may enter"),
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


def test_the_copy_of_a_rom_file_that_qemu_can_read() -> None:
    facts = replace(GOOD, mode=0o600, owner="root", group="root")
    fix = checks.rom(with_rom(CARD), seen(), {ROM: facts}).fix or ""
    assert "`install -D -m 644 -t /usr/share/vgabios FILE`" in fix


def test_a_sound_function_needs_no_rom() -> None:
    check = checks.rom(with_rom(CARD, SOUND), seen(), {ROM: GOOD})
    assert (check.verdict, f"{SOUND} is not a GPU" in check.why) == ("warn", True)


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


@pytest.mark.parametrize(
    ("size", "firmware", "hole", "verdict", "words"),
    [
        (64 * GIB, "uefi", 0, "warn", "a 64-bit PCI hole of 0 leaves no room"),
        (64 * GIB, "bios", 0, "warn", "a 64-bit PCI hole of 0 leaves no room"),
        (8 * GIB, "uefi", 0, "warn", "a 64-bit PCI hole of 0"), (256 * MIB, "uefi", 0, "pass", ""),
        (64 * GIB, "uefi", 131072, "unknown", "<pcihole64>, here 128 GiB, does not change that"),
        (64 * GIB, "bios", 131072, "pass", ""),
    ],
)  # fmt: skip
def test_a_64_bit_pci_hole_is_no_room_of_ovmfs_but_without_one_there_is_none(
    size: int, firmware: Any, hole: int, verdict: Verdict, words: str
) -> None:
    setup = DomainSetup((MemoryPart(8192.0),), firmware=firmware, hole64_mib=hole)
    check = checks.mmio_space(replace(with_rom(), setup=setup), seen(size))
    assert check.verdict == verdict
    assert words in check.why
    assert ("remove <pcihole64>" in (check.fix or "")) == (verdict == "warn")


def test_bars_that_just_do_not_fit_are_not_said_to_fit() -> None:
    setup = DomainSetup((MemoryPart(8192.0),), firmware="uefi")
    check = checks.mmio_space(replace(with_rom(), setup=setup), seen(32 * GIB + 32 * MIB))
    assert (check.verdict, "take over 32 GiB" in check.why) == ("unknown", True), check
    assert (check.fix or "").startswith("if the guest's driver does not start the card: ")
    assert "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'" in (check.fix or "")


# --- Looking Glass ------------------------------------------------------------------

SHM, KVMFR = "/dev/shm/looking-glass", "/dev/kvmfr0"
OURS = FileFacts("file", 64 << 20, 0o660, "anna", "kvm", mapped_by=("qemu-system-x86",))


def glass(path: str = SHM, mib: float | None = 64.0, **facts: Any) -> Domain:
    setup = DomainSetup((MemoryPart(8192.0),), shared=(SharedMemory(path, mib),))
    return replace(domain("win11"), setup=setup, **facts)


@pytest.mark.parametrize(
    ("width", "height", "hdr", "mib"),
    [(1920, 1080, False, 26), (1920, 1080, True, 42), (3840, 2160, False, 74)],
)
def test_the_formula_of_its_documentation(width: int, height: int, hdr: bool, mib: int) -> None:
    assert math.ceil(checks.frame_mib(width, height, hdr=hdr)) == mib


@pytest.mark.parametrize(
    ("made", "facts", "verdict", "words"),
    [
        (glass(), OURS, "pass", "64 MiB, up to 3440x1440, in HDR 1920x1080, anna:kvm 0660, mapped "
                                "by qemu-system-x86"),
        (glass(), FileFacts("missing"), "pass", "64 MiB, up to 3440x1440"),
        (glass(state="running"), FileFacts("missing"), "warn", "does not exist"),
        (glass(KVMFR), FileFacts("missing"), "warn", "does not exist"),
        (glass(KVMFR), replace(OURS, kind="device", size=0), "pass", "anna:kvm 0660"),
        (glass(KVMFR), OURS, "warn", "not the device of the kvmfr module"),
        (glass(mib=16.0), OURS, "warn", "too little for Looking Glass at 1920x1080"),
        (glass(mib=48.0), OURS, "warn", "not a power of two"),
        (glass(mib=128.0), OURS, "warn", "has 64 MiB, but the definition says 128"),
        (glass(), replace(OURS, mode=0o600, owner="libvirt-qemu"), "warn",
         "only libvirt-qemu may open"),
        (glass(KVMFR), replace(OURS, kind="device", mode=0o600, owner="root"), "warn",
         "only root may open"),
        (glass(), FileFacts("unknown"), "unknown", "cannot be inspected"),
        (glass(mib=None), OURS, "unknown", "cannot be inspected"),
        (glass("/dev/shm/scream"), OURS, "pass", "shares no memory"),
        (replace(glass(), setup=None), OURS, "unknown", "was not read"),
    ],
)  # fmt: skip
def test_looking_glass(made: Domain, facts: FileFacts, verdict: Verdict, words: str) -> None:
    check = checks.looking_glass(made, dict.fromkeys((SHM, KVMFR), facts))
    assert (check.id, check.verdict) == ("guest.looking-glass", verdict)
    assert words in check.why
    assert bool(check.fix) == (verdict == "warn")


def test_owner_and_mode_have_a_fix_for_each_boot() -> None:
    closed = replace(OURS, mode=0o600)
    file = checks.looking_glass(glass(), {SHM: closed}).fix or ""
    assert f"f {SHM} 0660 NAME kvm - in /etc/tmpfiles.d/looking-glass.conf" in file
    device = checks.looking_glass(glass(KVMFR), {KVMFR: replace(closed, kind="device")}).fix or ""
    assert 'SUBSYSTEM=="kvmfr", OWNER="NAME", GROUP="kvm", MODE="0660"' in device
