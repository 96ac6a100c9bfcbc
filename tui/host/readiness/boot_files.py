"""The kernel options in the files of boot loaders, or in the files that generate their menus.

Anybody may have written the files: they are read with bounds, and a line in another format is
ignored. Shell is parsed for its assignments and never run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tui.host.readiness.kernel_options import options
from tui.host.tree import Tree, text_of
from tui.host.untrusted import visible
from tui.model import Boot, KernelOption

FILES_LIMIT = 64
"""Files to read in one folder: boot entries, parts of a configuration."""

LINES_LIMIT = 4096
"""Lines to read in one file."""

File = tuple[str, list[str]]
"""The name of a file below the root, and its lines."""

Found = tuple[str, int, str]
"""A file, a line number in it, from 1, and the options on that line."""

Parse = Callable[[Iterable[File]], Iterator[Found]]

_GRUB = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
_ENTRIES = ("boot/loader/entries", "efi/loader/entries", "boot/efi/loader/entries")
_LIMINE = ("boot/limine.conf", "boot/limine/limine.conf", "boot/EFI/limine/limine.conf")

_ASSIGNED = re.compile(
    r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]]*\])?(\+?)=(.*)", re.DOTALL
)
_REFERENCE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_ENTRY = re.compile(r"options[ \t]+(.*)")
_GENERATION = re.compile(r"/nixos-generation-([0-9]{1,9})\.conf$")
_DEFAULT = re.compile(r"^default[ \t]+(\S+)[ \t]*$", re.MULTILINE)
_LIMINE_ENTRY = re.compile(r"\s*(?:kernel_)?cmdline\s*[:=]\s*(.*)", re.IGNORECASE)


def written_options(root: Tree, boot: Boot) -> tuple[tuple[KernelOption, ...], tuple[str, ...]]:
    """Return all options in the files of the host's boot loader, and the files that could be
    read."""
    found: list[KernelOption] = []
    read: list[str] = []
    for names, parse in _sources(root, boot):
        texts = ((name, text_of(root, name)) for name in names)
        files = [(name, text.split("\n")[:LINES_LIMIT]) for name, text in texts if text]
        read += [visible(f"/{name}") for name, _ in files]
        for name, number, line in parse(files):
            found += options(line, f"/{name}", number)
    return tuple(found), tuple(read)


def _sources(root: Tree, boot: Boot) -> Iterator[tuple[Sequence[str], Parse]]:
    """Yield the files of the loader that boots this host: other packages may have left theirs."""
    loader = boot.loader
    if loader == "grub":
        names = ["etc/default/grub", *_in(root, "etc/default/grub.d", ".cfg")]
        yield names, _assignments(*_GRUB)
    if loader == "systemd-boot":
        yield ["etc/sdboot-manage.conf"], _assignments("LINUX_OPTIONS")
    if loader == "systemd-boot" or (loader, boot.distribution) == ("grub", "suse"):
        yield ["etc/kernel/cmdline", *_in(root, "etc/cmdline.d", ".conf")], _each(_plain)
    if loader in ("systemd-boot", "grub"):  # Fedora has entries for GRUB
        names = [name for folder in _ENTRIES for name in _in(root, folder, ".conf")]
        if boot.distribution == "nixos":
            names = _generation(root, names)
        yield names, _each(_matching(_ENTRY))
    if loader == "limine":
        yield ["etc/default/limine"], _assignments("KERNEL_CMDLINE")
        yield _LIMINE, _each(_matching(_LIMINE_ENTRY))
    if loader == "refind":
        yield ["boot/refind_linux.conf"], _each(_refind)


def _generation(root: Tree, names: list[str]) -> list[str]:
    """Return NixOS's entry that boots: the one in loader.conf (loader.conf(5)), else the newest.

    The other entries are older generations.
    """
    numbers = {name: int(found[1]) for name in names if (found := _GENERATION.search(name))}
    for name in numbers:
        folder, _, entry = name.rpartition("/entries/")
        default = _DEFAULT.findall(text_of(root, f"{folder}/loader.conf"))
        if default and default[-1] in (entry, entry.removesuffix(".conf")):
            return [name]
    return [max(numbers, key=numbers.__getitem__)] if numbers else names


def _in(root: Tree, folder: str, suffix: str) -> list[str]:
    try:
        names = sorted(name for name in root.names(folder) if name.endswith(suffix))
    except OSError:
        return []
    return [f"{folder}/{name}" for name in names[:FILES_LIMIT]]


def _each(of_line: Callable[[str], str | None]) -> Parse:
    """Parse every line on its own."""

    def parse(files: Iterable[File]) -> Iterator[Found]:
        for name, lines in files:
            for number, line in enumerate(lines, 1):
                if (found := of_line(line)) is not None:
                    yield name, number, found

    return parse


def _plain(line: str) -> str | None:
    return None if line.lstrip().startswith("#") else line


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    def of_line(line: str) -> str | None:
        found = pattern.fullmatch(line)
        return found[1] if found else None

    return of_line


def _refind(line: str) -> str | None:
    """Return the options of an entry: the second of two quoted words, after its name."""
    words = _words(line)
    return words[1] if words is not None and len(words) > 1 else None


def _assignments(*variables: str) -> Parse:
    """Return what shell files, read in order, assign to the ``variables``.

    A value that spans several lines is reported with the first of them.
    """

    def parse(files: Iterable[File]) -> Iterator[Found]:
        given: dict[str, list[Found]] = {name: [] for name in variables}
        others: dict[str, Found] = {}
        for file, lines in files:
            for number, text in _statements(lines):
                found = _ASSIGNED.fullmatch(text)
                words = _words(found[3]) if found is not None else None
                if found is None or words is None:
                    continue
                variable, value = found[1], words[0] if words else ""
                if variable not in given:
                    others[variable] = (file, number, value)
                    continue
                itself = re.compile(rf"\$(?:{variable}\b|{{{variable}}})")
                if not found[2] and itself.search(value) is None:
                    given[variable].clear()
                given[variable] += _expanded((file, number, itself.sub(" ", value)), others)
        for values in given.values():
            yield from values

    return parse


def _expanded(found: Found, others: Mapping[str, Found]) -> Iterator[Found]:
    """Report an option that is a reference to another variable with the line that assigns that
    one."""
    file, number, value = found
    if "$" not in value:
        yield found
        return
    for word in value.split():
        named = _REFERENCE.fullmatch(word)
        yield others.get(named[1], (file, number, word)) if named else (file, number, word)


def _statements(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the statements of a shell file with the numbers of their first lines.

    An open quote, and a backslash at the end, join a line to the next.
    """
    begun: list[str] = []
    within = ""
    for number, line in enumerate(lines, 1):
        begun.append(line)
        within = left_open(line, within)
        if not within:
            yield number + 1 - len(begun), "\n".join(begun).replace("\\\n", "")
            begun.clear()


def left_open(line: str, within: str) -> str:
    """Return what is open at the end of a line: a quotation mark, a backslash, or nothing.

    ``within`` is what was open at its start.
    """
    quote, before = within.replace("\\", ""), " "
    characters = iter(line)
    for character in characters:
        if quote:
            if character == quote:
                quote = ""
            elif character == "\\" and quote == '"':
                next(characters, "")
        elif character == "#" and before.isspace():
            return ""
        elif character in "\"'":
            quote = character
        elif character == "\\" and next(characters, None) is None:
            return "\\"
        before = character
    return quote


def _words(text: str) -> list[str] | None:
    """Split a line as a shell does; ``None`` if a quote stays open."""
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return None
