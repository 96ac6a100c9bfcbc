"""Settings of the kernel and modprobe: command line, boot loader files, modprobe.d."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ModuleDirective = Literal["blacklist", "install", "options", "softdep", "load"]

InitramfsMaker = Literal["mkinitcpio", "dracut", "initramfs-tools"]


class KernelOption(Struct, frozen=True):
    """An option of the kernel's command line (lib/cmdline.c). ``name`` has underscores for dashes,
    since the kernel treats them alike. ``text`` is the option as written, and ``file`` where; both
    are safe to draw. ``line`` counts from 1 and is None for /proc/cmdline."""

    name: str
    value: str | None
    text: str
    file: str
    line: int | None = None

    @property
    def place(self) -> str:
        return self.file if self.line is None else f"{self.file}, line {self.line}"


class ModuleRule(Struct, frozen=True):
    """A line of modprobe.d(5): a ``directive`` for ``module``, written with underscores.
    ``arguments`` is what follows the module's name. ``load`` is for a module that the initramfs
    loads."""

    directive: ModuleDirective
    module: str
    arguments: str
    text: str
    file: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.file}, line {self.line}"


class Initramfs(Struct, frozen=True):
    """What the program ``maker`` has the next initramfs do.

    ``modules`` are loaded first, in this order. ``modprobe``: it has the host's modprobe.d.
    ``file`` is where more modules are written.
    """

    maker: InitramfsMaker
    modules: tuple[ModuleRule, ...] = ()
    modprobe: bool = True
    file: str = ""


class KernelSettings(Struct, frozen=True):
    """The settings that bear on passthrough.

    ``running`` is /proc/cmdline, None if it is not known. ``written`` are the options in the boot
    loader's own ``files``, of every boot entry. ``modules`` is modprobe.d in the order in which
    modprobe reads it. ``modules_disabled``: no module can be loaded until the next boot
    (/proc/sys/kernel/modules_disabled). ``initramfs`` is ``None`` if it is not known.
    """

    running: tuple[KernelOption, ...] | None = None
    written: tuple[KernelOption, ...] = ()
    files: tuple[str, ...] = ()
    modules: tuple[ModuleRule, ...] = ()
    modules_disabled: bool = False
    initramfs: Initramfs | None = None

    @property
    def in_force(self) -> tuple[KernelOption, ...]:
        """The options that the kernel runs with or, if that is not known, would boot with."""
        return self.written if self.running is None else self.running
