"""What the kernel command line and modprobe.d say about passthrough.

Of several options the last counts, if the kernel lets a later one revoke an earlier one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tui.model import Cpu, KernelOption, KernelSettings, ModuleRule

Setting = KernelOption | ModuleRule

VFIO = frozenset({"vfio_pci", "vfio_pci_core", "vfio", "vfio_iommu_type1", "vfio_virqfd"})
"""The modules that passthrough needs."""

X86: tuple[Cpu, ...] = ("intel", "amd")

MAKERS: dict[str, tuple[Cpu, ...]] = {
    "intel_iommu": ("intel",), "amd_iommu": ("amd",),
    "iommu": X86, "intremap": X86, "nointremap": X86,
}  # fmt: skip
"""Options that do something on processors of these makers only (kernel-parameters.txt)."""

_NOTHING = re.compile(
    r"(?:(?:(?:/usr)?/bin/)?env\s+)?(?:(?:/usr)?/bin/)?(?:true|false)|:|exit(?:\s+[0-9]+)?"
)
"""Commands that load no module."""

_COMMENT = re.compile(r"(?:^|\s)#.*")
_THEN = re.compile(r"\s*(?:;|&&|\|\|)\s*")


def option_values(options: Iterable[KernelOption], name: str) -> list[tuple[KernelOption, str]]:
    """Each comma-separated part of each option of that name."""
    return [
        (option, part)
        for option in options
        if option.name == name
        for part in (option.value or "").split(",")
    ]


def applies(option: KernelOption, cpu: Cpu | None) -> bool:
    """Whether the option can do something on this processor; true if its maker is not known."""
    return cpu is None or cpu in MAKERS.get(option.name, (cpu,))


def _last(options: Iterable[KernelOption], name: str, *parts: str) -> KernelOption | None:
    """The last option of that name that has one of the ``parts``, if it has the first of them; the
    other parts revoke it. The kernel compares prefixes (drivers/iommu)."""
    last = None
    for option, part in option_values(options, name):
        found = next((each for each in parts if part.startswith(each)), None)
        if found is not None:
            last = option if found == parts[0] else None
    return last


def iommu_off(options: Sequence[KernelOption], cpu: Cpu | None) -> tuple[KernelOption, ...]:
    """The options that keep the IOMMU off (kernel-parameters.txt). Nothing in ``amd_iommu`` and
    ``iommu`` revokes ``off``."""
    options = [option for option in options if applies(option, cpu)]
    found = [
        option for name in ("iommu", "amd_iommu")
        for option, part in option_values(options, name) if part.startswith("off")
    ]  # fmt: skip
    if (intel := _last(options, "intel_iommu", "off", "on")) is not None:
        found.append(intel)
    if (acpi := _last(options, "acpi", "off", "force", "on")) is not None:
        found.append(acpi)  # the kernel finds the IOMMU in ACPI tables
    return tuple(dict.fromkeys(found))


def intel_on(options: Sequence[KernelOption]) -> KernelOption | None:
    """The option that turns Intel's IOMMU on."""
    return _last(options, "intel_iommu", "on", "off")


def interrupts_off(options: Sequence[KernelOption], cpu: Cpu | None) -> KernelOption | None:
    """The option that turns off interrupt remapping, which VFIO requires."""
    last = None
    for option in options:
        if not applies(option, cpu):
            continue
        if option.name == "nointremap":
            last = option
        elif option.name == "intremap":
            parts = (option.value or "").split(",")
            last = option if "off" in parts else None if "on" in parts else last
    return last


def forbids_vfio(settings: KernelSettings) -> tuple[Setting, ...]:
    """The settings that keep the kernel or modprobe from loading vfio-pci at all."""
    found: list[Setting] = []
    for option in settings.in_force:
        listed = option.name == "module_blacklist" and _lists(option, VFIO)
        if listed or (option.name == "nomodule" and option.value not in ("0", "n", "N")):
            found.append(option)
    found += [
        rule for rule in settings.modules
        if rule.directive == "install" and rule.module in VFIO and _loads_nothing(rule.arguments)
    ]  # fmt: skip
    return tuple(found)


def _loads_nothing(command: str) -> bool:
    """Whether an install command certainly loads no module. kmod runs it with system(3), and
    ignores a rule without a command (libkmod-config.c)."""
    parts = _THEN.split(_COMMENT.sub("", command).strip())
    return bool(command.strip()) and all(not part or _NOTHING.fullmatch(part) for part in parts)


def blacklists_vfio(settings: KernelSettings) -> tuple[Setting, ...]:
    """The settings that blacklist vfio-pci. It can still be loaded by name, but not
    automatically, and not by libvirt, which uses ``modprobe -b``."""
    name = frozenset({"vfio_pci"})
    found: list[Setting] = [
        option for option in settings.in_force
        if option.name in ("modprobe.blacklist", "rd.driver.blacklist") and _lists(option, name)
    ]  # fmt: skip
    found += [r for r in settings.modules if r.directive == "blacklist" and r.module in name]
    return tuple(found)


def _lists(option: KernelOption, modules: frozenset[str]) -> bool:
    listed = (option.value or "").split(",")
    return any(name.replace("-", "_") in modules for name in listed)


def without(option: KernelOption, modules: frozenset[str]) -> str | None:
    """The option without the ``modules`` in its list; ``None`` if nothing is left."""
    left = [
        name for name in (option.value or "").split(",")
        if name and name.replace("-", "_") not in modules
    ]  # fmt: skip
    head = option.text.partition("=")[0]
    return f"{head}={','.join(left)}" if left else None


def parameter(settings: KernelSettings, module: str, name: str) -> Setting | None:
    """The setting that gives a module a parameter: the last on the command line, which overrides
    modprobe.d, else the last in modprobe.d (kmod: libkmod-config.c)."""
    given = [o for o in settings.in_force if o.name == f"{module}.{name}"]
    rules = [
        rule for rule in settings.modules
        if rule.directive == "options" and rule.module == module
        and value_in(rule, name) is not None
    ]  # fmt: skip
    return given[-1] if given else rules[-1] if rules else None


def value_in(setting: Setting, name: str) -> str | None:
    """The value of a parameter in a setting; ``1`` for a bare flag."""
    if isinstance(setting, KernelOption):
        return "1" if setting.value is None else setting.value
    values = [
        value if equals else "1"
        for word in setting.arguments.split()
        for key, equals, value in [word.partition("=")]
        if key.replace("-", "_") == name
    ]
    return values[-1] if values else None


def is_true(value: str | None) -> bool:
    """Whether the kernel reads a flag's value as true (lib/kstrtox.c: kstrtobool)."""
    return value is not None and value.lower().startswith(("1", "y", "t", "on"))


def with_places(settings: Iterable[Setting]) -> str:
    """Settings with their places."""
    return ", ".join(f"{each.text} ({each.place})" for each in settings)
