"""Redacts a recording: each file by the rule for its kind, and each path part by part.

A file without a rule is left out. So each file that a new reader opens needs a rule here, and
reveals nothing that nobody has considered.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tui.host import hooks
from tui.host.capture import domains, scripts, tables
from tui.host.capture.archive import is_storable
from tui.host.capture.collect import FILE_NAME, HostFiles
from tui.host.capture.memory import Link, Node
from tui.host.capture.recorder import UNREADABLE
from tui.host.capture.standins import StandIns
from tui.host.capture.words import (
    boot_text,
    initramfs_text,
    modprobe_text,
    module_list,
    shell_text,
    without_secrets,
)

Rule = Callable[[bytes, StandIns], bytes]

_KERNELS = r"(?:usr/)?lib/modules/[^/]+"
_NET = r"proc/(?:self/)?net"
_HOOKS = "|".join(re.escape(folder) for folder in hooks.FOLDERS)
_CALLED = "|".join(re.escape(script) for script in hooks.CALLED)
_ROUTE, _TRIE = re.compile(rf"{_NET}/route"), re.compile(rf"{_NET}/fib_trie")
_ATTRIBUTE = re.compile(rb"[ -~\t\r\n\0]*")
_DOMAIN = re.compile(r"domains/[^/]+")
_EFI_VARIABLE = re.compile(r"LoaderInfo-4a67b082-[0-9a-f-]{27}")


def _in_text(change: Callable[[str, StandIns], str]) -> Rule:
    """Return a rule for a text; bytes that are not text hold nothing that a reader could use."""
    return lambda data, stand_ins: change(
        data.partition(b"\0")[0].decode("utf-8", "replace"), stand_ins
    ).encode()


def _host_name(text: str, stand_ins: StandIns) -> str:
    name = text.strip().lower()
    return stand_ins.of("host names", name) + "\n" if name else text


def _named(kind: str) -> Callable[[str, StandIns], str]:
    """Return the redaction of a file that holds a single name of that kind."""

    def change(text: str, stand_ins: StandIns) -> str:
        name = text.strip()
        return stand_ins.of(kind, name) + "\n" if name else text

    return change


def _attribute(data: bytes, stand_ins: StandIns) -> bytes:
    """Keep an attribute of sysfs, which is a number or one of the kernel's words."""
    if not _ATTRIBUTE.fullmatch(data):
        return UNREADABLE
    return stand_ins.name(data.decode("ascii")).encode()


def _domain(data: bytes, stand_ins: StandIns) -> bytes:
    return domains.file(data, stand_ins, domains.redacted)


_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"proc/sys/kernel/hostname|etc/hostname", _in_text(_host_name)),
        (r"sys/firmware/efi/efivars/LoaderInfo-.*", tables.loader_info),
        (r"sys/.*/dm/name", _in_text(_named("volume names"))),
        (r"sys/.*/serial", _in_text(_named("serial numbers"))),
        (r"sys/.*/(?:manufacturer|product)", _in_text(_named("USB names"))),
        (r"sys/.*", _attribute),
        (r"proc/sys/kernel/(?:osrelease|modules_disabled)", _attribute),
        (r"proc/cmdline", _in_text(boot_text)),
        (r"proc/cpuinfo", _in_text(tables.cpuinfo)),
        (r"proc/modules", _in_text(tables.modules)),
        (r"proc/meminfo", _in_text(tables.meminfo)),
        (r"proc/iomem", _in_text(tables.iomem)),
        (r"etc/supergfxd\.conf", _in_text(tables.supergfxd)),
        (r"etc/driverctl\.d/[^/]+", _in_text(tables.driverctl)),
        (r".*/udev/rules\.d/50-remove-nvidia\.rules", _in_text(lambda *_: "#\n")),
        (r"proc/spl/kstat/zfs/arcstats", _in_text(tables.arcstats)),
        (rf"(?:{_HOOKS})/qemu(?:\.d/.*)?|{_CALLED}", _in_text(scripts.hook)),
        (r"proc/driver/nvidia/version", _in_text(tables.nvidia_version)),
        (r"proc/bus/input/devices", _in_text(tables.inputs)),
        (r"proc/[^/]+/mountinfo", tables.mountinfo),
        (r"proc/(?:[^/]+/)?mounts", tables.mounts),
        (r"proc/swaps", tables.swaps),
        (rf"{_NET}/if_inet6", _in_text(tables.if_inet6)),
        (r"run/udev/data/b[0-9:]+", _in_text(tables.udev_block)),
        (r"(?:etc|usr/lib)/os-release", _in_text(tables.os_release)),
        (rf"{_KERNELS}/modules\.(?:dep|builtin)", _in_text(tables.dep)),
        (r"usr/share/hwdata/pci\.ids", _in_text(lambda text, stand_ins: stand_ins.name(text))),
        (r".*modprobe\.d/[^/]+", _in_text(modprobe_text)),
        (r"etc/mkinitcpio\.conf(?:\.d/[^/]+)?", _in_text(initramfs_text)),
        (r"(?:etc|usr/lib/dracut)/dracut\.conf(?:\.d/[^/]+)?", _in_text(initramfs_text)),
        (r"etc/initramfs-tools/modules", _in_text(module_list)),
        (r"usr/share/initramfs-tools/modules\.d/[^/]+", _in_text(module_list)),
        (r"etc/default/(?:grub|limine)|etc/default/grub\.d/[^/]+", _in_text(shell_text)),
        (r"etc/sdboot-manage\.conf", _in_text(shell_text)),
        (r"etc/(?:kernel/cmdline|cmdline\.d/[^/]+)", _in_text(boot_text)),
        (r"(?:boot|efi)/.*\.conf", _in_text(boot_text)),
        (r"domains/[^/]+", _domain),
    )
)


def redacted(recording: HostFiles, stand_ins: StandIns) -> HostFiles:
    """Return the recording with stand-ins for what identifies the host and its users."""
    nodes: dict[str, Node] = {}
    unread = {path_of(p, stand_ins): stand_ins.text(why) for p, why in recording.unread.items()}
    changed = _tables(recording, stand_ins)
    for path, node in recording.nodes.items():
        shown = path_of(path, stand_ins)
        if not is_storable(shown):
            stand_ins.remove("names with non-printable characters")
        elif isinstance(node, bytes):
            found = changed[path] if path in changed else _by_rule(recording, path, node, stand_ins)
            if isinstance(found, str):
                unread[shown] = found
            else:
                nodes[shown] = found
        else:
            nodes[shown] = node if node is None else Link(path_of(node.target, stand_ins))
    return HostFiles(nodes, unread)


def has_rule(path: str) -> bool:
    """Whether there is a rule for a file that was asked for by this path."""
    tables_of_routes = _ROUTE.fullmatch(path) or _TRIE.fullmatch(path)
    return bool(tables_of_routes) or any(pattern.fullmatch(path) for pattern, _ in _RULES)


def _by_rule(recording: HostFiles, path: str, data: bytes, stand_ins: StandIns) -> bytes | str:
    """Return the redacted file, or why it is left out."""
    if not data or data == UNREADABLE:
        return data
    for asked in (recording.asked.get(path, path), path):
        for pattern, rule in _RULES:
            if pattern.fullmatch(asked):
                try:
                    return rule(data, stand_ins)
                except Exception as error:  # a bug here must not leak data or end the capture
                    return f"it cannot be redacted: {type(error).__name__}"
    return "it may contain something private"


def _tables(recording: HostFiles, stand_ins: StandIns) -> dict[str, bytes]:
    """Return the tables of routes and of addresses, which only make sense together."""
    by_kind: dict[re.Pattern[str], str] = {}
    for path, node in recording.nodes.items():
        for kind in (_ROUTE, _TRIE):
            if isinstance(node, bytes) and kind.fullmatch(recording.asked.get(path, path)):
                by_kind[kind] = path
    texts = {kind: _ascii(recording.nodes[path]) for kind, path in by_kind.items()}
    found = tables.route(texts.get(_ROUTE, ""), texts.get(_TRIE, ""), stand_ins)
    written = dict(zip((_ROUTE, _TRIE), found, strict=True))
    return {path: written[kind].encode() for kind, path in by_kind.items()}


def _ascii(node: Node) -> str:
    return node.decode("ascii", "replace") if isinstance(node, bytes) else ""


# --- paths --------------------------------------------------------------------


def path_of(path: str, stand_ins: StandIns) -> str:
    """Return a path, or a link's target, with stand-ins for the names in it."""
    parts = path.split("/")
    if (below := re.fullmatch(rf"({_HOOKS})/qemu\.d/(.+)", path)) is not None:
        return f"{below[1]}/qemu.d/{scripts.hook_path(below[2], stand_ins)}"
    if _DOMAIN.fullmatch(path):
        return f"domains/{_domain_file(parts[1], stand_ins)}"
    shown = []
    for before, part in zip(["", *parts], parts, strict=False):
        shown.append(_part(before, part, stand_ins))
    if path.startswith("proc/spl/kstat/zfs/") and len(parts) > 4:
        shown[4] = stand_ins.of("pool names", parts[4])
    return "/".join(shown)


def _part(before: str, part: str, stand_ins: StandIns) -> str:
    if before == "net" and part not in ("..", ".", "route", "fib_trie", "if_inet6"):
        return stand_ins.interface(part)
    if _EFI_VARIABLE.fullmatch(part):  # its UUID is the boot loader interface's
        return part
    for prefix in ("upper_", "lower_"):
        if part.startswith(prefix):
            return prefix + stand_ins.interface(part.removeprefix(prefix))
    return stand_ins.name(part)


def _domain_file(name: str, stand_ins: StandIns) -> str:
    stem, dot, ending = name.rpartition(".")
    kept = stand_ins.guest(stem) if FILE_NAME.fullmatch(stem) else stand_ins.of("guest names", stem)
    return kept + dot + ending


# --- without redaction --------------------------------------------------------


def unredacted(recording: HostFiles, stand_ins: StandIns) -> HostFiles:
    """Return the recording without passwords and secrets, which no capture has."""
    nodes = {
        path: _stripped(path, node, stand_ins) if isinstance(node, bytes) else node
        for path, node in recording.nodes.items()
    }
    return HostFiles(nodes, recording.unread, recording.asked)


def _stripped(path: str, data: bytes, stand_ins: StandIns) -> bytes:
    if _DOMAIN.fullmatch(path):
        try:
            return domains.file(data, stand_ins, domains.without_secrets)
        except RecursionError:
            return b"<domain>"
    return data if path.startswith("sys/") else _in_bytes(data, stand_ins)


def _in_bytes(data: bytes, stand_ins: StandIns) -> bytes:
    """Keep every byte except those of secrets."""
    text = without_secrets(data.decode("utf-8", "surrogateescape"), stand_ins)
    return text.encode("utf-8", "surrogateescape")
