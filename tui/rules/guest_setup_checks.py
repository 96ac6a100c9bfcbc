"""How a guest is set up for its card: ROM files, room for large BARs, Looking Glass.

They warn at most; only a ROM file that is missing keeps QEMU from starting.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from tui.model import (
    GPU_CLASSES,
    NVIDIA,
    QEMU_XMLNS,
    Check,
    Domain,
    FileFacts,
    HostDev,
    HostView,
    PciFunction,
    RomImage,
    SharedMemory,
    listed,
)
from tui.rules.card_setup_checks import amount

ROM, MMIO, GLASS = "guest.rom", "guest.mmio-space", "guest.looking-glass"

_GLASS = re.compile(r"/looking-glass[^/]*$|/dev/kvmfr")
"""The paths of its shared memory; other programs share memory too."""

QEMU_USERS = ("libvirt-qemu", "qemu", "kvm")
"""The users and groups with which distributions run QEMU."""

OVMF_MIB = 32 << 10
"""The room for 64-bit BARs in OVMF, in MiB, before edk2-stable202211 made it a share of the
processor's address space."""

BELOW_4G = 2 << 30
"""Bytes of address space below 4 GiB that a guest with little memory has for all of its BARs."""


def files_to_inspect(domain: Domain) -> tuple[str, ...]:
    """The files that the definition names."""
    roms = [dev.rom_file for dev in domain.hostdevs if dev.rom_file is not None]
    shared = [each.path for each in domain.setup.shared] if domain.setup is not None else []
    return tuple(dict.fromkeys((*roms, *shared)))


def rom(domain: Domain, view: HostView, files: Mapping[str, FileFacts]) -> Check:
    """guest.rom: the <rom> files are there, for a GPU, and QEMU can read them."""
    named = [dev for dev in domain.hostdevs if dev.rom]
    if domain.problem is not None and not named:
        return Check(ROM, domain.name, "unknown", f"“{domain.name}”: {domain.problem}")
    if not named:
        return Check(ROM, domain.name, "pass", f"“{domain.name}” names no ROM file")
    found = [check for dev in named for check in _rom(domain, dev, view, files)]
    for verdict in ("fail", "warn", "unknown"):
        first = next((check for check in found if check.verdict == verdict), None)
        if first is not None:
            return first
    count = f"{len(named)} ROM files" if len(named) > 1 else "the ROM file"
    return Check(ROM, domain.name, "pass", f"{count} of “{domain.name}”: there and readable")


def _rom(
    domain: Domain, dev: HostDev, view: HostView, files: Mapping[str, FileFacts]
) -> Iterator[Check]:
    name, function = domain.name, view.functions.get(dev.address)
    edit = f"{domain.edit}: "
    if function is not None and function.class_code[:4] not in GPU_CLASSES:
        yield Check(
            ROM, name, "warn", f"{dev.address} is not a GPU, yet it has a ROM file",
            f"{edit}remove <rom file=…> from its <hostdev>",
        )  # fmt: skip
    facts = files.get(dev.rom_file or "", FileFacts("unknown"))
    of = f"the ROM file of {dev.address}"
    if facts.kind == "unknown":
        yield Check(ROM, name, "unknown", f"{of} cannot be inspected")
        return
    if facts.kind == "missing":
        yield Check(ROM, name, "fail", f"{of} does not exist: the guest cannot start",
                    f"{edit}correct or remove <rom file=…>")  # fmt: skip
        return
    if facts.kind != "file":
        yield Check(ROM, name, "warn", f"{of} is not a regular file", f"{edit}correct <rom file=…>")
        return
    if not _readable(facts):
        yield Check(
            ROM, name, "warn", f"QEMU's user may be unable to read {of}: it belongs to "
            f"{facts.owner}"
            + ("" if facts.open_path else ", in a folder that not everybody may enter"),
            "`install -D -m 644 -t /usr/share/vgabios FILE`, and name the copy in <rom file=…>",
        )  # fmt: skip
    if facts.rom is not None and function is not None:
        yield from _content(domain, function, facts.rom)


def _readable(facts: FileFacts) -> bool:
    """Whether QEMU's user can read a file, as far as its owner and mode tell."""
    by_owner = facts.owner in QEMU_USERS and bool(facts.mode & 0o400)
    by_group = facts.group in QEMU_USERS and bool(facts.mode & 0o040)
    return facts.open_path and (bool(facts.mode & 0o004) or by_owner or by_group)


def _content(domain: Domain, function: PciFunction, image: RomImage) -> Iterator[Check]:
    name, of = domain.name, f"the ROM file of {function.address}"
    if image.header:
        yield Check(
            ROM, name, "warn",
            f"{of} begins with NVIDIA's header, which the guest's firmware does not know",
            "remove everything before the bytes 55 AA",
        )  # fmt: skip
    elif not image.signature:
        yield Check(ROM, name, "warn", f"{of} is not an option ROM: it does not begin with 55 AA",
                    "dump the ROM from the card again")  # fmt: skip
    other_card = function.vendor == NVIDIA and image.device not in (None, function.device)
    if image.vendor is not None and (image.vendor != function.vendor or other_card):
        yield Check(
            ROM, name, "warn",
            f"{of} is for {image.vendor}:{image.device}, the card is "
            f"{function.vendor}:{function.device}",
            "use a ROM for this model",
        )  # fmt: skip


def mmio_space(domain: Domain, view: HostView) -> Check:
    """guest.mmio-space: the guest's firmware has addresses for the large BARs of its devices."""
    setup, name = domain.setup, domain.name
    functions = [f for a in domain.functions if (f := view.functions.get(a)) is not None]
    if setup is None or (functions and not any(f.bars for f in functions)):
        return Check(MMIO, name, "unknown", "the BARs of its devices are not known")
    needed = sum(bar.size for f in functions for bar in f.bars if bar.prefetchable and not bar.io)
    over = "over " if needed >> 30 and needed % (1 << 30) else ""
    why = (
        f"the BARs of its devices take {over}{amount(needed)}" if needed
        else "no device has large BARs"
    )  # fmt: skip
    if needed > BELOW_4G and setup.hole64_mib == 0:
        return Check(
            MMIO, name, "warn", f"{why}, and a 64-bit PCI hole of 0 leaves no room above 4 GiB",
            f"`virsh edit {domain.shell_word}`: remove <pcihole64>, or the argument that sets "
            "pci-hole64-size",
        )  # fmt: skip
    if needed <= OVMF_MIB << 20 or setup.firmware == "bios":
        return Check(MMIO, name, "pass", why)
    given = setup.mmio64_mib
    wanted = 1 << (2 * needed - 1).bit_length() >> 20
    argument = f"<qemu:arg value='name=opt/ovmf/X-PciMmio64Mb,string={wanted}'/>"
    fix = (
        f"{domain.edit}: in <qemu:commandline>, <qemu:arg value='-fw_cfg'/>"
        f"{argument}; it needs xmlns:qemu='{QEMU_XMLNS}' in <domain>"
    )
    if given is None:
        fix = f"if the guest's driver does not start the card: {fix}"
        why = f"{why}; OVMF before 2022-11 has room for {OVMF_MIB >> 10} GiB, a newer one for more"
        if setup.hole64_mib:
            hole = amount(int(setup.hole64_mib * (1 << 20)))
            why = f"{why}; <pcihole64>, here {hole}, does not change that"
        return Check(MMIO, name, "unknown", why, fix)
    if given << 20 < needed:
        return Check(MMIO, name, "warn", f"{why}, X-PciMmio64Mb gives {given >> 10} GiB", fix)
    return Check(MMIO, name, "pass", f"{why}, X-PciMmio64Mb gives {given >> 10} GiB")


# --- Looking Glass ------------------------------------------------------------------

_RESOLUTIONS = (
    (1920, 1080), (2560, 1440), (3440, 1440), (3840, 2160), (5120, 2160), (7680, 4320),
)  # fmt: skip


def frame_mib(width: int, height: int, *, hdr: bool = False) -> float:
    """What Looking Glass needs for a resolution: two frames, and 10 MiB (looking-glass.io/docs,
    "Determining memory")."""
    return width * height * (8 if hdr else 4) * 2 / (1 << 20) + 10


def looking_glass(domain: Domain, files: Mapping[str, FileFacts]) -> Check:
    """guest.looking-glass: the memory that it shares with its client is there and large enough, and
    the client may open it."""
    setup, name = domain.setup, domain.name
    if setup is None:
        return Check(GLASS, name, "unknown", f"“{name}” was not read")
    mine = [each for each in setup.shared if _GLASS.search(each.path)]
    if not mine:
        return Check(GLASS, name, "pass", f"“{name}” shares no memory with Looking Glass")
    shared = mine[0]
    facts = files.get(shared.path, FileFacts("unknown"))
    wrong = _wrong_size(domain, shared) or _wrong_file(domain, shared, facts)
    if wrong is not None:
        return wrong
    largest = _largest(shared.mib)
    if facts.kind == "unknown" or largest is None:
        return Check(GLASS, name, "unknown", f"the shared memory of “{name}” cannot be inspected")
    users = f", mapped by {listed(facts.mapped_by)}" if facts.mapped_by else ""
    who = f", {facts.owner}:{facts.group} {facts.mode:04o}" if facts.kind != "missing" else ""
    return Check(GLASS, name, "pass", f"{largest}{who}{users}")


def _largest(mib: float | None) -> str | None:
    """What a size is enough for: ``64 MiB, up to 3440x1440``."""
    fits = [f"{w}x{h}" for w, h in _RESOLUTIONS if mib is not None and frame_mib(w, h) <= mib]
    hdr = [f"{w}x{h}" for w, h in _RESOLUTIONS
           if mib is not None and frame_mib(w, h, hdr=True) <= mib]  # fmt: skip
    if not fits:
        return None
    return f"{mib:.0f} MiB, up to {fits[-1]}" + (f", in HDR {hdr[-1]}" if hdr else "")


def _wrong_size(domain: Domain, shared: SharedMemory) -> Check | None:
    mib, name = shared.mib, domain.name
    if mib is None:
        return None
    fix = f"{domain.edit}: 32 MiB for 1920x1080, 64 for 3440x1440, 128 for 4K"
    if mib < frame_mib(*_RESOLUTIONS[0]):
        why = f"{mib:.0f} MiB of shared memory is too little for Looking Glass at 1920x1080"
        return Check(GLASS, name, "warn", why, fix)
    if mib != int(mib) or int(mib) & (int(mib) - 1):
        why = f"{mib:.0f} MiB of shared memory is not a power of two, which QEMU requires"
        return Check(GLASS, name, "warn", why, fix)
    return None


def _wrong_file(domain: Domain, shared: SharedMemory, facts: FileFacts) -> Check | None:
    name, device = domain.name, shared.path.startswith("/dev/kvmfr")
    path = shlex.quote(shared.path)
    if facts.kind == "missing":
        if not device and not domain.active:
            return None  # QEMU makes it at the start
        fix = "`modprobe kvmfr`" if device else "start the guest again"
        return Check(GLASS, name, "warn", f"the shared memory of “{name}” does not exist", fix)
    if facts.kind in ("file", "other") and device:
        return Check(
            GLASS, name, "warn", f"{shared.path} is a file that QEMU made, not the device of "
            "the kvmfr module", f"`rm {path} && modprobe kvmfr` while the guest is off",
        )  # fmt: skip
    if facts.kind == "file" and shared.mib is not None and facts.size != shared.mib * (1 << 20):
        return Check(
            GLASS, name, "warn", f"the shared memory has {facts.size >> 20} MiB, but the "
            f"definition says {shared.mib:.0f}", f"`rm {path}` while the guest is off",
        )  # fmt: skip
    if facts.kind in ("file", "device") and not facts.mode & 0o060 and not facts.mode & 0o006:
        rule = ("SUBSYSTEM==\"kvmfr\", OWNER=\"NAME\", GROUP=\"kvm\", MODE=\"0660\" in "
                "/etc/udev/rules.d/99-kvmfr.rules" if device else
                f"f {path} 0660 NAME kvm - in /etc/tmpfiles.d/looking-glass.conf")  # fmt: skip
        return Check(
            GLASS, name, "warn",
            f"only {facts.owner} may open its shared memory: the client or QEMU cannot",
            f"`chown NAME:kvm {path} && chmod 660 {path}`, where NAME runs the client; for each "
            f"boot: {rule}",
        )  # fmt: skip
    return None
