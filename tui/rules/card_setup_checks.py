"""How a card is set up on its host: what its guest would miss, or trip over.

None of these forbids anything: they warn at most.
"""

from __future__ import annotations

import re

from tui.model import (
    AMD_GRAPHICS,
    INTEL,
    NVIDIA,
    SMALL_BAR,
    Check,
    Gpu,
    HostView,
    PciFunction,
    Readiness,
    bus_of,
    listed,
)
from tui.rules import fixes, vfio_users
from tui.rules.isolation import ON_BOARD

FRAMEBUFFER, REBAR, D3COLD, RESET, USER = (
    "gpu.framebuffer", "gpu.resizable-bar", "gpu.d3cold", "gpu.reset", "gpu.user",
)  # fmt: skip

EVICTS_SINCE = (6, 0)
"""The kernel since which vfio-pci removes the firmware's framebuffer from a VGA card by itself
(drivers/vfio/pci/vfio_pci_core.c: aperture_remove_conflicting_pci_devices)."""

SHOWS_RESETS_SINCE = (5, 15)
"""The kernel since which each function that can be reset on its own has reset_method."""

MEMORY_BAR = {NVIDIA: 1, AMD_GRAPHICS: 0, INTEL: 2}
"""The BAR that maps a card's memory, by vendor."""

_POLARIS = (
    "67c0 67c1 67c2 67c4 67c7 67c8 67c9 67ca 67cc 67cf 67d0 67df 6fdf 67e0 67e1 67e3 67e7 67e8 67e9"
    " 67eb 67ef 67ff 6980 6981 6985 6986 6987 6995 6997 699f"
)
_VEGA = (
    "6860 6861 6862 6863 6864 6867 6868 6869 686a 686b 686c 686d 686e 686f 687f"
    " 66a0 66a1 66a2 66a3 66a4 66a7 66af"
)
_NAVI = "7310 7312 7318 7319 731a 731b 731e 731f 7340 7341 7347 734f 7360 7362"
NEED_VENDOR_RESET = frozenset(f"{_POLARIS} {_VEGA} {_NAVI}".split())
"""AMD cards that often do not recover from a bus reset: Polaris, Vega 10 and 20, Navi 10, 12 and
14. From gnif/vendor-reset, src/device-db.h, without the APUs that are listed there as Navi 10, and
without Navi 23."""

_KERNEL = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})")


def framebuffer(gpu: Gpu, view: HostView, readiness: Readiness) -> Check:
    """gpu.framebuffer: the firmware's framebuffer is not in the card's memory, which an older
    vfio-pci cannot then claim."""
    seen, address = readiness.setup.framebuffers, gpu.address
    if seen is None:
        return Check(FRAMEBUFFER, address, "unknown", "/proc/iomem cannot be read")
    mine = [each for each in seen if each.address in {f.address for f in gpu.functions}]
    if not mine:
        other = next((each.address for each in seen if each.address), None)
        where = f"on {other}" if other else "not in the card's memory"
        return Check(FRAMEBUFFER, address, "pass", f"the firmware's framebuffer is {where}")
    why = f"the firmware's framebuffer ({mine[0].name}) is in the card's memory"
    kernel = kernel_version(view)
    if kernel is None:
        return Check(FRAMEBUFFER, address, "unknown", f"{why}, and the kernel is not known")
    if kernel >= EVICTS_SINCE and gpu.function.class_code.startswith("0300"):
        return Check(FRAMEBUFFER, address, "pass", f"{why}; vfio-pci removes it")
    return Check(
        FRAMEBUFFER, address, "warn",
        f"{why}: the guest may fail, with “can't reserve” in the kernel log",
        "make the host's card the primary display in the firmware, or "
        + fixes.kernel_option("initcall_blacklist=sysfb_init", readiness.boot),
    )  # fmt: skip


def kernel_version(view: HostView) -> tuple[int, int] | None:
    """The kernel's version, without its patch level."""
    found = _KERNEL.match(view.facts.kernel) if view.facts is not None else None
    return (int(found[1]), int(found[2])) if found is not None else None


def resizable_bar(gpu: Gpu, view: HostView) -> Check:
    """gpu.resizable-bar: the CPU reaches all of the card's memory at once. The largest size is that
    of the memory, rounded up. The guest gets the size that the host has set."""
    function, address = gpu.function, gpu.address
    index = MEMORY_BAR.get(function.vendor)
    slot = [f for f in view.functions.values() if f.slot == function.slot]
    if bus_of(address) == ON_BOARD or any(f.vendor != function.vendor for f in slot):
        return Check(REBAR, address, "pass", "part of the processor: it has no memory of its own")
    bar = next((bar for bar in function.bars if bar.index == index and not bar.io), None)
    if bar is None:
        return Check(REBAR, address, "unknown", "the card's memory BAR is not known")
    now = f"BAR {index} is {amount(bar.size)}"
    if function.resizable is None:
        on = bar.size > SMALL_BAR
        why = "Resizable BAR is on" if on else "what it can be is read while the card is awake"
        return Check(REBAR, address, "pass" if on else "unknown", f"{now}: {why}")
    sizes = next((each.sizes for each in function.resizable if each.index == index), ())
    largest = max(sizes, default=0)
    if bar.size >= largest:
        why = "the largest it can be" if sizes else "the card has no Resizable BAR"
        return Check(REBAR, address, "pass", f"{now}, {why}" if sizes else f"{now}: {why}")
    return Check(
        REBAR, address, "warn", f"{now}, and could be {amount(largest)}: games may run slower",
        "in the firmware: turn on Above 4G Decoding and Resizable BAR; the guest needs UEFI then",
    )  # fmt: skip


def amount(size: int) -> str:
    """A human-readable size: ``32 GiB``."""
    return f"{size >> 30} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"


def d3cold(gpu: Gpu, readiness: Readiness) -> Check:
    """gpu.d3cold: the card wakes from its deepest sleep. Whether a board cuts the power of a
    sleeping card, and whether the card survives it, shows only when it happens."""
    address, setup, vitals = gpu.address, readiness.setup, gpu.vitals
    state = vitals.power_state if vitals is not None else None
    allowed = setup.d3cold_allowed.get(address)
    keep = f"`echo 0 > /sys/bus/pci/devices/{address}/d3cold_allowed` before it is bound"
    if gpu.owner.kind == "guest" and state == "D3cold":
        why = f"{gpu.owner.guest} has the card, which is in D3cold: it may have failed to wake up"
        return Check(D3COLD, address, "warn", why, f"power the host off and on; then {keep}")
    if allowed is False:
        return Check(D3COLD, address, "pass", "the card may not enter D3cold")
    if setup.no_idle_d3:
        return Check(D3COLD, address, "pass", "vfio-pci keeps idle cards awake (disable_idle_d3)")
    if state == "D3cold":
        return Check(D3COLD, address, "pass", f"asleep in D3cold; if it stays there: {keep}")
    if allowed is None:
        return Check(D3COLD, address, "unknown", "d3cold_allowed cannot be read")
    return Check(D3COLD, address, "pass", "may sleep while it is idle, and is awake now"
                 if state in (None, "D0") else f"in {state} now")  # fmt: skip


def reset(gpu: Gpu, view: HostView, readiness: Readiness) -> Check:
    """gpu.reset: every function that moves can be reset before the next guest. VFIO resets the
    whole bus if all of its functions are the guest's, including those without a reset of their
    own."""
    address, function = gpu.address, gpu.function
    if function.vendor == AMD_GRAPHICS and function.device in NEED_VENDOR_RESET:
        return _vendor_reset(gpu, readiness)
    without = [f for f in gpu.functions if not f.reset_methods]
    alone = [f"{f.address} by {f.reset_methods[0]}" for f in gpu.functions if f.reset_methods]
    if not without:
        return Check(RESET, address, "pass", listed(alone))
    strange = [f for f in without if "reset_method" in f.unreadable]
    if strange:
        return Check(
            RESET, address, "unknown", f"reset_method of {strange[0].address} cannot be read"
        )
    rest = _others_on_bus(gpu, view)
    names = listed([f.address for f in without])
    if bus_of(address) != ON_BOARD and not rest:
        together = f"{names} with the whole bus"
        return Check(RESET, address, "pass", ", ".join((*alone, together)))
    kernel = kernel_version(view)
    if kernel is None or kernel < SHOWS_RESETS_SINCE or readiness.captured:
        return Check(RESET, address, "unknown", f"how {names} is reset cannot be read")
    why = f"{names} cannot be reset: the card may work in a guest only once per boot of the host"
    if rest:
        why = f"{why}; its bus has {listed([f.address for f in rest])} too"
    return Check(RESET, address, "warn", why, "if a start fails, reboot the host first")


def _others_on_bus(gpu: Gpu, view: HostView) -> list[PciFunction]:
    """The functions that a reset of the card's bus would reset too and that do not move."""
    bus, moves = bus_of(gpu.address), {f.address for f in gpu.functions}
    domain = gpu.address[: gpu.address.index(":")]
    return [
        f for f in view.functions.values()
        if f.address.startswith(f"{domain}:") and bus_of(f.address) == bus
        and f.address not in moves and not f.is_bridge
    ]  # fmt: skip


def _vendor_reset(gpu: Gpu, readiness: Readiness) -> Check:
    address, loaded = gpu.address, readiness.setup.vendor_reset
    methods = gpu.function.reset_methods or ()
    if methods[:1] == ("device_specific",):
        return Check(RESET, address, "pass", f"{address} by vendor_reset")
    why = "AMD cards of this model often do not come back from a reset"
    if loaded is None:
        return Check(
            RESET, address, "unknown", f"{why}; whether vendor_reset is loaded is not known"
        )
    if loaded:
        return Check(
            RESET, address, "warn", f"{why}, and vendor_reset is loaded but not chosen",
            f"`echo device_specific > /sys/bus/pci/devices/{address}/reset_method`",
        )  # fmt: skip
    return Check(
        RESET, address, "warn", f"{why}: a second start of a guest may hang",
        "install the module vendor_reset, and load it before vfio-pci",
    )  # fmt: skip


def user(gpu: Gpu) -> Check:
    """gpu.user: whoever has the card is a domain that names it, so that its stop is noticed."""
    address, taken = gpu.address, gpu.taken_by
    if taken is not None:
        return Check(
            USER, address, "warn", f"{vfio_users.describe(taken)} has the card, and no domain of "
            "this libvirt names it", "end that guest with the program that started it",
        )  # fmt: skip
    if gpu.may_be_taken:
        why = "who has the card open cannot be seen"
        return Check(USER, address, "unknown", why, "run this as root")
    if gpu.owner.kind == "guest":
        return Check(USER, address, "pass", f"{gpu.owner.guest} has it, a domain of this libvirt")
    who = {"host": "the host has it", "vfio": "nobody has it open"}
    return Check(USER, address, "pass", who.get(gpu.owner.kind, "no guest has it"))
