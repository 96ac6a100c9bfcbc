"""Settings of the host that move a card without us, or that do not do what they are meant to.

None of these forbids anything: they warn at most.
"""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import (
    AMD_GRAPHICS,
    INTEL,
    NVIDIA,
    Check,
    Gpu,
    HostView,
    Initramfs,
    KernelOption,
    KernelSettings,
    ModuleRule,
    Readiness,
    is_vfio_driver,
    listed,
)
from tui.rules import fixes
from tui.rules.kernel_settings import Setting, applies, option_values, value_in, with_places

EARLY, OPTIONS, WRITER = "gpu.early-binding", "host.kernel-options", "host.second-writer"

HOME_DRIVERS = {
    NVIDIA: ("nvidia", "nouveau", "nova_core"), AMD_GRAPHICS: ("amdgpu", "radeon"),
    INTEL: ("i915", "xe"),
}  # fmt: skip
"""The modules with which a card can return to the host, by vendor."""

NAMED = 3
"""The most settings that one sentence names."""


# --- early binding ----------------------------------------------------------------


def early_binding(gpu: Gpu, view: HostView, readiness: Readiness) -> Check:
    """gpu.early-binding: what binds the card to vfio-pci at boot takes no other card, and the card
    can return to the host."""
    settings, address = readiness.settings, gpu.address
    if settings.running is None and not settings.modules and not settings.written:
        why = "neither the kernel command line nor modprobe.d could be read"
        return Check(EARLY, address, "unknown", why)
    binders = [s for s in _id_settings(settings) if _matches(s, gpu)]
    both = [
        other for other in view.gpus
        if other.address != address and other.role == "host"
        and any(_matches(setting, other) for setting in _id_settings(settings))
    ]  # fmt: skip
    if both:
        function = both[0].function
        ids = f"{function.vendor}:{function.device}"
        same = ids == f"{gpu.function.vendor}:{gpu.function.device}"
        named = [s for s in _id_settings(settings) if _matches(s, both[0])]
        return Check(
            EARLY, address, "warn",
            f"vfio-pci takes {ids} at boot, "
            + ("the id of both cards" if same else f"the host's card {both[0].address}")
            + f": {with_places(named[:NAMED])}",
            _removed(named, readiness),
        )  # fmt: skip
    barred = _no_way_home(gpu, view, readiness)
    if barred:
        return Check(
            EARLY, address, "warn",
            f"no driver takes the card back from vfio-pci: {with_places(barred[:NAMED])}",
            f"allow one driver again: {_allow(barred[0], gpu)}, and "
            f"{fixes.rebuild_initramfs(readiness)}",
        )  # fmt: skip
    return _too_late(gpu, binders, readiness) or Check(
        EARLY, address, "pass", _binds(address, binders, readiness)
    )


def _binds(address: str, binders: list[Setting], readiness: Readiness) -> str:
    """What binds the card to vfio-pci at boot."""
    if binders:
        return f"vfio-pci takes it at boot: {with_places(binders[:NAMED])}"
    by = next((m for m in readiness.setup.managers if m.address == address), None)
    if by is not None:
        return f"{by.name} {by.why} ({by.file})"
    return "nothing binds it to vfio-pci at boot"


def _removed(named: list[Setting], readiness: Readiness) -> str:
    """How to remove settings; the initramfs has copies of files."""
    in_files = any(isinstance(setting, ModuleRule) for setting in named)
    again = f"{fixes.rebuild_initramfs(readiness)}, " if in_files else ""
    return f"remove it, {again}and let `vfiotop bind` move the card by its address"


def _too_late(gpu: Gpu, binders: list[Setting], readiness: Readiness) -> Check | None:
    """The verdict if the initramfs keeps vfio-pci from taking the card that its ids name. A card on
    vfio-pci shows that it was not too late."""
    settings = readiness.settings
    made = settings.initramfs
    if not binders or made is None or is_vfio_driver(gpu.function.driver):
        return None
    loads = [rule.module for rule in made.modules]
    at = loads.index("vfio_pci") if "vfio_pci" in loads else len(loads)
    first = next((rule for rule in made.modules[:at] if _loads_driver_of(gpu, rule.module)), None)
    rebuild = fixes.rebuild_initramfs(readiness)
    if first is not None and not _vfio_goes_first(settings, made, first.module):
        return Check(
            EARLY, gpu.address, "warn",
            f"the initramfs loads {first.module} before vfio-pci, so that one takes the card: "
            f"{with_places([first])}",
            f"put vfio_pci before {first.module} in {first.file}, and {rebuild}; or remove the "
            "ids, and let `vfiotop bind` move the card",
        )  # fmt: skip
    in_modprobe = all(s in settings.modules for s in binders)
    if at < len(loads) and in_modprobe and not made.modprobe:
        return Check(
            EARLY, gpu.address, "warn",
            f"the initramfs loads vfio-pci without its ids: it has no modprobe.d for "
            f"{with_places(binders[:1])}",
            f"add modconf to HOOKS in {made.file}, and {rebuild}",
        )  # fmt: skip
    return None


def _loads_driver_of(gpu: Gpu, module: str) -> bool:
    """Whether loading a module loads a driver of the card. NVIDIA's other modules need nvidia."""
    vendor = gpu.function.vendor
    needs = vendor == NVIDIA and module in ("nvidia_modeset", "nvidia_drm", "nvidia_uvm")
    return needs or module in HOME_DRIVERS.get(vendor, ())


def _vfio_goes_first(settings: KernelSettings, made: Initramfs, module: str) -> bool:
    """Whether something else has vfio-pci loaded before a module of the initramfs."""
    modules = (module, "nvidia") if module.startswith("nvidia_") else (module,)
    before = (
        rule.arguments.replace("-", "_").partition("pre:")[2].partition("post:")[0].split()
        for rule in settings.modules if rule.directive == "softdep" and rule.module in modules
    )  # fmt: skip
    pre = [part for _, part in option_values(settings.in_force, "rd.driver.pre")]
    by_dracut = made.maker == "dracut" and any(p.replace("-", "_") == "vfio_pci" for p in pre)
    return by_dracut or (made.modprobe and any("vfio_pci" in each for each in before))


def _id_settings(settings: KernelSettings) -> list[Setting]:
    """The settings with ids for vfio-pci."""
    found: list[Setting] = [o for o in settings.in_force if o.name == "vfio_pci.ids" and o.value]
    found += [
        rule for rule in settings.modules
        if rule.directive == "options" and rule.module == "vfio_pci" and value_in(rule, "ids")
    ]  # fmt: skip
    made = settings.initramfs.modules if settings.initramfs is not None else ()
    return found + [rule for rule in made if rule.module == "vfio_pci" and value_in(rule, "ids")]


def _matches(setting: Setting, gpu: Gpu) -> bool:
    """Whether a setting's ids name the card: vendor:device and maybe more (vfio_pci.c)."""
    wanted = [gpu.function.vendor, gpu.function.device]
    ids = (value_in(setting, "ids") or "").lower().split(",")
    return any(each.strip().split(":")[:2] == wanted for each in ids)


def _no_way_home(gpu: Gpu, view: HostView, readiness: Readiness) -> list[Setting]:
    """The settings that keep every driver of the card from being loaded; none if one is in use."""
    names = HOME_DRIVERS.get(gpu.function.vendor, ())
    in_use = {f.driver for f in view.functions.values()}
    if readiness.nvidia is not None:
        in_use.add("nvidia")
    if not names or in_use & set(names):
        return []
    barred = {name: _bars(readiness.settings, name) for name in names if name != "nova_core"}
    return [s for each in barred.values() for s in each] if all(barred.values()) else []


def _allow(setting: Setting, gpu: Gpu) -> str:
    """How to change a setting so that it lets a driver of the card be loaded."""
    if isinstance(setting, ModuleRule):
        return f"remove `{setting.text}` from {setting.place}"
    listed_in = (setting.value or "").replace("-", "_").split(",")
    names = [name for name in HOME_DRIVERS[gpu.function.vendor] if name in listed_in]
    return f"take {names[0]} out of {setting.text} on the kernel command line"


def _bars(settings: KernelSettings, module: str) -> list[Setting]:
    """The settings that keep modprobe from loading a module by its alias."""
    names = ("modprobe.blacklist", "module_blacklist")
    found: list[Setting] = list(dict.fromkeys(
        option for name in names for option, part in option_values(settings.in_force, name)
        if part.replace("-", "_") == module
    ))  # fmt: skip
    found += [
        rule for rule in settings.modules
        if rule.module == module
        and (rule.directive == "blacklist"
             or (rule.directive == "install" and rule.arguments.endswith(("/true", "/false"))))
    ]  # fmt: skip
    return found


# --- kernel options ---------------------------------------------------------------


def kernel_options(readiness: Readiness) -> Check:
    """host.kernel-options: the options for passthrough do what they are meant to. The ACS override
    exists in patched kernels only (``isolation.OVERRIDE``)."""
    running = readiness.settings.running
    if running is None:
        return Check(OPTIONS, None, "unknown", "the kernel command line could not be read")
    for option in running:
        if option.name == "pcie_acs_override" and option.value:
            return Check(
                OPTIONS, None, "warn",
                f"{option.text} splits IOMMU groups that the hardware does not isolate: a guest "
                "may reach what its card shared one with",
                f"if the card's group is viable without it, {_without(option, readiness)}",
            )  # fmt: skip
        if (option.name, option.value) == ("pcie_aspm", "off"):
            return Check(
                OPTIONS, None, "warn",
                f"{option.text} leaves ASPM as the firmware has set it, and does not turn it off",
                "turn ASPM off in the firmware, or use pcie_aspm.policy=performance; "
                f"{_without(option, readiness)}",
            )  # fmt: skip
    idle = list(_without_effect(readiness))
    if idle:
        verb = "does" if len(idle) == 1 else "do"
        return Check(OPTIONS, None, "pass", f"{listed(idle, NAMED)} {verb} nothing here")
    return Check(OPTIONS, None, "pass", "no option known to be ineffective")


def _without(option: KernelOption, readiness: Readiness) -> str:
    """How to remove an option."""
    written = [each for each in readiness.settings.written if each.text == option.text]
    return fixes.change_options_on(readiness, [option], written)


def _without_effect(readiness: Readiness) -> Iterator[str]:
    """Options that change nothing, and do no harm (kernel-parameters.txt, drivers/iommu)."""
    for option in readiness.settings.running or ():
        always_on = (option.name, option.value) in (
            ("amd_iommu", "on"), ("iommu", "on"), ("iommu", "1"),
        )  # fmt: skip
        if always_on or not applies(option, readiness.cpu):
            yield option.text


# --- a second writer --------------------------------------------------------------


def second_writer(view: HostView, readiness: Readiness) -> Check:
    """host.second-writer: nobody else moves the cards: no hook of libvirt, no other program."""
    setup = readiness.setup
    line = setup.hooks.first("moves")
    if line is not None:
        count = sum(each.act == "moves" for each in setup.hooks.lines)
        more = f" and {count - 1} more" if count > 1 else ""
        return Check(
            WRITER, None, "warn",
            f"a libvirt hook moves devices too: {line.text} ({line.place}){more}",
            "remove that from the hook and let `vfiotop start` move the card; a hook that calls "
            "virsh can hang libvirt",
        )  # fmt: skip
    cards = {f.address for gpu in view.gpus for f in gpu.functions}
    guests = {f.address for gpu in view.gpus if gpu.role == "guest" for f in gpu.functions}
    others = [
        m for m in setup.managers
        if m.address is None or (m.address in cards and m.address not in guests)
    ]  # fmt: skip
    if others:
        first = others[0]
        return Check(
            WRITER, None, "warn", f"{first.name} {first.why} ({first.file})",
            _stop(first.name, first.address, first.file),
        )  # fmt: skip
    if setup.hooks.unreadable:
        why = f"libvirt's hooks cannot be read: {listed(setup.hooks.unreadable, NAMED)}"
        return Check(WRITER, None, "unknown", why, "run this as root")
    if not setup.hooks.known:
        why = "a capture does not contain them" if readiness.captured else "they were not read"
        return Check(WRITER, None, "unknown", f"libvirt's hooks are not known: {why}")
    return Check(WRITER, None, "pass", "no libvirt hook and no other program moves a card")


def _stop(name: str, address: str | None, file: str) -> str:
    """How to keep another program from moving cards."""
    if name == "driverctl" and address is not None:
        return f"`driverctl unset-override {address}`"
    if name == "supergfxd":
        return f"set vfio_enable to false in {file}, and `systemctl restart supergfxd`"
    return f"`envycontrol -s hybrid`, or remove {file}"
