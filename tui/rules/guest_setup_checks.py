"""How a guest is set up for its card: ROM files, and room for large BARs.

They warn at most; only a ROM file that is missing keeps QEMU from starting.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from tui.model import (
    GPU_CLASSES,
    NVIDIA,
    Check,
    Domain,
    FileFacts,
    HostDev,
    HostView,
    PciFunction,
)
from tui.rules.card_setup_checks import amount

ROM, MMIO = "guest.rom", "guest.mmio-space"

OVMF_MIB = 32 << 10
"""The room for 64-bit BARs in OVMF, in MiB, before edk2-stable202211 made it a share of the
processor's addresses."""


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
    edit = f"`virsh edit {domain.shell_word}`: "
    if function is not None and function.class_code[:4] not in GPU_CLASSES:
        yield Check(
            ROM, name, "warn", f"{dev.address} is no GPU, and has a ROM file all the same",
            f"{edit}remove <rom file=…> from its <hostdev>",
        )  # fmt: skip
    facts = files.get(dev.rom_file or "", FileFacts("unknown"))
    of = f"the ROM file of {dev.address}"
    if facts.kind == "unknown":
        yield Check(ROM, name, "unknown", f"{of} cannot be looked at")
        return
    if facts.kind == "missing":
        yield Check(ROM, name, "fail", f"{of} does not exist: the guest cannot start",
                    f"{edit}correct or remove <rom file=…>")  # fmt: skip
        return
    if facts.kind != "file":
        yield Check(ROM, name, "warn", f"{of} is no regular file", f"{edit}correct <rom file=…>")
        return
    if not facts.world_readable:
        path = shlex.quote(dev.rom_file or "")
        yield Check(
            ROM, name, "warn", f"{of} may not be readable for QEMU's user: it belongs to "
            f"{facts.owner}" + ("" if facts.open_path else ", in a folder that not all may enter"),
            f"`install -m 644 {path} /usr/share/vgabios/`, and name that in <rom file=…>",
        )  # fmt: skip
    if facts.rom is not None and function is not None:
        yield from _content(domain, function, facts)


def _content(domain: Domain, function: PciFunction, facts: FileFacts) -> Iterator[Check]:
    name, image, of = domain.name, facts.rom, f"the ROM file of {function.address}"
    assert image is not None
    if image.header:
        yield Check(
            ROM, name, "warn", f"{of} begins with NVIDIA's header, which firmware does not know",
            "cut off what is before the bytes 55 AA",
        )  # fmt: skip
    elif not image.signature:
        yield Check(ROM, name, "warn", f"{of} is no option ROM: it does not begin with 55 AA",
                    "read the ROM from the card again")  # fmt: skip
    other_card = function.vendor == NVIDIA and image.device not in (None, function.device)
    if image.vendor is not None and (image.vendor != function.vendor or other_card):
        yield Check(
            ROM, name, "warn",
            f"{of} is for {image.vendor}:{image.device}, the card is "
            f"{function.vendor}:{function.device}",
            "use a ROM of this model",
        )  # fmt: skip


def mmio_space(domain: Domain, view: HostView) -> Check:
    """guest.mmio-space: the guest's firmware has addresses for the large BARs of its devices."""
    setup, name = domain.setup, domain.name
    functions = [f for a in domain.functions if (f := view.functions.get(a)) is not None]
    if setup is None or (functions and not any(f.bars for f in functions)):
        return Check(MMIO, name, "unknown", "the BARs of its devices are not known")
    needed = sum(bar.size for f in functions for bar in f.bars if bar.prefetchable and not bar.io)
    why = f"the BARs of its devices take {amount(needed)}" if needed else "no device has large BARs"
    if needed <= OVMF_MIB << 20 or setup.firmware == "bios":
        return Check(MMIO, name, "pass", why)
    given = setup.mmio64_mib
    wanted = 1 << (2 * needed - 1).bit_length() >> 20
    argument = f"<qemu:arg value='name=opt/ovmf/X-PciMmio64Mb,string={wanted}'/>"
    fix = (f"`virsh edit {domain.shell_word}`: in <qemu:commandline>, <qemu:arg value='-fw_cfg'/>"
           f"{argument}")  # fmt: skip
    if given is None:
        why = f"{why}; OVMF before 2022-11 has room for {OVMF_MIB >> 10} GiB, a newer one for more"
        return Check(MMIO, name, "unknown", why, fix)
    if given << 20 < needed:
        return Check(MMIO, name, "warn", f"{why}, X-PciMmio64Mb gives {given >> 10} GiB", fix)
    return Check(MMIO, name, "pass", f"{why}, X-PciMmio64Mb gives {given >> 10} GiB")
